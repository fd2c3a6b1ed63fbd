// SPDX-License-Identifier: Apache-2.0
// Prefill on cuda for rows that all reach the same distances back, further than a ring holds:
// {i} of A and {i - o : o in O, o < i} of B. A block owns one (batch, head) and sums a tile of rows
// at a time, distance by distance, the nearest first: what the tile's rows find so far off is one
// run of positions, which shared memory has room for. It is a ring in which only what the distance
// before did not find comes in, and in which the tile before has left its own rows. Groups of lanes
// have rows of the tile side by side, whose queries and sums stay in registers meanwhile. What rows
// weigh each other with inside the tile is found next, and then chunk by chunk what they read there
// is added, and each chunk is solved. A row that lacks an entry comes along: its weight is 0 then,
// and its value a row of zeros. The transposed system goes the same way: there a row begins with
// its dy, values are reals, and an entry's weight is what the row that reads it has made of it.
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
        groups_(frame, lanes_by_distance(frame.spec, frame.transposed())),
        layout_(frame.spec, tile_rows_, frame.transposed()),
        within_(layout_.within) {}

  void run() {
    groups_.open();
    lanes_.emplace(groups_.cut(frame_.spec.dtype));
    value_lanes_.emplace(groups_.cut(frame_.value_type()));
    parts_ = lanes_->owned();
    turns_ = tile_rows_ / (frame_.warps * groups_.of_warp());
    if (value_lanes_->has_halves()) turned_ = RowLanes::turn_of(builder_, frame_.lane);
    declare();
    clear();
    // A row of a tile has the slot of its own number; what it finds may lie before position 1.
    origin_ = builder_.let("origin", number(2 * tile_rows_) - (frame_.start + 1) % tile_rows_);
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
    builder_.comment("shared memory: keys and values of a run of positions, a row of zeros, what");
    builder_.comment("the tile's rows have summed, and weights of their entries within it");
    const std::int64_t keys = softmax() ? tile_rows_ * layout_.key_stride : 0;
    values_ = layout_.solves_in_place ? 0 : keys;
    zeros_ = values_ + tile_rows_ * layout_.value_stride;
    reals_ = builder_.rest_of_dynamic_array(
        "reals", number(layout_.solves_in_place ? keys : zeros_ + layout_.value_stride));
    values_in_ = layout_.solves_in_place ? reals_ : staged_;
    weights_within_ =
        layout_.solves_in_place ? zeros_ + layout_.value_stride : tile_rows_ * layout_.sum_stride;
    if (softmax() && transposed()) {
      highest_of_ = builder_.array("highest_of", Type::kF32, tile_rows_, true);
      inverse_of_ = builder_.array("inverse_of", Type::kF32, tile_rows_, true);
    }
    if (!within_.empty()) {
      distances_ = builder_.array("distances", Type::kI64, static_cast<int>(within_.size()), true);
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
    if (softmax()) clear_rows(staged_, 0, layout_.key_stride, tile_rows_, keys());
    clear_rows(values_in_, values_, layout_.value_stride, tile_rows_ + 1, values());
    if (!layout_.solves_in_place) {
      builder_.loop("row", frame_.warp, number(tile_rows_), number(frame_.warps), LoopKind::kSerial,
                    [&](Ex row) { clear_sums(row); });
    }
    each_by_thread("weight", number_within() * layout_.weight_stride, [&](Ex at) {
      builder_.store(reals_, number(weights_within_) + at, builder_.f32(0));
    });
    if (softmax() && transposed()) {
      each_by_thread("row", tile_rows_, [&](Ex row) {
        builder_.store(highest_of_, row, builder_.f32(0));
        builder_.store(inverse_of_, row, builder_.f32(0));
      });
    }
    for (std::size_t at = 0; at < within_.size(); ++at) {
      const Ex place = number(static_cast<std::int64_t>(at));
      builder_.when(equal(frame_.thread, place),
                    [&] { builder_.store(distances_, place, number(within_[at])); });
    }
    builder_.barrier();
  }
  void each_by_thread(const char* name, std::int64_t end, const std::function<void(Ex)>& body) {
    builder_.loop(name, frame_.thread, number(end), number(32 * frame_.warps), LoopKind::kSerial,
                  body);
  }

  void clear_sums(Ex row) {
    frame_.each_channel(
        [&](Ex d, Ex) { builder_.store(reals_, row * layout_.sum_stride + d, builder_.f32(0)); });
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
    builder_.barrier();
    if (softmax()) {
      each_vector(builder_, frame_.thread, 32 * frame_.warps, count_, keys(), [&](Ex row, Ex d) {
        builder_.invoke(of_vector("start_copy", keys()),
                        {VectorPlace{staged_, row * layout_.key_stride + d, true},
                         VectorPlace{frame_.k, frame_.token_at(tile + row) + d}});
      });
      if (transposed()) start_statistics(tile + 1, count_, [](Ex row) { return row; });
      arrive();
    }
    weigh_within();
    leave_rows();
    builder_.barrier();
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
      builder_.when(r < count_, [&] { store_sum(r, sum); });
    });
  }
  // A row of sums: where values are of narrower elements, lanes have two vectors of reals, of which
  // every other four take the second one first.
  void store_sum(Ex r, MemoryId sum) {
    const Ex at = r * layout_.sum_stride;
    turned_ ? value_lanes_->store_turned(reals_, at, sum, *turned_)
            : value_lanes_->store(reals_, at, sum);
  }
  void load_sum(MemoryId sum, Ex r) {
    const Ex at = r * layout_.sum_stride;
    turned_ ? value_lanes_->load_turned(sum, reals_, at, *turned_)
            : value_lanes_->load(sum, reals_, at);
  }

  // ---- entries before the tile ------------------------------------------------------------------

  // Distance by distance, those of the tile's last row.
  void take_earlier() {
    const Ex row = builder_.let("furthest", before_ + count_);
    const Ex left = builder_.select(tile_ > 0, number(tile_rows_), number(0));
    const Var reached = builder_.variable("reached", before_ + 1 - left);
    const Var entry = softmax() ? Var() : builder_.variable("entry", number(0));
    rows::emit_walk(builder_, frame_.spec.pattern, *frame_.b.plan, row, [&](Ex p) {
      const Ex distance = builder_.let("distance", row - p);
      if (!softmax()) {
        each_turn([&](Ex turn, Ex r) {
          const Ex asks = both(has(r, distance), r < count_);
          builder_.store(weights_, turn, coefficient(frame_.b, tile_ + r, distance, entry, asks));
        });
      }
      // Where the tile's first row finds its position, and the place of that in the ring.
      found_ = builder_.let("found", before_ + 1 - distance);
      base_ = builder_.let("base", (found_ + origin_) % tile_rows_);
      builder_.barrier();
      bring(reached);
      arrive();
      take(distance);
      if (!softmax()) builder_.assign(entry, Ex(entry) + 1);
    });
  }
  // Whether row r of the tile finds an earlier position so far off, before the tile.
  Ex has(Ex r, Ex distance) { return both(r < distance, distance - before_ <= r); }

  // Where what row r of the tile finds lies in the ring.
  Ex slot_of(Ex r) {
    const Ex place = builder_.let("place", base_ + r);
    return place - builder_.select(place < tile_rows_, number(0), number(tile_rows_));
  }

  // Of what the tile's rows find so far off those positions that have not come before.
  void bring(Var reached) {
    const Ex first = builder_.let("from", builder_.call(Helper::kMaximum, {found_, number(1)}));
    const Ex end = builder_.let("to", minimum(reached, found_ + count_));
    const Ex coming = builder_.let("coming", end - first);
    const auto start = [&](MemoryId to, Ex at, MemoryId from, Ex from_at, const RowVectors& cut) {
      builder_.invoke(of_vector("start_copy", cut),
                      {VectorPlace{to, at, true}, VectorPlace{from, from_at}});
    };
    const auto each = [&](const RowVectors& cut, bool with_keys, bool with_values) {
      each_vector(
          builder_, frame_.thread, 32 * frame_.warps, coming, cut,
          [&](Ex row, Ex d) {
            const Ex p = builder_.let("p", first + row);
            const Ex slot = builder_.let("to_slot", slot_of(p - found_));
            const Location from = frame_.locate(frame_.b, p);
            if (with_keys)
              start(staged_, slot * layout_.key_stride + d, from.key, from.at + d, cut);
            if (with_values) {
              start(values_in_, slot * layout_.value_stride + values_ + d, from.value, from.at + d,
                    cut);
            }
          },
          0, LoopKind::kRolled);
    };
    const bool alike = keys().vector == values().vector;
    if (softmax() && !alike) each(keys(), true, false);
    each(values(), softmax() && alike, true);
    if (softmax() && transposed()) {
      start_statistics(first, coming, [&](Ex row) { return slot_of(first + row - found_); });
    }
    builder_.assign(reached, minimum(reached, first));
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
          start(inverse_of_, frame_.inverse);
        });
  }

  void take(Ex distance) {
    each_turn([&](Ex turn, Ex r) {
      const Ex held = builder_.let("held", has(r, distance));
      const Ex slot = builder_.let("slot", slot_of(r));
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
    return builder_.let(
        "value_at", builder_.select(taken, slot * layout_.value_stride + values_, number(zeros_)));
  }
  Ex score_of(MemoryId queries, Ex turn, Ex slot, std::optional<Ex> held) {
    const MemoryId key = lanes_->array("key");
    lanes_->load(key, staged_, slot * layout_.key_stride);
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
    const Ex share = exponential * builder_.load(inverse_of_, slot);
    return builder_.let(
        "weight",
        builder_.select(held, frame_.gamma ? *frame_.gamma * share : share, builder_.f32(0)));
  }
  // Of a row that has the entry, or in the transposed system of the row that reads it, which has it
  // at the same distance.
  Ex coefficient_at(const SideFrame& side, Ex token, Ex distance, Ex entry) {
    const Ex row = frame_.row_at(transposed() ? token - distance : token);
    return builder_.load(side.coefficients, coefficient_row(frame_.spec, row, side.width) + entry);
  }
  // Asked for by one of the row's lanes.
  Ex coefficient(const SideFrame& side, Ex token, Ex distance, Ex entry, Ex held) {
    const Ex mine = builder_.let(
        "mine", builder_.select(both(equal(groups_.lane(), number(0)), held),
                                coefficient_at(side, token, distance, entry), builder_.f32(0)));
    return builder_.pick(mine, number(0), groups_.sharing());
  }
  void add(MemoryId sums, Ex turn, Ex weight, Ex value_at, std::optional<Ex> shrink = {}) {
    value_lanes_->each_value("value", values_in_, value_at, [&](Ex value, Ex index) {
      const Ex at = turn * parts_ + index;
      const Ex sum = builder_.load(sums, at);
      builder_.store(sums, at, (shrink ? sum * *shrink : sum) + weight * value);
    });
  }

  // ---- what the tile's rows weigh each other with -----------------------------------------------

  // Places of distances that stay in a tile: a lane of a row has every so many-th of them.
  Ex weight_at(Ex place, Ex r) const { return place * layout_.weight_stride + weights_within_ + r; }
  void each_own_place(const std::function<void(Ex part, Ex place)>& body) {
    for (std::int64_t first = 0; first < number_within(); first += groups_.sharing()) {
      const Ex at = builder_.let("at", groups_.lane() + first);
      const Ex part = number(first / groups_.sharing());
      const bool all = first + groups_.sharing() <= number_within();
      all ? body(part, at) : builder_.when(at < number_within(), [&] { body(part, at); });
    }
  }
  // Whether row r of the tile finds a row of the tile so far off.
  Ex finds(Ex r, Ex distance) { return both(distance <= r, r < count_); }

  void weigh_within() {
    if (softmax()) score_within();
    each_turn([&](Ex turn, Ex r) {
      if (weighs_by_row()) weigh_by_scores(turn, r);
      if (!softmax()) weigh_by_coefficients(turn, r);
    });
  }
  // Scores of a row's entries within the tile, of which the lane that a place belongs to leaves
  // one; in the transposed system at once what the readers weigh the row with.
  void score_within() {
    if (weighs_by_row()) {
      above_ = builder_.array("above", Type::kF32, turns_);
      each_turn([&](Ex turn, Ex) { builder_.store(above_, turn, builder_.load(highest_, turn)); });
    }
    builder_.loop("at", number(0), number(number_within()), [&](Ex at) {
      const Ex distance = builder_.let("distance", builder_.load(distances_, at));
      const Ex whose = builder_.let("whose", at % groups_.sharing());
      const auto score_rows = [&] {
        each_turn([&](Ex turn, Ex r) {
          const Ex held = builder_.let("held", finds(r, distance));
          const Ex slot = builder_.let("slot", builder_.select(held, r - distance, r));
          const Ex score = score_of(queries_, turn, slot, held);
          if (weighs_by_row()) {
            const Ex above = builder_.load(above_, turn);
            builder_.store(above_, turn, builder_.call(Helper::kMaximum, {above, score}));
          }
          const Ex left = transposed() ? weight_of_reader(score, slot, held) : score;
          builder_.when(equal(groups_.lane(), whose),
                        [&] { builder_.store(reals_, weight_at(at, r), left); });
        });
      };
      builder_.when(distance < count_, score_rows);
    });
  }
  // Weights by the highest of all scores, as shares of their sum.
  void weigh_by_scores(Ex turn, Ex r) {
    Ex above = builder_.load(above_, turn);
    Ex own_score;
    const bool reads_itself = !frame_.a.plan->empty();
    if (reads_itself) {
      own_score = score_of(queries_, turn, r, std::nullopt);
      above = builder_.call(Helper::kMaximum, {above, own_score});
    }
    above = builder_.let("highest_of_all", above);
    const Ex shrink = builder_.let(
        "shrink", builder_.call(Helper::kExponential, {builder_.load(highest_, turn) - above}));
    const Ex own_weight =
        reads_itself ? builder_.let("own_weight", weight_of(frame_.a, own_score, above, {}))
                     : builder_.f32(0);
    const Var of_lane = builder_.variable("total_of_lane", builder_.f32(0));
    const MemoryId weights = builder_.array(
        "row_weights", Type::kF32,
        static_cast<int>((number_within() + groups_.sharing() - 1) / groups_.sharing()));
    each_own_place([&](Ex part, Ex at) {
      const Ex held =
          builder_.let("held", finds(r, builder_.let("distance", builder_.load(distances_, at))));
      const Ex score = builder_.let("score", builder_.load(reals_, weight_at(at, r)));
      const Ex weight = builder_.let("weight", weight_of(frame_.b, score, above, held));
      builder_.store(weights, part, weight);
      builder_.assign(of_lane, Ex(of_lane) + weight);
    });
    const Ex total =
        builder_.let("total_of_all", builder_.load(total_, turn) * shrink + own_weight +
                                         lanes_->sum(of_lane, /*together=*/true));
    const Ex inverse = builder_.let(
        "inverse",
        builder_.select(total > builder_.f32(0), builder_.f32(1) / total, builder_.f32(0)));
    each_own_place([&](Ex part, Ex at) {
      builder_.store(reals_, weight_at(at, r), builder_.load(weights, part) * inverse);
    });
    const Ex share = builder_.let("share", shrink * inverse);
    value_lanes_->each_channel([&](Ex, Ex index) {
      const Ex at = turn * parts_ + index;
      builder_.store(mixed_, at, builder_.load(mixed_, at) * share);
    });
    if (reads_itself) take_own_input(turn, r, builder_.let("own_share", own_weight * inverse));
  }
  void weigh_by_coefficients(Ex turn, Ex r) {
    const Ex token = builder_.let("token", tile_ + r);
    each_own_place([&](Ex, Ex at) {
      const Ex distance = builder_.let("distance", builder_.load(distances_, at));
      const Ex held = both(finds(r, distance), at < frame_.b.width);
      const Ex weight = builder_.let(
          "weight",
          builder_.select(held, coefficient_at(frame_.b, token, distance, at), builder_.f32(0)));
      builder_.store(reals_, weight_at(at, r), weight);
    });
    if (frame_.a.plan->empty()) return;
    const Ex weight = coefficient(frame_.a, token, number(0), number(0), r < count_);
    take_own_input(turn, r, builder_.let("own_weight", weight));
  }
  void take_own_input(Ex turn, Ex r, Ex weight) {
    const MemoryId input =
        row_in_memory(*value_lanes_, "input", frame_.x, frame_.token_at(tile_ + r), r < count_);
    value_lanes_->each_channel([&](Ex, Ex index) {
      const Ex at = turn * parts_ + index;
      builder_.store(mixed_, at, builder_.load(mixed_, at) + weight * builder_.load(input, index));
    });
  }

  std::int64_t number_within() const { return static_cast<std::int64_t>(within_.size()); }

  // ---- the tile's own chunks --------------------------------------------------------------------

  void run_chunk(Ex chunk) {
    chunk_ = chunk;
    const Ex count = builder_.let("count", minimum(number(kStagedChunk), count_ - chunk));
    groups_.each_turn("first_of_warp", count, [&](Ex first) {
      const Ex c = builder_.let("c", first + groups_.group());
      close_row(c, builder_.let("shown", minimum(c, count - 1)), builder_.let("counts", c < count));
    });
    builder_.loop("c", count + frame_.warp, number(kStagedChunk), number(frame_.warps),
                  LoopKind::kSerial, [&](Ex c) { clear_sums(chunk_ + c); });
    builder_.barrier();
    builder_.comment("one thread per channel solves the chunk, row after row");
    solve();
    builder_.barrier();
  }

  // Row c of the chunk, by what is read of row `shown`, the same where that is one.
  void close_row(Ex c, Ex shown, Ex counts) {
    const Ex r = builder_.let("r", chunk_ + shown);
    const MemoryId mixed = value_lanes_->array("row");
    value_lanes_->each_channel(
        [&](Ex, Ex index) { builder_.store(mixed, index, builder_.f32(0)); });
    builder_.when(counts, [&] { load_sum(mixed, chunk_ + c); });
    for (std::size_t at = 0; at < within_.size(); ++at) {
      const std::int64_t distance = within_[at];
      const Ex solved =
          builder_.let("is_solved", both(shown < number(distance), number(distance) <= r));
      const Ex weight = builder_.load(reals_, weight_at(number(static_cast<std::int64_t>(at)), r));
      add(mixed, number(0), builder_.let("weight", weight),
          value_place(solved, r - number(distance)));
    }
    builder_.when(counts, [&] { store_sum(chunk_ + c, mixed); });
  }

  void solve() {
    ChunkSolve solve(frame_, kStagedChunk, reals_, weight_at(number(0), chunk_),
                     layout_.weight_stride);
    builder_.loop(
        "d", frame_.thread, number(dim_), number(32 * frame_.warps), LoopKind::kSerial, [&](Ex d) {
          solve.solve(
              [&](Ex c) { return builder_.load(reals_, (chunk_ + c) * layout_.sum_stride + d); },
              [&](Ex c, Ex output) {
                builder_.store(values_in_, (chunk_ + c) * layout_.value_stride + values_ + d,
                               output);
              });
        });
  }

  void write() {
    each_vector(builder_, frame_.thread, 32 * frame_.warps, count_, values(), [&](Ex row, Ex d) {
      builder_.invoke(of_vector("copy_elements", values()),
                      {VectorPlace{frame_.y, frame_.token_at(tile_ + row) + d, true},
                       VectorPlace{values_in_, row * layout_.value_stride + values_ + d}});
    });
  }

  Frame& frame_;
  Builder& builder_;
  int dim_, tile_rows_;
  RowGroups groups_;
  DistanceLayout layout_;
  const std::vector<std::int64_t>& within_;
  std::optional<RowLanes> lanes_, value_lanes_;
  int parts_ = 0, turns_ = 0;  // channels of a lane, and rows that it has of a tile
  MemoryId staged_, reals_, values_in_;
  std::int64_t values_ = 0, zeros_ = 0;  // where they begin in values_in_
  std::int64_t weights_within_ = 0;      // and these in reals_, where sums begin
  MemoryId highest_of_, inverse_of_;     // in the transposed system, of the rows in slots
  MemoryId distances_;
  MemoryId queries_, mixed_, highest_, total_, weights_, above_;  // of a lane's rows
  std::optional<Ex> turned_;
  Ex origin_, tile_, count_, before_, found_, base_, chunk_;
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
