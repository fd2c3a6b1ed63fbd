// SPDX-License-Identifier: Apache-2.0
// Reads a text as a language model would: once in one go through the prefill kernel, once byte by
// byte through the decode kernel, which keeps O(sqrt n) of the past. Both must agree.
// Usage: stream_text FILE
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "sqrt_cached.hpp"

namespace {

constexpr int kHeads = 4;
constexpr int kHeadDim = 32;
constexpr int kWidth = kHeads * kHeadDim;  // floats of one token

using Tensor = std::vector<float>;

// What a model's embedding and projections would give: fixed pseudo-random vectors per byte and
// role (query, key, input), the same in every run.
float feature(unsigned char byte, unsigned role, unsigned channel) {
  unsigned state = (byte * 3u + role) * 8191u + channel;
  for (int round = 0; round < 3; ++round) {
    state ^= state >> 16;
    state *= 0x45d9f3bu;
  }
  return static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
}

Tensor embed(const std::string& text, unsigned role) {
  Tensor tensor;
  tensor.reserve(text.size() * kWidth);
  for (const char c : text) {
    for (unsigned channel = 0; channel < kWidth; ++channel) {
      tensor.push_back(feature(static_cast<unsigned char>(c), role, channel));
    }
  }
  return tensor;
}

// What decode keeps: for each slot the token it holds, its key and its output.
struct Cache {
  explicit Cache(int slot_count)
      : slots(slot_count),
        token(static_cast<std::size_t>(slot_count) * kHeads),
        key(static_cast<std::size_t>(slot_count) * kWidth),
        value(static_cast<std::size_t>(slot_count) * kWidth) {}
  std::size_t bytes() const {
    return token.size() * sizeof(int) + (key.size() + value.size()) * sizeof(float);
  }

  int slots;
  std::vector<int> token;
  Tensor key;
  Tensor value;
};

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double largest_difference(const Tensor& a, const Tensor& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::fmax(worst, std::fabs(static_cast<double>(a[i]) - b[i]));
  }
  return worst;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: stream_text FILE\n");
    return 2;
  }
  std::ifstream file(argv[1], std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const int tokens = static_cast<int>(text.size());
  const int slots = sqrt_cached_slots_b(tokens);
  if (tokens == 0 || slots < 0) {
    std::fprintf(stderr, "stream_text: %s is empty, missing or too long\n", argv[1]);
    return 2;
  }
  const Tensor q = embed(text, 0), k = embed(text, 1), x = embed(text, 2);
  const float scale = 1.0f / std::sqrt(static_cast<float>(kHeadDim));
  const float gamma = 0.5f;

  // In one go. The final state is the cache from which decode could go on.
  Tensor at_once(x.size(), NAN);
  Cache after(slots);
  auto start = std::chrono::steady_clock::now();
  sqrt_cached_prefill(q.data(), k.data(), x.data(), at_once.data(), nullptr, nullptr, nullptr,
                      after.token.data(), after.key.data(), after.value.data(), tokens, kHeads,
                      /*start=*/0, slots, scale, gamma, 0, kHeads);
  const double prefill_seconds = seconds_since(start);

  // Byte by byte from an empty cache.
  Tensor streamed(x.size(), NAN);
  Cache cache(slots);
  start = std::chrono::steady_clock::now();
  for (int t = 0; t < tokens; ++t) {
    const std::size_t at = static_cast<std::size_t>(t) * kWidth;
    sqrt_cached_decode(&q[at], &k[at], &x[at], &streamed[at], cache.token.data(), cache.key.data(),
                       cache.value.data(), kHeads, /*start=*/t, slots, scale, gamma, 0, kHeads);
  }
  const double decode_seconds = seconds_since(start);

  const double difference = largest_difference(at_once, streamed);
  const std::size_t everything = text.size() * kWidth * 2 * sizeof(float);
  std::printf("%d bytes of text, %d heads of %d channels, f32\n", tokens, kHeads, kHeadDim);
  std::printf("  prefill  %8.0f tokens/s\n", tokens / prefill_seconds);
  std::printf("  decode   %8.0f tokens/s\n", tokens / decode_seconds);
  std::printf("  cache    %8zu bytes in %d slots; keeping every token would take %zu\n",
              cache.bytes(), slots, everything);
  std::printf("  largest difference between the two: %.1e\n", difference);
  return difference < 1e-5 ? 0 : 1;
}
