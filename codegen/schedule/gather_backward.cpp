// SPDX-License-Identifier: Apache-2.0
// Backward on cuda in several launches. Where every row of a side reaches the same distances back,
// row j of the transpose is row n + 1 - j counted from the end: nothing is added to by two rows,
// each gathers what it is due, and all rows do so side by side, but for lambda, which is a
// recurrence itself. Where B is a lattice, the rows that read one are the next ones, as many as its
// divisors say, and what sums over them are NestedLambda and NestedColumns.
//   weights  of softmax: each row's highest score and one over the sum of its weights
//   lambda   (I - B)^-T dy, by StagedPrefill or NestedLambda; without B it is dy
//   rows     what a row's entries are due of their own: coefficients, or the query and <lambda, y>
//   columns  what is due of the rows that read this one: dk, by NestedColumns too, and dx but of
//   them
// Between states there are two more, which lattices do without:
//   due      what lambda starts as: dy, and the gradient of the final state where that has the row
//   before   what rows have for slots of the initial state, and what passes through
// All but lambda have a block for each chunk of tokens, which takes rows out of windows of shared
// memory (WindowLaunch), softmax rows of lattices on groups of lanes (LatticeRows) or, where
// neither fits, entry by entry; with gated weights GatedGradients has them, and where B is a
// lattice GatedLambda has lambda and what is due of B's gates.
#include "codegen/schedule/gather_backward.hpp"

#include <algorithm>

#include "codegen/rows/emit_row.hpp"
#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/chunk_entries.hpp"
#include "codegen/schedule/gradient_rows.hpp"
#include "codegen/schedule/lattice_back.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::ReduceOperator;
using ir::Type;
using ir::Var;

namespace {

constexpr int kGatherWarps = 8;

// One of the launches with a block for each chunk of tokens. Each declares the same arguments;
// those it does without are dropped later.
class GatherLaunch {
 public:
  GatherLaunch(const KernelSpec& spec, const std::string& name, GradientScratch scratch)
      : spec_(spec),
        builder_(spec.symbol + "_" + name, spec.target, 32 * kGatherWarps),
        frame_(builder_, spec, scratch),
        rows_(frame_) {
    frame_.chunks = builder_.size("chunks");
    lambda_ = spec.b.empty() ? frame_.dy : frame_.lambda;
    nested_ = rows::shape_of(spec.b) == rows::RowShape::kLattice;
  }

  ir::Kernel weights() {
    return each_row([&](Ex token) { weigh(token); });
  }
  ir::Kernel rows() {
    // What a lattice divides by wants registers, those of few terms fewer: nvcc takes too few.
    if (nested_ && !frame_.softmax() && !spec_.state_gradients) {
      builder_.side_by_side(terms_of_all_rows(spec_) ? 5 : 4);
    }
    return each_row([&](Ex token) { frame_.softmax() ? softmax_row(token) : given_row(token); });
  }
  ir::Kernel columns() {
    return each_row(
        [&](Ex token) { frame_.softmax() ? softmax_column(token) : given_column(token); });
  }
  ir::Kernel due() {
    return each_row([&](Ex token) { open_lambda(token); });
  }
  ir::Kernel before() {
    frame_.each_block([&] {
      builder_.when(frame_.most_before > 0, [&] {
        rows_.each_side([&](const GradientSide& side) {
          if (side.state.cached()) each_slot_before(side);
        });
      });
    });
    return builder_.take();
  }

 private:
  // A warp per token, all channels of it.
  ir::Kernel each_row(const std::function<void(Ex)>& body) {
    frame_.each_block([&] {
      const int size = spec_.gather->chunk_tokens;
      const Ex first = builder_.let("first", frame_.chunk * size);
      const Ex end = builder_.call(Helper::kMinimum, {first + size, frame_.tokens});
      builder_.loop("token", first + frame_.warp, end, builder_.i64(kGatherWarps),
                    LoopKind::kSerial, body);
    });
    return builder_.take();
  }

  // The positions that a row reads on one side, the newest first; the tokens of the rows that read
  // it, the oldest first. Entry e of either is at the same distance.
  void each_read(const GradientSide& side, Ex token, const std::function<void(Ex)>& body) {
    rows::emit_walk(builder_, spec_.pattern, *side.plan, builder_.let("i", frame_.row_of(token)),
                    body);
  }
  void each_reader(const GradientSide& side, Ex token, const std::function<void(Ex)>& body) {
    rows::emit_walk(builder_, spec_.pattern, *side.plan,
                    builder_.let("from_the_end", frame_.tokens - token),
                    [&](Ex p) { body(frame_.tokens - p); });
  }
  // ---- softmax weights ------------------------------------------------------------------------

