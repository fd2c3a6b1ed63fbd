// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/input_plan.hpp"

#include <algorithm>
#include <vector>

#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/distance_plan.hpp"
#include "codegen/schedule/prefill_cost.hpp"
#include "codegen/schedule/row_lanes.hpp"

namespace heddle::schedule {
namespace {

constexpr int kInputWarps = 16;
// Of a thread, for what it keeps of its rows: queries, sums and what weights are reckoned by, or
// sums and given weights, to find which takes others.
constexpr int kRegistersOfScored = 80;
constexpr int kRegistersOfGiven = 70;
constexpr int kRingStep = 64;        // rows
constexpr double kWorthAhead = 1.1;  // so many times the bytes for fewer waits

// Rows that groups of so many lanes have side by side and in turn.
std::int64_t most_rows(const KernelSpec& spec, int sharing) {
  const std::int64_t parts = spec.head_dim / sharing;
  const bool keyed = spec.weights == WeightKind::kSoftmax;
  const std::int64_t turns =
      keyed ? kRegistersOfScored / (2 * parts + 2) : kRegistersOfGiven / (parts + 2);
  return turns * kInputWarps * RowLanes::kWarp / sharing;
}

class InputPlanner {
 public:
  InputPlanner(const KernelSpec& spec, const Rows& rows, const StagedLimits& limits)
      : spec_(spec),
        limits_(limits),
        tokens_(rows.n() - 1),
        dim_(spec.head_dim),
        keyed_(spec.weights == WeightKind::kSoftmax),
        row_bytes_(dim_ * static_cast<std::int64_t>(size_of(spec.dtype))),
        sharing_(lanes_of_inputs(spec)),
        entries_(entries_of(rows)) {
    for_each_position(rows.a, rows.n(),
                      [&](std::int64_t p) { distances_.push_back(rows.n() - p); });
    std::reverse(distances_.begin(), distances_.end());
  }

  std::optional<StagedPlan> run() {
    if (!fits_the_rows()) return std::nullopt;
    const std::int64_t together = kInputWarps * RowLanes::kWarp / sharing_;
    const std::int64_t room = room_for_ring();
    for (tile_ = most_rows(spec_, sharing_); tile_ > 0; tile_ -= together) {
      if (room < tile_ || (tile_ > together && tile_ - together >= tokens_)) continue;
      return planned(ring_within(room));
    }
    return std::nullopt;
  }

 private:
  bool fits_the_rows() const {
    return spec_.b.empty() && rows::shape_of(spec_.a) == rows::RowShape::kShifted &&
           !has_every_offset(spec_.a) && spec_.keep_a == CacheRetention::kAll &&
           sharing_ < RowLanes::kWarp;
  }

  // Rows beside that of zeros.
  std::int64_t room_for_ring() const {
    const std::int64_t row = input_stride(spec_) * static_cast<std::int64_t>(size_of(spec_.dtype));
    return (limits_.shared_bytes - row) / (keyed_ ? 2 * row : row) / kRingStep * kRingStep;
  }

  // What comes in ahead saves waiting; where distances lie far apart, it comes in vain.
  std::int64_t ring_within(std::int64_t room) const {
    const auto least = static_cast<double>(coming(tile_));
    std::int64_t ring = std::min(room, 2 * tile_);
    while (ring > tile_ && static_cast<double>(coming(ring)) > kWorthAhead * least) {
      ring = std::max(ring - kRingStep, tile_);
    }
    return ring;
  }

  StagedPlan planned(std::int64_t ring) const {
    StagedPlan plan;
    plan.staging.warps = kInputWarps;
    plan.staging.key_rows = keyed_ ? ring : 0;
    plan.staging.value_rows = ring + 1;
    plan.staging.tile_rows = tile_;
    plan.staging.by_distance = true;
    const std::int64_t rows = keyed_ ? 2 * tokens_ + 2 * coming(ring) : tokens_ + coming(ring);
    plan.prediction.tokens = tokens_;
    plan.prediction.bytes = rows * row_bytes_;
    if (!keyed_) {
      plan.prediction.bytes += entries_ * static_cast<std::int64_t>(size_of(spec_.dtype));
    }
    plan.prediction.flops = flops();
    return plan;
  }

  template <typename Body>
  void each_tile(const Body& body) const {
    for (std::int64_t tile = 0; tile < tokens_; tile += tile_) {
      body(tile, std::min(tile_, tokens_ - tile));
    }
  }
  template <typename Body>
  void each_distance(std::int64_t end, const Body& body) const {
    for (const std::int64_t distance : distances_) {
      if (distance < end) body(distance);
    }
  }
  // Positions that come in, of all tiles.
  std::int64_t coming(std::int64_t ring) const {
    std::int64_t rows = 0;
    each_tile([&](std::int64_t tile, std::int64_t size) {
      std::int64_t reached = tile + size + 1;
      each_distance(tile + size, [&](std::int64_t distance) {
        const std::int64_t needed = std::max<std::int64_t>(tile + 1 - distance, 1);
        if (needed >= reached) return;
        const std::int64_t from = std::max<std::int64_t>(needed - (ring - tile_), 1);
        rows += std::min(reached, tile + 1 + size - distance) - from;
        reached = from;
      });
    });
    return rows;
  }

  // Rows come along to entries that they lack.
  std::int64_t flops() const {
    std::int64_t taken = 0, held = 0;
    each_tile([&](std::int64_t tile, std::int64_t size) {
      each_distance(tile + size, [&](std::int64_t distance) {
        taken += tile_;
        held += tile_ - std::max<std::int64_t>(distance - tile, 0);
      });
    });
    if (!keyed_) return 2 * dim_ * taken;
    std::int64_t sum = 0;  // over the lanes of a row
    for (int half = sharing_ / 2; half > 0; half /= 2) sum += sharing_;
    return taken * (5 * dim_ + sum + 3 * sharing_) + held * 2 * sharing_ +
           tokens_ * (dim_ + sharing_);
  }

  const KernelSpec& spec_;
  StagedLimits limits_;
  std::int64_t tokens_;
  std::int64_t dim_;
  bool keyed_;
  std::int64_t row_bytes_;
  int sharing_;
  std::int64_t entries_;
  std::int64_t tile_ = 0;
  std::vector<std::int64_t> distances_;  // ascending
};

}  // namespace

int lanes_of_inputs(const KernelSpec& spec) {
  const int usual = RowLanes::sharing_for(spec.head_dim, spec.dtype);
  if (usual == RowLanes::kWarp || spec.weights != WeightKind::kSoftmax) return usual;
  return most_rows(spec, usual / 2) >= most_rows(spec, usual) ? usual / 2 : usual;
}

std::int64_t input_stride(const KernelSpec& spec) {
  return RowLanes::stride_apart(spec.head_dim, lanes_of_inputs(spec), size_of(spec.dtype));
}

std::optional<StagedPlan> plan_inputs(const KernelSpec& spec, const Rows& rows,
                                      const StagedLimits& limits) {
  return InputPlanner(spec, rows, limits).run();
}

}  // namespace heddle::schedule
