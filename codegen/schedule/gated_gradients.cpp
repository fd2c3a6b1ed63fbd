// SPDX-License-Identifier: Apache-2.0
// Launches of a gather with gated weights, with a block for each chunk of tokens and a group of
// lanes for each row. The gradient of a coefficient is a product of its own channel, so that no two
// lanes have anything to tell each other.
#include "codegen/rows/emit_row.hpp"
#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/gather_backward.hpp"
#include "codegen/schedule/gradient_rows.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Var;

namespace {

constexpr int kGatedWarps = 8;
constexpr int kVectorBytes = 16;

class GatedGradients {
 public:
  GatedGradients(const KernelSpec& spec, const char* name)
      : spec_(spec),
        sharing_(RowLanes::sharing_for(spec.head_dim, spec.dtype)),
        builder_(spec.symbol + "_" + name, spec.target, RowLanes::kWarp * kGatedWarps),
        frame_(builder_, spec, {Access::kRead, Access::kRead, Access::kRead}),
        rows_(frame_) {
    frame_.chunks = builder_.size("chunks");
    lambda_ = spec.b.empty() ? frame_.dy : frame_.lambda;
    nested_ = rows::shape_of(spec.b) == rows::RowShape::kLattice;
  }

  ir::Kernel rows() {
    return each_token([&](Ex token) { row(token); });
  }
  ir::Kernel columns() {
    return each_token([&](Ex token) { column(token); });
  }

 private:
  ir::Kernel each_token(const std::function<void(Ex)>& body) {
    frame_.each_block([&] {
      const int groups = RowLanes::kWarp / sharing_;
      Ex group = frame_.warp;
      if (groups > 1) {
        group = builder_.let("group", frame_.warp * groups + frame_.lane / sharing_);
        const Ex lane = builder_.let("lane_of_row", frame_.lane % sharing_);
        rows_.share(RowLanes(builder_, lane, spec_.head_dim, sharing_, spec_.dtype));
      }
      const int size = spec_.gather->chunk_tokens;
      const Ex first = builder_.let("first", frame_.chunk * size);
      const Ex end = builder_.call(Helper::kMinimum, {first + size, frame_.tokens});
      builder_.loop("token", first + group, end, builder_.i64(kGatedWarps * groups),
                    LoopKind::kSerial, body);
    });
    return builder_.take();
  }

  // What is due of the coefficients of the token's row; and of its input where none else reads it.
  void row(Ex token) {
    const Ex at = builder_.let("at", frame_.token_at(token));
    const MemoryId lambda = rows_.row_of("lambda", lambda_, at);
    rows_.each_side([&](const GradientSide& side) {
      if (side.side == Side::kB && nested_) return;
      const Ex first = builder_.let("coef_at", frame_.coefficients_at(side, token));
      const Var entry = builder_.variable("entry", builder_.i64(0));
      rows::emit_walk(builder_, spec_.pattern, *side.plan, builder_.let("i", frame_.row_of(token)),
                      [&](Ex p) {
                        const GradientRows::Spot from = rows_.locate(side, p);
                        const MemoryId slope = rows_.array("slope");
                        rows_.each_value("value", from.value, from.at, [&](Ex value, Ex index) {
                          builder_.store(slope, index, builder_.load(lambda, index) * value);
                        });
                        rows_.write(side.dcoefficients, gates(first, entry), slope);
                        builder_.assign(entry, Ex(entry) + 1);
                      });
      const MemoryId nothing = rows_.zeros("nothing");
      builder_.loop("rest", entry, side.width,
                    [&](Ex rest) { rows_.write(side.dcoefficients, gates(first, rest), nothing); });
    });
    if (!frame_.own_input_only()) return;
    const MemoryId dx = rows_.zeros("own_dx");
    take_reader(frame_.a, token, builder_.i64(0), dx);
    rows_.write(frame_.dx, at, dx);
  }

  // What is due of the token's input from the rows that read it, the nearest first.
  void column(Ex token) {
    const MemoryId dx = rows_.zeros("own_dx");
    if (!frame_.a.plan->empty()) {
      const Var entry = builder_.variable("entry", builder_.i64(0));
      rows::emit_walk(builder_, spec_.pattern, *frame_.a.plan,
                      builder_.let("from_the_end", frame_.tokens - token), [&](Ex p) {
                        take_reader(frame_.a, frame_.tokens - p, entry, dx);
                        builder_.assign(entry, Ex(entry) + 1);
                      });
    }
    rows_.write(frame_.dx, builder_.let("at", frame_.token_at(token)), dx);
  }
  void take_reader(const GradientSide& side, Ex reader, Ex entry, MemoryId sums) {
    const MemoryId lambda =
        rows_.row_of("read_by", lambda_, builder_.let("from", frame_.token_at(reader)));
    const Ex first = frame_.coefficients_at(side, reader);
    rows_.each_value("gate", side.coefficients, gates(first, entry), [&](Ex gate, Ex index) {
      builder_.store(sums, index, builder_.load(sums, index) + gate * builder_.load(lambda, index));
    });
  }
  Ex gates(Ex first, Ex entry) {
    return builder_.let("gates_at", first + coefficient_entry(spec_, entry));
  }

  const KernelSpec& spec_;
  int sharing_;
  ir::Builder builder_;
  GradientFrame frame_;
  GradientRows rows_;
  MemoryId lambda_;
  bool nested_ = false;  // rows of B are: their gates have been seen to with lambda
};

}  // namespace

ir::Kernel gated_rows(const KernelSpec& spec) { return GatedGradients(spec, "rows").rows(); }
ir::Kernel gated_columns(const KernelSpec& spec) {
  return GatedGradients(spec, "columns").columns();
}
int gated_alignment(const KernelSpec& spec) {
  const bool groups = RowLanes::sharing_for(spec.head_dim, spec.dtype) < RowLanes::kWarp;
  return groups ? kVectorBytes : 0;
}

}  // namespace heddle::schedule
