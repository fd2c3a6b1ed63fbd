// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/key_plan.hpp"

namespace heddle::schedule {

KeyLayout::KeyLayout(const KernelSpec& spec)
    : key_stride(spec.state_dim + 8), value_stride(spec.head_dim + 8) {
  keys_at = kTensorChunk * key_stride;
  rests_at = 2 * keys_at;
  values_at = 3 * keys_at;
  weights_at = values_at + kTensorChunk * value_stride;
  reals_at = weights_at + kTensorChunk * kWeightStride;
  products_at = std::int64_t{kTensorChunk} * spec.state_dim;
  parts_at = products_at + std::int64_t{kKeyBlocks} * spec.state_dim;
  reals = parts_at + std::int64_t{weight_parts(spec)} * kTensorChunk * kKeyBlock;
  bytes = reals_at * static_cast<std::int64_t>(size_of(spec.dtype)) + reals * 4;
}

KeyGradientLayout::KeyGradientLayout(const KernelSpec& spec)
    : key_stride(spec.state_dim + 8), value_stride(spec.head_dim + 8) {
  const std::int64_t keys = kTensorChunk * key_stride, values = kTensorChunk * value_stride;
  keys_at = keys;
  entering_at = 2 * keys;
  leaving_at = 3 * keys;
  values_at = 4 * keys;
  changes_at = values_at + values;
  state_size = spec.head_dim * key_stride;
  states_at = changes_at + values;
  slopes_at = states_at + kKeyBlocks * state_size;
  weights_at = slopes_at + kKeyBlocks * state_size;
  reals_at = weights_at + kTensorChunk * KeyLayout::kWeightStride;
  const std::int64_t gates = std::int64_t{kTensorChunk} * spec.state_dim;
  products_at = gates;
  parts_at = products_at + std::int64_t{kKeyBlocks} * spec.state_dim;
  reads_at = parts_at + std::int64_t{weight_parts(spec)} * kTensorChunk * kKeyBlock;
  writes_at = reads_at + gates;
  overlaps_at = writes_at + gates;
  reals = overlaps_at + kTensorChunk * kKeyBlock;
  bytes = reals_at * static_cast<std::int64_t>(size_of(spec.dtype)) + reals * 4;
}

namespace {

// Of a part of the state that a warp has, times sixteen rows.
constexpr std::int64_t kBlockProduct = 2 * 16 * 16 * 8;

std::int64_t blocks_of(std::int64_t tokens) {
  return (tokens + kTensorChunk - 1) / kTensorChunk * kKeyBlocks;
}
std::int64_t key_element_bytes(const KernelSpec& spec) {
  return static_cast<std::int64_t>(size_of(spec.dtype));
}

// The state kept up by a block's keys in two parts, which are weighed by their gates.
Cost update_cost(const KernelSpec& spec, std::int64_t tokens) {
  const std::int64_t dim = spec.head_dim, rows = spec.state_dim, blocks = blocks_of(tokens);
  Cost cost;
  cost.prediction.tokens = tokens;
  cost.prediction.bytes = tokens * ((rows + dim) * key_element_bytes(spec) + 4 * rows);
  cost.tensor_flops = blocks * (dim / 16) * kBlockProduct * 2 * (rows / 8);
  cost.prediction.flops = cost.tensor_flops + blocks * (3 * kKeyBlock * rows + rows * dim);
  return cost;
}

}  // namespace

Cost key_cost_of_state(const KernelSpec& spec, std::int64_t tokens) {
  Cost cost = update_cost(spec, tokens);
  cost.prediction.flops += blocks_of(tokens) * spec.state_dim;  // the product of all gates
  return cost;
}

Cost key_cost(const KernelSpec& spec, std::int64_t tokens) {
  const std::int64_t dim = spec.head_dim, rows = spec.state_dim, blocks = blocks_of(tokens);
  Cost cost = update_cost(spec, tokens);
  cost.prediction.bytes += tokens * (rows + dim) * key_element_bytes(spec);
  // The state read, and the block's own rows.
  const std::int64_t products = blocks * (dim / 16) * kBlockProduct * (2 * (rows / 16) + 2);
  // What all pairs of rows weigh for each other, and queries by their gates.
  const std::int64_t others = 3 * kKeyBlock * kKeyBlock * rows +
                              weight_parts(spec) * kKeyBlock * kKeyBlock + 2 * kKeyBlock * rows;
  cost.tensor_flops += products;
  cost.prediction.flops += products + blocks * others;
  return cost;
}

Result<TensorPlan> plan_keys(KernelSpec spec, std::int64_t tokens, std::int64_t shared_bytes) {
  if (spec.state_dim > 128) return Error{"a state of more than 128 rows fits no warp's registers"};
  if (KeyLayout(spec).bytes > shared_bytes) {
    return Error{"a chunk does not fit into shared memory"};
  }
  Cost cost = key_cost(spec, tokens);
  cost.prediction.bytes += std::int64_t{spec.state_dim} * spec.head_dim * 4;
  return TensorPlan{TensorSplit{key_warps(spec)}, cost};
}

}  // namespace heddle::schedule
