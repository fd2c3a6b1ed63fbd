// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/recurrence_plan.hpp"

#include <algorithm>

#include "codegen/schedule/attention_plan.hpp"

namespace heddle::schedule {
namespace {

Cost recurrence_cost(const KernelSpec& spec, std::int64_t tokens) {
  const std::int64_t dim = spec.head_dim;
  const auto element = static_cast<std::int64_t>(size_of(spec.dtype));
  constexpr std::int64_t kProduct = 2 * 16 * 16 * 8;
  constexpr std::int64_t kRows = kTensorChunk, kWarps = kRows / 16;
  // Lanes that share a row each do what they need of it.
  constexpr std::int64_t kShared = 4;
  const std::int64_t score = kWarps * (kRows / 8) * (dim / 16) * kProduct;
  const std::int64_t add = (dim / 8) * kProduct;  // sixteen rows by sixteen
  // Of each score its scale, its distance to the highest one and its place in the total; what was
  // summed before shrinks.
  const std::int64_t weigh = 3 * kRows * kRows + 2 * kShared * kRows + kRows * dim;
  // The chunk's own scores besides: both factors, the rows' totals, and what is divided by them.
  const std::int64_t own = weigh + 2 * kRows * kRows + 8 * kShared * kRows + 2 * kRows * dim;
  const std::int64_t solve = kWarps * dim * (2 * 16 + 2 * (16 * 15 / 2));
  Cost cost;
  cost.prediction.tokens = tokens;
  for (std::int64_t first = 0; first < tokens; first += kRows) {
    const std::int64_t windows = first / kRows;
    cost.tensor_flops +=
        windows * (score + kWarps * kWarps * add) + score + kWarps * (kWarps - 1) / 2 * add;
    cost.prediction.flops += windows * weigh + own + solve;
    cost.prediction.bytes += (4 * std::min(kRows, tokens - first) + 2 * first) * dim * element;
  }
  cost.prediction.flops += cost.tensor_flops;
  return cost;
}

}  // namespace

RecurrenceLayout::RecurrenceLayout(const KernelSpec& spec)
    : stride(spec.head_dim + 8), window(kTensorChunk * stride) {
  keys_at = window;
  values_at = 2 * window;
  window_keys_at = 3 * window;
  window_values_at = window_keys_at + kStages * window;
  sum_stride = spec.head_dim + 8;
  sums = 16 * sum_stride;
  bytes = (window_values_at + kStages * window) * static_cast<std::int64_t>(size_of(spec.dtype)) +
          (kNear + sums) * 4;
}

Result<RecurrencePlan> plan_recurrence(KernelSpec spec, std::int64_t tokens,
                                       std::int64_t shared_bytes) {
  if (!spec.dense_outputs || spec.weights != WeightKind::kSoftmax) {
    return Error{"tensor cores are for A = diagonal with B = dense and softmax weights"};
  }
  if (const auto error = unfit_for_tensor_cores(spec)) return *error;
  if (RecurrenceLayout(spec).bytes > shared_bytes) {
    return Error{"a chunk and two windows do not fit into shared memory"};
  }
  return RecurrencePlan{TensorSplit{kTensorChunk / 16}, recurrence_cost(spec, tokens)};
}

}  // namespace heddle::schedule