  void weigh(Ex token) {
    const MemoryId query =
        rows_.row_of("query", frame_.q, builder_.let("at", frame_.token_at(token)));
    const Var highest = builder_.variable("highest", builder_.lowest_score());
    const Var total = builder_.variable("total", builder_.f32(0));
    rows_.each_side([&](const GradientSide& side) {
      each_read(side, token, [&](Ex p) {
        const GradientRows::Spot from = rows_.locate(side, p);
        const MemoryId key = rows_.row_of("key", from.key, from.at);
        const Ex score =
            builder_.let("score", frame_.scale * rows_.dot("product_of_all", query, key));
        const Ex above = builder_.let("above", builder_.call(Helper::kMaximum, {highest, score}));
        builder_.assign(
            total,
            Ex(total) * builder_.call(Helper::kExponential, {Ex(highest) - above}) +
                frame_.times_factor(side, builder_.call(Helper::kExponential, {score - above})));
        builder_.assign(highest, above);
      });
    });
    rows_.on_first_lane([&] {
      const Ex at = builder_.let("statistic_at", frame_.row_at(token));
      builder_.store(frame_.highest, at, highest);
      builder_.store(
          frame_.inverse, at,
          builder_.select(Ex(total) > builder_.f32(0), builder_.f32(1) / total, builder_.f32(0)));
    });
  }

  void softmax_row(Ex token) {
    const Ex at = builder_.let("at", frame_.token_at(token));
    const Ex statistic_at = builder_.let("statistic_at", frame_.row_at(token));
    const MemoryId query = rows_.row_of("query", frame_.q, at);
    const MemoryId lambda = rows_.row_of("lambda", lambda_, at);
    const Ex mean = rows_.dot("mean", lambda, rows_.row_of("output", frame_.y, at));
    const GradientRows::Statistic own = rows_.statistic(statistic_at);
    const MemoryId dq = rows_.zeros("own_dq");
    rows_.each_side([&](const GradientSide& side) {
      each_read(side, token, [&](Ex p) {
        const GradientRows::Spot from = rows_.locate(side, p);
        const MemoryId key = rows_.row_of("key", from.key, from.at);
        const MemoryId value = rows_.row_of("value", from.value, from.at);
        const Ex weight = rows_.weight_of(side, own, query, key);
        const Ex change = rows_.dot("change", lambda, value);
        rows_.add(dq, builder_.let("slope", frame_.scale * weight * (change - mean)), key);
        if (side.side == Side::kB || !nested_) return;
        rows_.each_channel([&](Ex d, Ex index) {
          builder_.store(frame_.dx, from.at + d, weight * builder_.load(lambda, index));
        });
      });
    });
    rows_.write(frame_.dq, at, dq);
    rows_.on_first_lane([&] { builder_.store(frame_.mean, statistic_at, mean); });
  }

  void softmax_column(Ex token) {
    const Ex at = builder_.let("at", frame_.token_at(token));
    const MemoryId key = rows_.row_of("key", frame_.k, at);
    const MemoryId dk = rows_.zeros("own_dk"), dx = rows_.zeros("own_dx");
    rows_.each_side([&](const GradientSide& side) {
      const MemoryId value = rows_.row_of("value", side.value, at);
      const bool inputs = side.side == Side::kA;
      const auto take = [&](Ex reader) {
        take_reader(side, reader, key, value, dk, inputs ? &dx : nullptr);
      };
      if (inputs && frame_.own_input_only()) return take(token);
      each_reader(side, token, take);
      std::vector<GradientRows::Handed> handed = {{side.state.dfinal_key, dk}};
      if (inputs) handed.push_back({side.state.dfinal_val, dx});
      rows_.add_handed(side, frame_.row_of(token), handed);
    });
    rows_.write(frame_.dk, at, dk);
    rows_.write(frame_.dx, at, dx);
  }

  // What the row of a reader has for a key and a value that it reads.
  void take_reader(const GradientSide& side, Ex reader, MemoryId key, MemoryId value, MemoryId dk,
                   const MemoryId* dvalue) {
    const Ex from = builder_.let("from", frame_.token_at(reader));
    const Ex statistic_at = builder_.let("statistic_at", frame_.row_at(reader));
    const MemoryId query = rows_.row_of("query", frame_.q, from);
    const MemoryId lambda = rows_.row_of("lambda", lambda_, from);
    const Ex weight = rows_.weight_of(side, rows_.statistic(statistic_at), query, key);
    const Ex change = rows_.dot("change", lambda, value);
    const Ex mean = builder_.load(frame_.mean, statistic_at);
    rows_.add(dk, builder_.let("slope", frame_.scale * weight * (change - mean)), query);
    if (dvalue != nullptr) rows_.add(*dvalue, weight, lambda);
  }

