// SPDX-License-Identifier: Apache-2.0
// Backward on cuda: a block owns one (batch, head) and takes its rows from the last to the first.
// Warps compute the dot products of a row's entries, which need all channels; what an entry adds to
// the positions that are read is added by the one thread that owns the channel, in the order of the
// walk, so that no sum depends on the order of threads.
#include <optional>

#include "codegen/rows/emit_row.hpp"
#include "codegen/rows/width.hpp"
#include "codegen/schedule/backward.hpp"
#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

// Entries whose weights the warps compute before the channels are added up.
constexpr int kEntriesAtOnce = 32;

class CudaRows {
 public:
  explicit CudaRows(GradientFrame& frame)
      : frame_(frame), builder_(frame.builder), dim_(frame.spec.head_dim) {}

  void run() {
    frame_.each_block([&] {
      open_sums();
      if (frame_.handed_on()) open_state();
      if (frame_.softmax()) {
        softmax_rows();
      } else if (frame_.spec.by_channel()) {
        gated_rows();
      } else {
        given_rows();
      }
    });
  }

 private:
  // ---- channels -------------------------------------------------------------------------------

  // body(channel, index) for the channels that this thread alone adds to; `index` counts them.
  void each_owned(const std::function<void(Ex, Ex)>& body) {
    each_part(frame_.thread, kThreads, body);
  }
  // body(channel, index) for the channels of this lane, every warp having all of them.
  void each_of_lane(const std::function<void(Ex, Ex)>& body) { each_part(frame_.lane, 32, body); }
  void each_part(Ex first, int stride, const std::function<void(Ex, Ex)>& body) {
    builder_.loop("part", builder_.i64(0), builder_.i64(parts(stride)), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex part) {
                    const Ex d = builder_.let("d", first + part * stride);
                    if (dim_ % stride == 0) return body(d, part);
                    builder_.when(d < dim_, [&] { body(d, part); });
                  });
  }
  int parts(int stride) const { return (dim_ + stride - 1) / stride; }
  MemoryId lane_vector(const std::string& name, MemoryId memory, Ex at) {
    const MemoryId vector = builder_.array(name, Type::kF32, parts(32));
    each_of_lane(
        [&](Ex d, Ex index) { builder_.store(vector, index, builder_.load(memory, at + d)); });
    return vector;
  }
  MemoryId owned_vector(const std::string& name, const std::function<Ex(Ex)>& value) {
    const MemoryId vector = builder_.array(name, Type::kF32, parts(kThreads));
    each_owned([&](Ex d, Ex index) { builder_.store(vector, index, value(d)); });
    return vector;
  }
  // <vector, memory from `at` on>, in every lane of the warp.
  Ex dot(const std::string& name, MemoryId vector, MemoryId memory, Ex at) {
    const Var product = builder_.variable("product", builder_.f32(0));
    each_of_lane([&](Ex d, Ex index) {
      builder_.assign(product,
                      Ex(product) + builder_.load(vector, index) * builder_.load(memory, at + d));
    });
    return builder_.let(name, builder_.reduce(ir::ReduceOperator::kSum, product));
  }
  void add_to(MemoryId memory, Ex at, Ex value) {
    builder_.store(memory, at, builder_.load(memory, at) + value);
  }

  // ---- positions ------------------------------------------------------------------------------

  // Where a position lies that a row of this side reads: among the launch's tokens, or in a slot of
  // the initial state.
  struct Spot {
    MemoryId key, value;
    Ex at;                     // of channel 0
    std::optional<Ex> before;  // in a slot
  };
  Spot locate(const GradientSide& side, Ex p) {
    if (!side.state.cached()) {
      return {frame_.k, side.value, builder_.let("from", frame_.token_at(frame_.token_of(p))), {}};
    }
    const StateGradients& state = side.state;
    Spot spot;
    spot.before = builder_.let("before", p <= frame_.start);
    const Var at = builder_.variable("from", frame_.token_at(frame_.token_of(p)));
    builder_.when(*spot.before,
                  [&] { builder_.assign(at, frame_.slot_at(state, slot_of(state, p))); });
    if (frame_.softmax()) spot.key = builder_.choose("keys", *spot.before, state.key, frame_.k);
    spot.value = builder_.choose("values", *spot.before, state.val, side.value);
    spot.at = at;
    return spot;
  }
  Ex slot_of(const StateGradients& state, Ex p) {
    if (state.keep == CacheRetention::kAll) return p - 1;
    const Ex found = find_on_cuda(builder_, frame_.lane, state.pos, state.pos_base, state.slots, p);
    return builder_.call(Helper::kMaximum, {found - 1, builder_.i64(0)});
  }
  void add_at(const Spot& spot, MemoryId here, MemoryId before, Ex d, Ex amount) {
    if (!spot.before) return add_to(here, spot.at + d, amount);
    builder_.when(
        *spot.before, [&] { add_to(before, spot.at + d, amount); },
        [&] { add_to(here, spot.at + d, amount); });
  }

  // ---- rows -----------------------------------------------------------------------------------

  void open_sums() {
    builder_.comment("lambda starts as dy, and every other sum at zero");
    builder_.loop("token", builder_.i64(0), frame_.tokens, [&](Ex token) {
      const Ex at = builder_.let("at", frame_.token_at(token));
      each_owned([&](Ex d, Ex) {
        builder_.store(frame_.lambda, at + d, builder_.load(frame_.dy, at + d));
        if (frame_.softmax()) builder_.store(frame_.dk_sum, at + d, builder_.f32(0));
        if (!frame_.own_input_only()) builder_.store(frame_.dx_sum, at + d, builder_.f32(0));
      });
    });
  }

  // Gradients of the final state join the sums of what it holds; those of the initial state start
  // at zero, and are not there before the first token.
  void open_state() {
    for (const GradientSide* side : {&frame_.a, &frame_.b}) {
      const StateGradients& state = side->state;
      if (!state.cached()) continue;
      builder_.when(frame_.most_before > 0, [&] {
        builder_.loop("slot", builder_.i64(0), state.slots, [&](Ex slot) {
          const Ex at = builder_.let("at", frame_.slot_at(state, slot));
          each_owned([&](Ex d, Ex) {
            if (frame_.softmax()) builder_.store(state.dinitial_key, at + d, builder_.f32(0));
            builder_.store(state.dinitial_val, at + d, builder_.f32(0));
          });
        });
      });
      each_held(builder_, state, HeldWhen::kAfter, frame_.length, [&](Ex slot, Ex p) {
        const Ex from = builder_.let("handed_at", frame_.slot_at(state, slot));
        const Spot spot = locate(*side, p);
        each_owned([&](Ex d, Ex) {
          if (frame_.softmax()) {
            add_at(spot, frame_.dk_sum, state.dinitial_key, d,
                   builder_.load(state.dfinal_key, from + d));
          }
          add_at(spot, side->sum, state.dinitial_val, d, builder_.load(state.dfinal_val, from + d));
        });
      });
    }
  }

  // No earlier row reads this one: what was summed for it is complete.
  void close_sums(Ex at) {
    if (!frame_.dx_apart && !frame_.dk_apart) return;
    each_owned([&](Ex d, Ex) {
      if (frame_.dx_apart) {
        builder_.store(frame_.dx, at + d, builder_.load(frame_.dx_sum, at + d));
      }
      if (frame_.dk_apart) {
        builder_.store(frame_.dk, at + d, builder_.load(frame_.dk_sum, at + d));
      }
    });
  }

  void each_row_down(const std::function<void(Ex)>& body) {
    builder_.loop("done", builder_.i64(0), frame_.tokens,
                  [&](Ex done) { body(builder_.let("token", frame_.tokens - 1 - done)); });
  }
  void each_row_by_warp(const std::function<void(Ex)>& body) {
    builder_.loop("token", frame_.warp, frame_.tokens, builder_.i64(kWarps), LoopKind::kSerial,
                  body);
  }
  void each_entry(const GradientSide& side, Ex row, const std::function<void(Ex)>& body) {
    rows::emit_walk(builder_, frame_.spec.pattern, *side.plan, row, body);
  }
  void on_first_lane(const std::function<void()>& body) {
    builder_.when(equal(frame_.lane, builder_.i64(0)), body);
  }

  // weight lambda_i joins the gradient of the value at `spot`.
  void push_value(const GradientSide& side, const Spot& spot, Ex d, Ex amount) {
    if (side.side == Side::kA && frame_.own_input_only()) {
      builder_.store(frame_.dx, spot.at + d, amount);
    } else {
      add_at(spot, side.sum, side.state.dinitial_val, d, amount);
    }
  }

  // ---- given weights --------------------------------------------------------------------------

  void given_rows() {
    builder_.comment("row i finds lambda_i complete and pushes it to what it reads: every thread");
    builder_.comment("by itself, for its own channels");
    each_row_down([&](Ex token) {
      const Ex row = builder_.let("i", frame_.row_of(token));
      const Ex at = builder_.let("at", frame_.token_at(token));
      const MemoryId own =
          owned_vector("own", [&](Ex d) { return builder_.load(frame_.lambda, at + d); });
      for (const GradientSide* side : {&frame_.a, &frame_.b}) {
        if (side->plan->empty()) continue;
        const Ex first = builder_.let("coef_at", frame_.coefficients_at(*side, token));
        const Var entry = builder_.variable("entry", builder_.i64(0));
        each_entry(*side, row, [&](Ex p) {
          const Spot from = locate(*side, p);
          const Ex weight =
              builder_.let("weight", builder_.load(side->coefficients, first + entry));
          each_owned([&](Ex d, Ex index) {
            push_value(*side, from, d, weight * builder_.load(own, index));
          });
          builder_.assign(entry, Ex(entry) + 1);
        });
      }
      close_sums(at);
    });
    builder_.barrier();
    builder_.comment("a warp per row: the gradients of its coefficients");
    each_row_by_warp([&](Ex token) {
      const Ex row = builder_.let("i", frame_.row_of(token));
      const MemoryId own =
          lane_vector("own", frame_.lambda, builder_.let("at", frame_.token_at(token)));
      for (const GradientSide* side : {&frame_.a, &frame_.b}) {
        if (!side->plan->empty()) given_slopes(*side, token, row, own);
      }
    });
  }

  void given_slopes(const GradientSide& side, Ex token, Ex row, MemoryId own) {
    const Ex first = builder_.let("coef_at", frame_.coefficients_at(side, token));
    const Var entry = builder_.variable("entry", builder_.i64(0));
    each_entry(side, row, [&](Ex p) {
      const Spot from = locate(side, p);
      const Ex slope = dot("slope", own, from.value, from.at);
      on_first_lane([&] { builder_.store(side.dcoefficients, first + entry, slope); });
      builder_.assign(entry, Ex(entry) + 1);
    });
    builder_.loop(
        "rest", Ex(entry) + frame_.lane, side.width, builder_.i64(32), LoopKind::kSerial,
        [&](Ex rest) { builder_.store(side.dcoefficients, first + rest, builder_.f32(0)); });
  }

  // ---- gated weights --------------------------------------------------------------------------

  // The gradient of a coefficient is a product of its own channel: no thread needs another.
  void gated_rows() {
    builder_.comment("row i finds lambda_i complete and pushes it to what it reads: every thread");
    builder_.comment("by itself, for its own channels, whose coefficients no other channel has");
    each_row_down([&](Ex token) {
      const Ex row = builder_.let("i", frame_.row_of(token));
      const Ex at = builder_.let("at", frame_.token_at(token));
      const MemoryId own =
          owned_vector("own", [&](Ex d) { return builder_.load(frame_.lambda, at + d); });
      for (const GradientSide* side : {&frame_.a, &frame_.b}) {
        if (!side->plan->empty()) gated_side(*side, token, row, own);
      }
      close_sums(at);
    });
  }

  void gated_side(const GradientSide& side, Ex token, Ex row, MemoryId own) {
    const Ex first = builder_.let("coef_at", frame_.coefficients_at(side, token));
    const Var entry = builder_.variable("entry", builder_.i64(0));
    const auto gates = [&](Ex number) {
      return builder_.let("gates_at", first + coefficient_entry(frame_.spec, number));
    };
    each_entry(side, row, [&](Ex p) {
      const Spot from = locate(side, p);
      const Ex at = gates(entry);
      each_owned([&](Ex d, Ex index) {
        builder_.store(side.dcoefficients, at + d,
                       builder_.load(own, index) * builder_.load(from.value, from.at + d));
        push_value(side, from, d,
                   builder_.load(side.coefficients, at + d) * builder_.load(own, index));
      });
      builder_.assign(entry, Ex(entry) + 1);
    });
    builder_.loop("rest", entry, side.width, [&](Ex rest) {
      const Ex at = gates(rest);
      each_owned([&](Ex d, Ex) { builder_.store(side.dcoefficients, at + d, builder_.f32(0)); });
    });
  }

  // ---- softmax weights ------------------------------------------------------------------------

  Ex score(MemoryId query, MemoryId keys, Ex at) {
    return builder_.let("score", frame_.scale * dot("product_of_all", query, keys, at));
  }
  // Of a launch that has all positions a row needs no name for where they lie.
  Spot place_of(const GradientSide& side, Ex p) {
    if (side.state.cached()) return locate(side, p);
    return {frame_.k, side.value, frame_.token_at(frame_.token_of(p)), {}};
  }
  Ex statistic_at(Ex token) { return frame_.row_at(token); }

  void softmax_rows() {
    builder_.comment("a warp per row: the highest score and one over the sum of weights");
    each_row_by_warp([&](Ex token) { weigh(token); });
    weights_ = builder_.array("weights", Type::kF32, kEntriesAtOnce, true);
    slopes_ = builder_.array("slopes", Type::kF32, kEntriesAtOnce, true);
    places_ = builder_.array("places", Type::kI64, kEntriesAtOnce, true);
    builder_.barrier();
    builder_.comment(
        "row i finds lambda_i complete and pushes it to what it reads: warps take the");
    builder_.comment("weights of its entries in turn, then every thread adds to its own channels");
    each_row_down([&](Ex token) { softmax_row(token); });
  }

  void weigh(Ex token) {
    const Ex row = builder_.let("i", frame_.row_of(token));
    const MemoryId query =
        lane_vector("query", frame_.q, builder_.let("at", frame_.token_at(token)));
    const Var highest = builder_.variable("highest", builder_.lowest_score());
    const Var total = builder_.variable("total", builder_.f32(0));
    for (const GradientSide* side : {&frame_.a, &frame_.b}) {
      each_entry(*side, row, [&](Ex p) {
        const Spot place = place_of(*side, p);
        const Ex value = score(query, place.key, place.at);
        const Ex above = builder_.let("above", builder_.call(Helper::kMaximum, {highest, value}));
        builder_.assign(
            total,
            Ex(total) * builder_.call(Helper::kExponential, {Ex(highest) - above}) +
                frame_.times_factor(*side, builder_.call(Helper::kExponential, {value - above})));
        builder_.assign(highest, above);
      });
    }
    on_first_lane([&] {
      const Ex at = builder_.let("statistic_at", statistic_at(token));
      builder_.store(frame_.highest, at, highest);
      builder_.store(
          frame_.inverse, at,
          builder_.select(Ex(total) > builder_.f32(0), builder_.f32(1) / total, builder_.f32(0)));
    });
  }

  void softmax_row(Ex token) {
    const Ex row = builder_.let("i", frame_.row_of(token));
    at_ = builder_.let("at", frame_.token_at(token));
    const MemoryId query = lane_vector("query", frame_.q, at_);
    const MemoryId lambda = lane_vector("lambda", frame_.lambda, at_);
    const Ex mean = dot("mean", lambda, frame_.y, at_);
    const Ex statistic = builder_.let("statistic_at", statistic_at(token));
    const Ex highest = builder_.let("highest", builder_.load(frame_.highest, statistic));
    const Ex inverse = builder_.let("inverse", builder_.load(frame_.inverse, statistic));
    own_ = owned_vector("own", [&](Ex d) { return builder_.load(frame_.lambda, at_ + d); });
    own_query_ = owned_vector("own_query", [&](Ex d) { return builder_.load(frame_.q, at_ + d); });
    own_dq_ = owned_vector("own_dq", [&](Ex) { return builder_.f32(0); });
    if (frame_.own_input_only()) {
      own_dx_ = owned_vector("own_dx", [&](Ex) { return builder_.f32(0); });
    }
    count_ = builder_.variable("count", builder_.i64(0));
    for (const GradientSide* side : {&frame_.a, &frame_.b}) {
      each_entry(*side, row, [&](Ex p) {
        builder_.when(equal(Ex(count_) % builder_.i64(kWarps), frame_.warp), [&] {
          const Spot place = place_of(*side, p);
          const Ex value = score(query, place.key, place.at);
          const Ex exponential = builder_.call(Helper::kExponential, {value - highest});
          const Ex weight =
              builder_.let("weight", frame_.times_factor(*side, exponential) * inverse);
          const Ex change = dot("change", lambda, place.value, place.at);
          on_first_lane([&] {
            builder_.store(weights_, count_, weight);
            builder_.store(slopes_, count_, frame_.scale * weight * (change - mean));
            builder_.store(places_, count_, side->side == Side::kB ? p : builder_.i64(0) - p);
          });
        });
        builder_.assign(count_, Ex(count_) + 1);
        if (!may_fill(*side)) return;
        builder_.when(equal(count_, builder_.i64(kEntriesAtOnce)), [&] { push_group(side->side); });
      });
    }
    builder_.when(Ex(count_) > 0, [&] { push_group(Side::kB); });
    each_owned(
        [&](Ex d, Ex index) { builder_.store(frame_.dq, at_ + d, builder_.load(own_dq_, index)); });
    if (frame_.own_input_only()) {
      each_owned([&](Ex d, Ex index) {
        builder_.store(frame_.dx, at_ + d, builder_.load(own_dx_, index));
      });
    }
    close_sums(at_);
  }

  // Whether a row can have a whole group of entries, as far as the walk over this side.
  bool may_fill(const GradientSide& last) const {
    std::int64_t most = 0;
    for (const GradientSide* side : {&frame_.a, &frame_.b}) {
      const auto counts = rows::entry_counts(frame_.spec.pattern, *side->plan);
      if (!counts) return true;
      for (const EntryCount& count : *counts) most += count.upto(kLongestSequence);
      if (side == &last) break;
    }
    return most >= kEntriesAtOnce;
  }

  // Entries of the sides walked so far, up to `last`. Inputs have their places below zero.
  void push_group(Side last) {
    builder_.barrier();
    builder_.loop("e", builder_.i64(0), count_, [&](Ex e) {
      const Ex place = builder_.let("place", builder_.load(places_, e));
      const Ex p = builder_.let("p", builder_.call(Helper::kAbsolute, {place}));
      if (frame_.handed_on()) return push_entry_of_either(last, e, place, p);
      const Spot from{frame_.k, {}, builder_.let("from", frame_.token_at(frame_.token_of(p))), {}};
      const Ex weight = builder_.let("weight", builder_.load(weights_, e));
      push_key(from, {}, builder_.let("slope", builder_.load(slopes_, e)));
      by_side(last, place, [&](const GradientSide& side) { push_values(side, from, weight); });
    });
    builder_.barrier();
    builder_.assign(count_, builder_.i64(0));
  }
  // Keys of the initial state are those of one side.
  void push_entry_of_either(Side last, Ex e, Ex place, Ex p) {
    const Ex weight = builder_.let("weight", builder_.load(weights_, e));
    const Ex slope = builder_.let("slope", builder_.load(slopes_, e));
    by_side(last, place, [&](const GradientSide& side) {
      const Spot from = locate(side, p);
      push_key(from, side.state.dinitial_key, slope);
      push_values(side, from, weight);
    });
  }
  void by_side(Side last, Ex place, const std::function<void(const GradientSide&)>& body) {
    if (frame_.a.plan->empty()) return body(frame_.b);
    if (last == Side::kA || frame_.b.plan->empty()) return body(frame_.a);
    builder_.when(
        place > 0, [&] { body(frame_.b); }, [&] { body(frame_.a); });
  }
  void push_key(const Spot& from, MemoryId dinitial_key, Ex slope) {
    each_owned([&](Ex d, Ex index) {
      builder_.store(own_dq_, index,
                     builder_.load(own_dq_, index) + slope * builder_.load(from.key, from.at + d));
      add_at(from, frame_.dk_sum, dinitial_key, d, slope * builder_.load(own_query_, index));
    });
  }
  void push_values(const GradientSide& side, const Spot& from, Ex weight) {
    each_owned([&](Ex d, Ex index) {
      const Ex amount = weight * builder_.load(own_, index);
      // One entry, and its gradient is written when the row is done: that this is once, does not
      // hang on what the list holds.
      if (side.side == Side::kA && frame_.own_input_only()) {
        return builder_.store(own_dx_, index, amount);
      }
      push_value(side, from, d, amount);
    });
  }

  GradientFrame& frame_;
  Builder& builder_;
  int dim_;
  MemoryId weights_, slopes_, places_;  // shared: of a group of entries
  // Of the row at hand, the channels that this thread owns.
  Ex at_;
  MemoryId own_, own_query_, own_dq_, own_dx_;
  Var count_;
};

}  // namespace

ir::Kernel backward_cuda(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, kThreads);
  GradientFrame frame(builder, spec);
  CudaRows(frame).run();
  return builder.take();
}

}  // namespace heddle::schedule
