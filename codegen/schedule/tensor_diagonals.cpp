// SPDX-License-Identifier: Apache-2.0
// Softmax over the row's own input and the outputs at the same distances from each row, on tensor
// cores. A block owns one (batch, head) and takes chunks of rows, 16 to a warp, one after the
// other, distance by distance: what sixteen rows find so far off are sixteen rows, and their scores
// the diagonal of a product. One lane of a row's four has it; all four get it, and keep up the
// highest score and the sum of weights. The weights are a diagonal matrix, which another product
// takes to the values. Distances that the ring of recent chunks reaches ask for nothing; the
// rows of longer ones come in while the distance before is worked on. What a
// chunk's rows weigh each other with is left to `DiagonalSolve`.
#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/attention_rows.hpp"
#include "codegen/schedule/cache.hpp"
#include "codegen/schedule/diagonal_solve.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;
using ir::VectorPlace;

namespace {

constexpr int kDiagonal = 8;  // what a lane holds of sixteen rows by sixteen
constexpr int kParts = 2;     // of a score, which do not wait for each other

DiagonalLane lane_of(Frame& frame) {
  Builder& builder = frame.builder;
  DiagonalLane lane;
  lane.warp_row = builder.let("warp_row", frame.warp * kDiagonalRows);
  lane.sharer = builder.let("sharer", frame.lane % kDiagonalSharers);
  const Ex in_half = frame.lane / kDiagonalSharers;
  lane.rows[0] = builder.let("row_above", lane.warp_row + in_half);
  lane.rows[1] = builder.let("row_below", lane.rows[0] + kDiagonalRows / 2);
  lane.owner = builder.let("owner", in_half / 2);
  lane.owns = builder.let("owns", equal(lane.sharer, lane.owner));
  lane.even = builder.let("even", equal(in_half % 2, builder.i64(0)));
  return lane;
}

class TensorDiagonals {
 public:
  explicit TensorDiagonals(Frame& frame)
      : frame_(frame),
        builder_(frame.builder),
        dim_(frame.spec.head_dim),
        tiles_(frame.spec.head_dim / 8),
        rows_(frame),
        solve_(rows_, frame, lane_) {}

  void run() {
    for (MemoryId& scores : near_scores_) {
      if (solve_.columns() == 0) break;
      scores = builder_.array("near_scores", Type::kF32, solve_.columns());
    }
    for (MemoryId& scores : scores_) scores = builder_.array("scores", Type::kF32, kDiagonal);
    weights_ = builder_.array("weights", Type::kF32, kDiagonal);
    outputs_ = builder_.array("outputs", Type::kF32, 4 * tiles_);
    fill(weights_, kDiagonal);
    lane_ = lane_of(frame_);
    rows_.open();
    solve_.open();
    rows_.bring_first_chunk();
    builder_.loop("first", builder_.i64(0), frame_.tokens, builder_.i64(layout().rows),
                  LoopKind::kSerial, [&](Ex first) { chunk(first); });
    write_final_state(frame_);
  }

 private:
  const DiagonalLayout& layout() const { return rows_.layout; }
  Ex stride() { return builder_.i64(layout().stride); }
  VectorPlace whole(MemoryId sums) { return {sums, builder_.i64(0), true}; }
  void fill(MemoryId sums, int count) {
    builder_.loop("e", builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  [&](Ex e) { builder_.store(sums, e, builder_.f32(0)); });
  }

  void chunk(Ex first) {
    size_ = builder_.let("size", builder_.call(Helper::kMinimum, {builder_.i64(layout().rows),
                                                                  frame_.tokens - first}));
    before_ = builder_.let("before", frame_.start + first);
    const Ex turn = builder_.let("ring_turn", first / layout().rows % layout().chunks);
    own_slot_ = builder_.let("own_slot", turn * layout().rows + layout().slots());
    fill(outputs_, 4 * tiles_);
    for (const int half : {0, 1}) {
      highest_[half] = builder_.variable("highest", builder_.lowest_score());
      totals_[half] = builder_.variable("total", builder_.f32(0));
      each_column(
          [&](Ex, Ex part) { builder_.store(near_scores_[half], part, builder_.lowest_score()); });
    }
    walk();
    finish();
    builder_.barrier();
    const Ex next_turn = builder_.let("next_turn", (turn + 1) % layout().chunks);
    const Ex next_first = builder_.let("next_first", first + layout().rows);
    solve_.solve(size_, turn, outputs_, weights_,
                 [&](Ex part) { rows_.bring_sixteen(next_first, next_turn, part); });
    rows_.write(first, size_, turn);
    rows_.arrive();
  }