  // ---- given weights --------------------------------------------------------------------------

  void given_row(Ex token) {
    const Ex at = builder_.let("at", frame_.token_at(token));
    const MemoryId lambda = rows_.row_of("lambda", lambda_, at);
    rows_.each_side([&](const GradientSide& side) {
      const Ex first = builder_.let("coef_at", frame_.coefficients_at(side, token));
      const Var entry = builder_.variable("entry", builder_.i64(0));
      each_read(side, token, [&](Ex p) {
        const GradientRows::Spot from = rows_.locate(side, p);
        const Ex slope = rows_.dot("slope", lambda, rows_.row_of("value", from.value, from.at));
        rows_.on_first_lane([&] { builder_.store(side.dcoefficients, first + entry, slope); });
        builder_.assign(entry, Ex(entry) + 1);
      });
      builder_.loop(
          "rest", Ex(entry) + frame_.lane, side.width, builder_.i64(32), LoopKind::kSerial,
          [&](Ex rest) { builder_.store(side.dcoefficients, first + rest, builder_.f32(0)); });
    });
    if (!frame_.own_input_only()) return;
    const Ex weight = builder_.let(
        "weight", builder_.load(frame_.a.coefficients, frame_.coefficients_at(frame_.a, token)));
    rows_.each_channel([&](Ex d, Ex index) {
      builder_.store(frame_.dx, at + d, weight * builder_.load(lambda, index));
    });
  }

  void given_column(Ex token) {
    const MemoryId dx = rows_.zeros("own_dx");
    if (!frame_.a.plan->empty()) gather_values(frame_.a, token, dx);
    rows_.add_handed(frame_.a, frame_.row_of(token), {{frame_.a.state.dfinal_val, dx}});
    rows_.write(frame_.dx, builder_.let("at", frame_.token_at(token)), dx);
  }
  void gather_values(const GradientSide& side, Ex token, MemoryId sums) {
    const Var entry = builder_.variable("entry", builder_.i64(0));
    each_reader(side, token, [&](Ex reader) {
      take_coefficient(side, reader, entry, sums);
      builder_.assign(entry, Ex(entry) + 1);
    });
  }
  void take_coefficient(const GradientSide& side, Ex reader, Ex entry, MemoryId sums) {
    const Ex first = frame_.coefficients_at(side, reader);
    const Ex weight = builder_.let("weight", builder_.load(side.coefficients, first + entry));
    rows_.add(sums, weight,
              rows_.row_of("lambda", lambda_, builder_.let("from", frame_.token_at(reader))));
  }

  // ---- states ---------------------------------------------------------------------------------

  // The right hand side of lambda's system.
  void open_lambda(Ex token) {
    const Ex at = builder_.let("at", frame_.token_at(token));
    const MemoryId due = rows_.row_of("due", frame_.dy, at);
    rows_.add_handed(frame_.b, frame_.row_of(token), {{frame_.b.state.dfinal_val, due}});
    rows_.write(frame_.lambda, at, due);
  }

  // What is due of slots of the initial state, a warp for each of them; 0 where they hold nothing.
  void each_slot_before(const GradientSide& side) {
    const StateGradients& state = side.state;
    builder_.loop("slot", frame_.chunk * kGatherWarps + frame_.warp, state.slots,
                  *frame_.chunks * kGatherWarps, LoopKind::kSerial, [&](Ex slot) {
                    const Ex at = builder_.let("at", frame_.slot_at(state, slot));
                    const MemoryId dvalue = rows_.zeros("own_dvalue");
                    const MemoryId dkey = frame_.softmax() ? rows_.zeros("own_dkey") : MemoryId{};
                    rows_.when_held_before(state, slot,
                                           [&](Ex p) { gather_before(side, p, at, dvalue, dkey); });
                    rows_.write(state.dinitial_val, at, dvalue);
                    if (frame_.softmax()) rows_.write(state.dinitial_key, at, dkey);
                  });
  }
  // Of its readers, those before the launch come first.
  void gather_before(const GradientSide& side, Ex p, Ex at, MemoryId dvalue, MemoryId dkey) {
    const StateGradients& state = side.state;
    std::vector<GradientRows::Handed> handed = {{state.dfinal_val, dvalue}};
    if (frame_.softmax()) handed.push_back({state.dfinal_key, dkey});
    rows_.add_handed(side, p, handed);
    MemoryId key, value;
    if (frame_.softmax()) {
      key = rows_.row_of("key", state.key, at);
      value = rows_.row_of("value", state.val, at);
    }
    const Var entry = builder_.variable("entry", builder_.i64(0));
    each_reader(side, frame_.token_of(p), [&](Ex reader) {
      builder_.when(reader >= 0, [&] {
        if (!frame_.softmax()) return take_coefficient(side, reader, entry, dvalue);
        take_reader(side, reader, key, value, dkey, &dvalue);
      });
      if (!frame_.softmax()) builder_.assign(entry, Ex(entry) + 1);
    });
  }

