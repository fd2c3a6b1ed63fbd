// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/recurrence_plan.hpp"

#include <algorithm>

#include "codegen/schedule/tensor_solve.hpp"

namespace heddle::schedule {
namespace {

// As a whole window of rows takes it: half as often or less where a chunk has several, but then
// from its own keys and outputs.
Cost recurrence_cost(const KernelSpec& spec, std::int64_t tokens) {
  const std::int64_t dim = spec.head_dim, chunk = RecurrenceLayout(spec).rows;
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
  // The rows' own scores besides: both factors, the rows' totals, and what is divided by them.
  const std::int64_t own = weigh + 2 * kRows * kRows + 8 * kShared * kRows + 2 * kRows * dim;
  const std::int64_t solve = kWarps * dim * (2 * 16 + 2 * (16 * 15 / 2));
  // Where all inputs come by, too: a factor for each weight, and no input of a row's own.
  const std::int64_t sides = spec.dense_sides ? 2 : 1;
  const std::int64_t factors = spec.dense_sides ? kRows * kRows : 0;
  const std::int64_t own_terms = spec.dense_sides ? kWarps * dim * 2 * 16 : 0;
  Cost cost;
  cost.prediction.tokens = tokens;
  for (std::int64_t first = 0; first < tokens; first += chunk) {
    for (std::int64_t rows = first; rows < std::min(first + chunk, tokens); rows += kRows) {
      const std::int64_t windows = rows / kRows;
      cost.tensor_flops += sides * windows * (score + kWarps * kWarps * add) + score +
                           kWarps * (kWarps - 1) / 2 * add;
      cost.prediction.flops += windows * (sides * weigh + factors) + own + solve - own_terms;
      if (spec.dense_sides) {
        cost.tensor_flops += score + kWarps * kWarps * add;
        cost.prediction.flops += weigh;
      }
    }
    cost.prediction.bytes +=
        (4 * std::min(chunk, tokens - first) + 2 * sides * first) * dim * element;
  }
  cost.prediction.flops += cost.tensor_flops;
  return cost;
}

}  // namespace

RecurrenceLayout::RecurrenceLayout(const KernelSpec& spec)
    : rows(16 * spec.tensor->warps), stride(spec.head_dim + 8), window(kTensorChunk * stride) {
  keys_at = rows * stride;
  values_at = 2 * keys_at;
  window_keys_at = 3 * keys_at;
  window_values_at = window_keys_at + kStages * window;
  bytes = (window_values_at + kStages * window) * static_cast<std::int64_t>(size_of(spec.dtype)) +
          TensorSolve::bytes_of(spec.head_dim);
}

Result<RecurrencePlan> plan_recurrence(KernelSpec spec, std::int64_t tokens,
                                       const TileLimits& limits) {
  if ((!spec.dense_outputs && !spec.dense_sides) || spec.weights != WeightKind::kSoftmax) {
    return Error{"tensor cores are for A = diagonal or dense with B = dense and softmax weights"};
  }
  if (const auto error = unfit_for_tensor_cores(spec)) return *error;
  // A window that comes in once for more rows is fewer bytes. But where a chunk has fewer, warps
  // only wait, and so they do while others solve: heads that share a multiprocessor have blocks
  // that leave room for each other.
  const bool alone = limits.heads <= limits.architecture->multiprocessors;
  std::optional<RecurrencePlan> best;
  for (const int warps : warps_of_tiles(spec, limits)) {
    spec.tensor = TensorSplit{warps};
    if (RecurrenceLayout(spec).bytes > limits.shared_bytes) continue;
    if (best && (tokens <= 8 * warps || (warps == kMostTileWarps && !alone))) continue;
    best = RecurrencePlan{*spec.tensor, recurrence_cost(spec, tokens)};
  }
  if (best) return *best;
  return Error{"a chunk and two windows do not fit into a block"};
}

}  // namespace heddle::schedule
