// SPDX-License-Identifier: Apache-2.0
// Softmax over the last inputs up to the row's own, as many in every row, on tensor cores. As
// tensor_attention.cpp, but for which positions come by: this launch's tokens in windows from the
// chunk's own back to where its first row begins to read, then, where that lies before the launch,
// the slots of the state, whatever positions they hold. Windows begin where chunks may, so that
// each row finds its own input in the first one that it takes: from then on it has had a score.
#include "codegen/schedule/attention_rows.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::VectorPlace;

namespace {

// Of a free slot: further back than any row reads.
constexpr std::int64_t kNowhere = -(std::int64_t{1} << 40);

class TensorWindow {
 public:
  explicit TensorWindow(Frame& frame)
      : frame_(frame),
        builder_(frame.builder),
        rows_(frame),
        layout_(rows_.layout),
        reach_(frame.spec.input_window - 1) {}

  void run() {
    rows_.open();
    if (frame_.a.cached()) {
      positions_ = builder_.array("positions", Type::kI64, kStages * kTensorChunk, true);
    }
    first_ = builder_.let("first", frame_.chunk * layout_.rows);
    builder_.when(first_ < frame_.tokens, [&] { chunk(); });
    if (frame_.a.cached()) final_state();
  }

 private:
  static std::string vectors(const char* name) { return on_tiles(name, kAttentionVector); }
  Ex whole_windows(Ex positions) { return positions / kTensorChunk * kTensorChunk; }

  void chunk() {
    size_ = builder_.let("size", builder_.call(Helper::kMinimum, {builder_.i64(layout_.rows),
                                                                  frame_.tokens - first_}));
    builder_.comment("windows of tokens, from the chunk's last one back, then of slots");
    top_ = layout_.rows == kTensorChunk ? first_
                                        : builder_.let("top", first_ + whole_windows(size_ - 1));
    const Ex low = builder_.let(
        "low", whole_windows(builder_.call(Helper::kMaximum, {first_ - reach_, builder_.i64(0)})));
    end_ = own_ = builder_.let("own", top_ - low + kTensorChunk);
    if (frame_.a.cached()) {
      const Ex slots =
          builder_.select(both(first_<reach_, frame_.start> 0), frame_.a.slots, builder_.i64(0));
      end_ = builder_.let("end", own_ + slots);
    }
    rows_.begin();
    rows_.bring_queries(first_, size_);
    bring_tokens(builder_.i64(0), builder_.i64(0), true);
    builder_.invoke("close_batch", {});
    builder_.loop("window", builder_.i64(0), end_, builder_.i64(kTensorChunk), LoopKind::kSerial,
                  [&](Ex window) { take(window); });
    rows_.write(first_, size_);
  }

  // Keys and values of a window of tokens; rows beyond the last one, which only the first window
  // that a chunk takes may have, are zero.
  void bring_tokens(Ex window, Ex stage, bool first) {
    rows_.each_piece(builder_.i64(kTensorChunk), [&](Ex row, Ex d) {
      const AttentionRows::Place to = rows_.place_of(stage, row, d);
      const Ex token = builder_.let("token", top_ - window + row);
      const auto start = [&] {
        const Ex at = builder_.let("at", frame_.token_at(token));
        rows_.start(to, {frame_.k, frame_.x, at, std::nullopt}, d);
      };
      if (!first) return start();
      builder_.when(token < frame_.tokens, start, [&] { rows_.clear(to); });
    });
  }
  // Of slots, with their positions, counted from the launch's first token. Where a slot holds none,
  // or there is none, the chunk's first token stands in, for no row to read.
  void bring_slots(Ex window, Ex stage) {
    const SideFrame& side = frame_.a;
    rows_.each_piece(builder_.i64(kTensorChunk), [&](Ex row, Ex d) {
      const AttentionRows::Place to = rows_.place_of(stage, row, d);
      const Ex slot = builder_.let("slot", window - own_ + row);
      const Ex near = builder_.let("near", builder_.call(Helper::kMinimum, {slot, side.slots - 1}));
      const Ex held = builder_.let("held", builder_.load(side.before.pos, side.pos_base + near));
      const Ex exists = slot < side.slots;
      const Ex taken = builder_.let("taken", both(exists, held > 0));
      builder_.when(equal(d, builder_.i64(0)), [&] {
        builder_.store(positions_, stage * kTensorChunk + row,
                       builder_.select(taken, held - frame_.start - 1, builder_.i64(kNowhere)));
      });
      const Ex at = builder_.let(
          "at", builder_.select(taken, frame_.slot_at(side, near), frame_.token_at(first_)));
      rows_.start(to,
                  {builder_.choose("keys", taken, side.before.key, frame_.k),
                   builder_.choose("values", taken, side.before.val, frame_.x), at, std::nullopt},
                  d);
    });
  }
  void bring(Ex window, Ex stage) {
    if (!frame_.a.cached()) return bring_tokens(window, stage, false);
    builder_.when(
        window < own_, [&] { bring_tokens(window, stage, false); },
        [&] { bring_slots(window, stage); });
  }

