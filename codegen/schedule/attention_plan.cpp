// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/attention_plan.hpp"

#include <algorithm>

namespace heddle::schedule {
namespace {

Cost attention_cost(const KernelSpec& spec, std::int64_t tokens) {
  const std::int64_t dim = spec.head_dim, rows = AttentionLayout(spec).rows;
  const auto element = static_cast<std::int64_t>(size_of(spec.dtype));
  constexpr std::int64_t kProduct = 2 * 16 * 16 * 8;
  constexpr std::int64_t kRows = 16;  // of a warp
  // Of a warp and a window: scores and what they weigh. Of each score its scale, its distance to
  // the highest one and its place in the total; what was summed before shrinks. Lanes that share a
  // row each do what they need of it.
  constexpr std::int64_t kShared = 4;
  const std::int64_t products =
      (kTensorChunk / 8 * (dim / 16) + kTensorChunk / 16 * (dim / 8)) * kProduct;
  const std::int64_t others = 3 * kRows * kTensorChunk + 2 * kShared * kRows + kRows * dim;
  // How far before itself a row reads, and the windows that hold rows from so far back on.
  const std::int64_t reach = spec.input_window > 0 ? spec.input_window - 1 : tokens;
  const auto first_window = [&](std::int64_t token) {
    return std::max<std::int64_t>(token - reach, 0) / kTensorChunk;
  };
  Cost cost;
  cost.prediction.tokens = tokens;
  for (std::int64_t first = 0; first < tokens; first += rows) {
    const std::int64_t end = std::min(first + rows, tokens);
    for (std::int64_t own = first; own < end; own += kRows) {
      const std::int64_t windows = own / kTensorChunk - first_window(own) + 1;
      cost.tensor_flops += windows * products;
      cost.prediction.flops += windows * others;
    }
    cost.prediction.flops += rows * (3 * kShared + dim);
    const std::int64_t read = end - first_window(first) * kTensorChunk;
    cost.prediction.bytes += (2 * (end - first) + 2 * read) * dim * element;
  }
  cost.prediction.flops += cost.tensor_flops;
  return cost;
}

}  // namespace

AttentionLayout::AttentionLayout(const KernelSpec& spec)
    : rows(16 * spec.tensor->warps), stride(spec.head_dim + 8), window(kTensorChunk * stride) {
  keys_at = rows * stride;
  values_at = keys_at + kStages * window;
  bytes = (values_at + kStages * window) * static_cast<std::int64_t>(size_of(spec.dtype));
}

std::optional<Error> unfit_for_tensor_cores(const KernelSpec& spec) {
  if (spec.dtype != ElementType::kBF16 && spec.dtype != ElementType::kF16) {
    return Error{"tensor cores sum products of bf16 and f16 only"};
  }
  if (spec.head_dim != 64 && spec.head_dim != 128) {
    return Error{"attention on tensor cores is for 64 or 128 channels a head"};
  }
  return std::nullopt;
}

Result<AttentionPlan> plan_attention(KernelSpec spec, std::int64_t tokens,
                                     std::int64_t shared_bytes) {
  if ((!spec.dense_inputs && spec.input_window == 0) || spec.weights != WeightKind::kSoftmax) {
    return Error{
        "tensor cores are for A = dense or a window with B = none, or A = diagonal with B = dense, "
        "and softmax weights"};
  }
  if (spec.input_window > 0 && spec.keep_a == CacheRetention::kAll) {
    return Error{"on tensor cores a window's state has what the next row reads, not everything"};
  }
  if (const auto error = unfit_for_tensor_cores(spec)) return *error;
  const std::int64_t positions = spec.input_window > 0 ? kStages * kTensorChunk * 8 : 0;
  // A window that comes in once for twice as many rows is half the bytes; where there are no more
  // rows than four warps have, or no room, others would only wait.
  for (const int warps : {8, 4}) {
    spec.tensor = TensorSplit{warps};
    const bool rows_for_all = warps == 4 || tokens > kTensorChunk;
    if (!rows_for_all || AttentionLayout(spec).bytes + positions > shared_bytes) continue;
    return AttentionPlan{*spec.tensor, attention_cost(spec, tokens)};
  }
  return Error{"two windows of keys and values do not fit into shared memory"};
}

}  // namespace heddle::schedule
