// SPDX-License-Identifier: Apache-2.0
// Prefill on cuda for rows that all reach the same distances back over inputs and read no output:
// {i - o : o in O, o < i} of A. A block owns a tile of rows of one (batch, head), `chunks` of them
// a head, since no tile waits for another. It sums the tile distance by distance, the nearest
// first: what the tile's rows find so far off is one run of positions, which lie in a ring by
// position in shared memory. Only what is not there yet comes in, and where the ring has room for
// more positions than a tile has rows, those ahead come with it: then many distances neither wait
// nor meet. Groups of lanes have rows of the tile side by side and in turn, in registers. A row
// that lacks an entry comes along: its weight is 0 then, and its value a row of zeros.
#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/cache.hpp"
#include "codegen/schedule/coefficients.hpp"
#include "codegen/schedule/input_plan.hpp"
#include "codegen/schedule/row_groups.hpp"
#include "codegen/schedule/row_vectors.hpp"
#include "codegen/schedule/staged_copy.hpp"

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

class InputTiles {
 public:
  explicit InputTiles(Frame& frame)
      : frame_(frame),
        builder_(frame.builder),
        dim_(frame.spec.head_dim),
        tile_rows_(static_cast<int>(frame.spec.staging->tile_rows)),
        ring_rows_(static_cast<int>(frame.spec.staging->value_rows) - 1),
        stride_(input_stride(frame.spec)),
        groups_(frame, lanes_of_inputs(frame.spec)) {}

  void run() {
    groups_.open();
    lanes_.emplace(groups_.cut(frame_.spec.dtype));
    parts_ = lanes_->owned();
    turns_ = tile_rows_ / (frame_.warps * groups_.of_warp());
    declare();
    tile_ = builder_.let("tile", frame_.chunk * tile_rows_);
    builder_.when(tile_ < frame_.tokens, [&] { run_tile(); });
    write_final_state(frame_, /*chunks_share=*/true);
  }

 private:
  bool softmax() const { return frame_.softmax(); }
  Ex number(std::int64_t value) { return builder_.i64(value); }
  Ex minimum(Ex a, Ex b) { return builder_.call(Helper::kMinimum, {a, b}); }
  Ex maximum(Ex a, Ex b) { return builder_.call(Helper::kMaximum, {a, b}); }

  void declare() {
    builder_.comment("shared memory: a ring of keys and values by position, and a row of zeros");
    staged_ = builder_.dynamic_array("staged", frame_.spec.dtype);
    values_ = softmax() ? ring_rows_ * stride_ : 0;
    zeros_ = values_ + ring_rows_ * stride_;
    if (softmax()) queries_ = builder_.array("queries", Type::kF32, turns_ * parts_);
    mixed_ = builder_.array("mixed", Type::kF32, turns_ * parts_);
    if (softmax()) {
      highest_ = builder_.array("highest", Type::kF32, turns_);
      total_ = builder_.array("total", Type::kF32, turns_);
    } else {
      weights_ = builder_.array("weights", Type::kF32, turns_);
    }
  }

  RowVectors vectors() const {
    const int vector = vector_of(frame_.spec);
    return {dim_, vector, vector * static_cast<int>(size_of(frame_.spec.dtype))};
  }
  std::string of_vector(const char* function) const {
    return function + ("<" + std::to_string(vector_of(frame_.spec)) + ">");
  }
  // No place is read before it is written; but that rests on distances that ascend, which the
  // static layer does not follow. So there is something in each place from the start.
  void clear() {
    each_vector(builder_, frame_.thread, 32 * frame_.warps, number(zeros_ / stride_ + 1), vectors(),
                [&](Ex row, Ex d) {
                  builder_.invoke(of_vector("clear_elements"),
                                  {VectorPlace{staged_, row * stride_ + d, true}});
                });
  }

  // ---- a tile -----------------------------------------------------------------------------------

  void run_tile() {
    count_ = builder_.let("size", minimum(number(tile_rows_), frame_.tokens - tile_));
    before_ = builder_.let("before", frame_.start + tile_);
    clear();
    open_rows();
    builder_.barrier();
    take_all();
    write();
  }

