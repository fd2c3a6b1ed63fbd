// SPDX-License-Identifier: Apache-2.0
// A hand-written artifact for the tests of verification: the first-order recurrence under softmax,
// head_dim 8, one thread per channel. A = {i}, B = {i-1}, one cache slot.
#pragma once

#include <map>
#include <string>

#include "codegen/manifest.hpp"

namespace heddle::test {

inline const char* const kFirstOrderText = R"cuda(
#define HEAD_DIM 8

// y = (1 - gamma) e^{s_a} x + gamma e^{s_b} before, over the sum; just x for the first token.
__device__ float mixed(bool first, float s_a, float s_b, float gamma, float x, float before) {
  if (first) return x;
  const float largest = fmaxf(s_a, s_b);
  const float weight_a = (1.0f - gamma) * expf(s_a - largest);
  const float weight_b = gamma * expf(s_b - largest);
  return (weight_a * x + weight_b * before) / (weight_a + weight_b);
}

__device__ float sum_of(const float* products) {
  float sum = 0.0f;
  for (int e = 0; e < HEAD_DIM; ++e) sum += products[e];
  return sum;
}

extern "C" __global__ void first_order_prefill(
    const float* q, const float* k, const float* x, const int* initial_b_pos,
    const float* initial_b_key, const float* initial_b_val, float* y, int* final_b_pos,
    float* final_b_key, float* final_b_val, int tokens, int heads, int start, int slots_b,
    float scale, float gamma) {
  __shared__ float product_a[HEAD_DIM];
  __shared__ float product_b[HEAD_DIM];
  const int b = blockIdx.x / heads;
  const int h = blockIdx.x % heads;
  const int c = threadIdx.x;
  float key_before = 0.0f;
  float y_before = 0.0f;
  for (int slot = 0; slot < slots_b && start > 0; ++slot) {
    if (initial_b_pos[(b * heads + h) * slots_b + slot] == start) {
      const int at = ((b * slots_b + slot) * heads + h) * HEAD_DIM + c;
      key_before = initial_b_key[at];
      y_before = initial_b_val[at];
    }
  }
  for (int t = 0; t < tokens; ++t) {
    const int at = ((b * tokens + t) * heads + h) * HEAD_DIM + c;
    product_a[c] = q[at] * k[at];
    product_b[c] = q[at] * key_before;
    __syncthreads();  // products complete
    const float s_a = scale * sum_of(product_a);
    const float s_b = scale * sum_of(product_b);
    __syncthreads();  // products read
    y_before = mixed(start + t == 0, s_a, s_b, gamma, x[at], y_before);
    key_before = k[at];
    y[at] = y_before;
  }
  for (int slot = 0; slot < slots_b; ++slot) {
    if (c == 0) final_b_pos[(b * heads + h) * slots_b + slot] = slot == 0 ? start + tokens : 0;
    if (slot == 0) continue;
    const int free = ((b * slots_b + slot) * heads + h) * HEAD_DIM + c;
    final_b_key[free] = 0.0f;
    final_b_val[free] = 0.0f;
  }
  const int at = (b * slots_b * heads + h) * HEAD_DIM + c;
  final_b_key[at] = key_before;
  final_b_val[at] = y_before;
}

extern "C" __global__ void first_order_decode(
    const float* q, const float* k, const float* x, int* cache_b_pos, float* cache_b_key,
    float* cache_b_val, float* y, int heads, int start, int slots_b, float scale, float gamma) {
  __shared__ float product_a[HEAD_DIM];
  __shared__ float product_b[HEAD_DIM];
  const int b = blockIdx.x / heads;
  const int h = blockIdx.x % heads;
  const int c = threadIdx.x;
  int slot = 0;
  for (int s = 0; s < slots_b && start > 0; ++s) {
    if (cache_b_pos[(b * heads + h) * slots_b + s] == start) slot = s;
  }
  const int held = ((b * slots_b + slot) * heads + h) * HEAD_DIM + c;
  const int at = (b * heads + h) * HEAD_DIM + c;
  product_a[c] = q[at] * k[at];
  product_b[c] = start > 0 ? q[at] * cache_b_key[held] : 0.0f;
  __syncthreads();  // products complete, positions read
  const float s_a = scale * sum_of(product_a);
  const float s_b = scale * sum_of(product_b);
  const float before = start > 0 ? cache_b_val[held] : 0.0f;
  const float next = mixed(start == 0, s_a, s_b, gamma, x[at], before);
  y[at] = next;
  cache_b_key[held] = k[at];
  cache_b_val[held] = next;
  if (c == 0) cache_b_pos[(b * heads + h) * slots_b + slot] = start + 1;
}
)cuda";

inline Argument buffer(const std::string& name, Access access, std::vector<std::string> shape,
                       ElementType type = ElementType::kF32) {
  return {name, ArgumentKind::kBuffer, type, access, std::move(shape)};
}
inline Argument size(const std::string& name) { return {name, ArgumentKind::kSize}; }
inline Argument scalar(const std::string& name) { return {name, ArgumentKind::kScalar}; }

inline Manifest first_order_manifest() {
  Manifest manifest;
  manifest.pattern = "linear_recurrence";
  manifest.target = "cuda";
  manifest.weights = "softmax";
  manifest.head_dim = 8;
  manifest.cache_b = {CacheRetention::kNextRow, {{1, 1}}, 4096};
  const auto tokens = [](const std::string& count) {
    return std::vector<std::string>{"batch", count, "heads", "8"};
  };
  const std::vector<std::string> pos = {"batch", "heads", "slots_b"};
  const std::vector<std::string> slots = {"batch", "slots_b", "heads", "8"};
  KernelEntry prefill;
  prefill.op = "prefill";
  prefill.symbol = "first_order_prefill";
  prefill.file = "first_order.cu";
  prefill.grid = {"batch", "heads"};
  prefill.threads = 8;
  prefill.arguments = {buffer("q", Access::kRead, tokens("tokens")),
                       buffer("k", Access::kRead, tokens("tokens")),
                       buffer("x", Access::kRead, tokens("tokens")),
                       buffer("initial_b_pos", Access::kRead, pos, ElementType::kI32),
                       buffer("initial_b_key", Access::kRead, slots),
                       buffer("initial_b_val", Access::kRead, slots),
                       buffer("y", Access::kWrite, tokens("tokens")),
                       buffer("final_b_pos", Access::kWrite, pos, ElementType::kI32),
                       buffer("final_b_key", Access::kWrite, slots),
                       buffer("final_b_val", Access::kWrite, slots),
                       size("tokens"),
                       size("heads"),
                       size("start"),
                       size("slots_b"),
                       scalar("scale"),
                       scalar("gamma")};
  KernelEntry decode = prefill;
  decode.op = "decode";
  decode.symbol = "first_order_decode";
  decode.arguments = {buffer("q", Access::kRead, tokens("1")),
                      buffer("k", Access::kRead, tokens("1")),
                      buffer("x", Access::kRead, tokens("1")),
                      buffer("cache_b_pos", Access::kReadWrite, pos, ElementType::kI32),
                      buffer("cache_b_key", Access::kReadWrite, slots),
                      buffer("cache_b_val", Access::kReadWrite, slots),
                      buffer("y", Access::kWrite, tokens("1")),
                      size("heads"),
                      size("start"),
                      size("slots_b"),
                      scalar("scale"),
                      scalar("gamma")};
  manifest.kernels = {decode, prefill};
  return manifest;
}

inline std::map<std::string, std::string> first_order_files() {
  return {{"first_order.cu", kFirstOrderText}};
}

}  // namespace heddle::test
