// SPDX-License-Identifier: Apache-2.0
// Backward on the cpu where every row reads its own input and many outputs, the same distances
// back: one (batch, head) after the other, its rows packed side by side, tiles of them from the last
// to the first. A tile gathers what rows behind it push to it, window by window; what its rows push
// to near ones follows row by row. Softmax weights are computed again, a tile at a time. Every sum
// has one order.
#include "codegen/schedule/backward.hpp"
#include "codegen/schedule/cpu_sizes.hpp"
#include "codegen/schedule/row_list.hpp"

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
constexpr std::int64_t kWindowTile = 64;
// As many weights of a head are held for those who gather them; rows push the others.
constexpr std::int64_t kHeld = std::int64_t{1} << 24;

class CpuWindows {
 public:
  explicit CpuWindows(GradientFrame& frame)
      : frame_(frame),
        builder_(frame.builder),
        channels_(frame.spec.head_dim),
        width_(ir::padded_channels(channels_)),
        floats_("<" + std::to_string(width_) + ">") {}

  void run() {
    frame_.each_sequence(
        [&] {
          list_steps();
          reserve_rows();
        },
        [&] { sequence(); });
  }

 private:
  void sequence() {
    builder_.comment("lambda starts as dy");
    builder_.loop("token", builder_.i64(0), frame_.tokens, [&](Ex token) {
      const Ex at = builder_.let("at", frame_.token_at(token));
      const Ex later = builder_.let("later", at + frame_.token_stride * kRowsAhead);
      ask_for({frame_.dy, frame_.y}, later);
      if (softmax()) ask_for({frame_.k, frame_.q}, later);
      keep(lambda_, frame_.dy, token, at);
      keep(values_, frame_.y, token, at);
      if (!softmax()) return;
      keep(keys_, frame_.k, token, at);
      keep(queries_, frame_.q, token, at);
      builder_.perform(Procedure::kZeroRow, channels_, {builder_.at(dkeys_, token * width_)});
    });
    size_ = builder_.variable("size", most_);
    builder_.loop("done", builder_.i64(0), frame_.tokens, builder_.i64(kWindowTile),
                  LoopKind::kSerial, [&](Ex done) { tile(done); });
  }

  bool softmax() const { return frame_.softmax(); }
  Ex minimum(Ex a, Ex b) { return builder_.call(ir::Helper::kMinimum, {a, b}); }

  // ---- once per launch --------------------------------------------------------------------------

  void list_steps() {
    RowList list;
    RowLists(builder_, frame_.spec.pattern).list_shifted(list, *frame_.b.plan, frame_.tokens, "b");
    steps_ = list.steps;
    most_ = list.most;
    builder_.comment("steps that may stay inside a tile of rows, and those whose weights are held");
    const Var near = builder_.variable("near", builder_.i64(0));
    builder_.repeat_while(both(near<most_, builder_.load(steps_, near)> - kWindowTile),
                          [&] { builder_.assign(near, Ex(near) + 1); });
    near_ = near;
    far_ = builder_.let("far", minimum(most_, near_ + builder_.i64(kHeld) / frame_.tokens));
  }

  void reserve_rows() {
    const std::int64_t floats = kAroundBytes / static_cast<std::int64_t>(sizeof(float)) / channels_;
    around_ = builder_.let("around", frame_.tokens * frame_.heads >= floats);
    const Ex all = builder_.let("all_rows", frame_.tokens * width_);
    lambda_ = builder_.reserve("lambda", Type::kF32, all);
    values_ = builder_.reserve("values", Type::kF32, all);
    const Ex extent = builder_.perform("packed_floats", Procedure::kPackedExtent, 0,
                                       {builder_.i64(kWindowTile).id(), most_.id()});
    packed_ = builder_.reserve("packed", Type::kF32, extent);
    const Ex held = builder_.let("held", frame_.tokens * far_);
    columns_ = builder_.reserve("columns", Type::kF32, held);
    if (!softmax()) return;
    keys_ = builder_.reserve("keys", Type::kF32, all);
    queries_ = builder_.reserve("queries", Type::kF32, all);
    dkeys_ = builder_.reserve("dkeys", Type::kF32, all);
    dcolumns_ = builder_.reserve("dcolumns", Type::kF32, held);
    stride_ = builder_.let("entries", most_ + 1);
    weights_ = builder_.reserve("weights", Type::kF32, stride_ * kWindowTile);
    slopes_ = builder_.reserve("slopes", Type::kF32, stride_ * kWindowTile);
    dqueries_ = builder_.reserve("dqueries", Type::kF32, builder_.i64(kWindowTile * width_));
    itself_ = builder_.array("itself", Type::kI64, 1);
    builder_.store(itself_, builder_.i64(0), builder_.i64(0));
  }

  void keep(MemoryId to, MemoryId from, Ex token, Ex at) {
    builder_.perform(Procedure::kKeepRow, channels_,
                     {builder_.at(to, token * width_), builder_.at(from, at)});
  }

