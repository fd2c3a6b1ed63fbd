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

}  // namespace

std::vector<std::int64_t> near_distances(const KernelSpec& spec, int rows) {
  std::vector<std::int64_t> distances;
  if (rows::shape_of(spec.b) == rows::RowShape::kShifted) {
    // Row `rows` has all of them.
    const MaterializeResult made = materialize(spec.pattern, rows);
    if (const Rows* table = std::get_if<Rows>(&made)) {
      for_each_position(table->b, rows, [&](std::int64_t p) { distances.push_back(rows - p); });
      std::sort(distances.begin(), distances.end());
      if (distances.size() <= kFewDistances) return distances;
    }
  }
  distances.clear();
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
      weights_(builder_.array_of_vectors("near_weights", rows * stride_of(rows))) {}

void ChunkSolve::leave(Ex r, Ex c, Ex weight) { builder_.store(weights_, place(r, c), weight); }

void ChunkSolve::close(Ex size, const std::function<void(Ex)>& clear) {
  builder_.loop("r", size + frame_.warp, builder_.i64(rows_), builder_.i64(frame_.warps),
                LoopKind::kSerial, [&](Ex r) {
                  leave(r, frame_.lane, builder_.f32(0));
                  clear(r);
                });
}

void ChunkSolve::each_row(int first, const std::function<void(Ex)>& body) {
  builder_.loop("r", builder_.i64(first), builder_.i64(rows_), builder_.i64(1), LoopKind::kUnrolled,
                body);
}

void ChunkSolve::take(MemoryId solved, Ex r, Ex c) {
  builder_.store(
      solved, r,
      builder_.load(solved, r) + builder_.load(weights_, place(r, c)) * builder_.load(solved, c));
}

// What a row needs of the one before it comes last: the other columns of many rows can be taken
// side by side before.
void ChunkSolve::solve(const std::function<Ex(Ex)>& sum, const std::function<void(Ex, Ex)>& keep) {
  const MemoryId solved = builder_.array("solved", Type::kF32, rows_);
  each_row(0, [&](Ex r) { builder_.store(solved, r, sum(r)); });
  if (distances_.size() > kFewDistances) {
    each_row(1, [&](Ex r) {
      builder_.loop("c", builder_.i64(0), r, builder_.i64(1), LoopKind::kUnrolled,
                    [&](Ex c) { take(solved, r, c); });
    });
  } else if (!distances_.empty()) {
    const std::int64_t nearest = distances_.front();
    each_row(static_cast<int>(nearest), [&](Ex r) {
      for (auto distance = distances_.rbegin(); distance != distances_.rend(); ++distance) {
        const auto step = [&] { take(solved, r, r - *distance); };
        *distance == nearest ? step() : builder_.when(r >= *distance, step);
      }
    });
  }
  each_row(0, [&](Ex r) { keep(r, builder_.load(solved, r)); });
}

}  // namespace heddle::schedule
