// SPDX-License-Identifier: Apache-2.0
// Prefill on cuda for rows that all reach the same distances back, further than a ring holds:
// {i} of A and {i - o : o in O, o < i} of B. A block owns one (batch, head) and sums a tile of rows
// at a time, distance by distance, the nearest first: what the tile's rows find so far off is one
// run of positions, which shared memory has room for. It is a ring by position in which only what
// the distance before did not find comes in. Groups of lanes have rows of the tile side by side,
// whose sums stay in registers meanwhile; then the tile's own chunks follow, whose rows find what
// lies within the tile in shared memory, and each is solved. A row that lacks an entry comes along:
// its weight is 0 then, and its value a row of zeros. The transposed system goes the same way:
// there a row begins with its dy, values are reals, and an entry's weight is what the row that
// reads it has made of it.
#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/cache.hpp"
#include "codegen/schedule/chunk_solve.hpp"
#include "codegen/schedule/coefficients.hpp"
#include "codegen/schedule/distance_plan.hpp"
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

class DistanceTiles {
 public:
  explicit DistanceTiles(Frame& frame)
      : frame_(frame),
        builder_(frame.builder),
        dim_(frame.spec.head_dim),
        tile_rows_(static_cast<int>(frame.spec.staging->tile_rows)),
        within_(*shifted_distances(frame.spec, tile_rows_)),
        groups_(frame, lanes_by_distance(frame.spec)),
        key_stride_(stride_by_distance(frame.spec, size_of(frame.spec.dtype))),
        value_stride_(stride_by_distance(frame.spec, size_of(frame.value_type()))),
        sum_stride_(frame.transposed() ? value_stride_ : dim_) {}

  void run() {
    groups_.open();
    lanes_.emplace(groups_.cut(frame_.spec.dtype));
    value_lanes_.emplace(groups_.cut(frame_.value_type()));
    parts_ = lanes_->owned();
    turns_ = tile_rows_ / (frame_.warps * groups_.of_warp());
    declare();
    clear();
    builder_.loop("tile", builder_.i64(0), frame_.tokens, builder_.i64(tile_rows_),
                  LoopKind::kSerial, [&](Ex tile) { run_tile(tile); });
    write_final_state(frame_);
  }

 private:
  bool softmax() const { return frame_.softmax(); }
  bool transposed() const { return frame_.transposed(); }
  // Scores of its own entries say what a row weighs them with.
  bool weighs_by_row() const { return softmax() && !transposed(); }
  Ex minimum(Ex a, Ex b) { return builder_.call(Helper::kMinimum, {a, b}); }
  Ex number(std::int64_t value) { return builder_.i64(value); }

  // ---- shared memory ----------------------------------------------------------------------------

  void declare() {
    if (softmax()) builder_.size("key_rows");
    builder_.size("value_rows");
    builder_.size("tile_rows");
    staged_ = builder_.dynamic_array("staged", frame_.spec.dtype);
    builder_.comment("shared memory: keys and values of a run of positions, a row of zeros, and");
    builder_.comment("what the tile's rows have summed");
    const std::int64_t keys = softmax() ? tile_rows_ * key_stride_ : 0;
    values_ = transposed() ? tile_rows_ * sum_stride_ : keys;
    zeros_ = values_ + tile_rows_ * value_stride_;
    sums_ = builder_.rest_of_dynamic_array("sums",
                                           number(transposed() ? keys : zeros_ + value_stride_));
    values_in_ = transposed() ? sums_ : staged_;
    if (softmax()) {
      highest_of_ = builder_.array("highest_of", Type::kF32, tile_rows_, true);
      total_of_ =
          builder_.array(transposed() ? "inverse_of" : "total_of", Type::kF32, tile_rows_, true);
    }
    solve_.emplace(frame_, kStagedChunk);
    if (!within_.empty()) {
      distances_ = builder_.array("distances", Type::kI64, static_cast<int>(within_.size()));
      for (std::size_t at = 0; at < within_.size(); ++at) {
        builder_.store(distances_, number(static_cast<std::int64_t>(at)), number(within_[at]));
      }
    }
    if (softmax()) queries_ = builder_.array("queries", Type::kF32, turns_ * parts_);
    mixed_ = builder_.array("mixed", Type::kF32, turns_ * parts_);
    if (weighs_by_row()) {
      highest_ = builder_.array("highest", Type::kF32, turns_);
      total_ = builder_.array("total", Type::kF32, turns_);
    }
    if (!softmax()) weights_ = builder_.array("weights", Type::kF32, turns_);
  }

