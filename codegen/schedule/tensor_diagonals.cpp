// SPDX-License-Identifier: Apache-2.0
// Softmax over the row's own input and the outputs at the same distances from each row, on tensor
// cores. A block owns one (batch, head) and takes chunks of rows, 16 to a warp, one after the
// other, distance by distance: what sixteen rows find so far off are sixteen rows, and their scores
// the diagonal of a product. One lane of a row's four has it; all four get it, and keep up the
// highest score and the sum of weights. The weights are a diagonal matrix, which another product
// takes to the values. Distances of a chunk and less find their rows in a ring of two chunks,
// longer ones in another ring, whose new rows come in while the distance before is worked on.
//   Y = F + N Y    with F what is summed so far and N strictly below the diagonal
// is what a chunk's entries for its own rows leave: one thread a channel substitutes them.
#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/attention_rows.hpp"
#include "codegen/schedule/cache.hpp"
#include "codegen/schedule/chunk_solve.hpp"
#include "codegen/schedule/diagonal_plan.hpp"
#include "codegen/schedule/row_vectors.hpp"

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

constexpr int kWarpRows = 16;
constexpr int kRowSharers = 4;  // lanes of a row
constexpr int kDiagonal = 8;    // what a lane holds of sixteen rows by sixteen

class TensorDiagonals {
 public:
  explicit TensorDiagonals(Frame& frame)
      : frame_(frame),
        builder_(frame.builder),
        layout_(frame.spec),
        dim_(frame.spec.head_dim),
        tiles_(frame.spec.head_dim / 8),
        near_distances_(near_distances(frame.spec, static_cast<int>(layout_.rows))) {}

  void run() {
    staged_ = builder_.dynamic_array("staged", frame_.spec.dtype);
    sums_ = builder_.array_of_vectors("sums", static_cast<int>(layout_.sums));
    if (!near_distances_.empty()) {
      near_ = builder_.array("near", Type::kF32, static_cast<int>(layout_.near), true);
      for (MemoryId& scores : near_scores_) {
        scores = builder_.array("near_scores", Type::kF32, columns());
      }
    }
    scores_ = builder_.array("scores", Type::kF32, kDiagonal);
    weights_ = builder_.array("weights", Type::kF32, kDiagonal);
    outputs_ = builder_.array("outputs", Type::kF32, 4 * tiles_);
    fill(weights_, kDiagonal);
    warp_row_ = builder_.let("warp_row", frame_.warp * kWarpRows);
    sharer_ = builder_.let("sharer", frame_.lane % kRowSharers);
    const Ex in_half = frame_.lane / kRowSharers;
    rows_[0] = builder_.let("row_above", warp_row_ + in_half);
    rows_[1] = builder_.let("row_below", Ex(rows_[0]) + kWarpRows / 2);
    owner_ = builder_.let("owner", in_half / 2);
    owns_ = builder_.let("owns", equal(sharer_, owner_));
    even_ = builder_.let("even", equal(in_half % 2, builder_.i64(0)));
    open();
    bring_chunk(builder_.i64(0), builder_.i64(0));
    builder_.loop("first", builder_.i64(0), frame_.tokens, builder_.i64(layout_.rows),
                  LoopKind::kSerial, [&](Ex first) { chunk(first); });
    write_final_state(frame_);
  }

 private:
  static std::string vectors(const char* name) { return on_tiles(name, kAttentionVector); }
  Ex stride() { return builder_.i64(layout_.stride); }
  VectorPlace whole(MemoryId sums) { return {sums, builder_.i64(0), true}; }
  void fill(MemoryId sums, int count) {
    builder_.loop("e", builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  [&](Ex e) { builder_.store(sums, e, builder_.f32(0)); });
  }
  void clear(Ex at) {
    builder_.invoke(vectors("clear_elements"), {VectorPlace{staged_, at, true}});
  }
  void start(Ex to, MemoryId from, Ex at) {
    builder_.invoke(vectors("start_copy"), {VectorPlace{staged_, to, true}, VectorPlace{from, at}});
  }
  void each_piece(Ex rows, const std::function<void(Ex, Ex)>& body) {
    each_vector(builder_, frame_.thread, 32 * frame_.warps, rows, {dim_, kAttentionVector}, body);
  }

