// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/prefill_wait.hpp"

#include <algorithm>

#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/chunk_solve.hpp"
#include "codegen/schedule/row_lanes.hpp"

namespace heddle::schedule {
namespace {

constexpr double kGigahertz = 1.755;   // the clock of the timing model
constexpr std::int64_t kStart = 1500;  // cycles until a block begins with its first row

// The rows of a chunk wait side by side: once, and for each entry of the longest.
std::int64_t cycles_of_rows(const KernelSpec& spec, std::int64_t entries) {
  return spec.weights == WeightKind::kSoftmax ? 1900 + 540 * entries : 930 + 250 * entries;
}

// Between the rows of two chunks. Of B a thread solves a channel, product after product, and all
// copy the outputs, those of narrow elements rounded, once for every 64 channels; of A alone the
// next inputs come in.
std::int64_t cycles_between(const KernelSpec& spec) {
  const std::int64_t rows = spec.staging->chunk_rows;
  if (spec.b.empty()) return 10 * rows;
  const std::int64_t copy = (spec.dtype == ElementType::kF32 ? 4 : 8) * rows;
  const std::int64_t solve = 125 + solve_steps(spec, static_cast<int>(rows)) * 27 / 10;
  return (solve + copy) * std::max(spec.head_dim, 64) / 64;
}

std::int64_t rounded_up(std::int64_t count, std::int64_t parts) {
  return (count + parts - 1) / parts;
}

}  // namespace

double microseconds_of(const Wait& wait, std::int64_t heads, const Architecture& architecture) {
  const std::int64_t blocks = wait.blocks * heads;
  const std::int64_t each =
      std::min(rounded_up(blocks, architecture.multiprocessors), wait.side_by_side);
  const std::int64_t rounds = rounded_up(blocks, architecture.multiprocessors * each);
  return static_cast<double>(rounds * std::max(wait.cycles, each * wait.slots)) /
         (kGigahertz * 1e3);
}

std::optional<Wait> wait_of_staged(const KernelSpec& spec, const Rows& rows) {
  const Staging& staging = *spec.staging;
  const bool solves = !spec.b.empty();
  if (spec.by_channel() || staging.tile_rows > 0 || staging.live_rows > 0 ||
      lanes_of_rows(spec) == RowLanes::kWarp ||
      rows::shape_of(solves ? spec.b : spec.a) != rows::RowShape::kShifted) {
    return std::nullopt;
  }
  const std::int64_t tokens = rows.n() - 1;
  const RowTable& table = solves ? rows.b : rows.a;
  const std::int64_t between = cycles_between(spec);
  Wait wait;
  wait.cycles = kStart;
  for (std::int64_t first = 0; first < tokens; first += staging.chunk_rows) {
    const std::int64_t last = std::min(first + staging.chunk_rows, tokens);
    wait.cycles += cycles_of_rows(spec, table.size(last)) + between;
  }
  // Schedulers have a warp of eight each two or four: they are busy for a third of the time, or
  // two.
  wait.slots = wait.cycles * staging.warps / 24;
  constexpr int kResident = 512;  // threads whose registers a multiprocessor has
  wait.side_by_side = std::max(kResident / (32 * staging.warps), 1);
  return wait;
}

std::vector<Wait> wait_of_scan(const KernelSpec& spec, std::int64_t tokens) {
  const std::int64_t length = spec.scan->chunk_tokens;
  const std::int64_t chunks = std::max<std::int64_t>(rounded_up(tokens, length), 1);
  const std::int64_t turns = rounded_up(chunks, kChainWarps * kWarpChunks);
  const std::int64_t most = std::min(32, 2048 / (32 * scan_warps(spec)));
  const Wait sums{chunks, kStart + 55 * length, 19 * length, most};
  const Wait chain{1, 1000 + 1450 * turns, 800 + 900 * turns, 1};
  const Wait rows{chunks, kStart + 173 * length, 23 * length, most};
  return {sums, chain, rows};
}

}  // namespace heddle::schedule