  // No place is read before it is written; but that rests on distances that ascend, which the
  // static layer does not follow. So there is something in each place from the start.
  void clear() {
    const int threads = 32 * frame_.warps;
    const auto clear_rows = [&](MemoryId memory, std::int64_t at, std::int64_t stride,
                                std::int64_t rows, const RowVectors& cut) {
      each_vector(builder_, frame_.thread, threads, number(rows), cut, [&](Ex row, Ex d) {
        builder_.invoke(of_vector("clear_elements", cut),
                        {VectorPlace{memory, row * stride + at + d, true}});
      });
    };
    if (softmax()) clear_rows(staged_, 0, key_stride_, tile_rows_, keys());
    clear_rows(values_in_, values_, value_stride_, tile_rows_ + 1, values());
    builder_.loop("row", frame_.warp, number(tile_rows_), number(frame_.warps), LoopKind::kSerial,
                  [&](Ex row) { clear_sums(row); });
    if (softmax()) {
      builder_.loop("row", frame_.thread, number(tile_rows_), number(threads), LoopKind::kSerial,
                    [&](Ex row) {
                      builder_.store(highest_of_, row, builder_.f32(0));
                      builder_.store(total_of_, row, builder_.f32(0));
                    });
    }
    solve_->close(number(0), [](Ex) {});
    builder_.barrier();
  }

  void clear_sums(Ex row) {
    frame_.each_channel(
        [&](Ex d, Ex) { builder_.store(sums_, row * sum_stride_ + d, builder_.f32(0)); });
  }
  // Of keys, and of values, which are wider in the transposed system.
  RowVectors keys() const {
    const int vector = vector_of(frame_.spec);
    return {dim_, vector, vector * static_cast<int>(size_of(frame_.spec.dtype))};
  }
  RowVectors values() const {
    RowVectors cut = keys();
    if (transposed()) cut.vector = cut.vector_bytes / static_cast<int>(size_of(ElementType::kF32));
    return cut;
  }
  static std::string of_vector(const char* function, const RowVectors& cut) {
    return function + ("<" + std::to_string(cut.vector) + ">");
  }
  void arrive() {
    builder_.invoke("close_batch", {});
    builder_.invoke("await_batches<0>", {});
    builder_.barrier();
  }

  // ---- a tile -----------------------------------------------------------------------------------

  void run_tile(Ex tile) {
    tile_ = tile;
    count_ = builder_.let("size", minimum(number(tile_rows_), frame_.tokens - tile));
    before_ = builder_.let("before", frame_.start + tile);
    open_rows();
    take_earlier();
    leave_rows();
    builder_.barrier();
    if (softmax()) {
      each_vector(builder_, frame_.thread, 32 * frame_.warps, count_, keys(), [&](Ex row, Ex d) {
        builder_.invoke(of_vector("start_copy", keys()),
                        {VectorPlace{staged_, row * key_stride_ + d, true},
                         VectorPlace{frame_.k, frame_.token_at(tile + row) + d}});
      });
      if (transposed()) start_statistics(tile + 1, count_, [](Ex row) { return row; });
      arrive();
    }
    builder_.loop("chunk", number(0), count_, number(kStagedChunk), LoopKind::kSerial,
                  [&](Ex chunk) { run_chunk(chunk); });
    write();
    builder_.barrier();
  }