  // Distance by distance; the own input comes first.
  void walk() {
    const std::int64_t slots = 2 * layout().rows;
    const Ex furthest = builder_.let("furthest", before_ + size_);
    const Var distance = builder_.variable("distance", builder_.i64(0));
    const Var taken = builder_.variable("taken", builder_.i64(0));
    const Var found = builder_.variable("found_at", builder_.i64(0));
    const Ex reach = builder_.i64(layout().reach), most = builder_.i64(layout().rows);
    rows::emit_walk(builder_, frame_.spec.pattern, frame_.spec.b, furthest, [&](Ex p) {
      const Ex next = builder_.let("next", furthest - p);
      rows_.arrive();
      const Ex coming = builder_.let(
          "coming",
          builder_.select(distance > reach,
                          builder_.call(Helper::kMinimum, {next - distance, most}), most));
      const Ex slot = builder_.let("next_at", (Ex(found) + slots - coming) % slots);
      builder_.when(next > reach, [&] { rows_.bring_window(before_, next, slot, coming); });
      take(distance, taken, found);
      builder_.assign(distance, next);
      builder_.assign(taken, Ex(taken) + 1);
      builder_.assign(found, slot);
    });
    rows_.arrive();
    take(distance, taken, found);
  }

  // `taken`: with the own input, how many distances were taken before. `found`: in which slot the
  // first row lies that the chunk's rows find so far off, where the ring does not reach.
  void take(Ex distance, Ex taken, Ex found) {
    builder_.when(
        both(lane_.warp_row < size_, distance <= before_ + lane_.warp_row + (kDiagonalRows - 1)),
        [&] { mix(distance, taken, found); });
  }
  void mix(Ex distance, Ex taken, Ex found) {
    const Ex in_ring = builder_.let("in_ring", distance <= builder_.i64(layout().reach));
    const Ex behind = builder_.let("behind", own_slot_ + lane_.warp_row - distance);
    const Ex in_window = (found + lane_.warp_row) % (2 * layout().rows);
    const Ex slot = builder_.let("slot", builder_.select(in_ring, layout().in_ring(behind),
                                                         in_window + layout().first_window));
    const Ex keys = builder_.let("keys_at", slot * layout().stride + layout().keys_at);
    const Ex values = builder_.let("values_at", keys + layout().side);
    score(keys);
    const Ex share =
        builder_.let("share", builder_.select(equal(distance, builder_.i64(0)),
                                              builder_.f32(1) - *frame_.gamma, *frame_.gamma));
    const Ex scores[] = {score_of(0, distance), score_of(1, distance)};
    const Ex near[] = {keep_near(0, distance, taken - 1, scores[0]),
                       keep_near(1, distance, taken - 1, scores[1])};
    for (const int half : {0, 1}) raise(half, scores[half]);
    for (const int half : {0, 1}) weigh(half, scores[half], near[half], share);
    builder_.invoke(on_tiles("multiply_sums_by_columns", tiles_),
                    {whole(outputs_), VectorPlace{weights_, builder_.i64(0)},
                     VectorPlace{rows_.staged, values}, stride()});
  }
  void score(Ex keys) {
    const int depth = dim_ / kParts;
    for (int part = 0; part < kParts; ++part) {
      fill(scores_[part], kDiagonal);
      builder_.invoke(on_tiles("multiply_rows_by_rows", 2, depth),
                      {whole(scores_[part]),
                       VectorPlace{rows_.staged, lane_.warp_row * layout().stride + part * depth},
                       stride(), VectorPlace{rows_.staged, keys + part * depth}, stride()});
    }
  }

