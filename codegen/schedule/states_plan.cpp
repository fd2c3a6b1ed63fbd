// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/states_plan.hpp"

#include <algorithm>

#include "codegen/schedule/tensor_plan.hpp"

namespace heddle::schedule {
namespace {

constexpr int kStateWarps = 8;
// Of a slice's state: sixteen to a thread.
constexpr int kMostNumbers = 16 * 32 * kStateWarps;
constexpr std::int64_t kListBytes = 8 * (3 * kTensorChunk + kLiveWindow) + 64;

std::int64_t element_bytes(const KernelSpec& spec) {
  return static_cast<std::int64_t>(size_of(spec.dtype));
}

// The most channels that a block takes: a divisor of them in whole sixteens.
int slices_of(const KernelSpec& spec) {
  int slices = 1;
  while (spec.head_dim % (16 * slices) != 0 ||
         (spec.head_dim / slices > 16 && spec.state_dim * spec.head_dim / slices > kMostNumbers)) {
    ++slices;
  }
  return slices;
}

}  // namespace

StatesLayout::StatesLayout(const KernelSpec& slice)
    : key_stride(slice.state_dim + 8), value_stride(slice.head_dim + 8) {
  keys_at = kTensorChunk * key_stride;
  values_at = 2 * keys_at;
  state_at = values_at + kTensorChunk * value_stride;
  state_size = slice.state_dim * value_stride;
  reals_at = state_at + 2 * state_size;
  bytes = reals_at * element_bytes(slice) + kReals * 4;
}

KernelSpec slice_of(const KernelSpec& spec) {
  KernelSpec slice = spec;
  slice.head_dim /= spec.tensor->slices;
  return slice;
}

namespace {

Cost states_cost(const KernelSpec& spec, const Rows& rows) {
  const KernelSpec slice = slice_of(spec);
  const TensorShares shares(slice);
  const std::int64_t tokens = rows.n() - 1, slices = spec.tensor->slices;
  const std::int64_t width = slice.head_dim, depth = spec.state_dim, element = element_bytes(spec);
  constexpr std::int64_t kOneProduct = 2 * 16 * 16 * 8, kTilesOfChunk = kTensorChunk / 16;
  constexpr std::int64_t kBelowDiagonal = kTilesOfChunk * (kTilesOfChunk + 1) / 2;
  Cost cost;
  std::int64_t bytes = 0, products = 0, others = 0;
  std::int64_t live = 0;
  for (std::int64_t first = 0; first < tokens; first += kTensorChunk) {
    const std::int64_t last = std::min(first + kTensorChunk, tokens);
    std::int64_t entries = 0, steps = 0, fresh = 0, next = 0;
    for (std::int64_t i = first + 1; i <= last; ++i) {
      std::int64_t nearest = i;
      entries += rows.b.size(i);
      for_each_position(rows.b, i, [&](std::int64_t p) {
        if (p > first) nearest = std::min(nearest, p);
      });
      steps += i - nearest;
    }
    for_each_position(rows.b, last + 1, [&](std::int64_t p) {
      ++next;
      fresh += p > first ? 1 : 0;
    });
    const std::int64_t groups =
        std::max<std::int64_t>((fresh + kFreshStates - 1) / kFreshStates, 1);
    const std::int64_t windows = std::max<std::int64_t>((live + kLiveWindow - 1) / kLiveWindow, 1);
    const std::int64_t solved = windows > 1 ? groups : 1;
    bytes += (last - first) * 2 * (depth + width) * element + solved * windows * entries * element;
    bytes += (groups * live + next) * depth * width * 4;
    products += shares.parts * kBelowDiagonal * 2 * (depth / 16) + kBelowDiagonal * (width / 8);
    products += live * kTilesOfChunk * (depth / 16) * (width / 8);
    products += fresh * 2 * kTilesOfChunk * (depth / 16) * (width / 8);
    others += shares.parts * kBelowDiagonal * 256 + live * 2 * kTensorChunk * width;
    // Threads without a number of the state sum as well.
    others += fresh * (2 * live * 32 * kStateWarps * 4 * shares.state_tiles * shares.units_of_warp +
                       2 * kTensorChunk * depth * shares.state_parts);
    others += solved * (windows * kTensorChunk + live) * 2 * steps;
    live = next;
  }
  cost.tensor_flops = slices * products * kOneProduct;
  cost.prediction.tokens = tokens;
  cost.prediction.bytes = slices * bytes;
  cost.prediction.flops = cost.tensor_flops + slices * others;
  return cost;
}

}  // namespace

Result<StatesPlan> plan_states(KernelSpec spec, const Rows& rows, std::int64_t shared_bytes) {
  if (spec.keep_b != CacheRetention::kNextRow) {
    return Error{"rows read states that no rule says to be those of the row before"};
  }
  if (spec.dtype != ElementType::kBF16 && spec.dtype != ElementType::kF16) {
    return Error{"tensor cores sum products of bf16 and f16 only"};
  }
  if (spec.head_dim % 16 != 0 || spec.state_dim % 16 != 0) {
    return Error{"tensor cores need a head dimension and a state of whole sixteens"};
  }
  spec.tensor = TensorSplit{kStateWarps, slices_of(spec)};
  if (StatesLayout(slice_of(spec)).bytes + kListBytes > shared_bytes) {
    return Error{"a chunk does not fit into shared memory"};
  }
  return StatesPlan{*spec.tensor, states_cost(spec, rows)};
}

}  // namespace heddle::schedule
