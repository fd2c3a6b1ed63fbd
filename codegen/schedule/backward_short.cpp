// SPDX-License-Identifier: Apache-2.0
// Backward on the cpu with given weights where every row reads its own input and a few outputs, the
// same distances back: one (batch, head) after the other, runs of its rows from the last to the
// first. lambda and the outputs that it meets stand in rings, so that the caller's rows are read
// once. Every sum has one order.
#include "codegen/schedule/backward.hpp"
#include "codegen/schedule/cpu_sizes.hpp"
#include "codegen/schedule/row_list.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::MemoryId;
using ir::Type;
using ir::Var;
using ir::VectorPlace;

namespace {

class CpuShortRows {
 public:
  explicit CpuShortRows(GradientFrame& frame)
      : frame_(frame),
        builder_(frame.builder),
        channels_("<" + std::to_string(frame.spec.head_dim) + ">"),
        width_(ir::padded_channels(frame.spec.head_dim)),
        floats_("<" + std::to_string(width_) + ">") {}

  void run() {
    frame_.each_sequence([&] { prepare(); }, [&] { sequence(); });
  }

 private:
  // ---- once per launch --------------------------------------------------------------------------

  void prepare() {
    RowList list;
    RowLists(builder_, frame_.spec.pattern).list_shifted(list, *frame_.b.plan, frame_.tokens, "b");
    steps_ = list.steps;
    most_ = list.most;
    const Var longest = builder_.variable("longest", builder_.i64(0));
    longest_ = longest;
    builder_.when(most_ > 0, [&] {
      builder_.assign(longest, builder_.i64(0) - builder_.load(steps_, most_ - 1));
    });
    const std::int64_t floats =
        kAroundBytes / static_cast<std::int64_t>(sizeof(float)) / frame_.spec.head_dim;
    around_ = builder_.let("around", frame_.tokens * frame_.heads >= floats);
    builder_.comment("rings of lambda and of outputs, and weights by step");
    ring_ = builder_.invoke_let("ring", Type::kI64, "run_ring", {longest_});
    const Ex rows = builder_.invoke_let("ring_rows", Type::kI64, "run_ring_rows", {longest_});
    lambda_ = builder_.reserve("lambda", Type::kF32, rows * width_);
    values_ = builder_.reserve("values", Type::kF32, rows * width_);
    column_ = builder_.invoke_let("column", Type::kI64, "run_column", {frame_.tokens});
    columns_ = builder_.reserve("columns", Type::kF32, column_ * most_);
  }

  // ---- once per head ----------------------------------------------------------------------------

  void sequence() {
    builder_.comment("outputs that the last row reads, but the first of them");
    const Ex last = builder_.let("last", frame_.tokens - 2);
    keep_values(builder_.i64(1), last, longest_ - 1);
    const Var row = builder_.variable("row", builder_.i64(0));
    const Var slot = builder_.variable("slot", builder_.i64(0));
    later_ = builder_.variable("later", builder_.i64(0));
    size_ = builder_.variable("size", most_);
    builder_.repeat_while(row < frame_.tokens, [&] {
      const Ex rows = take_rows(row, slot);
      builder_.assign(row, Ex(row) + rows);
      builder_.assign(slot, Ex(slot) + rows);
      builder_.when(Ex(slot) >= ring_, [&] { builder_.assign(slot, builder_.i64(0)); });
    });
  }

  void keep_values(Ex slot, Ex token, Ex rows) {
    builder_.invoke("keep_run" + channels_,
                    {whole(values_), ring_, slot, VectorPlace{frame_.y, frame_.token_at(token)},
                     frame_.token_stride, rows});
  }

  // A run of rows from `row` on, counted from the last one; returns how many.
  Ex take_rows(Ex row_value, Ex slot_value) {
    const Ex row = builder_.let("first", row_value);
    const Ex slot = builder_.let("place", slot_value);
    const Ex token = builder_.let("token", frame_.tokens - 1 - row);
    builder_.repeat_while(both(later_ < most_, builder_.load(steps_, later_) + row >= 0),
                          [&] { builder_.assign(later_, Ex(later_) + 1); });
    builder_.repeat_while(both(size_ > 0, builder_.load(steps_, Ex(size_) - 1) + token < 0),
                          [&] { builder_.assign(size_, Ex(size_) - 1); });
    const Ex left = builder_.call(ir::Helper::kMinimum, {frame_.tokens - row, ring_ - slot});
    const Ex rows = builder_.invoke_let("rows", Type::kI64, "run_rows",
                                        {steps(), later_, size_, most_, row, token, left});
    const Ex at = builder_.let("at", frame_.token_at(token));
    const Ex own = builder_.let("own_at", frame_.coefficients_at(frame_.a, token));
    const Ex entries = builder_.let("coef_at", frame_.coefficients_at(frame_.b, token));
    const Ex stride = builder_.let("stride", frame_.heads * frame_.b.width);
    builder_.invoke("keep_run_weights",
                    {VectorPlace{columns_, row, true}, column_,
                     VectorPlace{frame_.b.coefficients, entries}, stride, size_, rows});
    builder_.invoke("lambda_run" + channels_,
                    {whole(lambda_), ring_, slot, VectorPlace{frame_.dy, at}, frame_.token_stride,
                     VectorPlace{columns_, row}, column_, steps(), later_, rows});
    const VectorPlace lambda{lambda_, slot * width_};
    builder_.invoke(
        "own_inputs" + channels_,
        {VectorPlace{frame_.dx, at, true}, VectorPlace{frame_.a.dcoefficients, own, true},
         frame_.heads * frame_.a.width, frame_.a.width, VectorPlace{frame_.x, at},
         frame_.token_stride, VectorPlace{frame_.a.coefficients, own}, lambda, rows, around_,
         VectorPlace{frame_.dy, at}, VectorPlace{frame_.b.dcoefficients, entries}, stride,
         frame_.b.width});
    builder_.when(both(size_ > 0, equal(size_, most_)),
                  [&] { keep_values(slot + longest_, token - longest_, rows); });
    builder_.invoke(
        "slope_run" + floats_,
        {VectorPlace{frame_.b.dcoefficients, entries, true}, stride, frame_.b.width, lambda,
         VectorPlace{values_, builder_.i64(0)}, ring_, slot, steps(), size_, rows});
    return rows;
  }
  VectorPlace whole(MemoryId memory) { return {memory, builder_.i64(0), true}; }
  VectorPlace steps() { return {steps_, builder_.i64(0)}; }

  GradientFrame& frame_;
  Builder& builder_;
  std::string channels_;  // of the caller's rows
  int width_;             // floats of a row in working memory
  std::string floats_;
  MemoryId steps_, lambda_, values_, columns_;
  Ex most_, longest_, around_, ring_, column_;
  Var later_, size_;  // steps by which rows are read, and read
};

}  // namespace

void backward_short(GradientFrame& frame) { CpuShortRows(frame).run(); }

}  // namespace heddle::schedule
