// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/distance_plan.hpp"

#include <algorithm>
#include <vector>

#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/chunk_solve.hpp"
#include "codegen/schedule/prefill_cost.hpp"
#include "codegen/schedule/row_lanes.hpp"

namespace heddle::schedule {
namespace {

constexpr int kMostWithin = 24;  // distances within a tile, which are written out one by one

// Warps of a block, and registers of a thread for what it keeps of the tile's rows, beside those
// that an entry takes.
struct Block {
  int warps, registers;
};
constexpr Block kBlocks[] = {{16, 80}, {8, 190}};

class DistancePlanner {
 public:
  DistancePlanner(const KernelSpec& spec, const Rows& rows, const StagedLimits& limits,
                  bool transposed)
      : spec_(spec),
        limits_(limits),
        transposed_(transposed),
        tokens_(rows.n() - 1),
        dim_(spec.head_dim),
        keyed_(spec.weights == WeightKind::kSoftmax),
        row_bytes_(dim_ * static_cast<std::int64_t>(size_of(spec.dtype))),
        value_bytes_(transposed ? 4 * dim_ : row_bytes_),
        sharing_(lanes_by_distance(spec, transposed)),
        entries_(entries_of(rows)) {
    for_each_position(rows.b, rows.n(),
                      [&](std::int64_t p) { distances_.push_back(rows.n() - p); });
  }

  std::optional<StagedPlan> run() {
    if (!fits_the_rows()) return std::nullopt;
    std::optional<StagedPlan> best;
    for (const Block& block : kBlocks) {
      const std::optional<StagedPlan> plan = largest_tile(block);
      // Fewer warps wait longer, which less than an eighth of the bytes does not outweigh.
      if (plan && (!best || 8 * plan->prediction.bytes < 7 * best->prediction.bytes)) best = plan;
    }
    return best;
  }

 private:
  std::optional<StagedPlan> largest_tile(const Block& block) {
    const std::int64_t together = block.warps * RowLanes::kWarp / sharing_;
    const std::int64_t parts = dim_ / sharing_;
    const std::int64_t registers = keyed_ ? 2 * parts + 2 : parts + 1;
    for (std::int64_t turns = block.registers / registers; turns > 0; --turns) {
      tile_ = turns * together;
      if (turns > 1 && tile_ - together >= tokens_) continue;
      const DistanceLayout layout(spec_, tile_, transposed_);
      if (layout.within.size() > kMostWithin || bytes(layout) > limits_.shared_bytes) continue;
      within_ = layout.within;
      return planned(block.warps);
    }
    return std::nullopt;
  }

  bool fits_the_rows() const {
    const rows::RowShape a = rows::shape_of(spec_.a);
    const bool own_input = a == rows::RowShape::kEmpty || a == rows::RowShape::kItself;
    const bool all_kept = transposed_ || spec_.keep_b == CacheRetention::kAll;
    return !spec_.by_channel() && own_input && all_kept &&
           rows::shape_of(spec_.b) == rows::RowShape::kShifted && !has_every_offset(spec_.b) &&
           sharing_ < RowLanes::kWarp && few_distances(spec_, kStagedChunk);
  }

  // See DistanceTiles: a run of keys and values, zeros, what a row has of its own, statistics of
  // readers, and distances.
  std::int64_t bytes(const DistanceLayout& layout) const {
    const auto element = static_cast<std::int64_t>(size_of(spec_.dtype));
    const std::int64_t key = keyed_ ? layout.key_stride * element : 0;
    const std::int64_t value = layout.value_stride * (transposed_ ? 4 : element);
    const std::int64_t statistics = keyed_ && transposed_ ? 8 : 0;
    const auto distances = static_cast<std::int64_t>(layout.within.size());
    return tile_ * (key + value + layout.bytes_of_row + statistics) + value + 8 * distances;
  }

  StagedPlan planned(int warps) {
    StagedPlan plan;
    plan.staging.warps = warps;
    plan.staging.key_rows = keyed_ ? tile_ : 0;
    plan.staging.value_rows = tile_ + 1;
    plan.staging.tile_rows = tile_;
    plan.staging.by_distance = true;
    // A window of positions for a distance as far as it has not come before.
    const std::int64_t statistics = keyed_ && transposed_ ? 8 : 0;
    const std::int64_t own = (transposed_ || !spec_.a.empty() ? 1 : 0) + (keyed_ ? 2 : 0);
    const std::int64_t of_window = value_bytes_ + (keyed_ ? row_bytes_ : 0) + statistics;
    std::int64_t rows = 0;
    for (std::int64_t tile = 0; tile < tokens_; tile += tile_) rows += coming(tile);
    plan.prediction.tokens = tokens_;
    plan.prediction.bytes =
        tokens_ * (value_bytes_ + own * row_bytes_ + statistics) + rows * of_window;
    if (!keyed_) {
      plan.prediction.bytes += entries_ * static_cast<std::int64_t>(size_of(spec_.dtype));
    }
    plan.prediction.flops = flops();
    return plan;
  }

