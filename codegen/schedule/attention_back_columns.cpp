// SPDX-License-Identifier: Apache-2.0
// The gradients of keys and inputs on tensor cores, after those of queries. A block owns a chunk of
// tokens and goes over the rows that read them, from the chunk's own on, in windows of 64:
//   dx_j = sum over i of w_ij dy_i,   dk_j = scale sum over i of w_ij (<dy_i, x_j> - mean_i) q_i,
// where w_ij = exp(score_ij - highest_i) inverse_i. No two blocks add to one token.
#include "codegen/schedule/attention_back_tiles.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::VectorPlace;

namespace {

class AttentionBackColumns {
 public:
  explicit AttentionBackColumns(const KernelSpec& spec)
      : tiles_(spec, "columns", {Access::kRead, Access::kRead, Access::kRead}),
        builder_(tiles_.builder),
        frame_(tiles_.frame),
        columns_(columns_at_once(spec)) {
    const auto numbers = [&](const char* name) {
      return builder_.array_of_vectors(name, kStages * kTensorChunk);
    };
    highest_ = numbers("highest");
    inverse_ = numbers("inverse");
    means_ = numbers("means");
  }

  ir::Kernel run() {
    return tiles_.run([&] { chunk(); }, false);
  }

 private:
  void chunk() {
    end_ = frame_.tokens;
    if (tiles_.reach > 0) {
      const Ex last = tiles_.first + tiles_.size + tiles_.reach;
      end_ = builder_.let("end", builder_.call(Helper::kMinimum, {last, frame_.tokens}));
    }
    scores_ = builder_.array("scores", Type::kF32, columns_ / 2);
    changes_ = builder_.array("changes", Type::kF32, columns_ / 2);
    dk_ = tiles_.sums("own_dk", 4 * tiles_.tiles);
    dx_ = tiles_.sums("own_dx", 4 * tiles_.tiles);
    tiles_.bring_own({frame_.k, frame_.x});
    bring(tiles_.first, builder_.i64(0));
    builder_.invoke("close_batch", {});
    builder_.loop("window", tiles_.first, end_, builder_.i64(kTensorChunk), LoopKind::kSerial,
                  [&](Ex window) { take(window); });
    leave();
  }

  // The rows of a window with their statistics; those beyond the last one weigh nothing.
  void bring(Ex window, Ex stage) {
    tiles_.bring_window({frame_.q, frame_.dy}, window, stage, true);
    builder_.when(frame_.thread < kTensorChunk, [&] {
      const Ex to = builder_.let("statistic_to", stage * kTensorChunk + frame_.thread);
      const Ex token = builder_.let("token", window + frame_.thread);
      builder_.when(
          token < frame_.tokens,
          [&] {
            const Ex at = builder_.let("statistic_at", frame_.row_at(token));
            start(highest_, to, frame_.highest, at);
            start(inverse_, to, frame_.inverse, at);
            start(means_, to, frame_.mean, at);
          },
          [&] {
            for (const MemoryId& memory : {highest_, inverse_, means_}) {
              builder_.store(memory, to, builder_.f32(0));
            }
          });
    });
  }
  void start(MemoryId memory, Ex to, MemoryId from, Ex at) {
    builder_.invoke("start_copy<1>", {VectorPlace{memory, to, true}, VectorPlace{from, at}});
  }

  void take(Ex window) {
    const Ex past = builder_.let("past", window - tiles_.first);
    const Ex stage = builder_.let("stage", past / kTensorChunk % kStages);
    const Ex next = builder_.let("next", window + kTensorChunk);
    builder_.when(next < end_, [&] { bring(next, builder_.i64(1) - stage); });
    builder_.invoke("close_batch", {});
    builder_.invoke("await_batches<1>", {});
    builder_.barrier();
    builder_.loop("column", builder_.i64(0), builder_.i64(kTensorChunk), builder_.i64(columns_),
                  LoopKind::kSerial, [&](Ex column) { take_columns(stage, past, column); });
    builder_.barrier();
  }