  // ---- rows come in -----------------------------------------------------------------------------

  // The ring's rows before the launch's first token.
  void open() {
    builder_.comment("a ring of the last chunk and this one, which begins with what a state holds");
    each_piece(builder_.i64(layout_.rows), [&](Ex row, Ex d) {
      const Ex key =
          builder_.let("key_to", row * layout_.stride + d + (layout_.keys_at + layout_.window));
      const Ex value = builder_.let("value_to", key + (layout_.ring));
      const Ex position = builder_.let("p", frame_.start - layout_.rows + 1 + row);
      builder_.when(
          position > 0,
          [&] {
            const Location from = frame_.locate_in_state(frame_.b, position);
            start(key, from.key, from.at + d);
            start(value, from.value, from.at + d);
          },
          [&] {
            clear(key);
            clear(value);
          });
    });
    // No row of a window is taken before it has come, nor a weight before it is known; but that
    // rests on distances that ascend, which the static layer does not follow.
    if (!near_distances_.empty()) {
      builder_.loop("place", frame_.thread, builder_.i64(layout_.near),
                    builder_.i64(32 * frame_.warps), LoopKind::kSerial,
                    [&](Ex place) { builder_.store(near_, place, builder_.f32(0)); });
    }
    each_piece(builder_.i64(2 * layout_.ring / layout_.stride),
               [&](Ex row, Ex d) { clear(row * layout_.stride + d + layout_.window_keys_at); });
    // Values behind the ring's end have no weight.
    each_piece(builder_.i64(kWarpRows), [&](Ex row, Ex d) {
      clear(row * layout_.stride + d + (layout_.values_at + 2 * layout_.window));
    });
  }

  // Queries, keys and inputs of the chunk from `first` on, if there is one. Rows beyond the last
  // token are zero.
  void bring_chunk(Ex first, Ex turn) {
    builder_.when(first < frame_.tokens, [&] {
      each_piece(builder_.i64(layout_.rows), [&](Ex row, Ex d) {
        const Ex to = builder_.let("to", row * layout_.stride + d);
        const Ex key = builder_.let("key_to", to + turn * layout_.window + layout_.keys_at);
        const Ex value = builder_.let("value_to", key + (layout_.ring));
        const Ex again = builder_.let("again_to", to + (layout_.keys_at + 2 * layout_.window));
        const Ex twice = builder_.let(
            "twice", both(row < builder_.i64(kWarpRows), equal(turn, builder_.i64(0))));
        const Ex token = builder_.let("token", first + row);
        builder_.when(
            token < frame_.tokens,
            [&] {
              const Ex from = builder_.let("from", frame_.token_at(token) + d);
              start(to, frame_.q, from);
              start(key, frame_.k, from);
              start(value, frame_.x, from);
              builder_.when(twice, [&] { start(again, frame_.k, from); });
            },
            [&] {
              for (const Ex& at : {to, key, value}) clear(at);
              builder_.when(twice, [&] { clear(again); });
            });
      });
    });
  }

