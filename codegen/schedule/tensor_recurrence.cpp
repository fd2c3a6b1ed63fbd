// SPDX-License-Identifier: Apache-2.0
// Softmax over all earlier outputs and the row's own input, on tensor cores. A block owns one
// (batch, head) and takes chunks of 64 rows or more, 16 to a warp, one after the other. Earlier
// outputs come by in windows of 64 positions, as inputs do in tensor_attention.cpp. The chunk's own
// rows go by windows, too: of those of a window
//   Y = F + N Y    with F what is summed so far and N strictly below the diagonal
// is solved sixteen rows at a time (see TensorSolve), and then the warps below, of later windows as
// well, add what these outputs weigh for their rows as a product. Where rows read all inputs, these
// come by first, the chunk's own as well.
#include "codegen/schedule/cache.hpp"
#include "codegen/schedule/frame.hpp"
#include "codegen/schedule/recurrence_plan.hpp"
#include "codegen/schedule/row_vectors.hpp"
#include "codegen/schedule/tensor_solve.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;
using ir::VectorPlace;

namespace {

constexpr int kVectorOfOutput = 8;  // elements of sixteen bytes
constexpr int kWindowTiles = kTensorChunk / 8;
constexpr int kWindowScores = 4 * kWindowTiles;
constexpr int kRowWarps = kTensorChunk / 16;

class TensorRecurrence {
 public:
  explicit TensorRecurrence(Frame& frame)
      : frame_(frame),
        builder_(frame.builder),
        layout_(frame.spec),
        dim_(frame.spec.head_dim),
        tiles_(frame.spec.head_dim / 8) {}

  void run() {
    staged_ = builder_.dynamic_array("staged", frame_.spec.dtype);
    solve_.emplace(frame_, staged_, layout_.stride);
    scores_ = builder_.array("scores", Type::kF32, kWindowScores);
    outputs_ = builder_.array("outputs", Type::kF32, 4 * tiles_);
    highest_ = builder_.array("highest", Type::kF32, 2);
    totals_ = builder_.array("totals", Type::kF32, 2);
    own_at_ = builder_.let("own_at", frame_.warp * (16 * layout_.stride));
    builder_.loop("first", builder_.i64(0), frame_.tokens, builder_.i64(layout_.rows),
                  LoopKind::kSerial, [&](Ex first) { chunk(first); });
    write_final_state(frame_);
  }

 private:
  static std::string function(const char* name, int tiles) {
    return std::string(name) + "<" + std::to_string(tiles) + ">";
  }
  static std::string function(const char* name, int tiles, int other) {
    return std::string(name) + "<" + std::to_string(tiles) + ", " + std::to_string(other) + ">";
  }
  static std::string vectors(const char* name) { return function(name, kVectorOfOutput); }
  int threads() const { return 32 * frame_.spec.tensor->warps; }
  Ex stride() { return builder_.i64(layout_.stride); }
  VectorPlace whole(MemoryId sums) { return {sums, builder_.i64(0), true}; }

  void each_sum(MemoryId sums, int count, const std::function<Ex(Ex)>& value) {
    builder_.loop("e", builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  [&](Ex e) { builder_.store(sums, e, value(e)); });
  }
  void fill(MemoryId sums, int count, Ex value) {
    each_sum(sums, count, [&](Ex) { return value; });
  }
  void clear(Ex at) {
    builder_.invoke(vectors("clear_elements"), {VectorPlace{staged_, at, true}});
  }
  void start(Ex to, MemoryId from, Ex at) {
    builder_.invoke(vectors("start_copy"), {VectorPlace{staged_, to, true}, VectorPlace{from, at}});
  }
  void each_piece(Ex rows, const std::function<void(Ex, Ex)>& body) {
    each_vector(builder_, frame_.thread, threads(), rows, {dim_, kVectorOfOutput}, body);
  }

  void chunk(Ex first) {
    first_ = first;
    size_ = builder_.let("size", builder_.call(Helper::kMinimum, {builder_.i64(layout_.rows),
                                                                  frame_.tokens - first}));
    before_ = builder_.let("before", frame_.start + first);
    bring_own();
    begin_windows(all_inputs() ? frame_.a : frame_.b);
    fill(outputs_, 4 * tiles_, builder_.f32(0));
    fill(highest_, 2, builder_.lowest_score());
    fill(totals_, 2, builder_.f32(0));
    if (all_inputs()) {
      windows(frame_.a);
      begin_windows(frame_.b);
      own_inputs();
      scale_sums(builder_.let("share", builder_.f32(1) - *frame_.gamma));
    }
    windows(frame_.b);
    if (one_window()) {
      const Ex diagonal = builder_.let("diagonal", frame_.warp * 16);
      weigh_own(builder_.i64(0), diagonal);
      solve(builder_.i64(0), diagonal);
    } else {
      builder_.loop("own", builder_.i64(0), size_, builder_.i64(kTensorChunk), LoopKind::kSerial,
                    [&](Ex own) { own_window(own); });
    }
    write();
  }
  // Of one side, up to the chunk.
  void begin_windows(const SideFrame& side) {
    builder_.when(before_ > 0, [&] { bring_window(side, builder_.i64(0), builder_.i64(0)); });
    builder_.invoke("close_batch", {});
  }
  void windows(const SideFrame& side) {
    builder_.loop("window", builder_.i64(0), before_, builder_.i64(kTensorChunk), LoopKind::kSerial,
                  [&](Ex window) { take(side, window); });
    builder_.invoke(function("await_batches", 0), {});
    builder_.barrier();
  }
  bool all_inputs() const { return frame_.spec.dense_sides; }
  bool one_window() const { return layout_.rows == kTensorChunk; }
  // Also where the warp's window has a row: in a chunk of one each has.
  Ex busy(Ex condition) {
    return one_window() ? condition
                        : both(condition, frame_.warp / kRowWarps * kTensorChunk < size_);
  }

