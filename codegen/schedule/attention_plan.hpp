// SPDX-License-Identifier: Apache-2.0
// Softmax prefill over dense inputs or a window of them on tensor cores: how its shared memory is
// laid out, whom it suits and what a launch moves and computes.
#pragma once

#include <cstdint>
#include <vector>

#include "codegen/architecture.hpp"
#include "codegen/schedule/prefill_cost.hpp"

namespace heddle::schedule {

// Windows of keys and values that have room: the next one comes in while one is worked on.
constexpr int kStages = 2;

// In elements of the kernel's type, rows all alike: the chunk's queries, which outputs take the
// place of, then the windows of keys, then those of values, kTensorChunk rows each.
struct AttentionLayout {
  explicit AttentionLayout(const KernelSpec& spec);

  std::int64_t rows;    // of a chunk
  std::int64_t stride;  // 16 n + 8, see tensor_prelude.cuh
  std::int64_t window;  // elements of one
  std::int64_t keys_at, values_at;
  std::int64_t bytes;
};

struct AttentionPlan {
  TensorSplit split;
  Cost cost;
};

// What chunks of softmax rows on tensor cores are planned for.
struct TileLimits {
  const Architecture* architecture = nullptr;
  std::int64_t heads = 1;  // of all sequences of a launch
  std::int64_t shared_bytes = 0;
  std::int64_t rows = 0;  // of a chunk, where somebody asks for so many; 0: the fastest
};
// Sixteen warps hide what each waits for; where they have registers enough, they are one block or
// several side by side.
constexpr int kMostTileWarps = 16;
// Blocks on a multiprocessor; with more than 64 channels eight warps have registers enough.
inline int tiles_side_by_side(const KernelSpec& spec) {
  return (spec.head_dim <= 64 ? kMostTileWarps : kMostTileWarps / 2) / spec.tensor->warps;
}
// The warps that a chunk may have, the fewest first: with sixteen rows each and registers enough.
std::vector<int> warps_of_tiles(const KernelSpec& spec, const TileLimits& limits);

// What tensor cores ask of softmax over dense rows of either side.
std::optional<Error> unfit_for_tensor_cores(const KernelSpec& spec);

// For launches of so many tokens. Fails where the pattern, the sizes or the type do not fit.
Result<AttentionPlan> plan_attention(KernelSpec spec, std::int64_t tokens,
                                     const TileLimits& limits);

}  // namespace heddle::schedule
