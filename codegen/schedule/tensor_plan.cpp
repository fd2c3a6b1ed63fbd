// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/tensor_plan.hpp"

#include <algorithm>

namespace heddle::schedule {
namespace {

// Of the sums that a thread keeps for the outputs, and for the state.
constexpr std::int64_t kMostSums = 64;

Cost cost_of(const KernelSpec& spec, std::int64_t tokens) {
  const TensorShares shares(spec);
  const std::int64_t dim = spec.head_dim, rows = spec.state_dim;
  const std::int64_t chunks = (tokens + kTensorChunk - 1) / kTensorChunk;
  constexpr std::int64_t kProduct = 2 * 16 * 16 * 8;
  constexpr std::int64_t kRowTiles = kTensorChunk / 16;
  constexpr std::int64_t kSquares = kRowTiles * (kRowTiles + 1) / 2;  // 16 x 16, below the diagonal
  Cost cost;
  // Scores, once for each part of the channels; what they weigh; the state read, and kept up with
  // keys in two parts.
  cost.tensor_flops = chunks * kProduct *
                      (shares.parts * kSquares * 2 * (rows / 16) + kSquares * (dim / 8) +
                       3 * kRowTiles * (rows / 16) * (dim / 8));
  // The decays; scores and outputs times theirs; the weights of keys; the state times its own.
  const std::int64_t others = kTensorChunk * (kTensorChunk - 1) / 2 + kTensorChunk +
                              shares.parts * kSquares * 256 + kTensorChunk * dim +
                              2 * kTensorChunk * rows * shares.state_parts + rows * dim;
  cost.prediction.tokens = tokens;
  cost.prediction.flops = cost.tensor_flops + chunks * others;
  const auto element = static_cast<std::int64_t>(size_of(spec.dtype));
  cost.prediction.bytes = tokens * (2 * (rows + dim) * element + 4) + rows * dim * 4;
  return cost;
}

}  // namespace

TensorLayout::TensorLayout(const KernelSpec& spec)
    : key_stride(spec.state_dim + 8), value_stride(spec.head_dim + 8) {
  keys_at = kTensorChunk * key_stride;
  values_at = keys_at + kTensorChunk * key_stride;
  state_at = values_at + kTensorChunk * value_stride;
  reals_at = state_at + spec.state_dim * value_stride;
  bytes = reals_at * static_cast<std::int64_t>(size_of(spec.dtype)) + kReals * 4;
}

TensorShares::TensorShares(const KernelSpec& spec) {
  const int warps = spec.tensor->warps, row_tiles = spec.state_dim / 16;
  const int column_tiles = spec.head_dim / 8;
  parts = warps / (kTensorChunk / 16);
  output_tiles = column_tiles / parts;
  state_parts = std::max(1, warps / row_tiles);
  while (column_tiles % state_parts != 0) --state_parts;
  state_tiles = column_tiles / state_parts;
  state_units = row_tiles * state_parts;
  units_of_warp = (state_units + warps - 1) / warps;
}

Result<TensorPlan> plan_tensor(KernelSpec spec, std::int64_t tokens, std::int64_t shared_bytes) {
  if (spec.dtype != ElementType::kBF16 && spec.dtype != ElementType::kF16) {
    return Error{"tensor cores sum products of bf16 and f16 only"};
  }
  if (spec.head_dim % 16 != 0 || spec.state_dim % 16 != 0) {
    return Error{"tensor cores need a head dimension and a state of whole sixteens"};
  }
  if (TensorLayout(spec).bytes > shared_bytes)
    return Error{"a chunk does not fit into shared memory"};
  for (const int warps : {4, 8}) {
    spec.tensor = TensorSplit{warps};
    const TensorShares shares(spec);
    if (shares.output_tiles * 4 > kMostSums) continue;
    if (shares.units_of_warp * shares.state_tiles * 4 > kMostSums) continue;
    return TensorPlan{*spec.tensor, cost_of(spec, tokens)};
  }
  return Error{"the state does not fit into the registers of a block"};
}

}  // namespace heddle::schedule
