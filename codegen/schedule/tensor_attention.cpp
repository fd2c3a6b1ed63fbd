// SPDX-License-Identifier: Apache-2.0
// Softmax over all inputs up to the row's own, on tensor cores. A block owns a chunk of rows of one
// (batch, head), 16 to a warp, and goes over the positions up to the last of them in windows of 64:
// their keys and values come in by asynchronous copies while the window before is worked on, the
// scores of a window are one product of matrices, what they weigh is another.
#include "codegen/schedule/attention_rows.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::VectorPlace;

namespace {

class TensorAttention {
 public:
  explicit TensorAttention(Frame& frame)
      : frame_(frame), builder_(frame.builder), rows_(frame), layout_(rows_.layout) {}

  void run() {
    rows_.open();
    builder_.comment("chunks with the longest rows begin first");
    first_ = builder_.let("first", (*frame_.chunks - 1 - frame_.chunk) * layout_.rows);
    builder_.when(first_ < frame_.tokens, [&] { chunk(); });
    final_state();
  }

 private:
  static std::string vectors(const char* name) { return on_tiles(name, kAttentionVector); }

  void chunk() {
    size_ = builder_.let("size", builder_.call(Helper::kMinimum, {builder_.i64(layout_.rows),
                                                                  frame_.tokens - first_}));
    before_ = builder_.let("before", frame_.start + first_);
    end_ = builder_.let("end", before_ + size_);
    rows_.begin();
    rows_.bring_queries(first_, size_);
    bring_window(builder_.i64(0), builder_.i64(0));
    builder_.invoke("close_batch", {});
    builder_.loop("window", builder_.i64(0), end_, builder_.i64(kTensorChunk), LoopKind::kSerial,
                  [&](Ex window) { take(window); });
    rows_.write(first_, size_);
  }

  // Keys and values of the positions from `at` on, counted from 0; rows beyond the last are zero.
  void bring_window(Ex at, Ex stage) {
    rows_.each_piece(builder_.i64(kTensorChunk), [&](Ex row, Ex d) {
      const AttentionRows::Place to = rows_.place_of(stage, row, d);
      const Ex position = builder_.let("p", at + row + 1);
      builder_.when(
          position <= end_, [&] { rows_.start(to, frame_.locate(frame_.a, position), d); },
          [&] { rows_.clear(to); });
    });
  }

  void take(Ex window) {
    const Ex stage = builder_.let("stage", window / kTensorChunk % kStages);
    const Ex next = builder_.let("next", window + kTensorChunk);
    builder_.when(next < end_, [&] { bring_window(next, builder_.i64(1) - stage); });
    builder_.invoke("close_batch", {});
    builder_.invoke(on_tiles("await_batches", kStages - 1), {});
    builder_.barrier();
    // Positions behind the last row of a warp are none of its business, nor are any where it has
    // no row. `last` is the last position of the window that the first row of the warp reads.
    const Ex last = builder_.let("last", before_ + frame_.warp * 16 - window);
    builder_.when(both(last + 16 > 0, frame_.warp * 16 < size_), [&] {
      rows_.mix(stage, [&](VectorPlace scores) {
        builder_.when(last < kTensorChunk - 1, [&] {
          builder_.comment("not every row reads every position of the window");
          builder_.invoke(on_tiles("mask_scores", kScoreTiles), {scores, last});
        });
      });
    });
    builder_.barrier();
  }

  // Every position stays; the chunks share the work.
  void final_state() {
    const SideFrame& side = frame_.a;
    builder_.comment("final state: every position stays");
    const int together = rows_.threads() / rows_.pieces();
    const Ex d = builder_.let("d", frame_.thread % rows_.pieces() * kAttentionVector);
    const Ex turns = builder_.call(Helper::kCeilDivide, {side.slots, builder_.i64(together)});
    builder_.loop("turn", frame_.chunk, turns, *frame_.chunks, LoopKind::kSerial, [&](Ex turn) {
      const Ex slot = builder_.let("slot", turn * together + frame_.thread / rows_.pieces());
      builder_.when(slot < side.slots, [&] { keep(slot, d); });
    });
  }
  void keep(Ex slot, Ex d) {
    const SideFrame& side = frame_.a;
    const Ex to = builder_.let("to", frame_.slot_at(side, slot) + d);
    builder_.when(
        slot < frame_.start + frame_.tokens,
        [&] {
          const Location from = frame_.locate(side, builder_.let("p", slot + 1));
          builder_.invoke(vectors("copy_elements"), {VectorPlace{side.after.key, to, true},
                                                     VectorPlace{from.key, from.at + d}});
          builder_.invoke(vectors("copy_elements"), {VectorPlace{side.after.val, to, true},
                                                     VectorPlace{from.value, from.at + d}});
        },
        [&] {
          for (const MemoryId& memory : {side.after.key, side.after.val}) {
            builder_.invoke(vectors("clear_elements"), {VectorPlace{memory, to, true}});
          }
        });
  }

  Frame& frame_;
  Builder& builder_;
  AttentionRows rows_;
  const AttentionLayout& layout_;
  Ex first_, size_, before_, end_;
};

}  // namespace

ir::Kernel tensor_attention(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 32 * spec.tensor->warps);
  Frame frame(builder, spec, /*decode=*/false);
  declare_attention(frame);
  frame.each_block([&] { TensorAttention(frame).run(); });
  return builder.take();
}

}  // namespace heddle::schedule