  // Of what the chunk's rows find so far off, the first rows, from this slot on. The others were
  // found at the distance before.
  void bring_window(Ex distance, Ex from_slot, Ex rows) {
    each_piece(rows, [&](Ex row, Ex d) {
      const Ex slot = builder_.let("to_slot", (from_slot + row) % (2 * layout_.rows));
      const Ex key = builder_.let("key_to", slot * layout_.stride + d + layout_.window_keys_at);
      const Ex value = builder_.let("value_to", key + layout_.ring);
      const Ex twice = builder_.let("twice", slot < builder_.i64(kWarpRows));
      const Ex position = builder_.let("p", before_ - distance + row + 1);
      builder_.when(
          position > 0,
          [&] {
            const Location from = frame_.locate(frame_.b, position);
            const Ex at = builder_.let("from", from.at + d);
            start(key, from.key, at);
            start(value, from.value, at);
            builder_.when(twice, [&] {
              start(key + 2 * layout_.window, from.key, at);
              start(value + 2 * layout_.window, from.value, at);
            });
          },
          [&] {
            clear(key);
            clear(value);
            builder_.when(twice, [&] {
              clear(key + 2 * layout_.window);
              clear(value + 2 * layout_.window);
            });
          });
    });
  }

  // ---- a chunk ----------------------------------------------------------------------------------

  void chunk(Ex first) {
    first_ = first;
    size_ = builder_.let("size", builder_.call(Helper::kMinimum, {builder_.i64(layout_.rows),
                                                                  frame_.tokens - first}));
    before_ = builder_.let("before", frame_.start + first);
    turn_ = builder_.let("ring_turn", first / layout_.rows % 2);
    own_slot_ = builder_.let("own_slot", turn_ * layout_.rows + 2 * layout_.rows);
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
    solve();
    bring_chunk(builder_.let("next_first", first + layout_.rows), builder_.i64(1) - turn_);
    write();
    arrive();
  }

  // Distance by distance, each while the rows of the next one come in; the own input comes first.
  void walk() {
    const Ex furthest = builder_.let("furthest", before_ + size_);
    const Var distance = builder_.variable("distance", builder_.i64(0));
    const Var taken = builder_.variable("taken", builder_.i64(0));
    const Var found = builder_.variable("found_at", builder_.i64(0));
    const Ex most = builder_.i64(layout_.rows);
    rows::emit_walk(builder_, frame_.spec.pattern, frame_.spec.b, furthest, [&](Ex p) {
      const Ex next = builder_.let("next", furthest - p);
      arrive();
      const Ex coming = builder_.let(
          "coming",
          builder_.select(distance > most, builder_.call(Helper::kMinimum, {next - distance, most}),
                          most));
      const Ex slot =
          builder_.let("next_at", (Ex(found) + (2 * layout_.rows) - coming) % (2 * layout_.rows));
      builder_.when(next > layout_.rows, [&] { bring_window(next, slot, coming); });
      take(distance, taken, found);
      builder_.assign(distance, next);
      builder_.assign(taken, Ex(taken) + 1);
      builder_.assign(found, slot);
    });
    arrive();
    take(distance, taken, found);
  }
  void arrive() {
    builder_.invoke("close_batch", {});
    builder_.invoke("await_batches<0>", {});
    builder_.barrier();
  }

  // `taken`: with the own input, how many distances were taken before. `found`: in which slot the
  // first row lies that the chunk's rows find so far off, where that is beyond a chunk.
  void take(Ex distance, Ex taken, Ex found) {
    builder_.when(both(warp_row_ < size_, distance <= before_ + warp_row_ + (kWarpRows - 1)),
                  [&] { mix(distance, taken, found); });
  }
  void mix(Ex distance, Ex taken, Ex found) {
    const Ex most = builder_.i64(layout_.rows);
    const Ex in_ring = builder_.let("in_ring", distance <= most);
    const Ex behind = own_slot_ - builder_.call(Helper::kMinimum, {distance, most});
    const Ex slot = builder_.let(
        "slot", (builder_.select(in_ring, behind, found) + warp_row_) % (2 * layout_.rows));
    const Ex keys = builder_.let(
        "keys_at", slot * layout_.stride + builder_.select(in_ring, builder_.i64(layout_.keys_at),
                                                           builder_.i64(layout_.window_keys_at)));
    const Ex values = builder_.let("values_at", keys + layout_.ring);
    fill(scores_, kDiagonal);
    builder_.invoke(on_tiles("multiply_rows_by_rows", 2, dim_),
                    {whole(scores_), VectorPlace{staged_, warp_row_ * layout_.stride}, stride(),
                     VectorPlace{staged_, keys}, stride()});
    const Ex share =
        builder_.let("share", builder_.select(equal(distance, builder_.i64(0)),
                                              builder_.f32(1) - *frame_.gamma, *frame_.gamma));
    for (const int half : {0, 1}) weigh(half, distance, taken - 1, share);
    builder_.invoke(on_tiles("multiply_sums_by_columns", tiles_),
                    {whole(outputs_), VectorPlace{weights_, builder_.i64(0)},
                     VectorPlace{staged_, values}, stride()});
  }

