// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/diagonal_solve.hpp"

#include "codegen/schedule/attention_rows.hpp"
#include "codegen/schedule/chunk_solve.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::VectorPlace;

namespace {

constexpr int kChannels = 2;  // of a thread

}  // namespace

void put_on_diagonal(ir::Builder& builder, const DiagonalLane& lane, MemoryId weights, int half,
                     Ex weight) {
  const Ex left = builder.i64(6 * half), right = builder.i64(6 * half + 1);
  const Ex zero = builder.f32(0);
  builder.store(weights, left, builder.select(lane.even, weight, zero));
  builder.store(weights, right, builder.select(lane.even, zero, weight));
}

DiagonalSolve::DiagonalSolve(DiagonalRows& rows, Frame& frame, const DiagonalLane& lane)
    : distances(near_distances(frame.spec, static_cast<int>(rows.layout.rows))),
      rows_(rows),
      frame_(frame),
      builder_(frame.builder),
      lane_(lane),
      dim_(frame.spec.head_dim),
      sums_(builder_.array_of_vectors("sums", static_cast<int>(rows.layout.sums))) {
  if (rows.layout.near > 0) {
    near_ = builder_.array_of_vectors("near", static_cast<int>(rows.layout.near));
  }
}

int DiagonalSolve::columns() const {
  return (static_cast<int>(distances.size()) + kDiagonalSharers - 1) / kDiagonalSharers;
}

// Each weight is left before it is taken; but that rests on which lane has which column.
void DiagonalSolve::open() {
  if (distances.empty()) return;
  builder_.loop("place", frame_.thread, builder_.i64(rows_.layout.near),
                builder_.i64(32 * frame_.warps), LoopKind::kSerial,
                [&](Ex place) { builder_.store(near_, place, builder_.f32(0)); });
}

void DiagonalSolve::leave(Ex column, Ex row, Ex weight) {
  builder_.store(near_, column * rows_.layout.near_stride + row, weight);
}

void DiagonalSolve::solve(Ex size, Ex turn, MemoryId sums, MemoryId weights,
                          const std::function<void(Ex)>& begin) {
  solved_ = builder_.array("solved", Type::kF32, 2 * kDiagonalRows * kChannels);
  builder_.loop("e", builder_.i64(0), builder_.i64(2 * kDiagonalRows * kChannels), builder_.i64(1),
                LoopKind::kUnrolled, [&](Ex e) { builder_.store(solved_, e, builder_.f32(0)); });
  builder_.loop(
      "part", builder_.i64(0), size, builder_.i64(kDiagonalRows), LoopKind::kSerial, [&](Ex part) {
        begin(part);
        builder_.when(equal(lane_.warp_row, part), [&] { add_earlier(part, turn, sums, weights); });
        builder_.barrier();
        builder_.when(frame_.thread < builder_.i64(dim_ / kChannels),
                      [&] { substitute(part, turn); });
        builder_.barrier();
      });
}

// Rows before the chunk, which some of the sixteen find there, have weighed before and weigh
// nothing now.
void DiagonalSolve::add_earlier(Ex part, Ex turn, MemoryId sums, MemoryId weights) {
  const DiagonalLayout& layout = rows_.layout;
  for (std::size_t number = 0; number < distances.size(); ++number) {
    const std::int64_t distance = distances[number];
    if (distance < kDiagonalRows) continue;
    const Ex behind =
        builder_.let("behind", turn * layout.rows + part + (layout.slots() - distance));
    const Ex slot = builder_.let("earlier", layout.in_ring(behind));
    for (const int half : {0, 1}) {
      const Ex weight = builder_.load(
          near_, lane_.rows[half] + static_cast<std::int64_t>(number) * layout.near_stride);
      put_on_diagonal(builder_, lane_, weights, half,
                      builder_.let("weight", builder_.select(lane_.owns, weight, builder_.f32(0))));
    }
    builder_.invoke(
        on_tiles("multiply_sums_by_columns", dim_ / 8),
        {VectorPlace{sums, builder_.i64(0), true}, VectorPlace{weights, builder_.i64(0)},
         VectorPlace{rows_.staged, slot * layout.stride + layout.values_at},
         builder_.i64(layout.stride)});
  }
  builder_.invoke(on_tiles("store_sums", dim_ / 8),
                  {VectorPlace{sums_, builder_.i64(0), true}, builder_.i64(layout.sum_stride),
                   VectorPlace{sums, builder_.i64(0)}});
}

// Every index of an output is a constant, so that registers hold them, those of the sixteen rows
// before as well.
void DiagonalSolve::substitute(Ex part, Ex turn) {
  const DiagonalLayout& layout = rows_.layout;
  const Ex d = builder_.let("d", frame_.thread * kChannels);
  std::vector<std::pair<std::int64_t, int>> nearer;  // distance, and where its weights are
  for (std::size_t number = 0; number < distances.size(); ++number) {
    if (distances[number] >= kDiagonalRows) continue;
    nearer.emplace_back(distances[number], static_cast<int>(nearer.size()) * kDiagonalRows);
  }
  MemoryId weighs;
  if (!nearer.empty()) {
    weighs = builder_.array("weighs", Type::kF32, static_cast<int>(nearer.size()) * kDiagonalRows);
  }
  for (std::size_t number = 0; number < nearer.size(); ++number) {
    builder_.load_vector(weighs, nearer[number].second, near_,
                         part + static_cast<std::int64_t>(number) * layout.near_stride,
                         kDiagonalRows);
  }
  const MemoryId summed = builder_.array("summed", Type::kF32, kDiagonalRows * kChannels);
  for (int below = 0; below < kDiagonalRows; ++below) {
    builder_.load_vector(summed, below * kChannels, sums_, d + below * layout.sum_stride,
                         kChannels);
  }
  for (int below = 0; below < kDiagonalRows; ++below) {
    for (int channel = 0; channel < kChannels; ++channel) {
      Ex sum = builder_.load(summed, builder_.i64(below * kChannels + channel));
      for (auto each = nearer.rbegin(); each != nearer.rend(); ++each) {
        const std::int64_t row = kDiagonalRows + below - each->first;
        sum = sum + builder_.load(weighs, builder_.i64(each->second + below)) *
                        builder_.load(solved_, builder_.i64(row * kChannels + channel));
      }
      builder_.store(solved_, builder_.i64((kDiagonalRows + below) * kChannels + channel), sum);
    }
  }
  keep(part, turn, d);
}

// Where the ring begins, rows lie behind its end as well.
void DiagonalSolve::keep(Ex part, Ex turn, Ex d) {
  const DiagonalLayout& layout = rows_.layout;
  const auto put = [&](Ex at) {
    for (int below = 0; below < kDiagonalRows; ++below) {
      builder_.store_vector(rows_.staged, at + below * layout.stride, solved_,
                            (kDiagonalRows + below) * kChannels, kChannels);
    }
  };
  put(builder_.let("solved_at",
                   (turn * layout.rows + part) * layout.stride + d + layout.values_at));
  builder_.when(both(equal(turn, builder_.i64(0)), equal(part, builder_.i64(0))), [&] {
    put(builder_.let("again_at", d + (layout.values_at + layout.slots() * layout.stride)));
  });
  builder_.loop("e", builder_.i64(0), builder_.i64(kDiagonalRows * kChannels), builder_.i64(1),
                LoopKind::kUnrolled, [&](Ex e) {
                  builder_.store(solved_, e, builder_.load(solved_, e + kDiagonalRows * kChannels));
                });
}

}  // namespace heddle::schedule