  void ask_for(std::initializer_list<MemoryId> memories, Ex at) {
    for (const MemoryId& memory : memories) {
      builder_.invoke("prefetch_row<" + std::to_string(channels_) + ">", {VectorPlace{memory, at}});
    }
  }

  // ---- a tile -----------------------------------------------------------------------------------

  void tile(Ex done) {
    rows_ = builder_.let("rows", minimum(builder_.i64(kWindowTile), frame_.tokens - done));
    first_ = builder_.let("first", frame_.tokens - done - rows_);
    here_ = builder_.let("here", first_ * width_);
    if (softmax()) {
      weigh();
    } else {
      weights_ = frame_.b.coefficients;
      slopes_ = frame_.b.dcoefficients;
      entries_at_ = builder_.let("coef_at", frame_.coefficients_at(frame_.b, first_));
      stride_ = builder_.let("stride", frame_.heads * frame_.b.width);
      ask_for_tile_before();
    }
    hold(columns_, weights_);
    gather(lambda_, lambda_, columns_);
    each_row([&](Ex r, Ex size) {
      const Ex own = builder_.let("own", here_ + r * width_);
      push(lambda_, {lambda_, own}, weights_, own, r, size);
      ask_for({frame_.x}, frame_.token_at(first_ + r));
    });
    builder_.invoke(
        "score_windows" + floats_,
        {VectorPlace{slopes_, entries_at_, true}, stride_, softmax() ? most_ : frame_.b.width,
         rows_, VectorPlace{lambda_, here_}, VectorPlace{values_, here_}, steps(), most_, first_});
    if (softmax()) {
      softmax_tile();
    } else {
      builder_.loop("r", builder_.i64(0), rows_, [&](Ex r) { given_input(first_ + r, r); });
    }
    shorten(size_, first_ - 1);
  }
  // A caller's rows of weights lie too far apart for the processor to foresee them.
  void ask_for_tile_before() {
    const Ex rows = builder_.let("before", minimum(builder_.i64(kWindowTile), first_));
    for (const MemoryId& memory : {weights_, slopes_}) {
      builder_.invoke("ask_for_weights", {VectorPlace{memory, entries_at_ - rows * stride_},
                                          stride_, rows, frame_.b.width});
    }
  }
  void ask_for_page_before(MemoryId memory, Ex at) {
    builder_.invoke("ask_for_page_before", {VectorPlace{memory, at}, frame_.token_stride});
  }
  VectorPlace steps() { return {steps_, builder_.i64(0)}; }
  VectorPlace steps(Ex from) { return {steps_, from}; }
  VectorPlace packed() { return {packed_, builder_.i64(0), true}; }
  // Entry 0 of B of row r of the tile.
  Ex entry(Ex r) { return entries_at_ + r * stride_; }

  // Drops the steps that row `token` does not have, of those that a later row has.
  void shorten(Var size, Ex token) {
    builder_.repeat_while(both(size > 0, builder_.load(steps_, Ex(size) - 1) + token < 0),
                          [&] { builder_.assign(size, Ex(size) - 1); });
  }
  // The rows of the tile from the last to the first, each with the number of its steps.
  void each_row(const std::function<void(Ex, Ex)>& body) {
    const Var size = builder_.variable("row_size", size_);
    builder_.loop("above", builder_.i64(0), rows_, [&](Ex above) {
      const Ex r = builder_.let("r", rows_ - 1 - above);
      shorten(size, first_ + r);
      body(r, size);
    });
  }

  void hold(MemoryId columns, MemoryId weights) {
    builder_.invoke("keep_columns", {VectorPlace{columns, first_, true}, frame_.tokens,
                                     VectorPlace{weights, entries_at_}, stride_, rows_, steps(),
                                     near_, far_, first_});
  }
  void gather(MemoryId sums, MemoryId rows, MemoryId columns) {
    builder_.invoke("gather_windows" + floats_,
                    {VectorPlace{sums, here_, true}, VectorPlace{rows, here_}, rows_,
                     VectorPlace{columns, first_}, frame_.tokens, steps(), near_, far_,
                     frame_.tokens - first_, packed()});
  }
  // What nobody gathers: the nearest steps, and those whose weights are not held.
  void push(MemoryId sums, VectorPlace row, MemoryId weights, Ex own, Ex r, Ex size) {
    const Ex at = builder_.let("entry", entry(r));
    builder_.invoke("push_rows" + floats_,
                    {VectorPlace{sums, own, true}, row, VectorPlace{weights, at}, steps(),
                     minimum(near_, size)});
    builder_.when(size > far_, [&] {
      builder_.invoke("push_rows" + floats_,
                      {VectorPlace{sums, own, true}, row, VectorPlace{weights, at + far_},
                       steps(far_), size - far_});
    });
  }

  // ---- given weights ----------------------------------------------------------------------------

