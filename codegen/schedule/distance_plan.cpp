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

constexpr int kDistanceWarps = 16;
constexpr int kMostWithin = 24;       // distances within a tile: a row keeps a score of each
constexpr int kRegistersOfRows = 80;  // of a thread, for what it keeps of the tile's rows

std::int64_t bytes_of_slot(const KernelSpec& spec, std::size_t element) {
  return stride_by_distance(spec, element) * static_cast<std::int64_t>(element);
}

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
        key_room_(bytes_of_slot(spec, size_of(spec.dtype))),
        value_room_(transposed ? bytes_of_slot(spec, 4) : key_room_),
        sharing_(lanes_by_distance(spec)),
        entries_(entries_of(rows)) {
    for_each_position(rows.b, rows.n(),
                      [&](std::int64_t p) { distances_.push_back(rows.n() - p); });
  }

  std::optional<StagedPlan> run() {
    if (!fits_the_rows()) return std::nullopt;
    const std::int64_t together = kDistanceWarps * RowLanes::kWarp / sharing_;
    const std::int64_t parts = dim_ / sharing_;
    const std::int64_t registers = keyed_ ? 2 * parts + 2 : parts + 1;
    for (std::int64_t turns = kRegistersOfRows / registers; turns > 0; --turns) {
      tile_ = turns * together;
      if (bytes() > limits_.shared_bytes || (turns > 1 && tile_ - together >= tokens_)) continue;
      const auto within = shifted_distances(spec_, static_cast<int>(tile_));
      if (!within || within->size() > kMostWithin) continue;
      within_ = *within;
      return planned();
    }
    return std::nullopt;
  }

 private:
  bool fits_the_rows() const {
    const rows::RowShape a = rows::shape_of(spec_.a);
    const bool own_input = a == rows::RowShape::kEmpty || a == rows::RowShape::kItself;
    const bool all_kept = transposed_ || spec_.keep_b == CacheRetention::kAll;
    return !spec_.by_channel() && own_input && all_kept &&
           rows::shape_of(spec_.b) == rows::RowShape::kShifted && !has_every_offset(spec_.b) &&
           sharing_ < RowLanes::kWarp && few_distances(spec_, kStagedChunk);
  }

  // See DistanceTiles: a run of keys and values, zeros, sums and what softmax has besides.
  std::int64_t bytes() const {
    const std::int64_t row =
        (keyed_ ? key_room_ + 8 : 0) + value_room_ + (transposed_ ? value_room_ : 4 * dim_);
    return tile_ * row + value_room_ + ChunkSolve::bytes_by_column(kStagedChunk);
  }

  StagedPlan planned() {
    StagedPlan plan;
    plan.staging.warps = kDistanceWarps;
    plan.staging.key_rows = keyed_ ? tile_ : 0;
    plan.staging.value_rows = tile_ + 1;
    plan.staging.tile_rows = tile_;
    plan.staging.by_distance = true;
    // Queries twice, for entries before a tile and within it; a window of positions for a distance
    // as far as it has not come before.
    const std::int64_t statistics = keyed_ && transposed_ ? 8 : 0;
    const std::int64_t own = (transposed_ || !spec_.a.empty() ? 1 : 0) + (keyed_ ? 3 : 0);
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
    std::int64_t rows = 0, reached = tile + 1;
    each_distance(tile, [&](std::int64_t distance) {
      const std::int64_t from = std::max<std::int64_t>(tile + 1 - distance, 1);
      const std::int64_t to = std::min(reached, tile + 1 + size_of_tile(tile) - distance);
      rows += std::max<std::int64_t>(to - from, 0);
      reached = from;
    });
    return rows;
  }

  // Rows come along to entries that they lack.
  std::int64_t flops() const {
    std::int64_t before = 0, held = 0, within = 0, rows = 0, chunks = 0;
    for (std::int64_t tile = 0; tile < tokens_; tile += tile_) {
      const std::int64_t size = size_of_tile(tile);
      each_distance(tile, [&](std::int64_t distance) {
        before += tile_;
        held += std::min(distance, tile_) - std::max<std::int64_t>(distance - tile, 0);
      });
      for (std::int64_t row = 0; row < size; ++row) {
        within += std::upper_bound(within_.begin(), within_.end(), row) - within_.begin();
      }
      const std::int64_t of_warp = RowLanes::kWarp / sharing_;
      rows += (size + of_warp - 1) / of_warp * of_warp;
      chunks += (size + kStagedChunk - 1) / kStagedChunk;
    }
    const auto columns = static_cast<std::int64_t>(within_.size());
    const std::int64_t own = spec_.a.empty() ? 0 : 1;
    const std::int64_t solve = 2 * dim_ * chunks * solve_steps(spec_, kStagedChunk);
    if (!keyed_) return solve + 2 * dim_ * (before + rows * (columns + own));
    std::int64_t sum = 0;  // over the lanes of a row
    for (int half = sharing_ / 2; half > 0; half /= 2) sum += sharing_;
    // The score and its scale, its distance to the highest one and the side's factor; sums and the
    // total are scaled with every entry before the tile, once with those within it.
    const std::int64_t weight = (own > 0 ? 3 : 2) * sharing_;
    return solve + before * (5 * dim_ + sum + 3 * sharing_) + held * weight +
           rows * ((columns + own) * (2 * dim_ + sum + sharing_) + 2 * dim_ * (columns + own) +
                   2 * dim_ + own * (weight + sharing_) + 3 * sharing_) +
           within * weight;
  }

  const KernelSpec& spec_;
  StagedLimits limits_;
  bool transposed_;
  std::int64_t tokens_;
  std::int64_t dim_;
  bool keyed_;
  std::int64_t row_bytes_;
  std::int64_t value_bytes_;
  std::int64_t key_room_, value_room_;  // of a row in shared memory
  int sharing_;
  std::int64_t entries_;
  std::int64_t tile_ = 0;
  std::vector<std::int64_t> distances_;  // descending
  std::vector<std::int64_t> within_;     // ascending
};

}  // namespace

int lanes_by_distance(const KernelSpec& spec) {
  const int sharing = RowLanes::sharing_for(spec.head_dim, spec.dtype);
  const bool scores = spec.weights == WeightKind::kSoftmax && spec.dtype != ElementType::kF32;
  return sharing < RowLanes::kWarp && scores ? sharing / 2 : sharing;
}

std::int64_t stride_by_distance(const KernelSpec& spec, std::size_t element) {
  return RowLanes::stride_apart(spec.head_dim, lanes_by_distance(spec), element);
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