  // Rows of the tile that lanes have side by side, and in turn.
  void each_turn(const std::function<void(Ex, Ex)>& body) {
    const Ex first = frame_.warp * groups_.of_warp() + groups_.group();
    builder_.loop("turn", number(0), number(turns_), number(1), LoopKind::kUnrolled, [&](Ex turn) {
      body(turn, builder_.let("r", first + turn * (frame_.warps * groups_.of_warp())));
    });
  }
  // What lies in memory of a row that there is, zeros of others.
  MemoryId row_in_memory(const RowLanes& lanes, const char* name, MemoryId memory, Ex at,
                         Ex exists) {
    const MemoryId made = lanes.array(name);
    lanes.each_channel([&](Ex, Ex index) { builder_.store(made, index, builder_.f32(0)); });
    builder_.when(exists, [&] { lanes.load(made, memory, at); });
    return made;
  }
  MemoryId query_in_memory(Ex token, Ex exists) {
    return row_in_memory(*lanes_, "query", frame_.q, frame_.token_at(token), exists);
  }

  void open_rows() {
    each_turn([&](Ex turn, Ex r) {
      if (softmax()) {
        const MemoryId query = query_in_memory(tile_ + r, r < count_);
        lanes_->each_channel([&](Ex, Ex index) {
          builder_.store(queries_, turn * parts_ + index, builder_.load(query, index));
        });
      }
      if (weighs_by_row()) {
        builder_.store(highest_, turn, builder_.lowest_score());
        builder_.store(total_, turn, builder_.f32(0));
      }
      std::optional<MemoryId> due;
      if (transposed()) {
        due = row_in_memory(*value_lanes_, "due", frame_.x, frame_.token_at(tile_ + r), r < count_);
      }
      value_lanes_->each_channel([&](Ex, Ex index) {
        builder_.store(mixed_, turn * parts_ + index,
                       due ? builder_.load(*due, index) : builder_.f32(0));
      });
    });
  }

  void leave_rows() {
    each_turn([&](Ex turn, Ex r) {
      const MemoryId sum = value_lanes_->array("sum");
      value_lanes_->each_channel([&](Ex, Ex index) {
        builder_.store(sum, index, builder_.load(mixed_, turn * parts_ + index));
      });
      builder_.when(r < count_, [&] {
        value_lanes_->store(sums_, r * sum_stride_, sum);
        if (!weighs_by_row()) return;
        on_first_lane([&] {
          builder_.store(highest_of_, r, builder_.load(highest_, turn));
          builder_.store(total_of_, r, builder_.load(total_, turn));
        });
      });
    });
  }
  void on_first_lane(const std::function<void()>& body) {
    builder_.when(equal(groups_.lane(), number(0)), body);
  }

  // ---- entries before the tile ------------------------------------------------------------------

  // Distance by distance, those of the tile's last row.
  void take_earlier() {
    const Ex row = builder_.let("furthest", before_ + count_);
    const Var reached = builder_.variable("reached", before_ + 1);
    const Var entry = softmax() ? Var() : builder_.variable("entry", number(0));
    rows::emit_walk(builder_, frame_.spec.pattern, *frame_.b.plan, row, [&](Ex p) {
      const Ex distance = builder_.let("distance", row - p);
      if (!softmax()) {
        each_turn([&](Ex turn, Ex r) {
          const Ex asks = both(has(r, distance), r < count_);
          builder_.store(weights_, turn, coefficient(frame_.b, tile_ + r, distance, entry, asks));
        });
      }
      builder_.barrier();
      bring(distance, reached);
      arrive();
      take(distance);
      if (!softmax()) builder_.assign(entry, Ex(entry) + 1);
    });
  }
  // Whether row r of the tile finds an earlier position so far off, before the tile.
  Ex has(Ex r, Ex distance) { return both(r < distance, distance <= before_ + r); }

