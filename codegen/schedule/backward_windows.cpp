// SPDX-License-Identifier: Apache-2.0
// Backward on the cpu for given weights where every row reads the same distances back and the
// inputs of other rows not at all: one (batch, head) after the other, its rows packed side by side,
// tiles of them from the last to the first. A tile gathers what rows behind it push to it, window
// by window; what its rows push to near ones follows row by row. Every sum has one order.
#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/backward.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Procedure;
using ir::Type;
using ir::Var;
using ir::VectorPlace;

namespace {

// What rows of a tile read and write of each other stays in the first cache.
constexpr std::int64_t kTile = 64;

class CpuWindows {
 public:
  explicit CpuWindows(GradientFrame& frame)
      : frame_(frame),
        builder_(frame.builder),
        width_(ir::padded_channels(frame.spec.head_dim)),
        floats_("<" + std::to_string(width_) + ">") {}

  void run() {
    prepare();
    frame_.each_block([&] {
      builder_.comment("lambda starts as dy");
      builder_.loop("token", builder_.i64(0), frame_.tokens, [&](Ex token) {
        const Ex at = builder_.let("at", frame_.token_at(token));
        keep(lambda_, frame_.dy, token, at);
        keep(values_, frame_.y, token, at);
      });
      builder_.loop("done", builder_.i64(0), frame_.tokens, builder_.i64(kTile), LoopKind::kSerial,
                    [&](Ex done) { tile(done); });
    });
  }

 private:
  void prepare() {
    builder_.comment("how far back the outputs lie that a row reads");
    steps_ = builder_.reserve("steps", Type::kI64, frame_.tokens);
    const Var most = builder_.variable("most", builder_.i64(0));
    rows::emit_walk(builder_, frame_.spec.pattern, *frame_.b.plan, frame_.tokens, [&](Ex p) {
      builder_.store(steps_, most, p - frame_.tokens);
      builder_.assign(most, Ex(most) + 1);
    });
    most_ = most;
    builder_.comment("steps that may stay inside a tile of rows");
    const Var near = builder_.variable("near", builder_.i64(0));
    builder_.repeat_while(both(near<most_, builder_.load(steps_, near)> - kTile),
                          [&] { builder_.assign(near, Ex(near) + 1); });
    near_ = near;
    lambda_ = builder_.reserve("lambda", Type::kF32, frame_.tokens * width_);
    values_ = builder_.reserve("values", Type::kF32, frame_.tokens * width_);
    const Ex extent = builder_.perform("packed_floats", Procedure::kPackedExtent, 0,
                                       {builder_.i64(kTile).id(), most_.id()});
    packed_ = builder_.reserve("packed", Type::kF32, extent);
  }

  void keep(MemoryId to, MemoryId from, Ex token, Ex at) {
    builder_.perform(Procedure::kKeepRow, frame_.spec.head_dim,
                     {builder_.at(to, token * width_), builder_.at(from, at)});
  }

  void tile(Ex done) {
    const Ex rows = builder_.let(
        "rows", builder_.call(ir::Helper::kMinimum, {builder_.i64(kTile), frame_.tokens - done}));
    const Ex first = builder_.let("first", frame_.tokens - done - rows);
    const Ex here = builder_.let("here", first * width_);
    const Ex weights = builder_.let("coef_at", frame_.coefficients_at(frame_.b, first));
    const Ex stride = builder_.let("stride", frame_.heads * frame_.b.width);
    const VectorPlace lambda{lambda_, here, true};
    const VectorPlace steps{steps_, builder_.i64(0)};
    builder_.invoke(
        "gather_windows" + floats_,
        {lambda, rows, VectorPlace{frame_.b.coefficients, weights}, stride, steps, near_, most_,
         frame_.tokens - first, VectorPlace{packed_, builder_.i64(0), true}});
    const Var reach = builder_.variable("reach", near_);
    builder_.loop("above", builder_.i64(0), rows, [&](Ex above) {
      const Ex r = builder_.let("r", rows - 1 - above);
      builder_.repeat_while(both(reach > 0, builder_.load(steps_, Ex(reach) - 1) + first + r < 0),
                            [&] { builder_.assign(reach, Ex(reach) - 1); });
      builder_.invoke("push_rows" + floats_,
                      {VectorPlace{lambda_, here + r * width_, true},
                       VectorPlace{frame_.b.coefficients, weights + r * stride}, steps, reach});
    });
    builder_.invoke(
        "slope_windows" + floats_,
        {VectorPlace{frame_.b.dcoefficients, weights, true}, stride, frame_.b.width, rows,
         VectorPlace{lambda_, here}, VectorPlace{values_, here}, steps, most_, first});
    builder_.loop("r", builder_.i64(0), rows, [&](Ex r) { input(first + r, here + r * width_); });
  }

  // The gradients of the row's own input and of its coefficient.
  void input(Ex token_value, Ex lambda_at) {
    const Ex token = builder_.let("token", token_value);
    const Ex at = builder_.let("at", frame_.token_at(token));
    const Ex own = builder_.let("own_at", frame_.coefficients_at(frame_.a, token));
    const Ex weight = builder_.let("weight", builder_.load(frame_.a.coefficients, own));
    builder_.loop("d", builder_.i64(0), builder_.i64(frame_.spec.head_dim), builder_.i64(1),
                  LoopKind::kLanes, [&](Ex d) {
                    builder_.store(frame_.dx, at + d,
                                   weight * builder_.load(lambda_, lambda_at + d));
                  });
    const Ex slope = builder_.invoke_let(
        "slope", Type::kF32, "dot<" + std::to_string(frame_.spec.head_dim) + ">",
        {VectorPlace{lambda_, lambda_at}, VectorPlace{frame_.x, at}});
    builder_.store(frame_.a.dcoefficients, own, slope);
    builder_.loop("rest", builder_.i64(1), frame_.a.width, [&](Ex rest) {
      builder_.store(frame_.a.dcoefficients, own + rest, builder_.f32(0));
    });
  }

  GradientFrame& frame_;
  Builder& builder_;
  int width_;  // floats of a row in working memory
  std::string floats_;
  MemoryId steps_, lambda_, values_, packed_;
  Ex most_, near_;
};

}  // namespace

void backward_windows(GradientFrame& frame) { CpuWindows(frame).run(); }

}  // namespace heddle::schedule
