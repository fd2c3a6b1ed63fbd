// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/scan_plan.hpp"

#include <algorithm>

namespace heddle::schedule {
namespace {

// What one launch does for one head.
struct Load {
  std::int64_t floor = 0;  // bytes from device memory
  std::int64_t bytes = 0;  // bytes through the second cache
  std::int64_t flops = 0;
  std::int64_t warps = 0;
};

double time_of(const Load& load, std::int64_t heads, const Architecture& architecture) {
  return Architecture::kLaunchMicroseconds +
         architecture.microseconds(heads * load.floor, heads * load.bytes, heads * load.flops, 0) /
             architecture.share(heads * load.warps);
}

}  // namespace

ScanPlan plan_scan(const KernelSpec& spec, ScanSplit split, std::int64_t tokens, std::int64_t heads,
                   const Architecture& architecture) {
  const std::int64_t dim = spec.head_dim, element = static_cast<std::int64_t>(size_of(spec.dtype));
  const std::int64_t chunks =
      std::max<std::int64_t>((tokens + split.chunk_tokens - 1) / split.chunk_tokens, 1);
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
                           const Architecture& architecture) {
  if (!spec.first_order || spec.weights == WeightKind::kSoftmax) {
    return Error{
        "a scan over chunks needs A = diagonal, B = { i - 1 : i >= 2 }, and given or gated "
        "weights"};
  }
  if (spec.weights == WeightKind::kLinear) return Error{"there is no scan of matrix states"};
  if (spec.varlen) return Error{"there is no scan of sequences with lengths of their own"};
  std::optional<ScanPlan> best;
  for (int length = 32; length <= 128; length *= 2) {
    const ScanPlan plan = plan_scan(spec, ScanSplit{length}, tokens, heads, architecture);
    if (!best || plan.microseconds < best->microseconds) best = plan;
  }
  return *best;
}

}  // namespace heddle::schedule
