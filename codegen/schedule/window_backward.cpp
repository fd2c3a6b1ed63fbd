// SPDX-License-Identifier: Apache-2.0
// Launches of a gather where every row of a side reaches the same distances back. A block has a
// chunk of tokens, and takes distance by distance, the nearest first: what the chunk's rows find so
// far off is one run of rows, for which shared memory has a ring (`window_ring`). Where distances
// lie closer together than a chunk is long, each row comes in once. The chunk's rows have their
// sums in registers throughout (`window_rows`).
#include <string>

#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/row_lanes.hpp"
#include "codegen/schedule/window_ring.hpp"
#include "codegen/schedule/window_rows.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

const char* name_of(WindowUse use) {
  return use == WindowUse::kWeights ? "_weights" : use == WindowUse::kRows ? "_rows" : "_columns";
}
GradientScratch scratch_of(WindowUse use) {
  if (use == WindowUse::kWeights) return {};
  GradientScratch scratch{Access::kRead, Access::kRead, Access::kRead};
  if (use == WindowUse::kRows) scratch.mean = Access::kWrite;
  return scratch;
}

class WindowLaunch {
 public:
  WindowLaunch(const KernelSpec& spec, WindowUse use)
      : spec_(spec),
        use_(use),
        size_(spec.gather->chunk_tokens),
        builder_(spec.symbol + name_of(use), spec.target, 32 * window_warps(spec, use)),
        frame_(builder_, spec, scratch_of(use)),
        chunk_(frame_, window_warps(spec, use)),
        rows_(chunk_.of_lanes()) {
    frame_.chunks = builder_.size("chunks");
    lambda_ = spec.b.empty() ? frame_.dy : frame_.lambda;
    const int bytes = spec.b.empty() ? static_cast<int>(size_of(spec.dtype)) : 4;
    ring_.emplace(frame_, use, lambda_, bytes);
    builder_.side_by_side(window_blocks(spec, use));
  }

  ir::Kernel run() {
    frame_.each_block([&] {
      declare();
      ring_->clear();
      first_ = builder_.let("first", frame_.chunk * size_);
      count_ = builder_.let(
          "count", builder_.call(Helper::kMinimum, {builder_.i64(size_), frame_.tokens - first_}));
      chunk_.begin(first_, count_);
      open();
      rows_.each_side([&](const GradientSide& side) {
        // What outputs are due of the rows that read them is part of lambda.
        if (softmax() || !columns() || side.side == Side::kA) take_side(side);
      });
      close();
    });
    return builder_.take();
  }

 private:
  bool columns() const { return use_ == WindowUse::kColumns; }
  bool softmax() const { return frame_.softmax(); }

  void declare() {
    ring_->declare();
    if (columns() && !softmax()) {
      weight_of_ = builder_.array("weight_of", Type::kF32, size_, true);
    }
    // Columns of given weights have nothing to sum over lanes.
    const bool sums = softmax() || !columns();
    const ElementType element = ring_->shared_type();
    chunk_.share(sums ? lanes_of_window(spec_, element) : RowLanes::kWarp, element);
  }

  // Distance by distance, those of the row that reaches furthest.
  void take_side(const GradientSide& side) {
    if (side.side == Side::kA && frame_.own_input_only()) return take_own_input(side);
    ring_->take_values_of(side);
    begin_side(side);
    const Ex least = builder_.i64(1);
    const Ex furthest = columns() ? builder_.call(Helper::kMaximum, {frame_.tokens - first_, least})
                                  : builder_.call(Helper::kMaximum, {first_ + count_, least});
    const Ex row = builder_.let("furthest", furthest);
    ring_->begin(first_, count_);
    if (spec_.gather->ahead) return take_ahead(side, row);
    const Var entry = builder_.variable("entry", builder_.i64(0));
    rows::emit_walk(builder_, spec_.pattern, *side.plan, row, [&](Ex p) {
      const Ex distance = builder_.let("distance", row - p);
      builder_.barrier();
      ring_->bring(distance);
      if (columns() && !softmax()) fetch_weights(side, distance, entry);
      builder_.invoke("close_batch", {});
      wait_for_rows();
      take_distance(side, distance, entry);
      builder_.assign(entry, Ex(entry) + 1);
    });
    if (columns() || softmax()) return;
    chunk_.each_own([&](Ex, Ex r) { clear_from(side, r, entry); });
  }
  void wait_for_rows() {
    builder_.invoke("await_batches<0>", {});
    builder_.barrier();
  }

