// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/tensor_plan.hpp"

#include <algorithm>
#include <utility>

#include "codegen/schedule/key_plan.hpp"

namespace heddle::schedule {
namespace {

// Of the sums that a thread keeps for the outputs, and for the state.
constexpr std::int64_t kMostSums = 64;

constexpr std::int64_t kProduct = 2 * 16 * 16 * 8;
constexpr std::int64_t kRowTiles = kTensorChunk / 16;

std::int64_t bytes_of_element(const KernelSpec& spec) {
  return static_cast<std::int64_t>(size_of(spec.dtype));
}

}  // namespace

Cost tensor_cost_of_update(const KernelSpec& spec) {
  const TensorShares shares(spec);
  const std::int64_t dim = spec.head_dim, rows = spec.state_dim;
  Cost cost;
  // Keys come in two parts.
  cost.tensor_flops = kProduct * 2 * kRowTiles * (rows / 16) * (dim / 8);
  // The weights of keys; the state times its own.
  cost.prediction.flops =
      cost.tensor_flops + 2 * kTensorChunk * rows * shares.state_parts + rows * dim;
  return cost;
}

Cost tensor_cost_of_state(const KernelSpec& spec, std::int64_t tokens) {
  const std::int64_t dim = spec.head_dim, rows = spec.state_dim;
  const std::int64_t chunks = (tokens + kTensorChunk - 1) / kTensorChunk;
  const Cost update = tensor_cost_of_update(spec);
  Cost cost;
  cost.tensor_flops = chunks * update.tensor_flops;
  constexpr std::int64_t kDecays = kTensorChunk * (kTensorChunk - 1) / 2 + kTensorChunk;
  cost.prediction.tokens = tokens;
  cost.prediction.flops = chunks * (update.prediction.flops + kDecays);
  cost.prediction.bytes = tokens * ((rows + dim) * bytes_of_element(spec) + 4);
  return cost;
}

Cost tensor_cost(const KernelSpec& spec, std::int64_t tokens) {
  const TensorShares shares(spec);
  const std::int64_t dim = spec.head_dim, rows = spec.state_dim;
  const std::int64_t chunks = (tokens + kTensorChunk - 1) / kTensorChunk;
  constexpr std::int64_t kSquares = kRowTiles * (kRowTiles + 1) / 2;  // 16 x 16, below the diagonal
  Cost cost = tensor_cost_of_state(spec, tokens);
  // Scores, once for each part of the channels; what they weigh; the state read.
  const std::int64_t products = chunks * kProduct *
                                (shares.parts * kSquares * 2 * (rows / 16) + kSquares * (dim / 8) +
                                 kRowTiles * (rows / 16) * (dim / 8));
  // Scores and outputs times their decays.
  const std::int64_t others = chunks * (shares.parts * kSquares * 256 + kTensorChunk * dim);
  cost.tensor_flops += products;
  cost.prediction.flops += products + others;
  cost.prediction.bytes += tokens * (rows + dim) * bytes_of_element(spec);
  return cost;
}

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
  if (spec.key_gates) return plan_keys(std::move(spec), tokens, shared_bytes);
  if (TensorLayout(spec).bytes > shared_bytes)
    return Error{"a chunk does not fit into shared memory"};
  for (const int warps : {4, 8}) {
    spec.tensor = TensorSplit{warps};
    const TensorShares shares(spec);
    if (shares.output_tiles * 4 > kMostSums) continue;
    if (shares.units_of_warp * shares.state_tiles * 4 > kMostSums) continue;
    Cost cost = tensor_cost(spec, tokens);
    cost.prediction.bytes += std::int64_t{spec.state_dim} * spec.head_dim * 4;
    return TensorPlan{*spec.tensor, cost};
  }
  return Error{"the state does not fit into the registers of a block"};
}

}  // namespace heddle::schedule
