// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/chunk_solve.hpp"

#include <algorithm>

#include "codegen/rows/row_shape.hpp"
#include "patterns/materialize.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

// Distances that are written out one by one; of more, columns are gone through.
constexpr std::size_t kFewDistances = 12;
// Reals between two rows of weights, or two distances: groups of eight lanes that have rows side by
// side leave them in banks of their own.
constexpr int kApart = 8;
constexpr int kApartByDistance = 4;

}  // namespace

std::optional<std::vector<std::int64_t>> shifted_distances(const KernelSpec& spec, int rows) {
  if (rows::shape_of(spec.b) != rows::RowShape::kShifted) return std::nullopt;
  // Row `rows` has all of them.
  const MaterializeResult made = materialize(spec.pattern, rows);
  const Rows* const table = std::get_if<Rows>(&made);
  if (table == nullptr) return std::nullopt;
  std::vector<std::int64_t> distances;
  for_each_position(table->b, rows, [&](std::int64_t p) { distances.push_back(rows - p); });
  std::sort(distances.begin(), distances.end());
  return distances;
}

std::vector<std::int64_t> near_distances(const KernelSpec& spec, int rows) {
  const std::optional<std::vector<std::int64_t>> shifted = shifted_distances(spec, rows);
  if (shifted && shifted->size() <= kFewDistances) return *shifted;
  std::vector<std::int64_t> distances;
  for (std::int64_t distance = 1; distance < rows; ++distance) distances.push_back(distance);
  return distances;
}

bool few_distances(const KernelSpec& spec, int rows) {
  return near_distances(spec, rows).size() <= kFewDistances;
}

std::int64_t solve_steps(const KernelSpec& spec, int rows) {
  std::int64_t steps = 0;
  for (const std::int64_t distance : near_distances(spec, rows)) steps += rows - distance;
  return steps;
}

ChunkSolve::ChunkSolve(Frame& frame, int rows)
    : frame_(frame),
      builder_(frame.builder),
      rows_(rows),
      distances_(near_distances(frame.spec, rows)),
      places_(rows),
      weights_(builder_.array_of_vectors("near_weights", rows * (rows + kApart))) {}

ChunkSolve::ChunkSolve(Frame& frame, int rows, const RowGroups& groups)
    : frame_(frame),
      builder_(frame.builder),
      rows_(rows),
      distances_(near_distances(frame.spec, rows)),
      places_(places_of(frame.spec, rows, groups.sharing())),
      weights_(builder_.array_of_vectors(
          "near_weights", static_cast<int>(bytes_of(frame.spec, rows, groups.sharing()) / 4))) {
  if (distances_.size() > kFewDistances) return;
  own_ = builder_.array("distances", Type::kI64, places_ / groups.sharing());
}

ChunkSolve::ChunkSolve(Frame& frame, int rows, MemoryId gates, Ex at)
    : frame_(frame),
      builder_(frame.builder),
      rows_(rows),
      distances_(near_distances(frame.spec, rows)),
      places_(static_cast<int>(distances_.size())),
      weights_(gates),
      gates_from_(at) {
  assert_that(distances_.size() <= kFewDistances, "gates of few distances have room");
}

ChunkSolve::ChunkSolve(Frame& frame, int rows, MemoryId weights, Ex at, std::int64_t stride)
    : frame_(frame),
      builder_(frame.builder),
      rows_(rows),
      distances_(near_distances(frame.spec, rows)),
      places_(static_cast<int>(distances_.size())),
      weights_(weights),
      weights_from_(at),
      stride_(stride) {
  assert_that(distances_.size() <= kFewDistances, "weights of few distances lie by distance");
}

std::int64_t ChunkSolve::gate_rows(const KernelSpec& spec, int rows) {
  if (!few_distances(spec, rows)) return 0;
  return rows * static_cast<std::int64_t>(near_distances(spec, rows).size());
}

void ChunkSolve::open(const RowGroups& groups) {
  if (!own_) return;
  for (int first = 0; first < places_; first += groups.sharing()) {
    const Ex place = groups.lane() + first;
    Ex own = builder_.i64(0);  // of no entry
    for (std::size_t at = 0; at < distances_.size(); ++at) {
      own = builder_.select(equal(place, builder_.i64(static_cast<std::int64_t>(at))),
                            builder_.i64(distances_[at]), own);
    }
    builder_.store(*own_, builder_.i64(first / groups.sharing()), own);
  }
}

int ChunkSolve::places_of(const KernelSpec& spec, int rows, int sharing) {
  const auto distances = static_cast<int>(near_distances(spec, rows).size());
  if (distances > static_cast<int>(kFewDistances)) return rows;
  return (std::max(distances, 1) + sharing - 1) / sharing * sharing;
}

std::int64_t ChunkSolve::bytes_by_column(int rows) {
  return std::int64_t{rows} * (rows + kApart) * 4;
}

std::int64_t ChunkSolve::bytes_of(const KernelSpec& spec, int rows, int sharing) {
  if (!few_distances(spec, rows)) return bytes_by_column(rows);
  return std::int64_t{places_of(spec, rows, sharing)} * (rows + kApartByDistance) * 4;
}

