// SPDX-License-Identifier: Apache-2.0
// Launches of a gather where every row of a side reaches the same distances back. A block has a
// chunk of tokens, and takes distance by distance, the nearest first: what the chunk's rows find so
// far off is one run of rows, which shared memory has room for. It is a ring by token, in which
// rows that the last distance left behind make room for those that come: where distances lie
// closer together than a chunk is long, each row comes in once. A warp has several rows of the
// chunk, whose sums stay in its registers throughout: side by side where groups of its lanes can
// have one each. Groups without the entry at hand come along to sums, and leave nothing.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "codegen/rows/emit_row.hpp"
#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/gather_backward.hpp"
#include "codegen/schedule/gradient_rows.hpp"
#include "codegen/schedule/row_lanes.hpp"
#include "codegen/schedule/row_vectors.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

constexpr int kVectorBytes = 16;

const char* name_of(WindowUse use) {
  return use == WindowUse::kWeights ? "_weights" : use == WindowUse::kRows ? "_rows" : "_columns";
}
GradientScratch scratch_of(WindowUse use) {
  if (use == WindowUse::kWeights) return {};
  GradientScratch scratch{Access::kRead, Access::kRead, Access::kRead};
  if (use == WindowUse::kRows) scratch.mean = Access::kWrite;
  return scratch;
}

// Elements of so many bytes that are moved at once.
int vector_of(int head_dim, int element) {
  int count = kVectorBytes / element;
  while (head_dim % count != 0) count /= 2;
  return count;
}

// Lanes that share a row: few enough to exchange seldom, and no fewer than leave each of a warp's
// rows to a group.
int lanes_of_window(const KernelSpec& spec, ElementType element) {
  const int least = RowLanes::kWarp * kWindowWarps / window_tokens(spec);
  const int sharing = RowLanes::sharing_for(spec.head_dim, element);
  if (sharing >= least) return sharing;
  const int whole = least * kVectorBytes / static_cast<int>(size_of(element));
  return spec.head_dim % whole == 0 ? least : RowLanes::kWarp;
}

// Rows of what a window holds: queries or keys, and values.
struct Ring {
  MemoryId from;    // by token
  MemoryId staged;  // shared
  std::int64_t at = 0;
  int element = 4;  // bytes
};

class WindowLaunch {
 public:
  WindowLaunch(const KernelSpec& spec, WindowUse use)
      : spec_(spec),
        use_(use),
        size_(spec.gather->chunk_tokens),
        builder_(spec.symbol + name_of(use), spec.target, 32 * kWindowWarps),
        frame_(builder_, spec, scratch_of(use)),
        rows_(frame_) {
    frame_.chunks = builder_.size("chunks");
    lambda_ = spec.b.empty() ? frame_.dy : frame_.lambda;
    lambda_bytes_ = spec.b.empty() ? static_cast<int>(size_of(spec.dtype)) : 4;
  }