  // Rows that read none of a warp's tokens are none of its business, nor are any where it has no
  // token. `own` is the column of the row that the warp's first token has.
  void take_columns(Ex stage, Ex past, Ex column) {
    const Ex own = builder_.let("own", frame_.warp * 16 - past - column);
    Ex reads = own < columns_;
    if (tiles_.reach > 0) reads = both(reads, own + (15 + tiles_.reach) >= 0);
    builder_.when(both(frame_.warp * 16 < tiles_.size, reads), [&] { mix(stage, column, own); });
  }

  void mix(Ex stage, Ex column, Ex own) {
    const int score_tiles = columns_ / 8;
    const auto product = [&](MemoryId sums, VectorPlace ours, VectorPlace other) {
      tiles_.fill(sums, columns_ / 2, builder_.f32(0));
      builder_.invoke(on_tiles("multiply_rows_by_rows", score_tiles, frame_.spec.head_dim),
                      {tiles_.whole(sums), ours, tiles_.stride(), other, tiles_.stride()});
    };
    product(scores_, tiles_.own_first(), tiles_.window_first(stage, column));
    tiles_.each_sum(columns_ / 2, [&](Ex e) {
      builder_.store(scores_, e, frame_.scale * builder_.load(scores_, e));
    });
    mask(own);
    const Ex statistics = builder_.let("statistics", stage * kTensorChunk + column);
    builder_.invoke(on_tiles("weigh_by_column", score_tiles),
                    {tiles_.whole(scores_), VectorPlace{highest_, statistics},
                     VectorPlace{inverse_, statistics}});
    product(changes_, tiles_.own_second(), tiles_.window_second(stage, column));
    builder_.invoke(
        on_tiles("slopes_by_column", score_tiles),
        {tiles_.whole(changes_), tiles_.whole(scores_), VectorPlace{means_, statistics}});
    builder_.loop("part", builder_.i64(0), builder_.i64(columns_ / 16), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex part) {
                    const Ex row = column + part * 16;
                    add(dx_, scores_, part, tiles_.window_second(stage, row));
                    add(dk_, changes_, part, tiles_.window_first(stage, row));
                  });
  }
  void add(MemoryId sums, MemoryId weights, Ex part, VectorPlace rows) {
    builder_.invoke(on_tiles("multiply_sums_by_columns", tiles_.tiles),
                    {tiles_.whole(sums), VectorPlace{weights, part * 8}, rows, tiles_.stride()});
  }
  // Rows before a token do not read it, nor do those too far behind it.
  void mask(Ex own) {
    const int score_tiles = columns_ / 8;
    builder_.when(own + 15 > 0, [&] {
      builder_.invoke(on_tiles("mask_scores_before", score_tiles), {tiles_.whole(scores_), own});
    });
    if (tiles_.reach == 0) return;
    builder_.when(own + tiles_.reach < columns_ - 1, [&] {
      builder_.invoke(on_tiles("mask_scores", score_tiles),
                      {tiles_.whole(scores_), own + tiles_.reach});
    });
  }

  void leave() {
    tiles_.each_sum(4 * tiles_.tiles,
                    [&](Ex e) { builder_.store(dk_, e, frame_.scale * builder_.load(dk_, e)); });
    builder_.invoke(on_tiles("store_sums", tiles_.tiles),
                    {tiles_.own_first(true), tiles_.stride(), tiles_.whole(dk_)});
    builder_.invoke(on_tiles("store_sums", tiles_.tiles),
                    {tiles_.own_second(true), tiles_.stride(), tiles_.whole(dx_)});
    builder_.barrier();
    tiles_.send_first(frame_.dk);
    tiles_.send_second(frame_.dx);
  }

  AttentionBackTiles tiles_;
  Builder& builder_;
  GradientFrame& frame_;
  int columns_;                         // at a time
  MemoryId highest_, inverse_, means_;  // of the rows of both windows
  MemoryId scores_, changes_, dk_, dx_;
  Ex end_;
};

}  // namespace

ir::Kernel attention_back_columns(const KernelSpec& spec) {
  return AttentionBackColumns(spec).run();
}

}  // namespace heddle::schedule