  // Rows of the tile that lanes have side by side, and in turn.
  void each_turn(const std::function<void(Ex, Ex)>& body) {
    const Ex first = frame_.warp * groups_.of_warp() + groups_.group();
    builder_.loop("turn", number(0), number(turns_), number(1), LoopKind::kUnrolled, [&](Ex turn) {
      body(turn, builder_.let("r", first + turn * (frame_.warps * groups_.of_warp())));
    });
  }

  void open_rows() {
    each_turn([&](Ex turn, Ex r) {
      if (softmax()) {
        const MemoryId query = lanes_->array("query");
        lanes_->each_channel([&](Ex, Ex index) { builder_.store(query, index, builder_.f32(0)); });
        builder_.when(r < count_,
                      [&] { lanes_->load(query, frame_.q, frame_.token_at(tile_ + r)); });
        lanes_->each_channel([&](Ex, Ex index) {
          builder_.store(queries_, turn * parts_ + index, builder_.load(query, index));
        });
        builder_.store(highest_, turn, builder_.lowest_score());
        builder_.store(total_, turn, builder_.f32(0));
      }
      lanes_->each_channel(
          [&](Ex, Ex index) { builder_.store(mixed_, turn * parts_ + index, builder_.f32(0)); });
    });
  }

  void write() {
    each_turn([&](Ex turn, Ex r) {
      builder_.when(r < count_, [&] {
        Ex inverse;
        if (softmax()) {
          const Ex total = builder_.load(total_, turn);
          inverse = builder_.let(
              "inverse",
              builder_.select(total > builder_.f32(0), builder_.f32(1) / total, builder_.f32(0)));
        }
        const MemoryId sum = lanes_->array("sum");
        lanes_->each_channel([&](Ex, Ex index) {
          const Ex mixed = builder_.load(mixed_, turn * parts_ + index);
          builder_.store(sum, index, softmax() ? mixed * inverse : mixed);
        });
        lanes_->store(frame_.y, frame_.token_at(tile_ + r), sum);
      });
    });
  }

  // ---- distances --------------------------------------------------------------------------------

  // Those of the tile's last row.
  void take_all() {
    const Ex row = builder_.let("furthest", before_ + count_);
    const Var reached = builder_.variable("reached", row + 1);
    const Var entry = softmax() ? Var() : builder_.variable("entry", number(0));
    rows::emit_walk(builder_, frame_.spec.pattern, *frame_.a.plan, row, [&](Ex p) {
      const Ex distance = builder_.let("distance", row - p);
      if (!softmax()) weigh(distance, entry);
      bring(distance, reached);
      take(distance);
      if (!softmax()) builder_.assign(entry, Ex(entry) + 1);
    });
  }
  // Whether row r of the tile finds a position so far off.
  Ex has(Ex r, Ex distance) { return distance <= before_ + r; }

  // Of what the tile's rows find so far off those positions that have not come before, if there are
  // any, and as many before them as there is room for.
  void bring(Ex distance, Var reached) {
    const Ex needed = builder_.let("needed", maximum(before_ + 1 - distance, number(1)));
    builder_.when(needed < reached, [&] {
      builder_.barrier();
      const Ex first = builder_.let("from", maximum(needed - (ring_rows_ - tile_rows_), number(1)));
      const Ex end = builder_.let("to", minimum(reached, before_ + 1 + count_ - distance));
      start(first, builder_.let("coming", end - first));
      builder_.assign(reached, first);
      builder_.invoke("close_batch", {});
      builder_.invoke("await_batches<0>", {});
      builder_.barrier();
    });
  }
  void start(Ex first, Ex count) {
    each_vector(builder_, frame_.thread, 32 * frame_.warps, count, vectors(), [&](Ex row, Ex d) {
      const Ex p = builder_.let("p", first + row);
      const Ex to = builder_.let("to_place", p % ring_rows_ * stride_ + d);
      const Location from = frame_.locate(frame_.a, p);
      const auto copy = [&](Ex at, MemoryId memory) {
        builder_.invoke(of_vector("start_copy"),
                        {VectorPlace{staged_, at, true}, VectorPlace{memory, from.at + d}});
      };
      if (softmax()) copy(to, from.key);
      copy(to + values_, from.value);
    });
  }