  void take(Ex window) {
    const Ex stage = builder_.let("stage", window / kTensorChunk % kStages);
    const Ex next = builder_.let("next", window + kTensorChunk);
    builder_.when(next < end_, [&] { bring(next, builder_.i64(1) - stage); });
    builder_.invoke("close_batch", {});
    builder_.invoke(on_tiles("await_batches", kStages - 1), {});
    builder_.barrier();
    // Windows that no row of a warp reads are none of its business, nor are any where it has no
    // row. `last` is the last position of the window that the first row of the warp reads.
    const Ex last = builder_.let("last", first_ + frame_.warp * 16 - top_ + window);
    Ex read = both(last + 16 > 0, last < kTensorChunk + reach_);
    if (frame_.a.cached()) {
      const Ex of_tokens = builder_.let("of_tokens", window < own_);
      const Ex from = builder_.let("from", first_ + frame_.warp * 16 - reach_);
      read = either(both(of_tokens, read), both(negated(of_tokens), from < 0));
      builder_.when(both(frame_.warp * 16 < size_, read), [&] {
        rows_.mix(stage, [&](VectorPlace scores) {
          builder_.when(
              of_tokens, [&] { mask(scores, last); },
              [&] {
                builder_.invoke(on_tiles("mask_scores_by_position", kScoreTiles),
                                {scores, VectorPlace{positions_, stage * kTensorChunk}, from});
              });
        });
      });
    } else {
      builder_.when(both(frame_.warp * 16 < size_, read),
                    [&] { rows_.mix(stage, [&](VectorPlace scores) { mask(scores, last); }); });
    }
    builder_.barrier();
  }

  // Not every row reads every position of a window that it begins or ends in.
  void mask(VectorPlace scores, Ex last) {
    builder_.when(last < kTensorChunk - 1, [&] {
      builder_.invoke(on_tiles("mask_scores", kScoreTiles), {scores, last});
    });
    builder_.when(last + 15 > reach_, [&] {
      builder_.invoke(on_tiles("mask_scores_before", kScoreTiles), {scores, last - reach_});
    });
  }

  // The newest positions stay, the newest one first; the chunks share the work, slot by warp.
  void final_state() {
    const SideFrame& side = frame_.a;
    builder_.comment("final state: what the next row reads");
    const Ex last = builder_.let("last_token", frame_.start + frame_.tokens);
    const Ex kept =
        builder_.let("kept", builder_.call(Helper::kMinimum, {builder_.i64(reach_), last}));
    const Ex turns = builder_.call(Helper::kCeilDivide, {side.slots, builder_.i64(frame_.warps)});
    builder_.loop("turn", frame_.chunk, turns, *frame_.chunks, LoopKind::kSerial, [&](Ex turn) {
      const Ex slot = builder_.let("slot", turn * frame_.warps + frame_.warp);
      builder_.when(slot < side.slots, [&] {
        const Ex to = builder_.let("to", frame_.slot_at(side, slot));
        builder_.when(
            slot < kept, [&] { keep(slot, to, builder_.let("p", last - slot)); },
            [&] {
              note(slot, builder_.i64(0));
              by_lane([&](Ex d) { clear(to + d); });
            });
      });
    });
  }
  void keep(Ex slot, Ex to, Ex p) {
    const SideFrame& side = frame_.a;
    note(slot, p);
    builder_.when(
        p > frame_.start,
        [&] {
          const Ex from = builder_.let("from", frame_.token_at(p - frame_.start - 1));
          by_lane([&](Ex d) {
            builder_.invoke(vectors("copy_elements"), {VectorPlace{side.after.key, to + d, true},
                                                       VectorPlace{frame_.k, from + d}});
            builder_.invoke(vectors("copy_elements"), {VectorPlace{side.after.val, to + d, true},
                                                       VectorPlace{frame_.x, from + d}});
          });
        },
        [&] {
          const Location from = frame_.locate_in_state(side, p);
          frame_.each_channel([&](Ex d, Ex) {
            builder_.store(side.after.key, to + d, frame_.load(from, from.key, d));
            builder_.store(side.after.val, to + d, frame_.load(from, from.value, d));
          });
        });
  }
  void note(Ex slot, Ex position) {
    builder_.when(equal(frame_.lane, builder_.i64(0)),
                  [&] { builder_.store(frame_.a.after.pos, frame_.a.pos_base + slot, position); });
  }
  void clear(Ex at) {
    for (const MemoryId& memory : {frame_.a.after.key, frame_.a.after.val}) {
      builder_.invoke(vectors("clear_elements"), {VectorPlace{memory, at, true}});
    }
  }
  // A row has no more vectors than a warp has lanes.
  void by_lane(const std::function<void(Ex)>& body) {
    builder_.when(frame_.lane < rows_.pieces(),
                  [&] { body(builder_.let("d", frame_.lane * kAttentionVector)); });
  }

  Frame& frame_;
  Builder& builder_;
  AttentionRows rows_;
  const AttentionLayout& layout_;
  std::int64_t reach_;  // how far before itself a row reads
  MemoryId positions_;  // of the slots of a window
  Ex first_, size_, top_, own_, end_;
};

}  // namespace

ir::Kernel tensor_window(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 32 * spec.tensor->warps);
  Frame frame(builder, spec, /*decode=*/false);
  declare_attention(frame);
  // What windows are told apart by takes more registers than four blocks of four warps leave.
  if (spec.head_dim == 64 && spec.tensor->warps == 4) builder.side_by_side(3);
  frame.each_block([&] { TensorWindow(frame).run(); });
  return builder.take();
}

}  // namespace heddle::schedule