  // What is new at a distance comes in while what the last one has is summed.
  void take_ahead(const GradientSide& side, Ex row) {
    const auto take_last = [&] {
      builder_.when(ring_->distance() >= 0, [&] { take_distance(side, ring_->distance(), {}); });
    };
    rows::emit_walk(builder_, spec_.pattern, *side.plan, row, [&](Ex p) {
      const Ex distance = builder_.let("distance", row - p);
      wait_for_rows();
      ring_->bring(distance);
      builder_.invoke("close_batch", {});
      take_last();
      ring_->turn_to(distance);
    });
    wait_for_rows();
    take_last();
  }

  void take_distance(const GradientSide& side, Ex distance, Ex entry) {
    chunk_.each_summed([&](Ex turn, Ex r) {
      const Ex other =
          builder_.let("other", columns() ? first_ + r + distance : first_ + r - distance);
      const auto take_it = [&] { take(side, turn, r, other); };
      if (columns()) return chunk_.where_held(other < frame_.tokens, take_it);
      if (softmax()) return chunk_.where_held(other >= 0, take_it);
      slope_ = builder_.variable("slope", builder_.f32(0));  // behind a row's own entries as well
      chunk_.where_held(other >= 0, take_it);
      chunk_.where_it_counts([&] { write_slope(side, r, entry, slope_); });
    });
  }

  // What the readers of the chunk's rows at this distance weigh them with.
  void fetch_weights(const GradientSide& side, Ex distance, Ex entry) {
    builder_.loop("reader", frame_.thread, count_, builder_.i64(32 * kWindowWarps),
                  LoopKind::kSerial, [&](Ex reader) {
                    const Ex token = builder_.let("token", first_ + reader + distance);
                    builder_.when(token < frame_.tokens, [&] {
                      builder_.store(weight_of_, reader,
                                     builder_.load(side.coefficients,
                                                   frame_.coefficients_at(side, token) + entry));
                    });
                  });
  }

  void open() {
    if (softmax()) own_ = chunk_.kept_rows(columns() ? "keys" : "queries");
    if (use_ == WindowUse::kWeights) {
      highest_ = chunk_.kept("highest", builder_.lowest_score());
      total_ = chunk_.kept("total", builder_.f32(0));
    } else if (columns()) {
      dx_ = chunk_.kept_rows("own_dx");
      if (softmax()) dk_ = chunk_.kept_rows("own_dk");
      if (softmax()) values_of_ = chunk_.kept_rows("own_values");
    } else {
      lambdas_ = chunk_.kept_rows("lambdas");
      if (softmax()) dq_ = chunk_.kept_rows("own_dq");
      if (softmax()) highest_ = chunk_.kept("highest", builder_.f32(0));
      if (softmax()) inverse_ = chunk_.kept("inverse", builder_.f32(0));
      if (softmax()) mean_ = chunk_.kept("mean", builder_.f32(0));
    }
    if (columns() && !softmax()) return;
    chunk_.each_own([&](Ex turn, Ex r) {
      const Ex at = builder_.let("at", frame_.token_at(first_ + r));
      if (softmax()) chunk_.keep(own_, turn, columns() ? frame_.k : frame_.q, at);
      if (use_ == WindowUse::kRows) chunk_.keep(lambdas_, turn, lambda_, at);
    });
    if (use_ == WindowUse::kRows && softmax())
      chunk_.each_summed([&](Ex turn, Ex r) { weigh_row(turn, r); });
  }
  void weigh_row(Ex turn, Ex r) {
    const Ex at = builder_.let("at", frame_.token_at(first_ + r));
    const Ex mean = rows_.dot("mean_of", chunk_.of_turn("lambda", lambdas_, turn),
                              chunk_.row_in_memory("output", frame_.y, at));
    chunk_.leave([&] {
      const Ex statistic_at = builder_.let("statistic_at", frame_.row_at(first_ + r));
      const GradientRows::Statistic own = rows_.statistic(statistic_at);
      builder_.store(highest_, turn, own.highest);
      builder_.store(inverse_, turn, own.inverse);
      builder_.store(mean_, turn, mean);
      rows_.on_first_lane([&] { builder_.store(frame_.mean, statistic_at, mean); });
    });
  }

