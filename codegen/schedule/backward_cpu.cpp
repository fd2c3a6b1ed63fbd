// SPDX-License-Identifier: Apache-2.0
// Backward on the cpu: rows go from the last to the first, each for all
// blocks of the launch: a row pushes its gradient to the positions that it reads, in the order of
// its walk, so that every sum has one order.
#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/backward.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

class CpuRows {
 public:
  explicit CpuRows(GradientFrame& frame) : frame_(frame), builder_(frame.builder) {}

  void run() {
    builder_.comment("lambda starts as dy, and every other sum at zero");
    builder_.loop("token", builder_.i64(0), frame_.tokens,
                  [&](Ex token) { frame_.each_block([&] { open_sums(token); }); });
    builder_.comment("row i finds lambda_i complete and pushes it to what it reads");
    builder_.loop("done", builder_.i64(0), frame_.tokens, [&](Ex done) {
      const Ex token = builder_.let("token", frame_.tokens - 1 - done);
      frame_.each_block([&] { row(token); });
    });
  }

 private:
  void each_channel(const std::function<void(Ex)>& body) {
    builder_.loop("d", builder_.i64(0), builder_.i64(frame_.spec.head_dim), builder_.i64(1),
                  LoopKind::kLanes, body);
  }

  void open_sums(Ex token) {
    const Ex at = builder_.let("at", frame_.token_at(token));
    each_channel([&](Ex d) {
      builder_.store(frame_.lambda, at + d, builder_.load(frame_.dy, at + d));
      if (frame_.softmax()) builder_.store(frame_.dk_sum, at + d, builder_.f32(0));
      if (!frame_.own_input_only()) builder_.store(frame_.dx_sum, at + d, builder_.f32(0));
    });
  }

  void row(Ex token) {
    at_ = builder_.let("at", frame_.token_at(token));
    row_ = builder_.let("i", token + 1);
    if (frame_.own_input_only()) {
      own_ = builder_.array("own", Type::kF32, frame_.spec.head_dim);
      each_channel([&](Ex d) { builder_.store(own_, d, builder_.f32(0)); });
    }
    if (frame_.softmax()) {
      softmax_row();
    } else {
      for (const GradientSide* side : {&frame_.a, &frame_.b}) given_side(*side, token);
    }
    close_sums();
  }

  // No earlier row reads this one: what was summed for it is complete.
  void close_sums() {
    const auto copy = [&](MemoryId to, MemoryId from, bool of_row) {
      each_channel(
          [&](Ex d) { builder_.store(to, at_ + d, builder_.load(from, of_row ? d : at_ + d)); });
    };
    if (frame_.own_input_only()) copy(frame_.dx, own_, true);
    if (frame_.dx_apart) copy(frame_.dx, frame_.dx_sum, false);
    if (frame_.dk_apart) copy(frame_.dk, frame_.dk_sum, false);
  }

  // body(position, offset of its channel 0) for each entry of one side of the row.
  void each_entry(const GradientSide& side, const std::function<void(Ex)>& body) {
    rows::emit_walk(builder_, frame_.spec.pattern, *side.plan, row_,
                    [&](Ex p) { body(builder_.let("from", frame_.token_at(p - 1))); });
  }
  ir::VectorPlace sum_of(const GradientSide& side, Ex from) const {
    if (side.side == Side::kA && frame_.own_input_only()) {
      return {own_, builder_.i64(0), true};
    }
    return {side.sum, from, true};
  }

  void given_side(const GradientSide& side, Ex token) {
    if (side.plan->empty()) return;
    const std::string length = std::to_string(frame_.spec.head_dim);
    const Ex first = builder_.let("coef_at", frame_.coefficients_at(side, token));
    const Var entry = builder_.variable("entry", builder_.i64(0));
    each_entry(side, [&](Ex from) {
      const Ex weight = builder_.let("weight", builder_.load(side.coefficients, first + entry));
      const Ex slope =
          builder_.invoke_let("slope", Type::kF32, "push_entry<" + length + ">",
                              {ir::VectorPlace{frame_.lambda, at_},
                               ir::VectorPlace{side.value, from}, sum_of(side, from), weight});
      builder_.store(side.dcoefficients, first + entry, slope);
      builder_.assign(entry, Ex(entry) + 1);
    });
    builder_.loop("rest", entry, side.width, [&](Ex rest) {
      builder_.store(side.dcoefficients, first + rest, builder_.f32(0));
    });
  }

  void softmax_row() {
    const std::string element = frame_.spec.dtype == ElementType::kBF16 ? "bf16" : "float";
    const std::string row = builder_.unique_name("row");
    builder_.invoke(
        "SoftmaxGradient<" + element + ", " + std::to_string(frame_.spec.head_dim) + "> " + row,
        {ir::VectorPlace{frame_.q, at_}, ir::VectorPlace{frame_.y, at_},
         ir::VectorPlace{frame_.lambda, at_}, frame_.scale});
    const auto add_entries = [&] {
      for (const GradientSide* side : {&frame_.a, &frame_.b}) {
        if (side->plan->empty()) continue;
        each_entry(*side, [&](Ex from) {
          builder_.invoke(row + ".add",
                          {ir::VectorPlace{frame_.k, from}, ir::VectorPlace{side->value, from},
                           ir::VectorPlace{frame_.dk_sum, from, true}, sum_of(*side, from),
                           frame_.factor(*side)});
        });
      }
    };
    add_entries();
    const Ex again = builder_.invoke_let("again", Type::kBool, row + ".again", {});
    builder_.when(again, add_entries);
    builder_.invoke(row + ".finish", {ir::VectorPlace{frame_.dq, at_, true}});
  }

  GradientFrame& frame_;
  Builder& builder_;
  Ex at_;
  Ex row_;
  MemoryId own_;
};

}  // namespace

ir::Kernel backward_cpu(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 1);
  GradientFrame frame(builder, spec);
  if (frame.by_windows()) {
    backward_windows(frame);
  } else {
    CpuRows(frame).run();
  }
  return builder.take();
}

}  // namespace heddle::schedule