  ir::Kernel run() {
    frame_.each_block([&] {
      declare_rings();
      share_lanes();
      clear_rings();
      first_ = builder_.let("first", frame_.chunk * size_);
      count_ = builder_.let(
          "count", builder_.call(Helper::kMinimum, {builder_.i64(size_), frame_.tokens - first_}));
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

  // ---- windows ----------------------------------------------------------------------------------

  void declare_rings() {
    const int type_bytes = static_cast<int>(size_of(spec_.dtype));
    const std::int64_t all = std::int64_t{size_} * spec_.head_dim;
    const bool values = use_ != WindowUse::kWeights;
    if (softmax()) {
      keys_ = Ring{columns() ? frame_.q : frame_.k, builder_.dynamic_array("staged", spec_.dtype),
                   0, type_bytes};
    }
    if (values) {
      const int bytes = columns() ? lambda_bytes_ : type_bytes;
      if (!keys_) {
        const ElementType type = bytes == type_bytes ? spec_.dtype : ElementType::kF32;
        values_ = Ring{lambda_, builder_.dynamic_array("staged", type), 0, bytes};
      } else {
        const bool behind = bytes != type_bytes;  // reals behind narrower queries
        values_ = Ring{
            lambda_,
            behind ? builder_.rest_of_dynamic_array("values", builder_.i64(all)) : keys_->staged,
            behind ? 0 : all, bytes};
      }
    }
    if (!columns()) return;
    const auto numbers = [&](const char* name) {
      return builder_.array(name, Type::kF32, size_, true);
    };
    if (!softmax()) {
      weight_of_ = numbers("weight_of");
      return;
    }
    highest_of_ = numbers("highest_of");
    inverse_of_ = numbers("inverse_of");
    mean_of_ = numbers("mean_of");
  }

  void share_lanes() {
    const bool reals = (keys_ ? keys_ : values_)->element == 4;
    const ElementType element = reals ? ElementType::kF32 : spec_.dtype;
    // Columns of given weights have nothing to sum over lanes.
    const bool sums = softmax() || !columns();
    const int sharing = sums ? lanes_of_window(spec_, element) : RowLanes::kWarp;
    of_warp_ = RowLanes::kWarp / sharing;
    turns_ = size_ / (kWindowWarps * of_warp_);
    group_ = builder_.i64(0);
    if (in_groups()) {
      group_ = builder_.let("group", frame_.lane / sharing);
      lane_ = builder_.let("lane_of_row", frame_.lane % sharing);
      rows_.share(RowLanes(builder_, lane_, spec_.head_dim, sharing, element));
    } else {
      lane_ = frame_.lane;
    }
    parts_ = rows_.owned();
  }
  bool in_groups() const { return of_warp_ > 1; }

  // No row is taken before it has come; but that rests on distances that ascend, which the static
  // layer does not follow. So there is something in each place from the start.
  void clear_rings() {
    const int threads = 32 * kWindowWarps;
    for (const std::optional<Ring>* ring : {&keys_, &values_}) {
      if (!*ring) continue;
      const RowVectors cut = cut_of(**ring);
      each_vector(builder_, frame_.thread, threads, builder_.i64(size_), cut, [&](Ex row, Ex d) {
        builder_.invoke(
            "clear_elements<" + std::to_string(cut.vector) + ">",
            {ir::VectorPlace{(*ring)->staged, row * spec_.head_dim + (*ring)->at + d, true}});
      });
    }
    if (columns() && softmax()) {
      builder_.loop("slot", frame_.thread, builder_.i64(size_), builder_.i64(threads),
                    LoopKind::kSerial, [&](Ex slot) {
                      for (const MemoryId numbers : {highest_of_, inverse_of_, mean_of_}) {
                        builder_.store(numbers, slot, builder_.f32(0));
                      }
                    });
    }
  }

  // Distance by distance, those of the row that reaches furthest.
  void take_side(const GradientSide& side) {
    if (side.side == Side::kA && frame_.own_input_only()) return take_own_input(side);
    if (values_ && !columns()) values_->from = side.value;
    begin_side(side);
    const Ex least = builder_.i64(1);
    const Ex furthest = columns() ? builder_.call(Helper::kMaximum, {frame_.tokens - first_, least})
                                  : builder_.call(Helper::kMaximum, {first_ + count_, least});
    const Ex row = builder_.let("furthest", furthest);
    // Of the rows on this side of it all that may be needed again are there.
    const Var reached = builder_.variable("reached", columns() ? first_ : first_ + count_);
    const Var entry = builder_.variable("entry", builder_.i64(0));
    rows::emit_walk(builder_, spec_.pattern, *side.plan, row, [&](Ex p) {
      const Ex distance = builder_.let("distance", row - p);
      builder_.barrier();
      columns() ? bring_later(distance, reached) : bring_earlier(distance, reached);
      if (columns() && !softmax()) fetch_weights(side, distance, entry);
      builder_.invoke("close_batch", {});
      builder_.invoke("await_batches<0>", {});
      builder_.barrier();
      each_summed_row([&](Ex turn, Ex r) {
        const Ex other =
            builder_.let("other", columns() ? first_ + r + distance : first_ + r - distance);
        const auto take_it = [&] { take(side, turn, r, other); };
        if (columns()) return where_held(other < frame_.tokens, take_it);
        if (softmax()) return where_held(other >= 0, take_it);
        slope_ = builder_.variable("slope", builder_.f32(0));  // behind a row's own entries as well
        where_held(other >= 0, take_it);
        where_it_counts([&] { write_slope(side, r, entry, slope_); });
      });
      builder_.assign(entry, Ex(entry) + 1);
    });
    if (columns() || softmax()) return;
    each_own_row([&](Ex, Ex r) { clear_from(side, r, entry); });
  }

  void bring_earlier(Ex distance, Var reached) {
    const Ex from =
        builder_.let("from", builder_.call(Helper::kMaximum, {first_ - distance, builder_.i64(0)}));
    bring(from, builder_.call(Helper::kMinimum, {reached, first_ + count_ - distance}));
    builder_.assign(reached, from);
  }
  void bring_later(Ex distance, Var reached) {
    const Ex from =
        builder_.let("from", builder_.call(Helper::kMaximum, {reached, first_ + distance}));
    const Ex to = builder_.let(
        "to", builder_.call(Helper::kMinimum, {first_ + count_ + distance, frame_.tokens}));
    bring(from, to);
    builder_.assign(reached, to);
  }

  // Rows from .. to - 1, where there are any.
  void bring(Ex from, Ex to) {
    // Of later rows there are never more than a chunk, which the static layer does not find alone.
    Ex coming = to - from;
    if (columns()) coming = builder_.call(Helper::kMinimum, {builder_.i64(size_), coming});
    const Ex rows = builder_.let("coming", coming);
    for (const std::optional<Ring>* ring : {&keys_, &values_}) {
      if (*ring) start_rows(**ring, from, rows);
    }
    if (!columns() || !softmax()) return;
    builder_.loop("row", frame_.thread, rows, builder_.i64(32 * kWindowWarps), LoopKind::kSerial,
                  [&](Ex row) {
                    const Ex at = builder_.let("statistic_at", frame_.row_at(from + row));
                    const Ex slot = builder_.let("slot", (from + row) % size_);
                    builder_.store(highest_of_, slot, builder_.load(frame_.highest, at));
                    builder_.store(inverse_of_, slot, builder_.load(frame_.inverse, at));
                    builder_.store(mean_of_, slot, builder_.load(frame_.mean, at));
                  });
  }
  void start_rows(const Ring& ring, Ex from, Ex rows) {
    const RowVectors cut = cut_of(ring);
    each_vector(builder_, frame_.thread, 32 * kWindowWarps, rows, cut, [&](Ex row, Ex d) {
      const Ex token = builder_.let("token", from + row);
      builder_.invoke("start_copy<" + std::to_string(cut.vector) + ">",
                      {ir::VectorPlace{ring.staged, slot_at(ring, token) + d, true},
                       ir::VectorPlace{ring.from, frame_.token_at(token) + d}});
    });
  }
  // Rows of both rings by as many threads: the static layer tells these apart by one cut.
  RowVectors cut_of(const Ring& ring) const {
    const auto of = [&](int element) {
      const int vector = vector_of(spec_.head_dim, element);
      return RowVectors{spec_.head_dim, vector, vector * element};
    };
    RowVectors cut = of(ring.element);
    if (keys_) cut.most_threads = std::max(of(keys_->element).threads_of_row(), 1);
    return cut;
  }
  Ex slot_at(const Ring& ring, Ex token) { return token % size_ * spec_.head_dim + ring.at; }
  // Of a row that may have no such entry: there is something in each place.
  Ex slot_of_other(const Ring& ring, Ex other) {
    const bool may_lie_before = in_groups() && !columns();
    return slot_at(
        ring, may_lie_before ? builder_.call(Helper::kMaximum, {other, builder_.i64(0)}) : other);
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

  // ---- rows of the chunk ------------------------------------------------------------------------

  void each_own_row(const std::function<void(Ex, Ex)>& body) {
    builder_.loop("turn", builder_.i64(0), builder_.i64(turns_), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex turn) {
                    const Ex r = builder_.let("r", own_row(turn));
                    builder_.when(r < count_, [&] { body(turn, r); });
                  });
  }
  Ex own_row(Ex turn) const {
    return frame_.warp * of_warp_ + group_ + turn * (kWindowWarps * of_warp_);
  }
  // The same for a body with sums, to which all groups of a warp come.
  void each_summed_row(const std::function<void(Ex, Ex)>& body) {
    if (!in_groups()) return each_own_row(body);
    builder_.loop("turn", builder_.i64(0), builder_.i64(turns_), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex turn) {
                    const Ex r = builder_.let("r", own_row(turn));
                    counts_ = builder_.let("counts", r < count_);
                    held_ = counts_;
                    body(turn, r);
                    counts_.reset();
                    held_.reset();
                  });
  }
  void where_it_counts(const std::function<void()>& body) {
    counts_ ? builder_.when(*counts_, body) : body();
  }
  // `body` has the entry's sums, and leaves what it comes to where there is such an entry.
  void where_held(Ex held, const std::function<void()>& body) {
    if (!in_groups()) return builder_.when(held, body);
    held_ = builder_.let("held", both(*counts_, held));
    body();
    held_ = counts_;
  }
  void leave(const std::function<void()>& body) { held_ ? builder_.when(*held_, body) : body(); }
  // What a warp keeps of its rows.
  MemoryId kept_rows(const char* name) { return kept(name, builder_.f32(0), parts_); }
  MemoryId kept(const char* name, Ex value, int each = 1) {
    const MemoryId made = builder_.array(name, Type::kF32, turns_ * each);
    builder_.loop("part", builder_.i64(0), builder_.i64(turns_ * each), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex part) { builder_.store(made, part, value); });
    return made;
  }
  void keep(MemoryId rows, Ex turn, MemoryId from, Ex at) {
    rows_.each_value("row", from, at, [&](Ex value, Ex index) {
      builder_.store(rows, turn * parts_ + index, value);
    });
  }
  MemoryId of_turn(const char* name, MemoryId rows, Ex turn) {
    const MemoryId made = builder_.array(name, Type::kF32, parts_);
    rows_.each_channel([&](Ex, Ex index) {
      builder_.store(made, index, builder_.load(rows, turn * parts_ + index));
    });
    return made;
  }
  void add(MemoryId rows, Ex turn, Ex factor, MemoryId values) {
    rows_.each_channel([&](Ex, Ex index) {
      const Ex at = turn * parts_ + index;
      builder_.store(rows, at, builder_.load(rows, at) + factor * builder_.load(values, index));
    });
  }
  void write(MemoryId to, MemoryId rows, Ex turn, Ex r) {
    const Ex at = builder_.let("at", frame_.token_at(first_ + r));
    rows_.write(to, at, of_turn("row", rows, turn));
  }
  // What this lane's row has in global memory; zeros of a row that there is not.
  MemoryId row_in_memory(const char* name, MemoryId memory, Ex at) {
    if (!held_) return rows_.row_of(name, memory, at);
    const MemoryId made = rows_.zeros(name);
    leave([&] { rows_.load(made, memory, at); });
    return made;
  }

  void open() {
    if (softmax()) own_ = kept_rows(columns() ? "keys" : "queries");
    if (use_ == WindowUse::kWeights) {
      highest_ = kept("highest", builder_.lowest_score());
      total_ = kept("total", builder_.f32(0));
    } else if (columns()) {
      dx_ = kept_rows("own_dx");
      if (softmax()) dk_ = kept_rows("own_dk");
      if (softmax()) values_of_ = kept_rows("own_values");
    } else {
      lambdas_ = kept_rows("lambdas");
      if (softmax()) dq_ = kept_rows("own_dq");
      if (softmax()) highest_ = kept("highest", builder_.f32(0));
      if (softmax()) inverse_ = kept("inverse", builder_.f32(0));
      if (softmax()) mean_ = kept("mean", builder_.f32(0));
    }
    if (columns() && !softmax()) return;
    each_own_row([&](Ex turn, Ex r) {
      const Ex at = builder_.let("at", frame_.token_at(first_ + r));
      if (softmax()) keep(own_, turn, columns() ? frame_.k : frame_.q, at);
      if (use_ == WindowUse::kRows) keep(lambdas_, turn, lambda_, at);
    });
    if (use_ == WindowUse::kRows && softmax())
      each_summed_row([&](Ex turn, Ex r) { weigh_row(turn, r); });
  }
  void weigh_row(Ex turn, Ex r) {
    const Ex at = builder_.let("at", frame_.token_at(first_ + r));
    const Ex mean = rows_.dot("mean_of", of_turn("lambda", lambdas_, turn),
                              row_in_memory("output", frame_.y, at));
    leave([&] {
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
    each_own_row([&](Ex turn, Ex r) {
      keep(values_of_, turn, side.value, builder_.let("at", frame_.token_at(first_ + r)));
    });
  }

  void close() {
    if (use_ == WindowUse::kRows && !softmax()) return;  // nothing is left to be written
    each_own_row([&](Ex turn, Ex r) {
      if (use_ == WindowUse::kWeights) return close_weights(turn, r);
      if (columns()) write(frame_.dx, dx_, turn, r);
      if (!softmax()) return;
      columns() ? write(frame_.dk, dk_, turn, r) : write(frame_.dq, dq_, turn, r);
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

  // What a reader weighs its entries by.
  struct Reader {
    GradientRows::Statistic of;
    Ex mean;
  };

  // Row `turn` of this lane, which is row r of the chunk, and token `other` of the window.
  void take(const GradientSide& side, Ex turn, Ex r, Ex other) {
    if (!softmax())
      return columns() ? take_given_column(turn, r, other) : take_given_row(turn, other);
    const MemoryId key = rows_.row_of(key_name(), keys_->staged,
                                      builder_.let("key_at", slot_of_other(*keys_, other)));
    if (use_ == WindowUse::kWeights) return weigh(side, turn, key);
    const MemoryId value = rows_.row_of(value_name(), values_->staged,
                                        builder_.let("value_at", slot_of_other(*values_, other)));
    if (!columns()) return take_row(side, turn, key, value);
    take_column(side, turn, key, value, [&] {
      const Ex slot = builder_.let("slot", other % size_);
      return Reader{{builder_.load(highest_of_, slot), builder_.load(inverse_of_, slot)},
                    builder_.load(mean_of_, slot)};
    });
  }

  void weigh(const GradientSide& side, Ex turn, MemoryId key) {
    const Ex score = rows_.score_of(of_turn("query", own_, turn), key);
    leave([&] {
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
    const Ex score = rows_.score_of(of_turn("query", own_, turn), key);
    const Ex change = rows_.dot("change", of_turn("lambda", lambdas_, turn), value);
    leave([&] {
      const GradientRows::Statistic own{builder_.load(highest_, turn),
                                        builder_.load(inverse_, turn)};
      const Ex weight = rows_.weight_of(side, own, score);
      const Ex slope =
          builder_.let("slope", frame_.scale * weight * (change - builder_.load(mean_, turn)));
      add(dq_, turn, slope, key);
    });
  }

  void take_column(const GradientSide& side, Ex turn, MemoryId query, MemoryId lambda,
                   const std::function<Reader()>& reader) {
    const Ex score = rows_.score_of(query, of_turn("own_key", own_, turn));
    const Ex change = rows_.dot("change", lambda, of_turn("own_value", values_of_, turn));
    leave([&] {
      const Reader its = reader();
      const Ex weight = rows_.weight_of(side, its.of, score);
      add(dk_, turn, builder_.let("slope", frame_.scale * weight * (change - its.mean)), query);
      if (side.side == Side::kA) add(dx_, turn, weight, lambda);
    });
  }

  void take_given_row(Ex turn, Ex other) {
    const MemoryId value = rows_.row_of("value", values_->staged,
                                        builder_.let("value_at", slot_of_other(*values_, other)));
    const Ex change = rows_.dot("change", of_turn("lambda", lambdas_, turn), value);
    leave([&] { builder_.assign(slope_, change); });
  }
  void write_slope(const GradientSide& side, Ex r, Ex entry, Ex slope) {
    rows_.on_first_lane([&] {
      builder_.store(side.dcoefficients, frame_.coefficients_at(side, first_ + r) + entry, slope);
    });
  }
  void clear_from(const GradientSide& side, Ex r, Ex entry) {
    const Ex first = builder_.let("rest_at", frame_.coefficients_at(side, first_ + r));
    builder_.loop("rest", entry + lane_, side.width, builder_.i64(RowLanes::kWarp / of_warp_),
                  LoopKind::kSerial, [&](Ex rest) {
                    builder_.store(side.dcoefficients, first + rest, builder_.f32(0));
                  });
  }

  void take_given_column(Ex turn, Ex r, Ex other) {
    const MemoryId lambda =
        rows_.row_of("lambda", values_->staged, builder_.let("value_at", slot_at(*values_, other)));
    add(dx_, turn, builder_.load(weight_of_, r), lambda);
  }

  // A = { i }: what a row has of its own input lies beside it.
  void take_own_input(const GradientSide& side) {
    begin_side(side);
    each_summed_row([&](Ex turn, Ex r) {
      const Ex at = builder_.let("at", frame_.token_at(first_ + r));
      if (!softmax()) return take_given_input(side, turn, r, at);
      const MemoryId key = row_in_memory(key_name(), columns() ? frame_.q : frame_.k, at);
      if (use_ == WindowUse::kWeights) return weigh(side, turn, key);
      const MemoryId value = row_in_memory(value_name(), columns() ? lambda_ : side.value, at);
      if (!columns()) return take_row(side, turn, key, value);
      take_column(side, turn, key, value, [&] {
        const Ex statistic_at = builder_.let("statistic_at", frame_.row_at(first_ + r));
        return Reader{rows_.statistic(statistic_at),
                      builder_.let("mean", builder_.load(frame_.mean, statistic_at))};
      });
    });
  }
  void take_given_input(const GradientSide& side, Ex turn, Ex r, Ex at) {
    const MemoryId lambda = of_turn("lambda", lambdas_, turn);
    const Ex slope = rows_.dot("slope", lambda, row_in_memory("value", side.value, at));
    leave([&] {
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
  int of_warp_ = 1;  // rows that a warp has side by side,
  int turns_ = 0;    // how many times as many it has of the chunk,
  int parts_ = 0;    // and how many channels of each a lane has
  Builder builder_;
  GradientFrame frame_;
  GradientRows rows_;
  MemoryId lambda_;
  int lambda_bytes_;
  std::optional<Ring> keys_, values_;
  MemoryId highest_of_, inverse_of_, mean_of_, weight_of_;  // by slot of the window
  Ex group_, lane_;  // which of them, and which of all lanes that share it
  Ex first_, count_;
  // Where groups come along to sums: whether there is the row, and whether it has the entry.
  std::optional<Ex> counts_, held_;
  Var slope_;
  // Of a warp's rows: queries, or keys of columns, and what else they are and come to.
  MemoryId own_, lambdas_, values_of_, dq_, dk_, dx_, highest_, inverse_, mean_, total_;
};

}  // namespace

int window_tokens(const KernelSpec& spec) {
  const int parts = (spec.head_dim + 31) / 32;
  return kWindowWarps * (parts <= 2 ? 8 : parts <= 4 ? 4 : 2);
}

bool has_windows(const KernelSpec& spec, std::int64_t shared_bytes) {
  using rows::RowShape;
  const RowShape a = rows::shape_of(spec.a), b = rows::shape_of(spec.b);
  if (spec.varlen || spec.state_gradients || b == RowShape::kLattice) return false;
  for (const int element : {static_cast<int>(size_of(spec.dtype)), 4}) {
    const int vector = vector_of(spec.head_dim, element);
    const RowVectors cut{spec.head_dim, vector, vector * element};
    // Of others the static layer does not tell threads apart.
    if (cut.threads_of_row() < 1 || cut.threads_of_row() > 32) return false;
  }
  const std::int64_t value =
      b == RowShape::kEmpty ? static_cast<std::int64_t>(size_of(spec.dtype)) : 4;
  const std::int64_t key =
      spec.weights == WeightKind::kSoftmax ? static_cast<std::int64_t>(size_of(spec.dtype)) : 0;
  const bool any = a == RowShape::kShifted || b == RowShape::kShifted;
  return any && window_tokens(spec) * ((key + value) * spec.head_dim + 3 * 4) <= shared_bytes;
}

std::vector<SharedRows> window_rows(const KernelSpec& spec, WindowUse use) {
  const std::int64_t row = spec.head_dim * static_cast<std::int64_t>(size_of(spec.dtype));
  const bool reals = use == WindowUse::kColumns && !spec.b.empty();
  const std::int64_t count = spec.gather->chunk_tokens;
  std::vector<SharedRows> rows;
  if (spec.weights == WeightKind::kSoftmax) rows.push_back({"key_rows", count, count, row});
  if (use != WindowUse::kWeights) {
    rows.push_back({"value_rows", count, count, reals ? 4 * std::int64_t{spec.head_dim} : row});
  }
  return rows;
}

int window_alignment(const KernelSpec& spec) {
  const int type = static_cast<int>(size_of(spec.dtype));
  return std::max(type * vector_of(spec.head_dim, type), 4 * vector_of(spec.head_dim, 4));
}

ir::Kernel windowed(const KernelSpec& spec, WindowUse use) { return WindowLaunch(spec, use).run(); }

}  // namespace heddle::schedule