  void begin_side(const GradientSide& side) {
    if (!columns() || !softmax()) return;
    chunk_.each_own([&](Ex turn, Ex r) {
      chunk_.keep(values_of_, turn, side.value, builder_.let("at", frame_.token_at(first_ + r)));
    });
  }

  void close() {
    if (use_ == WindowUse::kRows && !softmax()) return;  // nothing is left to be written
    chunk_.each_own([&](Ex turn, Ex r) {
      if (use_ == WindowUse::kWeights) return close_weights(turn, r);
      if (columns()) chunk_.write(frame_.dx, dx_, turn, r);
      if (!softmax()) return;
      columns() ? chunk_.write(frame_.dk, dk_, turn, r) : chunk_.write(frame_.dq, dq_, turn, r);
    });
  }
  void close_weights(Ex turn, Ex r) {
    rows_.on_first_lane([&] {
      const Ex at = builder_.let("statistic_at", frame_.row_at(first_ + r));
      const Ex total = builder_.let("total_of", builder_.load(total_, turn));
      builder_.store(frame_.highest, at, builder_.load(highest_, turn));
      builder_.store(
          frame_.inverse, at,
          builder_.select(total > builder_.f32(0), builder_.f32(1) / total, builder_.f32(0)));
    });
  }

  // Of another row: a reader's query and lambda, or what is read.
  const char* key_name() const { return columns() ? "query" : "key"; }
  const char* value_name() const { return columns() ? "lambda" : "value"; }

  // ---- an entry ---------------------------------------------------------------------------------

  // Row `turn` of this lane, which is row r of the chunk, and token `other` of the window.
  void take(const GradientSide& side, Ex turn, Ex r, Ex other) {
    const WindowRing::Found found{r, other, chunk_.in_groups() && !columns()};
    if (!softmax())
      return columns() ? take_given_column(turn, r, found) : take_given_row(turn, found);
    const MemoryId key = rows_.row_of(key_name(), ring_->keys(), ring_->key_at(found));
    if (use_ == WindowUse::kWeights) return weigh(side, turn, key);
    const MemoryId value = value_of(found);
    if (!columns()) return take_row(side, turn, key, value);
    take_column(side, turn, key, value, [&] { return ring_->reader(found); });
  }
  MemoryId value_of(const WindowRing::Found& found) {
    const Ex at = ring_->value_at(found);
    if (!ring_->has_halves()) return rows_.row_of(value_name(), ring_->values(), at);
    return rows_.row_in_halves(value_name(), ring_->values(), at, ring_->second_half());
  }

  void weigh(const GradientSide& side, Ex turn, MemoryId key) {
    const Ex score = rows_.score_of(chunk_.of_turn("query", own_, turn), key);
    chunk_.leave([&] {
      const Ex highest = builder_.let("highest_so_far", builder_.load(highest_, turn));
      const Ex above = builder_.let("above", builder_.call(Helper::kMaximum, {highest, score}));
      builder_.store(
          total_, turn,
          builder_.load(total_, turn) * builder_.call(Helper::kExponential, {highest - above}) +
              frame_.times_factor(side, builder_.call(Helper::kExponential, {score - above})));
      builder_.store(highest_, turn, above);
    });
  }

  void take_row(const GradientSide& side, Ex turn, MemoryId key, MemoryId value) {
    const Ex score = rows_.score_of(chunk_.of_turn("query", own_, turn), key);
    const Ex change = rows_.dot("change", chunk_.of_turn("lambda", lambdas_, turn), value);
    chunk_.leave([&] {
      const GradientRows::Statistic own{builder_.load(highest_, turn),
                                        builder_.load(inverse_, turn)};
      const Ex weight = rows_.weight_of(side, own, score);
      const Ex slope =
          builder_.let("slope", frame_.scale * weight * (change - builder_.load(mean_, turn)));
      chunk_.add(dq_, turn, slope, key);
    });
  }