  // Of what the tile's rows find so far off those positions that have not come before.
  void bring(Ex distance, Var reached) {
    const Ex first =
        builder_.let("from", builder_.call(Helper::kMaximum, {before_ + 1 - distance, number(1)}));
    const Ex end = builder_.let("to", minimum(reached, before_ + 1 + count_ - distance));
    const Ex coming = builder_.let("coming", end - first);
    const auto start = [&](MemoryId to, Ex at, MemoryId from, Ex from_at, const RowVectors& cut) {
      builder_.invoke(of_vector("start_copy", cut),
                      {VectorPlace{to, at, true}, VectorPlace{from, from_at}});
    };
    const auto each = [&](const RowVectors& cut, bool with_keys, bool with_values) {
      each_vector(builder_, frame_.thread, 32 * frame_.warps, coming, cut, [&](Ex row, Ex d) {
        const Ex p = builder_.let("p", first + row);
        const Ex slot = builder_.let("to_slot", p % tile_rows_);
        const Location from = frame_.locate(frame_.b, p);
        if (with_keys) start(staged_, slot * key_stride_ + d, from.key, from.at + d, cut);
        if (with_values) {
          start(values_in_, slot * value_stride_ + values_ + d, from.value, from.at + d, cut);
        }
      });
    };
    const bool alike = keys().vector == values().vector;
    if (softmax() && !alike) each(keys(), true, false);
    each(values(), softmax() && alike, true);
    if (softmax() && transposed()) {
      start_statistics(first, coming, [&](Ex row) { return (first + row) % tile_rows_; });
    }
    builder_.assign(reached, first);
  }
  // By which the rows from position `first` on have weighed what they read.
  void start_statistics(Ex first, Ex count, const std::function<Ex(Ex)>& slot) {
    builder_.loop(
        "row", frame_.thread, count, number(32 * frame_.warps), LoopKind::kSerial, [&](Ex row) {
          const Ex at = builder_.let("statistic_at", frame_.row_at(first + row - 1));
          const Ex to = builder_.let("to_slot", slot(row));
          const auto start = [&](MemoryId into, MemoryId from) {
            builder_.invoke("start_copy<1>", {VectorPlace{into, to, true}, VectorPlace{from, at}});
          };
          start(highest_of_, frame_.highest);
          start(total_of_, frame_.inverse);
        });
  }

  void take(Ex distance) {
    const Ex base = builder_.let("base", (before_ + 1 + tile_rows_ - distance) % tile_rows_);
    each_turn([&](Ex turn, Ex r) {
      const Ex held = builder_.let("held", has(r, distance));
      const Ex place = builder_.let("place", base + r);
      const Ex slot = builder_.let(
          "slot", place - builder_.select(place < tile_rows_, number(0), number(tile_rows_)));
      const Ex value_at = value_place(held, slot);
      if (!softmax()) return add(mixed_, turn, builder_.load(weights_, turn), value_at);
      const Ex score = score_of(queries_, turn, slot, held);
      if (transposed()) return add(mixed_, turn, weight_of_reader(score, slot, held), value_at);
      const Ex before = builder_.let("highest_before", builder_.load(highest_, turn));
      const Ex above = builder_.let("above", builder_.call(Helper::kMaximum, {before, score}));
      const Ex shrink =
          builder_.let("shrink", builder_.call(Helper::kExponential, {before - above}));
      const Ex weight = builder_.let("weight", weight_of(frame_.b, score, above, held));
      builder_.store(highest_, turn, above);
      builder_.store(total_, turn, builder_.load(total_, turn) * shrink + weight);
      add(mixed_, turn, weight, value_at, shrink);
    });
  }

  // ---- an entry ---------------------------------------------------------------------------------