Ex ChunkSolve::weight_at(Ex r, Ex place) const {
  if (weights_from_) return *weights_from_ + place * stride_ + r;
  return own_ ? place * (rows_ + kApartByDistance) + r : r * (rows_ + kApart) + place;
}

void ChunkSolve::leave(Ex r, Ex place, Ex weight) {
  builder_.store(weights_, weight_at(r, place), weight);
}

Ex ChunkSolve::gates_at(Ex r, Ex place) const {
  return *gates_from_ + (place * rows_ + r) * frame_.spec.head_dim;
}

void ChunkSolve::open_gates(const RowLanes& lanes, Ex r) {
  const MemoryId nothing = lanes.array("no_gates");
  lanes.each_channel([&](Ex, Ex index) { builder_.store(nothing, index, builder_.f32(0)); });
  builder_.loop("place", builder_.i64(0), builder_.i64(places_), builder_.i64(1),
                LoopKind::kUnrolled,
                [&](Ex place) { lanes.store(weights_, gates_at(r, place), nothing); });
}

void ChunkSolve::leave_gates(const RowLanes& lanes, Ex r, Ex distance, MemoryId gates) {
  Ex place = builder_.i64(0);
  for (std::size_t at = 1; at < distances_.size(); ++at) {
    place = builder_.select(distance < distances_[at], place,
                            builder_.i64(static_cast<std::int64_t>(at)));
  }
  lanes.store(weights_, gates_at(r, builder_.let("place", place)), gates);
}

void ChunkSolve::close(Ex size, const std::function<void(Ex)>& clear) {
  builder_.loop("r", size + frame_.warp, builder_.i64(rows_), builder_.i64(frame_.warps),
                LoopKind::kSerial, [&](Ex r) {
                  if (gates_from_) {
                    builder_.loop("place", builder_.i64(0), builder_.i64(places_), [&](Ex place) {
                      const Ex at = builder_.let("at", gates_at(r, place));
                      frame_.each_channel(
                          [&](Ex d, Ex) { builder_.store(weights_, at + d, builder_.f32(0)); });
                    });
                    return clear(r);
                  }
                  for (int first = 0; first < places_; first += RowLanes::kWarp) {
                    const auto zero = [&] { leave(r, frame_.lane + first, builder_.f32(0)); };
                    const int left = places_ - first;
                    left < RowLanes::kWarp ? builder_.when(frame_.lane < left, zero) : zero();
                  }
                  clear(r);
                });
}

void ChunkSolve::each_row(int first, int end, const std::function<void(Ex)>& body) {
  builder_.loop("r", builder_.i64(first), builder_.i64(end), builder_.i64(1), LoopKind::kUnrolled,
                body);
}
void ChunkSolve::each_row(int first, const std::function<void(Ex)>& body) {
  each_row(first, rows_, body);
}

void ChunkSolve::take(MemoryId solved, Ex d, Ex r, Ex c, Ex place) {
  const Ex at = gates_from_ ? gates_at(r, place) + d : weight_at(r, place);
  builder_.store(solved, r,
                 builder_.load(solved, r) + builder_.load(weights_, at) * builder_.load(solved, c));
}

// What a row needs of the one before it comes last: the other columns of many rows can be taken
// side by side before.
void ChunkSolve::solve(const std::function<Ex(Ex)>& sum, const std::function<void(Ex, Ex)>& keep,
                       Ex d) {
  const MemoryId solved = builder_.array("solved", Type::kF32, rows_);
  each_row(0, [&](Ex r) { builder_.store(solved, r, sum(r)); });
  if (distances_.size() > kFewDistances) {
    each_row(1, [&](Ex r) {
      builder_.loop("c", builder_.i64(0), r, builder_.i64(1), LoopKind::kUnrolled,
                    [&](Ex c) { take(solved, d, r, c, c); });
    });
  } else if (gates_from_) {
    // From one distance to the next, so that no step asks whether its row has it.
    for (std::size_t most = 0; most < distances_.size(); ++most) {
      const bool last = most + 1 == distances_.size();
      each_row(static_cast<int>(distances_[most]),
               last ? rows_ : static_cast<int>(distances_[most + 1]), [&](Ex r) {
                 for (std::size_t at = most + 1; at-- > 0;) {
                   take(solved, d, r, r - distances_[at],
                        builder_.i64(static_cast<std::int64_t>(at)));
                 }
               });
    }
  } else if (!distances_.empty()) {
    const std::int64_t nearest = distances_.front();
    each_row(static_cast<int>(nearest), [&](Ex r) {
      for (std::size_t at = distances_.size(); at-- > 0;) {
        const std::int64_t distance = distances_[at];
        const auto step = [&] {
          const Ex c = r - distance;
          const bool by_distance = own_ || weights_from_;
          take(solved, d, r, c, by_distance ? builder_.i64(static_cast<std::int64_t>(at)) : c);
        };
        distance == nearest ? step() : builder_.when(r >= distance, step);
      }
    });
  }
  each_row(0, [&](Ex r) { keep(r, builder_.load(solved, r)); });
}

}  // namespace heddle::schedule
