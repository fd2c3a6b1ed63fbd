// SPDX-License-Identifier: Apache-2.0
// Calls a generated prefill kernel and checks it against the definition, written out in double.
#include <cmath>
#include <cstdio>
#include <set>
#include <vector>

#include "recent_and_far.hpp"

namespace {

constexpr int kTokens = 200;
constexpr int kHeads = 2;
constexpr int kHeadDim = 16;

// A small generator of reproducible numbers in [-1, 1).
float draw() {
  static unsigned state = 1;
  state = state * 1664525u + 1013904223u;
  return static_cast<float>(state >> 8) / 8388608.0f - 1.0f;
}

std::vector<float> random_tensor() {
  std::vector<float> values(kTokens * kHeads * kHeadDim);
  for (float& value : values) value = draw();
  return values;
}

// [T, H, D]
std::size_t at(int token, int head, int d) {
  return static_cast<std::size_t>((token * kHeads + head) * kHeadDim + d);
}

// Row i, from 1, reads its own input and the outputs i-4..i-1 and i-t for triangular t.
std::set<int> outputs_read_by(int i) {
  std::set<int> row;
  for (int back = 1; back <= 4 && back < i; ++back) row.insert(i - back);
  for (int k = 0, t = 1; t < i; ++k, t += k + 1) row.insert(i - t);
  return row;
}

}  // namespace

int main() {
  const std::vector<float> q = random_tensor(), k = random_tensor(), x = random_tensor();
  std::vector<float> y(x.size());
  const float scale = 1.0f / std::sqrt(static_cast<float>(kHeadDim));
  const float gamma = 0.5f;  // inputs and outputs weigh the same

  // Every output stays live in this pattern, so the state holds a slot per token.
  std::vector<float> final_keys(x.size()), final_values(x.size());
  recent_and_far_prefill(q.data(), k.data(), x.data(), y.data(), nullptr, nullptr,
                         final_keys.data(), final_values.data(), kTokens, kHeads, /*start=*/0,
                         /*slots_b=*/kTokens, scale, gamma, 0, kHeads);

  double worst = 0;
  std::vector<double> expected(x.size());
  for (int head = 0; head < kHeads; ++head) {
    for (int i = 1; i <= kTokens; ++i) {
      const auto weight = [&](int j) {
        double score = 0;
        for (int d = 0; d < kHeadDim; ++d) {
          score += static_cast<double>(q[at(i - 1, head, d)]) * k[at(j - 1, head, d)];
        }
        return std::exp(scale * score);
      };
      double total = weight(i);
      std::vector<double> sum(kHeadDim);
      for (int d = 0; d < kHeadDim; ++d) sum[d] = total * x[at(i - 1, head, d)];
      for (const int j : outputs_read_by(i)) {
        const double w = weight(j);
        total += w;
        for (int d = 0; d < kHeadDim; ++d) sum[d] += w * expected[at(j - 1, head, d)];
      }
      for (int d = 0; d < kHeadDim; ++d) {
        expected[at(i - 1, head, d)] = sum[d] / total;
        worst = std::fmax(worst, std::fabs(expected[at(i - 1, head, d)] - y[at(i - 1, head, d)]));
      }
    }
  }
  std::printf("%d tokens, %d heads: largest difference from the definition %.1e\n", kTokens, kHeads,
              worst);
  return worst < 1e-5 ? 0 : 1;
}