  // Where the value lies of a slot that a row takes; of others zeros.
  Ex value_place(Ex taken, Ex slot) {
    return builder_.let("value_at",
                        builder_.select(taken, slot * value_stride_ + values_, number(zeros_)));
  }
  Ex score_of(MemoryId queries, Ex turn, Ex slot, std::optional<Ex> held) {
    const MemoryId key = lanes_->array("key");
    lanes_->load(key, staged_, slot * key_stride_);
    const Ex of_all =
        builder_.let("product_of_all", lanes_->dot(queries, turn * parts_, key, /*together=*/true));
    const Ex score = frame_.scale * of_all;
    return builder_.let("score",
                        held ? builder_.select(*held, score, builder_.lowest_score()) : score);
  }
  Ex weight_of(const SideFrame& side, Ex score, Ex highest, std::optional<Ex> held) {
    Ex weight = builder_.call(Helper::kExponential, {score - highest});
    if (frame_.gamma) {
      weight = (side.side == Side::kB ? *frame_.gamma : builder_.f32(1) - *frame_.gamma) * weight;
    }
    return held ? builder_.select(*held, weight, builder_.f32(0)) : weight;
  }
  // In the transposed system: what the row in a slot has weighed this one with.
  Ex weight_of_reader(Ex score, Ex slot, Ex held) {
    const Ex exponential =
        builder_.call(Helper::kExponential, {score - builder_.load(highest_of_, slot)});
    const Ex share = exponential * builder_.load(total_of_, slot);
    return builder_.let(
        "weight",
        builder_.select(held, frame_.gamma ? *frame_.gamma * share : share, builder_.f32(0)));
  }
  // Of a row that has the entry, or in the transposed system of the row that reads it, which has it
  // at the same distance; asked for by one of its lanes.
  Ex coefficient(const SideFrame& side, Ex token, Ex distance, Ex entry, Ex held) {
    const Ex row = frame_.row_at(transposed() ? token - distance : token);
    const Ex at = coefficient_row(frame_.spec, row, side.width) + entry;
    const Ex mine = builder_.let(
        "mine", builder_.select(both(equal(groups_.lane(), number(0)), held),
                                builder_.load(side.coefficients, at), builder_.f32(0)));
    return builder_.pick(mine, number(0), groups_.sharing());
  }
  void add(MemoryId sums, Ex turn, Ex weight, Ex value_at, std::optional<Ex> shrink = {}) {
    value_lanes_->each_value("value", values_in_, value_at, [&](Ex value, Ex index) {
      const Ex at = turn * parts_ + index;
      const Ex sum = builder_.load(sums, at);
      builder_.store(sums, at, (shrink ? sum * *shrink : sum) + weight * value);
    });
  }

  // ---- the tile's own chunks --------------------------------------------------------------------

  void run_chunk(Ex chunk) {
    chunk_ = chunk;
    const Ex count = builder_.let("count", minimum(number(kStagedChunk), count_ - chunk));
    builder_.comment("the chunk's rows leave the weights of entries inside it in near_weights");
    groups_.each_turn("first_of_warp", count, [&](Ex first) {
      const Ex c = builder_.let("c", first + groups_.group());
      close_row(c, builder_.let("shown", minimum(c, count - 1)), builder_.let("counts", c < count));
    });
    solve_->close(count, [&](Ex c) { clear_sums(chunk_ + c); });
    builder_.barrier();
    builder_.comment("one thread per channel solves the chunk, row after row");
    solve();
    builder_.barrier();
  }

