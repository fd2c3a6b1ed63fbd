// SPDX-License-Identifier: Apache-2.0
// Backward on cuda: a block owns one (batch, head) and takes its rows from the last to the first.
// Warps compute the dot products of a row's entries, which need all channels; what an entry adds to
// the positions that are read is added by the one thread that owns the channel, in the order of the
// walk, so that no sum depends on the order of threads.
#include "codegen/rows/emit_row.hpp"
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

  // weight lambda_i joins the gradient of the value at `from`.
  void push_value(const GradientSide& side, Ex from, Ex d, Ex amount) {
    if (side.side == Side::kA && frame_.own_input_only()) {
      builder_.store(frame_.dx, from + d, amount);
    } else {
      add_to(side.sum, from + d, amount);
    }
  }

  // ---- given weights --------------------------------------------------------------------------

  void given_rows() {
    builder_.comment("row i finds lambda_i complete and pushes it to what it reads: every thread");
    builder_.comment("by itself, for its own channels");
    each_row_down([&](Ex token) {
      const Ex row = builder_.let("i", token + 1);
      const Ex at = builder_.let("at", frame_.token_at(token));
      const MemoryId own =
          owned_vector("own", [&](Ex d) { return builder_.load(frame_.lambda, at + d); });
      for (const GradientSide* side : {&frame_.a, &frame_.b}) {
        if (side->plan->empty()) continue;
        const Ex first = builder_.let("coef_at", frame_.coefficients_at(*side, token));
        const Var entry = builder_.variable("entry", builder_.i64(0));
        each_entry(*side, row, [&](Ex p) {
          const Ex from = builder_.let("from", frame_.token_at(p - 1));
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
      const Ex row = builder_.let("i", token + 1);
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
      const Ex from = builder_.let("from", frame_.token_at(p - 1));
      const Ex slope = dot("slope", own, side.value, from);
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
      const Ex row = builder_.let("i", token + 1);
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
      const Ex from = builder_.let("from", frame_.token_at(p - 1));
      const Ex at = gates(entry);
      each_owned([&](Ex d, Ex index) {
        builder_.store(side.dcoefficients, at + d,
                       builder_.load(own, index) * builder_.load(side.value, from + d));
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

  Ex score(MemoryId query, Ex p) {
    return builder_.let(
        "score", frame_.scale * dot("product_of_all", query, frame_.k, frame_.token_at(p - 1)));
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
    const Ex row = builder_.let("i", token + 1);
    const MemoryId query =
        lane_vector("query", frame_.q, builder_.let("at", frame_.token_at(token)));
    const Var highest = builder_.variable("highest", builder_.lowest_score());
    const Var total = builder_.variable("total", builder_.f32(0));
    for (const GradientSide* side : {&frame_.a, &frame_.b}) {
      each_entry(*side, row, [&](Ex p) {
        const Ex value = score(query, p);
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
    const Ex row = builder_.let("i", token + 1);
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
    count_ = builder_.variable("count", builder_.i64(0));
    for (const GradientSide* side : {&frame_.a, &frame_.b}) {
      each_entry(*side, row, [&](Ex p) {
        builder_.when(equal(Ex(count_) % builder_.i64(kWarps), frame_.warp), [&] {
          const Ex value = score(query, p);
          const Ex exponential = builder_.call(Helper::kExponential, {value - highest});
          const Ex weight =
              builder_.let("weight", frame_.times_factor(*side, exponential) * inverse);
          const Ex change = dot("change", lambda, side->value, frame_.token_at(p - 1));
          on_first_lane([&] {
            builder_.store(weights_, count_, weight);
            builder_.store(slopes_, count_, frame_.scale * weight * (change - mean));
            builder_.store(places_, count_, side->side == Side::kB ? p : builder_.i64(0) - p);
          });
        });
        builder_.assign(count_, Ex(count_) + 1);
        builder_.when(equal(count_, builder_.i64(kEntriesAtOnce)), [&] { push_group(); });
      });
    }
    builder_.when(Ex(count_) > 0, [&] { push_group(); });
    each_owned(
        [&](Ex d, Ex index) { builder_.store(frame_.dq, at_ + d, builder_.load(own_dq_, index)); });
    close_sums(at_);
  }

  // Inputs have their places below zero.
  void push_group() {
    builder_.barrier();
    builder_.loop("e", builder_.i64(0), count_, [&](Ex e) {
      const Ex place = builder_.let("place", builder_.load(places_, e));
      const Ex p = builder_.let("p", builder_.call(Helper::kAbsolute, {place}));
      const Ex from = builder_.let("from", frame_.token_at(p - 1));
      const Ex weight = builder_.let("weight", builder_.load(weights_, e));
      const Ex slope = builder_.let("slope", builder_.load(slopes_, e));
      each_owned([&](Ex d, Ex index) {
        builder_.store(own_dq_, index,
                       builder_.load(own_dq_, index) + slope * builder_.load(frame_.k, from + d));
        add_to(frame_.dk_sum, from + d, slope * builder_.load(own_query_, index));
      });
      const auto push = [&](const GradientSide& side) {
        each_owned([&](Ex d, Ex index) {
          push_value(side, from, d, weight * builder_.load(own_, index));
        });
      };
      if (frame_.a.plan->empty()) return push(frame_.b);
      if (frame_.b.plan->empty()) return push(frame_.a);
      builder_.when(
          place > 0, [&] { push(frame_.b); }, [&] { push(frame_.a); });
    });
    builder_.barrier();
    builder_.assign(count_, builder_.i64(0));
  }

  GradientFrame& frame_;
  Builder& builder_;
  int dim_;
  MemoryId weights_, slopes_, places_;  // shared: of a group of entries
  // Of the row at hand, the channels that this thread owns.
  Ex at_;
  MemoryId own_, own_query_, own_dq_;
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