  // Given weights: those of the entry at a distance, each asked for by one of the row's lanes.
  // Every entry has a column; but that is not seen from the walk of another row.
  void weigh(Ex distance, Ex entry) {
    each_turn([&](Ex turn, Ex r) {
      const Ex column = both(has(r, distance), entry < frame_.a.width);
      const Ex asks = both(both(column, r < count_), equal(groups_.lane(), number(0)));
      const Ex at = coefficient_row(frame_.spec, frame_.row_at(tile_ + r), frame_.a.width) + entry;
      const Ex mine = builder_.let(
          "mine", builder_.select(asks, builder_.load(frame_.a.coefficients, at), builder_.f32(0)));
      builder_.store(weights_, turn, builder_.pick(mine, number(0), groups_.sharing()));
    });
  }

  void take(Ex distance) {
    const Ex base = builder_.let("base", (before_ + 1 + ring_rows_ - distance) % ring_rows_);
    each_turn([&](Ex turn, Ex r) {
      const Ex held = builder_.let("held", has(r, distance));
      const Ex place = builder_.let("place", base + r);
      const Ex slot = builder_.let(
          "slot", place - builder_.select(place < ring_rows_, number(0), number(ring_rows_)));
      const Ex value_at =
          builder_.let("value_at", builder_.select(held, slot * stride_ + values_, number(zeros_)));
      if (!softmax()) return add(turn, builder_.load(weights_, turn), value_at, {});
      const Ex score = score_of(turn, slot, held);
      const Ex before = builder_.let("highest_before", builder_.load(highest_, turn));
      const Ex above = builder_.let("above", maximum(before, score));
      const Ex shrink =
          builder_.let("shrink", builder_.call(Helper::kExponential, {before - above}));
      const Ex weight = builder_.let(
          "weight", builder_.select(held, builder_.call(Helper::kExponential, {score - above}),
                                    builder_.f32(0)));
      builder_.store(highest_, turn, above);
      builder_.store(total_, turn, builder_.load(total_, turn) * shrink + weight);
      add(turn, weight, value_at, shrink);
    });
  }
  Ex score_of(Ex turn, Ex slot, Ex held) {
    const MemoryId key = lanes_->array("key");
    lanes_->load(key, staged_, slot * stride_);
    const Ex of_all = builder_.let("product_of_all",
                                   lanes_->dot(queries_, turn * parts_, key, /*together=*/true));
    return builder_.let("score",
                        builder_.select(held, frame_.scale * of_all, builder_.lowest_score()));
  }
  void add(Ex turn, Ex weight, Ex value_at, std::optional<Ex> shrink) {
    lanes_->each_value("value", staged_, value_at, [&](Ex value, Ex index) {
      const Ex at = turn * parts_ + index;
      const Ex sum = builder_.load(mixed_, at);
      builder_.store(mixed_, at, (shrink ? sum * *shrink : sum) + weight * value);
    });
  }

  Frame& frame_;
  Builder& builder_;
  int dim_, tile_rows_, ring_rows_;
  std::int64_t stride_;  // between rows of the ring
  RowGroups groups_;
  std::optional<RowLanes> lanes_;
  int parts_ = 0, turns_ = 0;  // channels of a lane, and rows that it has of a tile
  MemoryId staged_;
  std::int64_t values_ = 0, zeros_ = 0;                   // where they begin in staged_
  MemoryId queries_, mixed_, highest_, total_, weights_;  // of a lane's rows
  Ex tile_, count_, before_;
};

}  // namespace

ir::Kernel staged_inputs(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 32 * spec.staging->warps);
  Frame frame(builder, spec, /*decode=*/false);
  frame.warps = spec.staging->warps;
  if (frame.softmax()) builder.size("key_rows");
  builder.size("value_rows");
  frame.chunks = builder.size("chunks");
  frame.each_block([&] { InputTiles(frame).run(); });
  return builder.take();
}

}  // namespace heddle::schedule