  const KernelSpec& spec_;
  Builder builder_;
  GradientFrame frame_;
  GradientRows rows_;
  MemoryId lambda_;
  bool nested_ = false;  // rows of B are: who reads a row is not known from its number
};

}  // namespace

bool gathers(const KernelSpec& spec) {
  using rows::RowShape;
  if (spec.target != ir::Target::kCuda || spec.weights == WeightKind::kLinear) return false;
  const RowShape a = rows::shape_of(spec.a), b = rows::shape_of(spec.b);
  if (spec.by_channel() && spec.state_gradients) return false;
  if (b == RowShape::kLattice) return a == RowShape::kItself;
  const auto known = [](RowShape shape) {
    return shape != RowShape::kWalked && shape != RowShape::kLattice;
  };
  // One launch is what a row that reads its own input alone takes.
  return known(a) && known(b) && (b == RowShape::kShifted || a == RowShape::kShifted);
}

std::vector<Step> gather_backward(const KernelSpec& spec) {
  if (spec.tensor && !spec.lattice_outputs) return attention_backward(spec);
  const std::vector<std::string> by_head = {"batch", "heads"};
  const std::vector<std::string> by_chunk = {"batch", "heads", "chunks"};
  const bool softmax = spec.weights == WeightKind::kSoftmax;
  const bool own_input_only = rows::shape_of(spec.a) == rows::RowShape::kItself;
  const bool nested = rows::shape_of(spec.b) == rows::RowShape::kLattice;
  const auto chunked = [&](const char* name, WindowUse use, GradientScratch scratch) -> Step {
    if (spec.by_channel()) {
      const int aligned = gated_alignment(spec);
      return {use == WindowUse::kRows ? gated_rows(spec) : gated_columns(spec),
              by_chunk,
              aligned > 0 ? "staged" : "",
              false,
              {},
              aligned};
    }
    if (spec.gather->windows) {
      return {windowed(spec, use),   by_chunk, "staged", false, window_rows(spec, use),
              window_alignment(spec)};
    }
    if (spec.tensor) {
      return {tensor_lattice_rows(spec, use),  by_chunk, "tensor", false,
              lattice_back_rows_of(spec, use), 16};
    }
    if (shares_lattice(spec)) {
      return {lattice_rows(spec, use), by_chunk, "staged", false, {}, kLatticeAlignment};
    }
    GatherLaunch launch(spec, name, scratch);
    return {use == WindowUse::kWeights ? launch.weights()
            : use == WindowUse::kRows  ? launch.rows()
                                       : launch.columns(),
            by_chunk};
  };
  const GradientScratch later{Access::kRead, Access::kRead, Access::kRead};
  std::vector<Step> steps;
  if (softmax) steps.push_back(chunked("weights", WindowUse::kWeights, {}));
  if (spec.state_gradients && !spec.b.empty() && !nested) {
    steps.push_back({GatherLaunch(spec, "due", {}).due(), by_chunk});
  }
  if (nested && spec.by_channel()) {
    return {{gated_lambda(spec), by_head, "staged", false, gated_lambda_rows(spec),
             std::max(gated_alignment(spec), 4)},
            chunked("rows", WindowUse::kRows, later)};
  }
  const int aligned = nested ? nested_alignment(spec) : 0;
  if (spec.tensor) {
    steps.push_back(
        {tensor_lattice_lambda(spec), by_head, "tensor", false, lattice_lambda_rows(spec), 16});
  } else if (nested) {
    steps.push_back({nested_lambda(spec), by_head, "staged", false, lambda_rows(spec),
                     aligned > 0 ? aligned : 4});
  } else if (!spec.b.empty()) {
    steps.push_back({transposed_rows(spec), by_head, "staged"});
  }
  GradientScratch rows = later;
  rows.mean = Access::kWrite;
  steps.push_back(chunked("rows", WindowUse::kRows, rows));
  if (spec.tensor) return steps;  // with lambda
  if (nested) {
    const char* const schedule = aligned > 0 ? "staged" : "";
    if (softmax) {
      steps.push_back({nested_columns(spec), by_chunk, schedule, false, {}, aligned});
    }
  } else if (softmax || !own_input_only) {
    steps.push_back(chunked("columns", WindowUse::kColumns, later));
  }
  if (spec.state_gradients && !nested) {
    steps.push_back({GatherLaunch(spec, "before", later).before(), by_chunk});
  }
  return steps;
}

}  // namespace heddle::schedule
