// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/attention_plan.hpp"

#include <algorithm>

namespace heddle::schedule {
namespace {

Cost attention_cost(const KernelSpec& spec, std::int64_t tokens) {
  const std::int64_t dim = spec.head_dim;
  const auto element = static_cast<std::int64_t>(size_of(spec.dtype));
  constexpr std::int64_t kProduct = 2 * 16 * 16 * 8;
  constexpr std::int64_t kRows = kTensorChunk;
  // Of a chunk and a window: scores and what they weigh. Of each score its scale, its distance to
  // the highest one and its place in the total; what was summed before shrinks. Lanes that share a
  // row each do what they need of it.
  constexpr std::int64_t kShared = 4;
  const std::int64_t products = kTensorChunk / 16 * (8 * (dim / 16) + 4 * (dim / 8)) * kProduct;
  const std::int64_t others = 3 * kRows * kRows + 2 * kShared * kRows + kRows * dim;
  Cost cost;
  cost.prediction.tokens = tokens;
  for (std::int64_t first = 0; first < tokens; first += kRows) {
    const std::int64_t size = std::min(kRows, tokens - first);
    const std::int64_t windows = first / kRows + 1;
    cost.tensor_flops += windows * products;
    cost.prediction.flops += windows * others + 3 * kShared * kRows + kRows * dim;
    cost.prediction.bytes += (2 * size + 2 * (first + size)) * dim * element;
  }
  cost.prediction.flops += cost.tensor_flops;
  return cost;
}

}  // namespace

AttentionLayout::AttentionLayout(const KernelSpec& spec)
    : stride(spec.head_dim + 8), window(kTensorChunk * stride) {
  keys_at = window;
  values_at = keys_at + kStages * window;
  bytes = (1 + 2 * kStages) * window * static_cast<std::int64_t>(size_of(spec.dtype));
}

Result<AttentionPlan> plan_attention(KernelSpec spec, std::int64_t tokens,
                                     std::int64_t shared_bytes) {
  if (!spec.dense_inputs || spec.weights != WeightKind::kSoftmax) {
    return Error{"tensor cores are for A = dense, B = none and softmax weights"};
  }
  if (spec.dtype != ElementType::kBF16 && spec.dtype != ElementType::kF16) {
    return Error{"tensor cores sum products of bf16 and f16 only"};
  }
  if (spec.head_dim != 64 && spec.head_dim != 128) {
    return Error{"attention on tensor cores is for 64 or 128 channels a head"};
  }
  if (spec.varlen) return Error{"sequences with lengths of their own share no chunks"};
  if (AttentionLayout(spec).bytes > shared_bytes) {
    return Error{"two windows of keys and values do not fit into shared memory"};
  }
  return AttentionPlan{TensorSplit{kTensorChunk / 16}, attention_cost(spec, tokens)};
}

}  // namespace heddle::schedule