  // Queries, keys and inputs of the chunk. Rows beyond the last token are zero.
  void bring_own() {
    each_piece(builder_.i64(layout_.rows), [&](Ex row, Ex d) {
      const Ex to = builder_.let("to", row * layout_.stride + d);
      const Ex key = builder_.let("key_to", to + layout_.keys_at);
      const Ex value = builder_.let("value_to", to + layout_.values_at);
      builder_.when(
          row < size_,
          [&] {
            const Ex from = builder_.let("from", frame_.token_at(first_ + row) + d);
            start(to, frame_.q, from);
            start(key, frame_.k, from);
            start(value, frame_.x, from);
          },
          [&] {
            clear(to);
            clear(key);
            clear(value);
          });
    });
  }
  // Keys and values of the positions from `at` on, counted from 0, up to the chunk.
  void bring_window(const SideFrame& side, Ex at, Ex stage) {
    each_piece(builder_.i64(kTensorChunk), [&](Ex row, Ex d) {
      const Ex key = builder_.let(
          "key_to", stage * layout_.window + row * layout_.stride + d + layout_.window_keys_at);
      const Ex value =
          builder_.let("value_to", key + (layout_.window_values_at - layout_.window_keys_at));
      const Ex position = builder_.let("p", at + row + 1);
      builder_.when(
          position <= before_,
          [&] {
            const Location from = frame_.locate(side, position);
            start(key, from.key, from.at + d);
            start(value, from.value, from.at + d);
          },
          [&] {
            clear(key);
            clear(value);
          });
    });
  }

  // Scores of the warp's rows with the keys from there on.
  void score(Ex keys) {
    fill(scores_, kWindowScores, builder_.f32(0));
    builder_.invoke(function("multiply_rows_by_rows", kWindowTiles, dim_),
                    {whole(scores_), VectorPlace{staged_, own_at_}, stride(),
                     VectorPlace{staged_, keys}, stride()});
    each_sum(scores_, kWindowScores,
             [&](Ex e) { return frame_.scale * builder_.load(scores_, e); });
  }
  // Outputs += what sixteen of the scores' columns weigh.
  void add(Ex part, Ex values) {
    builder_.invoke(
        function("multiply_sums_by_columns", tiles_),
        {whole(outputs_), VectorPlace{scores_, part * 8}, VectorPlace{staged_, values}, stride()});
  }

  void take(const SideFrame& side, Ex window) {
    const Ex stage = builder_.let("stage", window / kTensorChunk % RecurrenceLayout::kStages);
    const Ex next = builder_.let("next", window + kTensorChunk);
    builder_.when(next < before_, [&] { bring_window(side, next, builder_.i64(1) - stage); });
    builder_.invoke("close_batch", {});
    builder_.invoke(function("await_batches", RecurrenceLayout::kStages - 1), {});
    builder_.barrier();
    if (one_window()) {
      mix(side, window, stage, next);
    } else {
      builder_.when(frame_.warp / kRowWarps * kTensorChunk < size_,
                    [&] { mix(side, window, stage, next); });
    }
    builder_.barrier();
  }
  void mix(const SideFrame& side, Ex window, Ex stage, Ex next) {
    score(builder_.let("keys_at", stage * layout_.window + layout_.window_keys_at));
    builder_.when(next > before_, [&] {
      builder_.comment("what lies behind the last position before the chunk");
      builder_.invoke(function("drop_scores", kWindowTiles), {whole(scores_), before_ - window});
    });
    weigh(side);
    add_window(builder_.let("values_at", stage * layout_.window + layout_.window_values_at));
  }
  void add_window(Ex values) {
    builder_.loop("part", builder_.i64(0), builder_.i64(kTensorChunk / 16), builder_.i64(1),
                  LoopKind::kUnrolled,
                  [&](Ex part) { add(part, values + part * (16 * layout_.stride)); });
  }
  // Outputs get their share of gamma at once where inputs have had theirs, else with all sums.
  void weigh(const SideFrame& side) {
    raise();
    if (all_inputs() && side.side == Side::kB) return weigh_by(builder_.i64(kTensorChunk));
    builder_.invoke(function("weigh_scores", kWindowTiles),
                    {whole(scores_), whole(highest_), whole(totals_)});
  }
  void raise() {
    builder_.invoke(function("raise_highest", kWindowTiles, tiles_),
                    {whole(scores_), whole(highest_), whole(totals_), whole(outputs_)});
  }
  // As outputs, all but the column `own` of a row's own input.
  void weigh_by(Ex own) {
    builder_.invoke(function("weigh_mixed", kWindowTiles),
                    {whole(scores_), whole(highest_), whole(totals_), own, *frame_.gamma});
  }
  void scale_sums(Ex share) {
    each_sum(outputs_, 4 * tiles_, [&](Ex e) { return share * builder_.load(outputs_, e); });
    each_sum(totals_, 2, [&](Ex e) { return share * builder_.load(totals_, e); });
  }

