// SPDX-License-Identifier: Apache-2.0
// Backward on the cpu where every row reads its own input and a few outputs, the same distances
// back: one (batch, head) after the other, runs of its rows from the last to the first. lambda and
// the outputs that it meets, with softmax queries and keys as well, stand in rings, so that the
// caller's rows are read once; softmax weights are computed again. Every sum has one order.
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
    if (!frame_.softmax()) return;
    builder_.comment("and of keys and queries; of one run, weights and gradients of scores");
    keys_ = builder_.reserve("keys", Type::kF32, rows * width_);
    queries_ = builder_.reserve("queries", Type::kF32, rows * width_);
    dcolumns_ = builder_.reserve("dcolumns", Type::kF32, column_ * most_);
    const Ex entries = builder_.let("entries", most_ + 1);
    const Ex extent = builder_.invoke_let("run_extent", Type::kI64, "run_floats", {entries});
    for (MemoryId* const run : {&weights_, &slopes_}) {
      *run = builder_.reserve(run == &weights_ ? "weights" : "slopes", Type::kF32, extent);
      builder_.invoke("clear_run", {whole(*run), entries});
    }
  }

  // ---- once per head ----------------------------------------------------------------------------

  void sequence() {
    builder_.comment("outputs that the last row reads, but the first of them");
    const Ex last = builder_.let("last", frame_.tokens - 2);
    keep(values_, frame_.y, builder_.i64(1), last, longest_ - 1);
    if (frame_.softmax()) keep(keys_, frame_.k, builder_.i64(0), frame_.tokens - 1, longest_);
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

  void keep(MemoryId to, MemoryId from, Ex slot, Ex token, Ex rows) {
    builder_.invoke("keep_run" + channels_,
                    {whole(to), ring_, slot, VectorPlace{from, frame_.token_at(token)},
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
    const Run run{row, slot, token, builder_.let("at", frame_.token_at(token)), rows};
    if (frame_.softmax()) {
      take_weighed(run);
    } else {
      take_given(run);
    }
    return rows;
  }

  struct Run {
    Ex row, slot, token, at, rows;
  };

  void take_given(const Run& run) {
    const Ex own = builder_.let("own_at", frame_.coefficients_at(frame_.a, run.token));
    const Ex entries = builder_.let("coef_at", frame_.coefficients_at(frame_.b, run.token));
    const Ex stride = builder_.let("stride", frame_.heads * frame_.b.width);
    builder_.invoke("keep_run_weights",
                    {VectorPlace{columns_, run.row, true}, column_,
                     VectorPlace{frame_.b.coefficients, entries}, stride, size_, run.rows});
    gather_lambda(run);
    const VectorPlace lambda{lambda_, run.slot * width_};
    builder_.invoke(
        "own_inputs" + channels_,
        {VectorPlace{frame_.dx, run.at, true}, VectorPlace{frame_.a.dcoefficients, own, true},
         frame_.heads * frame_.a.width, frame_.a.width, VectorPlace{frame_.x, run.at},
         frame_.token_stride, VectorPlace{frame_.a.coefficients, own}, lambda, run.rows, around_,
         VectorPlace{frame_.dy, run.at}, VectorPlace{frame_.b.dcoefficients, entries}, stride,
         frame_.b.width});
    builder_.when(both(size_ > 0, equal(size_, most_)), [&] { keep_far(values_, frame_.y, run); });
    builder_.invoke("slope_run" + floats_,
                    {VectorPlace{frame_.b.dcoefficients, entries, true}, stride, frame_.b.width,
                     lambda, all(values_), ring_, run.slot, steps(), size_, run.rows});
  }

  void take_weighed(const Run& run) {
    const Ex stride = frame_.token_stride;
    keep(queries_, frame_.q, run.slot, run.token, run.rows);
    builder_.when(equal(size_, most_), [&] {
      keep_far(keys_, frame_.k, run);
      keep_far(values_, frame_.y, run);
    });
    builder_.invoke("weigh_run_again" + floats_,
                    {whole(weights_), VectorPlace{columns_, run.row, true}, column_, all(queries_),
                     all(keys_), ring_, run.slot, steps(), size_, run.rows, frame_.scale,
                     frame_.factor(frame_.a), frame_.factor(frame_.b)});
    gather_lambda(run);
    builder_.invoke("slope_weighed_run" + channels_,
                    {VectorPlace{frame_.dx, run.at, true}, VectorPlace{frame_.x, run.at},
                     VectorPlace{frame_.dy, run.at}, stride, whole(slopes_), all(weights_),
                     VectorPlace{dcolumns_, run.row, true}, column_, all(lambda_), all(values_),
                     ring_, run.slot, steps(), size_, run.rows, frame_.scale, around_});
    builder_.invoke("query_run" + channels_,
                    {VectorPlace{frame_.dq, run.at, true}, stride, all(slopes_), all(keys_), ring_,
                     run.slot, steps(), size_, run.rows, around_});
    builder_.invoke(
        "key_run" + channels_,
        {VectorPlace{frame_.dk, run.at, true}, stride, all(slopes_), all(queries_), ring_, run.slot,
         VectorPlace{dcolumns_, run.row}, column_, steps(), later_, run.rows, around_});
  }

  void gather_lambda(const Run& run) {
    builder_.invoke(
        "lambda_run" + channels_,
        {whole(lambda_), ring_, run.slot, VectorPlace{frame_.dy, run.at}, frame_.token_stride,
         VectorPlace{columns_, run.row}, column_, steps(), later_, run.rows});
  }
  // The rows that the longest step leads to from those of the run.
  void keep_far(MemoryId to, MemoryId from, const Run& run) {
    keep(to, from, run.slot + longest_, run.token - longest_, run.rows);
  }
  VectorPlace all(MemoryId memory) { return {memory, builder_.i64(0)}; }
  VectorPlace whole(MemoryId memory) { return {memory, builder_.i64(0), true}; }  // written to
  VectorPlace steps() { return {steps_, builder_.i64(0)}; }

  GradientFrame& frame_;
  Builder& builder_;
  std::string channels_;  // of the caller's rows
  int width_;             // floats of a row in working memory
  std::string floats_;
  MemoryId steps_, lambda_, values_, columns_;
  MemoryId keys_, queries_, dcolumns_, weights_, slopes_;  // of softmax
  Ex most_, longest_, around_, ring_, column_;
  Var later_, size_;  // steps by which rows are read, and read
};

}  // namespace

void backward_short(GradientFrame& frame) { CpuShortRows(frame).run(); }

}  // namespace heddle::schedule
