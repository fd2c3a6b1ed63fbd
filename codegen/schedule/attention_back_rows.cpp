// SPDX-License-Identifier: Apache-2.0
// The gradients of queries on tensor cores. A block owns a chunk of rows and goes over the tokens
// that they read, from the chunk's own back, in windows of 64. With w_ij the weight of row i for
// token j before it is divided by their total, and mean_i = <dy_i, y_i>,
//   dq_i = scale / total_i sum over j of w_ij (<dy_i, x_j> - mean_i) k_j,
// which is summed as outputs are in prefill: where the highest score of a row rises, what was
// summed before shrinks. What the columns ask of each row stays behind in scratch.
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

constexpr int kWindowScores = 4 * kScoreTiles;

class AttentionBackRows {
 public:
  explicit AttentionBackRows(const KernelSpec& spec)
      : tiles_(spec, "rows", {Access::kWrite, Access::kWrite, Access::kWrite}),
        builder_(tiles_.builder),
        frame_(tiles_.frame) {
    const int numbers = 64 * spec.tensor->warps;
    all_highest_ = builder_.array("all_highest", Type::kF32, numbers, true);
    all_inverse_ = builder_.array("all_inverse", Type::kF32, numbers, true);
    all_means_ = builder_.array("all_means", Type::kF32, numbers, true);
  }

  ir::Kernel run() {
    return tiles_.run([&] { chunk(); }, tiles_.reach == 0);
  }

 private:
  void chunk() {
    const Ex first = tiles_.first;
    builder_.comment("windows from the one of the chunk's last token back");
    top_ = builder_.let("top", first + (tiles_.size - 1) / kTensorChunk * kTensorChunk);
    const Ex low = tiles_.reach == 0
                       ? builder_.i64(0)
                       : builder_.call(Helper::kMaximum, {first - tiles_.reach, builder_.i64(0)}) /
                             kTensorChunk * kTensorChunk;
    end_ = builder_.let("end", top_ - low + kTensorChunk);
    scores_ = builder_.array("scores", Type::kF32, kWindowScores);
    changes_ = builder_.array("changes", Type::kF32, kWindowScores);
    sums_ = tiles_.sums("sums", 4 * tiles_.tiles);
    totals_ = tiles_.sums("totals", 2);
    highest_ = builder_.array("highest", Type::kF32, 2);
    tiles_.fill(highest_, 2, builder_.lowest_score());
    means_ = builder_.array("means", Type::kF32, 2);
    tiles_.bring_own({frame_.q, frame_.dy});
    tiles_.bring_window(read(), top_, builder_.i64(0), true);
    builder_.comment("outputs lie where the window after the first one will");
    tiles_.bring_own_to_second_window(frame_.y);
    builder_.invoke("close_batch", {});
    builder_.invoke("await_batches<0>", {});
    builder_.barrier();
    find_means();
    builder_.barrier();
    builder_.loop("window", builder_.i64(0), end_, builder_.i64(kTensorChunk), LoopKind::kSerial,
                  [&](Ex window) { take(window); });
    leave();
  }

  AttentionBackTiles::Both read() const { return {frame_.k, frame_.x}; }

  void find_means() {
    builder_.invoke(on_tiles("overlap_rows", tiles_.tiles),
                    {tiles_.whole(means_), tiles_.own_second(), tiles_.stride(),
                     VectorPlace{tiles_.staged, tiles_.own_at + tiles_.layout.second_window_at()},
                     tiles_.stride()});
    builder_.invoke("sum_rows<2>", {tiles_.whole(means_)});
  }

  void take(Ex window) {
    const Ex stage = builder_.let("stage", window / kTensorChunk % kStages);
    const Ex next = builder_.let("next", window + kTensorChunk);
    builder_.when(next < end_, [&] {
      tiles_.bring_window(read(), top_ - next, builder_.i64(1) - stage, false);
    });
    builder_.invoke("close_batch", {});
    builder_.invoke("await_batches<1>", {});
    builder_.barrier();
    // As in prefill: windows that no row of a warp reads are none of its business, nor are any
    // where it has no row. `last` is the last position that the warp's first row reads.
    const Ex last = builder_.let("last", tiles_.first + frame_.warp * 16 - top_ + window);
    Ex reads = last + 16 > 0;
    if (tiles_.reach > 0) reads = both(reads, last < kTensorChunk + tiles_.reach);
    builder_.when(both(frame_.warp * 16 < tiles_.size, reads), [&] { mix(stage, last); });
    builder_.barrier();
  }