  // The chunk's own inputs up to each row, before outputs take their place.
  void own_inputs() {
    const auto take_own = [&](Ex own, Ex diagonal) {
      score(builder_.let("keys_at", own * layout_.stride + layout_.keys_at));
      builder_.when(diagonal < kTensorChunk, [&] {
        builder_.invoke(function("mask_scores", kWindowTiles), {whole(scores_), diagonal});
      });
      weigh(frame_.a);
      add_window(builder_.let("values_at", own * layout_.stride + layout_.values_at));
    };
    if (one_window()) {
      return take_own(builder_.i64(0), builder_.let("diagonal", frame_.warp * 16));
    }
    builder_.loop("own", builder_.i64(0), size_, builder_.i64(kTensorChunk), LoopKind::kSerial,
                  [&](Ex own) {
                    const Ex diagonal = builder_.let("diagonal", frame_.warp * 16 - own);
                    builder_.when(busy(diagonal >= 0), [&] { take_own(own, diagonal); });
                  });
  }

  // The chunk's rows from `own` on are solved while those below them, which have weights for them
  // by then, add their outputs.
  void own_window(Ex own) {
    const Ex diagonal = builder_.let("diagonal", frame_.warp * 16 - own);
    builder_.when(
        both(diagonal >= 0, diagonal < kTensorChunk), [&] { weigh_own(own, diagonal); },
        [&] {
          builder_.when(busy(diagonal > 0), [&] {
            score(builder_.let("keys_at", own * layout_.stride + layout_.keys_at));
            weigh(frame_.b);
          });
        });
    solve(own, diagonal);
  }

  // The weights of the window's own rows, the sums so far times their share of gamma, and both over
  // the total: what is left is the system to solve. `diagonal` is the warp's first row in it.
  void weigh_own(Ex own, Ex diagonal) {
    score(own * layout_.stride + layout_.keys_at);
    builder_.invoke(function("mask_scores", kWindowTiles),
                    {whole(scores_), all_inputs() ? diagonal - 1 : diagonal});
    if (all_inputs()) {
      weigh(frame_.b);
    } else {
      raise();
      scale_sums(*frame_.gamma);
      weigh_by(diagonal);
    }
    builder_.invoke(function("divide_rows", kWindowTiles),
                    {whole(scores_), VectorPlace{totals_, builder_.i64(0)}});
    builder_.invoke(function("divide_rows", tiles_),
                    {whole(outputs_), VectorPlace{totals_, builder_.i64(0)}});
  }

  // Outputs take the place of the chunk's inputs.
  void solve(Ex own, Ex diagonal) {
    solve_->solve(
        {own * layout_.stride + layout_.values_at, diagonal, scores_, outputs_, !all_inputs()},
        [&](Ex below) { return busy(below); });
  }

  void write() {
    each_piece(size_, [&](Ex row, Ex d) {
      builder_.invoke(vectors("copy_elements"),
                      {VectorPlace{frame_.y, frame_.token_at(first_ + row) + d, true},
                       VectorPlace{staged_, row * layout_.stride + d + layout_.values_at}});
    });
    builder_.barrier();
  }

  Frame& frame_;
  Builder& builder_;
  RecurrenceLayout layout_;
  int dim_, tiles_;
  std::optional<TensorSolve> solve_;
  MemoryId staged_, scores_, outputs_, highest_, totals_;
  Ex first_, size_, before_, own_at_;
};

}  // namespace

ir::Kernel tensor_recurrence(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 32 * spec.tensor->warps);
  Frame frame(builder, spec, /*decode=*/false);
  frame.warps = spec.tensor->warps;
  builder.side_by_side(tiles_side_by_side(spec));
  // Each row's own weights, and what of them is substituted, take more registers than three blocks
  // of four warps leave.
  if (spec.head_dim == 64 && spec.tensor->warps == 4) builder.side_by_side(2);
  for (const char* size : {"key_rows", "value_rows", "tile_rows"}) builder.size(size);
  frame.each_block([&] { TensorRecurrence(frame).run(); });
  return builder.take();
}

}  // namespace heddle::schedule