  void take_column(const GradientSide& side, Ex turn, MemoryId query, MemoryId lambda,
                   const std::function<WindowRing::Reader()>& reader) {
    const Ex score = rows_.score_of(query, chunk_.of_turn("own_key", own_, turn));
    const Ex change = rows_.dot("change", lambda, chunk_.of_turn("own_value", values_of_, turn));
    chunk_.leave([&] {
      const WindowRing::Reader its = reader();
      const Ex weight = rows_.weight_of(side, its.of, score);
      chunk_.add(dk_, turn, builder_.let("slope", frame_.scale * weight * (change - its.mean)),
                 query);
      if (side.side == Side::kA) chunk_.add(dx_, turn, weight, lambda);
    });
  }

  void take_given_row(Ex turn, const WindowRing::Found& found) {
    const MemoryId value = value_of(found);
    const Ex change = rows_.dot("change", chunk_.of_turn("lambda", lambdas_, turn), value);
    chunk_.leave([&] { builder_.assign(slope_, change); });
  }
  void write_slope(const GradientSide& side, Ex r, Ex entry, Ex slope) {
    rows_.on_first_lane([&] {
      builder_.store(side.dcoefficients, frame_.coefficients_at(side, first_ + r) + entry, slope);
    });
  }
  void clear_from(const GradientSide& side, Ex r, Ex entry) {
    const Ex first = builder_.let("rest_at", frame_.coefficients_at(side, first_ + r));
    builder_.loop("rest", entry + chunk_.lane(), side.width, builder_.i64(chunk_.sharing()),
                  LoopKind::kSerial, [&](Ex rest) {
                    builder_.store(side.dcoefficients, first + rest, builder_.f32(0));
                  });
  }

  void take_given_column(Ex turn, Ex r, const WindowRing::Found& found) {
    const MemoryId lambda = value_of(found);
    chunk_.add(dx_, turn, builder_.load(weight_of_, r), lambda);
  }

  // A = { i }: what a row has of its own input lies beside it.
  void take_own_input(const GradientSide& side) {
    begin_side(side);
    chunk_.each_summed([&](Ex turn, Ex r) {
      const Ex at = builder_.let("at", frame_.token_at(first_ + r));
      if (!softmax()) return take_given_input(side, turn, r, at);
      const MemoryId key = chunk_.row_in_memory(key_name(), columns() ? frame_.q : frame_.k, at);
      if (use_ == WindowUse::kWeights) return weigh(side, turn, key);
      const MemoryId value =
          chunk_.row_in_memory(value_name(), columns() ? lambda_ : side.value, at);
      if (!columns()) return take_row(side, turn, key, value);
      take_column(side, turn, key, value, [&] {
        const Ex statistic_at = builder_.let("statistic_at", frame_.row_at(first_ + r));
        return WindowRing::Reader{rows_.statistic(statistic_at),
                                  builder_.let("mean", builder_.load(frame_.mean, statistic_at))};
      });
    });
  }
  void take_given_input(const GradientSide& side, Ex turn, Ex r, Ex at) {
    const MemoryId lambda = chunk_.of_turn("lambda", lambdas_, turn);
    const Ex slope = rows_.dot("slope", lambda, chunk_.row_in_memory("value", side.value, at));
    chunk_.leave([&] {
      const Ex first = builder_.let("coef_at", frame_.coefficients_at(side, first_ + r));
      write_slope(side, r, builder_.i64(0), slope);
      clear_from(side, r, builder_.i64(1));
      const Ex weight = builder_.let("weight", builder_.load(side.coefficients, first));
      const MemoryId weighed = rows_.array("weighed");
      rows_.each_channel([&](Ex, Ex index) {
        builder_.store(weighed, index, weight * builder_.load(lambda, index));
      });
      rows_.write(frame_.dx, at, weighed);
    });
  }

  const KernelSpec& spec_;
  WindowUse use_;
  int size_;
  Builder builder_;
  GradientFrame frame_;
  WindowRows chunk_;
  GradientRows& rows_;
  MemoryId lambda_;
  std::optional<WindowRing> ring_;
  MemoryId weight_of_;  // by row of the chunk
  Ex first_, count_;
  Var slope_;
  // Of a warp's rows: queries, or keys of columns, and what else they are and come to.
  MemoryId own_, lambdas_, values_of_, dq_, dk_, dx_, highest_, inverse_, mean_, total_;
};

}  // namespace

ir::Kernel windowed(const KernelSpec& spec, WindowUse use) { return WindowLaunch(spec, use).run(); }

}  // namespace heddle::schedule