  // The lane's row in this half of the warp's sixteen: of its own place on the diagonal.
  void weigh(int half, Ex distance, Ex number, Ex share) {
    const Ex row = rows_[half];
    const Ex left = builder_.i64(6 * half), right = builder_.i64(6 * half + 1);
    const Ex zero = builder_.f32(0);
    const Ex mine = builder_.let("mine", builder_.select(even_, builder_.load(scores_, left),
                                                         builder_.load(scores_, right)));
    const Ex sum = builder_.let("product", builder_.pick(mine, owner_, kRowSharers));
    const Ex score = builder_.let(
        "score",
        builder_.select(distance <= before_ + row, frame_.scale * sum, builder_.lowest_score()));
    const Ex near = builder_.let("in_chunk", both(distance > 0, distance <= row));
    each_column([&](Ex column, Ex part) {
      builder_.when(both(near, equal(number, column)),
                    [&] { builder_.store(near_scores_[half], part, score); });
    });
    raise(half, score);
    const Ex weight = builder_.let(
        "weight", share * builder_.call(Helper::kExponential, {score - highest_[half]}));
    builder_.assign(totals_[half], Ex(totals_[half]) + weight);
    const Ex kept = builder_.let("kept", builder_.select(both(owns_, negated(near)), weight, zero));
    builder_.store(weights_, left, builder_.select(even_, kept, zero));
    builder_.store(weights_, right, builder_.select(even_, zero, kept));
  }
  void raise(int half, Ex score) {
    builder_.when(score > highest_[half], [&] {
      const Ex shrink =
          builder_.let("shrink", builder_.call(Helper::kExponential, {Ex(highest_[half]) - score}));
      builder_.assign(totals_[half], Ex(totals_[half]) * shrink);
      scale_outputs(half, shrink);
      builder_.assign(highest_[half], score);
    });
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
    builder_.when(warp_row_ < size_, [&] {
      for (const int half : {0, 1}) {
        const Ex total = totals_[half];
        const Ex inverse = builder_.let(
            "inverse",
            builder_.select(total > builder_.f32(0), builder_.f32(1) / total, builder_.f32(0)));
        scale_outputs(half, inverse);
        each_column([&](Ex column, Ex part) {
          const Ex score = builder_.load(near_scores_[half], part);
          const Ex weight = builder_.call(Helper::kExponential, {score - highest_[half]});
          builder_.store(near_, column * layout_.near_stride + rows_[half],
                         *frame_.gamma * weight * inverse);
        });
      }
      builder_.invoke(on_tiles("store_sums", tiles_),
                      {VectorPlace{sums_, warp_row_ * layout_.sum_stride, true},
                       builder_.i64(layout_.sum_stride), VectorPlace{outputs_, builder_.i64(0)}});
    });
  }

  // A lane keeps the scores of every fourth distance of its rows, in the order of distances.
  void each_column(const std::function<void(Ex, Ex)>& body) {
    if (near_distances_.empty()) return;
    builder_.loop(
        "part", builder_.i64(0), builder_.i64(columns()), builder_.i64(1), LoopKind::kUnrolled,
        [&](Ex part) { body(builder_.let("column", sharer_ + part * kRowSharers), part); });
  }
  int columns() const {
    return (static_cast<int>(near_distances_.size()) + kRowSharers - 1) / kRowSharers;
  }
  Ex near_at(std::size_t number) {
    return builder_.i64(static_cast<std::int64_t>(number) * layout_.near_stride);
  }