  // Row c of the chunk, by what is read of row `shown`, the same where that is one.
  void close_row(Ex c, Ex shown, Ex counts) {
    const Ex r = builder_.let("r", chunk_ + shown);
    const Ex token = builder_.let("token", tile_ + r);
    const MemoryId mixed =
        row_in_memory(*value_lanes_, "row", sums_, (chunk_ + c) * sum_stride_, counts);
    const MemoryId weights =
        builder_.array("row_weights", Type::kF32, static_cast<int>(within_.size()) + 1);
    const std::optional<Ex> inverse =
        weighs_by_row() ? std::optional(weigh_by_scores(weights, mixed, token, r, counts))
                        : std::nullopt;
    if (!softmax()) weigh_by_coefficients(weights, token, r, counts);
    if (softmax() && transposed()) weigh_by_readers(weights, token, r, counts);
    take_own_input(mixed, weights, token, counts);
    each_within([&](Ex at, Ex distance) {
      const Ex solved = builder_.let("is_solved", both(shown < distance, distance <= r));
      add(mixed, number(0), builder_.load(weights, at), value_place(solved, r - distance));
    });
    if (inverse) {
      value_lanes_->each_channel([&](Ex, Ex index) {
        builder_.store(mixed, index, builder_.load(mixed, index) * *inverse);
      });
    }
    builder_.when(counts, [&] {
      value_lanes_->store(sums_, (chunk_ + c) * sum_stride_, mixed);
      on_first_lane([&] { leave_near(c, weights, inverse); });
    });
  }
  std::int64_t own() const { return static_cast<std::int64_t>(within_.size()); }
  void each_within(const std::function<void(Ex, Ex)>& body) {
    if (within_.empty()) return;
    builder_.loop("at", number(0), number(own()), number(1), LoopKind::kUnrolled, [&](Ex at) {
      body(at, builder_.let("distance", builder_.load(distances_, at)));
    });
  }
  // Whether row r of the tile finds a row of the tile so far off.
  Ex finds(Ex r, Ex distance) { return both(distance > 0, distance <= r); }

  // All scores, then weights by the highest of them; one over the sum of weights.
  Ex weigh_by_scores(MemoryId weights, MemoryId mixed, Ex token, Ex r, Ex counts) {
    const MemoryId query = query_in_memory(token, counts);
    const Ex before = builder_.let("highest_before", builder_.load(highest_of_, r));
    const Var above = builder_.variable("above", before);
    each_entry(r, [&](const SideFrame&, Ex at, Ex slot, std::optional<Ex> held) {
      const Ex score = score_of(query, number(0), slot, held);
      builder_.assign(above, builder_.call(Helper::kMaximum, {above, score}));
      builder_.store(weights, at, score);
    });
    const Ex shrink =
        builder_.let("shrink", builder_.call(Helper::kExponential, {before - Ex(above)}));
    const Var total = builder_.variable("total_of_all", builder_.load(total_of_, r) * shrink);
    each_entry(r, [&](const SideFrame& side, Ex at, Ex, std::optional<Ex> held) {
      const Ex weight =
          builder_.let("weight", weight_of(side, builder_.load(weights, at), above, held));
      builder_.store(weights, at, weight);
      builder_.assign(total, Ex(total) + weight);
    });
    value_lanes_->each_channel(
        [&](Ex, Ex index) { builder_.store(mixed, index, builder_.load(mixed, index) * shrink); });
    return builder_.let("inverse", builder_.select(Ex(total) > builder_.f32(0),
                                                   builder_.f32(1) / total, builder_.f32(0)));
  }
  // The row's own input, then its entries within the tile: where a score is kept, which slot has
  // the key, and whether the row has the entry.
  void each_entry(Ex r,
                  const std::function<void(const SideFrame&, Ex, Ex, std::optional<Ex>)>& body) {
    if (!frame_.a.plan->empty()) body(frame_.a, number(own()), r, std::nullopt);
    each_within([&](Ex at, Ex distance) {
      const Ex held = builder_.let("held", finds(r, distance));
      body(frame_.b, at, builder_.select(held, r - distance, r), held);
    });
  }
  void weigh_by_readers(MemoryId weights, Ex token, Ex r, Ex counts) {
    const MemoryId query = query_in_memory(token, counts);
    each_entry(r, [&](const SideFrame&, Ex at, Ex slot, std::optional<Ex> held) {
      const Ex score = score_of(query, number(0), slot, held);
      builder_.store(weights, at, weight_of_reader(score, slot, *held));
    });
  }
  void weigh_by_coefficients(MemoryId weights, Ex token, Ex r, Ex counts) {
    const Ex own_weight = frame_.a.plan->empty()
                              ? builder_.f32(0)
                              : coefficient(frame_.a, token, number(0), number(0), counts);
    builder_.store(weights, number(own()), own_weight);
    each_within([&](Ex at, Ex distance) {
      const Ex held = both(both(counts, finds(r, distance)), at < frame_.b.width);
      builder_.store(weights, at, coefficient(frame_.b, token, distance, at, held));
    });
  }

