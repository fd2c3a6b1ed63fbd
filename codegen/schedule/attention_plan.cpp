// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/attention_plan.hpp"

#include <algorithm>
#include <cmath>

namespace heddle::schedule {
namespace {

struct TiledCost {
  Cost cost;
  double heaviest = 0;  // the part of it all that the chunk with the longest rows is
  double busy = 0;      // of the warps' turns, a window at a time, those in which they have rows
};

TiledCost attention_cost(const KernelSpec& spec, std::int64_t tokens) {
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
  std::int64_t all = 0, most = 0, turns = 0;
  for (std::int64_t first = 0; first < tokens; first += rows) {
    const std::int64_t end = std::min(first + rows, tokens);
    std::int64_t windows = 0;  // of all warps
    for (std::int64_t own = first; own < end; own += kRows) {
      windows += own / kTensorChunk - first_window(own) + 1;
    }
    all += windows;
    most = std::max(most, windows);
    turns += rows / kRows * ((end - 1) / kTensorChunk - first_window(first) + 1);
    cost.prediction.flops += windows * others + rows * (3 * kShared + dim);
    const std::int64_t read = end - first_window(first) * kTensorChunk;
    cost.prediction.bytes += (2 * (end - first) + 2 * read) * dim * element;
  }
  cost.tensor_flops = all * products;
  cost.prediction.flops += cost.tensor_flops;
  return {cost, static_cast<double>(most) / static_cast<double>(all),
          static_cast<double>(all) / static_cast<double>(turns)};
}

// Of all heads: as if the multiprocessors shared the work, but no sooner than one of them is done
// with the heaviest chunk. Blocks side by side use each other's waiting; one of all the warps that
// there is room for has nobody to.
double microseconds_of(const KernelSpec& spec, const TiledCost& tiled, const TileLimits& limits) {
  const Cost& cost = tiled.cost;
  const auto element = static_cast<std::int64_t>(size_of(spec.dtype));
  const std::int64_t floor = 4 * cost.prediction.tokens * spec.head_dim * element;
  const double alone = tiled.heaviest * limits.architecture->multiprocessors;
  const double waits = spec.tensor->warps == kMostTileWarps ? 1 / tiled.busy : 1;
  const auto waited = [&](std::int64_t flops) {
    return std::llround(static_cast<double>(flops) * waits);
  };
  return limits.architecture->microseconds(floor, cost.prediction.bytes,
                                           waited(cost.prediction.flops - cost.tensor_flops),
                                           waited(cost.tensor_flops)) *
         std::max(static_cast<double>(limits.heads), alone);
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
  if (spec.head_dim != 64 && spec.head_dim != 128 && spec.head_dim != 256) {
    return Error{"attention on tensor cores is for 64, 128 or 256 channels a head"};
  }
  return std::nullopt;
}

std::vector<int> warps_of_tiles(const KernelSpec& spec, const TileLimits& limits) {
  std::vector<int> result;
  for (const int warps : {4, 8, kMostTileWarps}) {
    const bool asked_for = limits.rows == 0 || limits.rows == 16 * warps;
    // The most leave a thread 128 registers.
    if (asked_for && (warps < kMostTileWarps || spec.head_dim <= 64)) result.push_back(warps);
  }
  return result;
}

Result<AttentionPlan> plan_attention(KernelSpec spec, std::int64_t tokens,
                                     const TileLimits& limits) {
  if ((!spec.dense_inputs && spec.input_window == 0) || spec.weights != WeightKind::kSoftmax) {
    return Error{
        "tensor cores are for A = dense or a window with B = none, or A = diagonal or dense with "
        "B = dense, "
        "and softmax weights"};
  }
  if (spec.input_window > 0 && spec.keep_a == CacheRetention::kAll) {
    return Error{"on tensor cores a window's state has what the next row reads, not everything"};
  }
  if (const auto error = unfit_for_tensor_cores(spec)) return *error;
  const std::int64_t positions = spec.input_window > 0 ? kStages * kTensorChunk * 8 : 0;
  // A window that comes in once for twice as many rows is half the bytes, but chunks that are few
  // leave multiprocessors without one, and where they have fewer rows warps only wait.
  std::optional<AttentionPlan> best;
  double shortest = 0;
  for (const int warps : warps_of_tiles(spec, limits)) {
    spec.tensor = TensorSplit{warps};
    if (AttentionLayout(spec).bytes + positions > limits.shared_bytes) continue;
    const TiledCost tiled = attention_cost(spec, tokens);
    const double time = microseconds_of(spec, tiled, limits);
    if (best && time >= shortest) continue;
    best = AttentionPlan{*spec.tensor, tiled.cost};
    shortest = time;
  }
  if (best) return *best;
  return Error{"two windows of keys and values and a chunk of rows do not fit into a block"};
}

}  // namespace heddle::schedule