  void mix(Ex stage, Ex last) {
    const auto product = [&](MemoryId sums, VectorPlace own, VectorPlace other) {
      tiles_.fill(sums, kWindowScores, builder_.f32(0));
      builder_.invoke(on_tiles("multiply_rows_by_rows", kScoreTiles, frame_.spec.head_dim),
                      {tiles_.whole(sums), own, tiles_.stride(), other, tiles_.stride()});
    };
    const Ex none = builder_.i64(0);
    product(scores_, tiles_.own_first(), tiles_.window_first(stage, none));
    tiles_.each_sum(kWindowScores, [&](Ex e) {
      builder_.store(scores_, e, frame_.scale * builder_.load(scores_, e));
    });
    mask(last);
    builder_.invoke(on_tiles("raise_highest", kScoreTiles, tiles_.tiles),
                    {tiles_.whole(scores_), tiles_.whole(highest_), tiles_.whole(totals_),
                     tiles_.whole(sums_)});
    builder_.invoke(on_tiles("weigh_scores", kScoreTiles),
                    {tiles_.whole(scores_), tiles_.whole(highest_), tiles_.whole(totals_)});
    product(changes_, tiles_.own_second(), tiles_.window_second(stage, none));
    tiles_.each_sum(kWindowScores, [&](Ex e) {
      const Ex change = builder_.load(changes_, e) - builder_.load(means_, e / 2 % 2);
      builder_.store(changes_, e, builder_.load(scores_, e) * change);
    });
    builder_.loop("part", none, builder_.i64(kTensorChunk / 16), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex part) {
                    builder_.invoke(on_tiles("multiply_sums_by_columns", tiles_.tiles),
                                    {tiles_.whole(sums_), VectorPlace{changes_, part * 8},
                                     tiles_.window_first(stage, part * 16), tiles_.stride()});
                  });
  }
  void mask(Ex last) {
    builder_.when(last < kTensorChunk - 1, [&] {
      builder_.invoke(on_tiles("mask_scores", kScoreTiles), {tiles_.whole(scores_), last});
    });
    if (tiles_.reach == 0) return;
    builder_.when(last + 15 > tiles_.reach, [&] {
      builder_.invoke(on_tiles("mask_scores_before", kScoreTiles),
                      {tiles_.whole(scores_), last - tiles_.reach});
    });
  }

  void leave() {
    builder_.invoke("sum_rows<2>", {tiles_.whole(totals_)});
    const MemoryId inverse = builder_.array("inverse", Type::kF32, 2);
    tiles_.each_sum(2, [&](Ex half) {
      const Ex total = builder_.let("total", builder_.load(totals_, half));
      builder_.store(
          inverse, half,
          builder_.select(total > builder_.f32(0), builder_.f32(1) / total, builder_.f32(0)));
    });
    leave_statistics(inverse);
    tiles_.each_sum(2, [&](Ex half) {
      builder_.store(inverse, half, frame_.scale * builder_.load(inverse, half));
    });
    tiles_.each_sum(4 * tiles_.tiles, [&](Ex e) {
      builder_.store(sums_, e, builder_.load(inverse, e / 2 % 2) * builder_.load(sums_, e));
    });
    builder_.invoke(on_tiles("store_sums", tiles_.tiles),
                    {tiles_.own_first(true), tiles_.stride(), tiles_.whole(sums_)});
    builder_.barrier();
    tiles_.send_first(frame_.dq);
    send_statistics();
  }
  // Every lane leaves what it has of its two rows; of four that share one the first one's goes out.
  void leave_statistics(MemoryId inverse) {
    const Ex to = builder_.let("to", frame_.warp * 64 + frame_.lane);
    tiles_.each_sum(2, [&](Ex half) {
      const auto leave = [&](MemoryId shared, MemoryId own) {
        builder_.store(shared, to + half * 32, builder_.load(own, half));
      };
      leave(all_highest_, highest_);
      leave(all_inverse_, inverse);
      leave(all_means_, means_);
    });
  }
  void send_statistics() {
    builder_.when(frame_.thread < tiles_.size, [&] {
      const Ex lane = frame_.thread % 8 * 4;
      const Ex from = builder_.let("from", frame_.thread / 8 * 32 + lane);
      const Ex at = builder_.let("statistic_at", frame_.row_at(tiles_.first + frame_.thread));
      builder_.store(frame_.highest, at, builder_.load(all_highest_, from));
      builder_.store(frame_.inverse, at, builder_.load(all_inverse_, from));
      builder_.store(frame_.mean, at, builder_.load(all_means_, from));
    });
  }

  AttentionBackTiles tiles_;
  Builder& builder_;
  GradientFrame& frame_;
  MemoryId all_highest_, all_inverse_, all_means_;  // shared: two numbers of each thread
  MemoryId scores_, changes_, sums_, highest_, totals_, means_;
  Ex top_, end_;
};

}  // namespace

ir::Kernel attention_back_rows(const KernelSpec& spec) { return AttentionBackRows(spec).run(); }

}  // namespace heddle::schedule