  void take_own_input(MemoryId mixed, MemoryId weights, Ex token, Ex counts) {
    if (frame_.a.plan->empty()) return;
    const Ex weight = builder_.load(weights, number(own()));
    const MemoryId input =
        row_in_memory(*value_lanes_, "input", frame_.x, frame_.token_at(token), counts);
    value_lanes_->each_channel([&](Ex, Ex index) {
      builder_.store(mixed, index,
                     builder_.load(mixed, index) + weight * builder_.load(input, index));
    });
  }

  void leave_near(Ex c, MemoryId weights, const std::optional<Ex>& inverse) {
    for (std::size_t at = 0; at < within_.size() && within_[at] < kStagedChunk; ++at) {
      const Ex distance = number(within_[at]);
      builder_.when(distance <= c, [&] {
        const Ex weight = builder_.load(weights, number(static_cast<std::int64_t>(at)));
        solve_->leave(c, c - distance, inverse ? weight * *inverse : weight);
      });
    }
  }

  void solve() {
    builder_.loop(
        "d", frame_.thread, number(dim_), number(32 * frame_.warps), LoopKind::kSerial, [&](Ex d) {
          solve_->solve([&](Ex c) { return builder_.load(sums_, (chunk_ + c) * sum_stride_ + d); },
                        [&](Ex c, Ex output) {
                          builder_.store(values_in_, (chunk_ + c) * value_stride_ + values_ + d,
                                         output);
                        });
        });
  }

  void write() {
    each_vector(builder_, frame_.thread, 32 * frame_.warps, count_, values(), [&](Ex row, Ex d) {
      builder_.invoke(of_vector("copy_elements", values()),
                      {VectorPlace{frame_.y, frame_.token_at(tile_ + row) + d, true},
                       VectorPlace{values_in_, row * value_stride_ + values_ + d}});
    });
  }

  Frame& frame_;
  Builder& builder_;
  int dim_, tile_rows_;
  std::vector<std::int64_t> within_;  // distances that stay in a tile, ascending
  RowGroups groups_;
  // From row to row in shared memory; sums that values lie behind have the stride of these.
  std::int64_t key_stride_, value_stride_, sum_stride_;
  std::optional<RowLanes> lanes_, value_lanes_;
  int parts_ = 0, turns_ = 0;  // channels of a lane, and rows that it has of a tile
  MemoryId staged_, sums_, values_in_;
  std::int64_t values_ = 0, zeros_ = 0;  // where they begin in values_in_
  // Of the tile's rows, from entries before it; in the transposed system of the rows in slots, and
  // one over the total.
  MemoryId highest_of_, total_of_;
  MemoryId distances_;
  MemoryId queries_, mixed_, highest_, total_, weights_;  // of a lane's rows
  std::optional<ChunkSolve> solve_;
  Ex tile_, count_, before_, chunk_;
};

}  // namespace

ir::Kernel transposed_distances(const KernelSpec& spec) {
  Builder builder(spec.symbol + "_lambda", spec.target, 32 * spec.staging->warps);
  Frame frame(builder, spec, Frame::Transposed{});
  frame.warps = spec.staging->warps;
  frame.each_block([&] { DistanceTiles(frame).run(); });
  return builder.take();
}

ir::Kernel staged_distances(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 32 * spec.staging->warps);
  Frame frame(builder, spec, /*decode=*/false);
  frame.warps = spec.staging->warps;
  frame.each_block([&] { DistanceTiles(frame).run(); });
  return builder.take();
}

}  // namespace heddle::schedule