  // Of the lane's row in this half of the warp's sixteen: its own place on the diagonal.
  Ex score_of(int half, Ex distance) {
    const auto sum = [&](int place) {
      return builder_.load(scores_[0], builder_.i64(place)) +
             builder_.load(scores_[1], builder_.i64(place));
    };
    const Ex mine =
        builder_.let("mine", builder_.select(lane_.even, sum(6 * half), sum(6 * half + 1)));
    const Ex product = builder_.let("product", builder_.pick(mine, lane_.owner, kDiagonalSharers));
    return builder_.let("score", builder_.select(distance <= before_ + lane_.rows[half],
                                                 frame_.scale * product, builder_.lowest_score()));
  }
  // Whether the entry is for a row of the chunk, and to be weighed when that is known.
  Ex keep_near(int half, Ex distance, Ex number, Ex score) {
    const Ex near = builder_.let("in_chunk", both(distance > 0, distance <= lane_.rows[half]));
    each_column([&](Ex column, Ex part) {
      builder_.when(both(near, equal(number, column)),
                    [&] { builder_.store(near_scores_[half], part, score); });
    });
    return near;
  }
  // The highest scores with these; what was summed with lower ones shrinks. Nobody asks whether
  // they rise: among sixteen rows one's nearly always does.
  void raise(int half, Ex score) {
    const Ex risen =
        builder_.let("risen", builder_.select(score > highest_[half], score, Ex(highest_[half])));
    const Ex shrink =
        builder_.let("shrink", builder_.call(Helper::kExponential, {Ex(highest_[half]) - risen}));
    builder_.assign(totals_[half], Ex(totals_[half]) * shrink);
    scale_outputs(half, shrink);
    builder_.assign(highest_[half], risen);
  }
  void weigh(int half, Ex score, Ex near, Ex share) {
    const Ex weight = builder_.let(
        "weight", share * builder_.call(Helper::kExponential, {score - highest_[half]}));
    builder_.assign(totals_[half], Ex(totals_[half]) + weight);
    const Ex kept = builder_.let(
        "kept", builder_.select(both(lane_.owns, negated(near)), weight, builder_.f32(0)));
    put_on_diagonal(builder_, lane_, weights_, half, kept);
  }
  void scale_outputs(int half, Ex factor) {
    builder_.loop("tile", builder_.i64(0), builder_.i64(tiles_), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex tile) {
                    for (const int e : {0, 1}) {
                      const Ex at = tile * 4 + (2 * half + e);
                      builder_.store(outputs_, at, builder_.load(outputs_, at) * factor);
                    }
                  });
  }

  // Sums and weights of the chunk's own rows, over the sum of weights.
  void finish() {
    builder_.when(lane_.warp_row < size_, [&] {
      for (const int half : {0, 1}) {
        const Ex total = totals_[half];
        const Ex inverse = builder_.let(
            "inverse",
            builder_.select(total > builder_.f32(0), builder_.f32(1) / total, builder_.f32(0)));
        scale_outputs(half, inverse);
        each_column([&](Ex column, Ex part) {
          const Ex score = builder_.load(near_scores_[half], part);
          const Ex weight = builder_.call(Helper::kExponential, {score - highest_[half]});
          solve_.leave(column, lane_.rows[half], *frame_.gamma * weight * inverse);
        });
      }
    });
  }

  // A lane keeps the scores of every fourth distance of its rows, in the order of distances.
  void each_column(const std::function<void(Ex, Ex)>& body) {
    if (solve_.columns() == 0) return;
    builder_.loop("part", builder_.i64(0), builder_.i64(solve_.columns()), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex part) {
                    body(builder_.let("column", lane_.sharer + part * kDiagonalSharers), part);
                  });
  }

  Frame& frame_;
  Builder& builder_;
  int dim_, tiles_;
  DiagonalLane lane_;
  DiagonalRows rows_;
  DiagonalSolve solve_;
  MemoryId scores_[kParts];
  MemoryId weights_, outputs_;
  MemoryId near_scores_[2];     // of the lane's rows
  Var highest_[2], totals_[2];  // of these
  Ex size_, before_, own_slot_;
};

}  // namespace

ir::Kernel tensor_diagonals(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 32 * spec.tensor->warps);
  Frame frame(builder, spec, /*decode=*/false);
  frame.warps = spec.tensor->warps;
  for (const char* size : {"key_rows", "value_rows", "tile_rows"}) builder.size(size);
  frame.each_block([&] { TensorDiagonals(frame).run(); });
  return builder.take();
}

}  // namespace heddle::schedule