  // The gradients of the row's own input and of its coefficient.
  void given_input(Ex token_value, Ex r) {
    const Ex token = builder_.let("token", token_value);
    const Ex own = builder_.let("own_at", frame_.coefficients_at(frame_.a, token));
    const Ex weight = builder_.let("weight", builder_.load(frame_.a.coefficients, own));
    builder_.store(frame_.a.dcoefficients, own, input(token, r, weight));
    builder_.loop("rest", builder_.i64(1), frame_.a.width, [&](Ex rest) {
      builder_.store(frame_.a.dcoefficients, own + rest, builder_.f32(0));
    });
  }
  Ex input(Ex token, Ex r, Ex weight) {
    const Ex at = builder_.let("at", frame_.token_at(token));
    ask_for_page_before(frame_.dx, at);
    return builder_.invoke_let(
        "slope", Type::kF32, "own_input<" + std::to_string(channels_) + ">",
        {VectorPlace{frame_.dx, at, true}, VectorPlace{lambda_, here_ + r * width_},
         VectorPlace{frame_.x, at}, weight, around_});
  }

  // ---- softmax weights --------------------------------------------------------------------------

  // Entry 0 of a row of weights is its own, those of B stand behind it.
  void weigh() {
    entries_at_ = builder_.i64(1);
    builder_.invoke("score_windows" + floats_, {VectorPlace{weights_, entries_at_, true}, stride_,
                                                most_, rows_, VectorPlace{queries_, here_},
                                                VectorPlace{keys_, here_}, steps(), most_, first_});
    each_row([&](Ex r, Ex size) {
      const Ex own = builder_.let("own", here_ + r * width_);
      const VectorPlace row{weights_, builder_.let("row_at", r * stride_), true};
      builder_.invoke("score_rows" + floats_,
                      {row, VectorPlace{queries_, own}, VectorPlace{keys_, own},
                       VectorPlace{itself_, builder_.i64(0)}, builder_.i64(1)});
      const Ex inverse = builder_.invoke_let("inverse", Type::kF32, "weigh_scores",
                                             {row, builder_.i64(1), size + 1, frame_.scale,
                                              frame_.factor(frame_.a), frame_.factor(frame_.b)});
      builder_.invoke("scale_scores", {row, size + 1, inverse});
    });
  }

  void softmax_tile() {
    each_row([&](Ex r, Ex size) {
      const Ex at = builder_.let("row_at", r * stride_);
      const Ex weight = builder_.let("weight", builder_.load(weights_, at));
      builder_.store(slopes_, at, input(first_ + r, r, weight));
      builder_.invoke("slope_scores",
                      {VectorPlace{weights_, at, true}, VectorPlace{slopes_, at, true}, size + 1,
                       builder_.f32(1), frame_.scale});
      builder_.perform(Procedure::kScaleRow, width_,
                       {builder_.at(dqueries_, r * width_), builder_.at(keys_, here_ + r * width_),
                        builder_.load(slopes_, at).id()});
    });
    const Var shared = builder_.variable("shared", size_);
    shorten(shared, first_);
    builder_.invoke(
        "mix_windows" + floats_,
        {VectorPlace{dqueries_, builder_.i64(0), true}, rows_, VectorPlace{slopes_, entries_at_},
         stride_, VectorPlace{keys_, here_}, steps(), shared, packed()});
    hold(dcolumns_, slopes_);
    gather(dkeys_, queries_, dcolumns_);
    each_row([&](Ex r, Ex size) {
      const Ex own = builder_.let("own", here_ + r * width_);
      const Ex dquery = builder_.let("dquery", r * width_);
      builder_.invoke(
          "mix_rows" + floats_,
          {VectorPlace{dqueries_, dquery, true}, VectorPlace{slopes_, entry(r) + shared},
           VectorPlace{keys_, own}, steps(shared), size - shared});
      push(dkeys_, {queries_, own}, slopes_, own, r, size);
      builder_.invoke("push_rows" + floats_,
                      {VectorPlace{dkeys_, own, true}, VectorPlace{queries_, own},
                       VectorPlace{slopes_, r * stride_}, VectorPlace{itself_, builder_.i64(0)},
                       builder_.i64(1)});
      const Ex at = builder_.let("at", frame_.token_at(first_ + r));
      send(frame_.dq, at, dqueries_, dquery);
      send(frame_.dk, at, dkeys_, own);
    });
  }
  void send(MemoryId to, Ex at, MemoryId from, Ex from_at) {
    ask_for_page_before(to, at);
    builder_.perform(Procedure::kSendRow, channels_,
                     {builder_.at(to, at), builder_.at(from, from_at), around_.id()});
  }

  GradientFrame& frame_;
  Builder& builder_;
  int channels_;  // of the caller's rows
  int width_;     // floats of a row in working memory
  std::string floats_;
  MemoryId steps_, lambda_, values_, packed_;
  MemoryId columns_, dcolumns_;  // weights, and gradients of scores, by step
  MemoryId keys_, queries_, dkeys_, dqueries_, itself_;
  MemoryId weights_, slopes_;  // of the rows of a tile: the caller's, or softmax
  Ex entries_at_, stride_;     // entry 0 of B of its first row; from row to row
  Ex most_, near_, far_, around_;
  Ex rows_, first_, here_;
  Var size_;  // steps of the last row of the tile
};

}  // namespace

void backward_windows(GradientFrame& frame) { CpuWindows(frame).run(); }

}  // namespace heddle::schedule
