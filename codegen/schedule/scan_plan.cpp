// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/scan_plan.hpp"

#include <algorithm>

#include "codegen/schedule/key_plan.hpp"
#include "codegen/schedule/tensor_plan.hpp"

namespace heddle::schedule {
namespace {

// What one launch does for one head.
struct Load {
  std::int64_t floor = 0;  // bytes from device memory
  std::int64_t bytes = 0;  // bytes through the second cache
  std::int64_t flops = 0;
  std::int64_t warps = 0;
  std::int64_t tensor_flops = 0;
};

double time_of(const Load& load, std::int64_t heads, const Architecture& architecture) {
  return Architecture::kLaunchMicroseconds +
         architecture.microseconds(heads * load.floor, heads * load.bytes, heads * load.flops,
                                   heads * load.tensor_flops) /
             architecture.share(heads * load.warps);
}

std::int64_t chunks_of(std::int64_t tokens, const ScanSplit& split) {
  return std::max<std::int64_t>((tokens + split.chunk_tokens - 1) / split.chunk_tokens, 1);
}

// What the launches that have a block for each chunk do.
struct ChunkLoads {
  Load sums, rows;
};
ChunkLoads loads_of(const KernelSpec& spec, std::int64_t tokens, std::int64_t chunks) {
  const std::int64_t warps = chunks * spec.tensor->warps;
  const std::int64_t carries = chunks * spec.state_dim * spec.head_dim;
  const auto load_of = [&](const Cost& cost, std::int64_t scratch) {
    return Load{cost.prediction.bytes, cost.prediction.bytes + scratch,
                cost.prediction.flops - cost.tensor_flops, warps, cost.tensor_flops};
  };
  const std::int64_t products = chunks * spec.gates();
  if (spec.key_gates) {
    return {load_of(key_cost_of_state(spec, tokens), 4 * (carries + products)),
            load_of(key_cost(spec, tokens), 4 * carries)};
  }
  // The product of all gates, a multiplication for each of its own chunks.
  const std::int64_t own = (tokens + kTensorChunk - 1) / kTensorChunk;
  Load sums = load_of(tensor_cost_of_state(spec, tokens), 4 * (carries + products));
  sums.flops += own * 32 * spec.tensor->warps;
  Load rows = load_of(tensor_cost(spec, tokens), 4 * carries);
  // Nobody needs the state after a block's last rows.
  const Cost update = tensor_cost_of_update(spec);
  const std::int64_t last = tokens > 0 ? chunks : 0;
  rows.flops -= last * (update.prediction.flops - update.tensor_flops);
  rows.tensor_flops -= last * update.tensor_flops;
  return {sums, rows};
}

// With linear weights; spec.tensor says how.
ScanPlan plan_matrix_scan(const KernelSpec& spec, ScanSplit split, std::int64_t tokens,
                          std::int64_t heads, const Architecture& architecture) {
  const std::int64_t chunks = chunks_of(tokens, split);
  const std::int64_t state = std::int64_t{spec.state_dim} * spec.head_dim, carries = chunks * state;
  const auto [sums, rows] = loads_of(spec, tokens, chunks);
  const Load chain{0, 4 * (3 * carries + state), 2 * carries, state / 32};
  ScanPlan plan;
  plan.split = split;
  plan.tensor = spec.tensor;
  plan.prediction.tokens = tokens;
  for (const Load& load : {sums, chain, rows}) {
    plan.prediction.bytes += load.bytes;
    plan.prediction.flops += load.flops + load.tensor_flops;
    plan.microseconds += time_of(load, heads, architecture);
  }
  return plan;
}

}  // namespace

ScanPlan plan_scan(const KernelSpec& spec, ScanSplit split, std::int64_t tokens, std::int64_t heads,
                   const Architecture& architecture) {
  if (spec.weights == WeightKind::kLinear) {
    return plan_matrix_scan(spec, split, tokens, heads, architecture);
  }
  const std::int64_t dim = spec.head_dim, element = static_cast<std::int64_t>(size_of(spec.dtype));
  const std::int64_t chunks = chunks_of(tokens, split);
  const std::int64_t warps = scan_warps(spec);
  constexpr int kRound = kChainWarps * kWarpChunks;
  const std::int64_t rounds = (chunks + kRound - 1) / kRound;
  const std::int64_t products = chunks * (spec.by_channel() ? dim : 1);
  const std::int64_t carries = chunks * dim;
  const std::int64_t per_token = dim * element + 2 * (spec.by_channel() ? dim : 1) * element;
  // The first row has one coefficient.
  const std::int64_t asked =
      tokens * per_token - (tokens > 0 ? (spec.by_channel() ? dim : 1) * element : 0);

  const Load sums{tokens * per_token, tokens * per_token + 4 * (carries + products),
                  tokens * dim * 4, chunks * warps};
  // Both passes ask for sums and products, and every warp joins what all came to.
  const Load chain{0, 4 * (3 * carries + 2 * products),
                   5 * carries + rounds * kChainWarps * kChainWarps * dim * 2, kChainWarps};
  const Load rows{tokens * (per_token + dim * element),
                  tokens * (per_token + dim * element) + 4 * carries, tokens * dim * 3,
                  chunks * warps};
  ScanPlan plan;
  plan.split = split;
  plan.prediction.tokens = tokens;
  plan.prediction.bytes = (asked + 4 * (carries + products)) + 4 * 5 * carries +
                          (asked + tokens * dim * element + 4 * carries);
  plan.prediction.flops = sums.flops + chain.flops + rows.flops;
  for (const Load* load : {&sums, &chain, &rows}) {
    plan.microseconds += time_of(*load, heads, architecture);
  }
  return plan;
}

Result<ScanPlan> plan_scan(const KernelSpec& spec, std::int64_t tokens, std::int64_t heads,
                           const Architecture& architecture, std::int64_t shared_bytes) {
  if (!spec.first_order || spec.weights == WeightKind::kSoftmax) {
    return Error{
        "a scan over chunks needs A = diagonal, B = { i - 1 : i >= 2 }, and given, gated or linear "
        "weights"};
  }
  KernelSpec split = spec;
  int shortest = 32, longest = 128;
  if (spec.weights == WeightKind::kLinear) {
    const Result<TensorPlan> plan = plan_tensor(spec, tokens, shared_bytes);
    if (!plan)
      return Error{"a scan of matrix states is done on tensor cores: " + plan.error().message};
    split.tensor = plan->split;
    shortest = kTensorChunk;
    longest = 16 * kTensorChunk;
  }
  std::optional<ScanPlan> best;
  for (int length = shortest; length <= longest; length *= 2) {
    const ScanPlan plan = plan_scan(split, ScanSplit{length}, tokens, heads, architecture);
    if (!best || plan.microseconds < best->microseconds) best = plan;
  }
  return *best;
}

}  // namespace heddle::schedule