  // Sixteen rows at a time: what they weigh rows before them with, then each other. Outputs take
  // the place of the chunk's inputs.
  void solve() {
    solved_at_ = builder_.let("solved_at", turn_ * layout_.window + layout_.values_at);
    builder_.loop("part", builder_.i64(0), size_, builder_.i64(kWarpRows), LoopKind::kSerial,
                  [&](Ex part) {
                    if (!near_distances_.empty()) {
                      add_solved(part);
                      builder_.barrier();
                    }
                    substitute(part);
                    builder_.barrier();
                  });
  }
  void add_solved(Ex part) {
    builder_.loop(
        "element", frame_.thread, builder_.i64(kWarpRows * dim_), builder_.i64(32 * frame_.warps),
        LoopKind::kSerial, [&](Ex element) {
          const Ex below = builder_.let("below", element / dim_);
          const Ex d = builder_.let("d", element % dim_);
          const Ex row = builder_.let("r", part + below);
          const Ex at = builder_.let("at", row * layout_.sum_stride + d);
          const Var sum = builder_.variable("sum", builder_.load(sums_, at));
          for (std::size_t number = 0; number < near_distances_.size(); ++number) {
            const std::int64_t distance = near_distances_[number];
            Ex before = row >= distance;
            if (distance < kWarpRows) {
              before = both(before, below < builder_.i64(distance));
            }
            builder_.when(before, [&] {
              const Ex value =
                  builder_.load(staged_, solved_at_ + (row - distance) * layout_.stride + d);
              builder_.assign(sum, Ex(sum) + builder_.load(near_, near_at(number) + row) * value);
            });
          }
          builder_.store(sums_, at, sum);
        });
  }
  // Every index of an output is a constant, so that registers hold them.
  void substitute(Ex part) {
    builder_.loop(
        "d", frame_.thread, builder_.i64(dim_), builder_.i64(32 * frame_.warps), LoopKind::kSerial,
        [&](Ex d) {
          const MemoryId solved = builder_.array("solved", Type::kF32, kWarpRows);
          for (int below = 0; below < kWarpRows; ++below) {
            const Ex row = builder_.let("r", part + below);
            const Var sum =
                builder_.variable("sum", builder_.load(sums_, row * layout_.sum_stride + d));
            for (std::size_t number = near_distances_.size(); number-- > 0;) {
              const std::int64_t distance = near_distances_[number];
              if (distance > below) continue;
              builder_.assign(sum,
                              Ex(sum) + builder_.load(near_, near_at(number) + row) *
                                            builder_.load(solved, builder_.i64(below - distance)));
            }
            builder_.store(solved, builder_.i64(below), sum);
            builder_.store(staged_, solved_at_ + row * layout_.stride + d, sum);
          }
        });
  }

  void write() {
    each_piece(size_, [&](Ex row, Ex d) {
      builder_.invoke(vectors("copy_elements"),
                      {VectorPlace{frame_.y, frame_.token_at(first_ + row) + d, true},
                       VectorPlace{staged_, turn_ * layout_.window + row * layout_.stride + d +
                                                layout_.values_at}});
    });
  }

  Frame& frame_;
  Builder& builder_;
  DiagonalLayout layout_;
  int dim_, tiles_;
  std::vector<std::int64_t> near_distances_;
  MemoryId staged_, sums_, near_, scores_, weights_, outputs_;
  MemoryId near_scores_[2];  // of the lane's rows
  Ex warp_row_, sharer_, owner_, owns_, even_;
  Ex rows_[2];                  // of the chunk, that the lane shares
  Var highest_[2], totals_[2];  // of these
  Ex first_, size_, before_, turn_, own_slot_, solved_at_;
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