  std::int64_t size_of_tile(std::int64_t tile) const { return std::min(tile_, tokens_ - tile); }
  template <typename Body>
  void each_distance(std::int64_t tile, const Body& body) const {
    for (auto at = distances_.rbegin(); at != distances_.rend(); ++at) {
      if (*at < tile + size_of_tile(tile)) body(*at);
    }
  }
  std::int64_t coming(std::int64_t tile) const {
    std::int64_t rows = 0, reached = tile + 1 - (tile > 0 ? tile_ : 0);
    each_distance(tile, [&](std::int64_t distance) {
      const std::int64_t from = std::max<std::int64_t>(tile + 1 - distance, 1);
      const std::int64_t to = std::min(reached, tile + 1 + size_of_tile(tile) - distance);
      rows += std::max<std::int64_t>(to - from, 0);
      reached = std::min(reached, from);
    });
    return rows;
  }

  // Rows come along to entries that they lack.
  std::int64_t flops() const {
    std::int64_t before = 0, held = 0, within = 0, held_within = 0, tiles = 0, chunks = 0, rows = 0;
    const std::int64_t of_warp = RowLanes::kWarp / sharing_;
    for (std::int64_t tile = 0; tile < tokens_; tile += tile_) {
      const std::int64_t size = size_of_tile(tile);
      ++tiles;
      each_distance(tile, [&](std::int64_t distance) {
        before += tile_;
        held += std::min(distance, tile_) - std::max<std::int64_t>(distance - tile, 0);
      });
      for (const std::int64_t distance : within_) {
        if (distance >= size) break;
        within += tile_;
        held_within += size - distance;
      }
      rows += (size + of_warp - 1) / of_warp * of_warp;
      chunks += (size + kStagedChunk - 1) / kStagedChunk;
    }
    const std::int64_t of_tiles = tiles * tile_;
    const auto columns = static_cast<std::int64_t>(within_.size());
    const std::int64_t own = spec_.a.empty() ? 0 : 1;
    const std::int64_t solve = 2 * dim_ * chunks * solve_steps(spec_, kStagedChunk);
    const std::int64_t values = 2 * dim_ * (of_tiles * own + rows * columns);
    if (!keyed_) return solve + 2 * dim_ * before + values;
    std::int64_t sum = 0;  // over the lanes of a row
    for (int half = sharing_ / 2; half > 0; half /= 2) sum += sharing_;
    const std::int64_t score = 2 * dim_ + sum + sharing_;  // and its scale
    // Its distance to the highest score, and gamma.
    const std::int64_t weight = spec_.a.empty() ? 1 : 2;
    // Sums and the total are scaled with every entry before the tile, once with those within it.
    const std::int64_t earlier =
        before * (score + 3 * dim_ + 3 * sharing_) + held * weight * sharing_;
    // A weight is found by one of the lanes, which keeps a share of all.
    const std::int64_t shares = held_within * weight + 2 * of_tiles * columns;
    const std::int64_t of_all = sum + dim_ + sharing_ * (4 + own * 4 + own) + own * score;
    return solve + values + earlier + within * score + shares + of_tiles * of_all;
  }

  const KernelSpec& spec_;
  StagedLimits limits_;
  bool transposed_;
  std::int64_t tokens_;
  std::int64_t dim_;
  bool keyed_;
  std::int64_t row_bytes_;
  std::int64_t value_bytes_;
  int sharing_;
  std::int64_t entries_;
  std::int64_t tile_ = 0;
  std::vector<std::int64_t> distances_;  // descending
  std::vector<std::int64_t> within_;     // ascending
};

}  // namespace

DistanceLayout::DistanceLayout(const KernelSpec& spec, std::int64_t tile_rows, bool transposed) {
  const ElementType values = transposed ? ElementType::kF32 : spec.dtype;
  const int sharing = lanes_by_distance(spec, transposed);
  // What the lanes of two rows ask for together lies in banks of its own.
  key_stride = RowLanes::stride_apart(spec.head_dim, sharing, size_of(spec.dtype));
  value_stride = RowLanes::stride_apart(spec.head_dim, sharing, size_of(values));
  solves_in_place = values == ElementType::kF32;
  sum_stride = solves_in_place ? value_stride : spec.head_dim;
  if (const auto shifted = shifted_distances(spec, static_cast<int>(tile_rows))) within = *shifted;
  // What lanes of a row have of several, and rows side by side, lies in banks of its own.
  weight_stride = tile_rows + RowLanes::kWarp / sharing;
  const std::int64_t sums = solves_in_place ? 0 : 4 * sum_stride;
  const std::int64_t weights = 4 * static_cast<std::int64_t>(within.size()) * weight_stride;
  bytes_of_row = sums + (weights / 4 + tile_rows - 1) / tile_rows * 4;
}

int lanes_by_distance(const KernelSpec& spec, bool transposed) {
  const int sharing = RowLanes::sharing_for(spec.head_dim, spec.dtype);
  const bool scores = spec.weights == WeightKind::kSoftmax && spec.dtype != ElementType::kF32;
  return sharing < RowLanes::kWarp && scores && !transposed ? sharing / 2 : sharing;
}

bool has_every_offset(const rows::RowPlan& plan) {
  const auto* span =
      plan.leaves.size() == 1 ? std::get_if<rows::SpanLeaf>(&plan.leaves.front()) : nullptr;
  return span != nullptr && !span->clip_low && !span->clip_high && span->low != span->high;
}

std::optional<StagedPlan> plan_distances(const KernelSpec& spec, const Rows& rows,
                                         const StagedLimits& limits, bool transposed) {
  return DistancePlanner(spec, rows, limits, transposed).run();
}

}  // namespace heddle::schedule
