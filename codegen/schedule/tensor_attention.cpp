// SPDX-License-Identifier: Apache-2.0
// Softmax over all inputs up to the row's own, on tensor cores. A block owns a chunk of rows of one
// (batch, head), 16 to a warp, and goes over the positions up to the last of them in windows of 64:
// their keys and values come in by asynchronous copies while the window before is worked on, the
// scores of a window are one product of matrices, what they weigh is another, and between the two
// they stay in registers, where the highest score of a row and the sum of its weights are kept up.
// Weights are rounded to the kernel's type for the second product; their sums are not.
#include "codegen/schedule/attention_plan.hpp"
#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::VectorPlace;

namespace {

constexpr int kVectorOfRow = 8;  // elements of sixteen bytes
constexpr int kScoreTiles = kTensorChunk / 8;
constexpr int kScores = 4 * kScoreTiles;

class TensorAttention {
 public:
  explicit TensorAttention(Frame& frame)
      : frame_(frame),
        builder_(frame.builder),
        layout_(frame.spec),
        dim_(frame.spec.head_dim),
        tiles_(frame.spec.head_dim / 8) {}

  void run() {
    staged_ = builder_.dynamic_array("staged", frame_.spec.dtype);
    builder_.comment("chunks with the longest rows begin first");
    first_ = builder_.let("first", (*frame_.chunks - 1 - frame_.chunk) * layout_.rows);
    builder_.when(first_ < frame_.tokens, [&] { chunk(); });
    final_state();
  }

 private:
  static std::string function(const char* name, int tiles) {
    return std::string(name) + "<" + std::to_string(tiles) + ">";
  }
  static std::string function(const char* name, int tiles, int other) {
    return std::string(name) + "<" + std::to_string(tiles) + ", " + std::to_string(other) + ">";
  }
  static std::string vectors(const char* name) { return function(name, kVectorOfRow); }

  int threads() const { return 32 * frame_.spec.tensor->warps; }

  void fill(MemoryId sums, int count, Ex value) {
    each_sum(count, [&](Ex e) { builder_.store(sums, e, value); });
  }
  void each_sum(int count, const std::function<void(Ex)>& body) {
    builder_.loop("e", builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  body);
  }
  void clear(MemoryId memory, Ex at) {
    builder_.invoke(vectors("clear_elements"), {VectorPlace{memory, at, true}});
  }
  // The vectors of rows, shared out among the threads.
  void each_piece(Ex rows, const std::function<void(Ex, Ex)>& body) {
    const int pieces = dim_ / kVectorOfRow;
    builder_.loop("piece", frame_.thread, rows * pieces, builder_.i64(threads()), LoopKind::kSerial,
                  [&](Ex piece) {
                    body(builder_.let("row", piece / pieces),
                         builder_.let("d", piece % pieces * kVectorOfRow));
                  });
  }

  void chunk() {
    size_ = builder_.let("size", builder_.call(Helper::kMinimum, {builder_.i64(layout_.rows),
                                                                  frame_.tokens - first_}));
    before_ = builder_.let("before", frame_.start + first_);
    end_ = builder_.let("end", before_ + size_);
    own_at_ = builder_.let("own_at", frame_.warp * (16 * layout_.stride));
    scores_ = builder_.array("scores", Type::kF32, kScores);
    outputs_ = builder_.array("outputs", Type::kF32, 4 * tiles_);
    highest_ = builder_.array("highest", Type::kF32, 2);
    totals_ = builder_.array("totals", Type::kF32, 2);
    fill(outputs_, 4 * tiles_, builder_.f32(0));
    fill(highest_, 2, builder_.lowest_score());
    fill(totals_, 2, builder_.f32(0));
    bring_queries();
    bring_window(builder_.i64(0), builder_.i64(0));
    builder_.invoke("close_batch", {});
    builder_.loop("window", builder_.i64(0), end_, builder_.i64(kTensorChunk), LoopKind::kSerial,
                  [&](Ex window) { take(window); });
    write();
  }

  // Rows beyond the last token are zero, so that nothing else has to know of them.
  void bring_queries() {
    each_piece(builder_.i64(layout_.rows), [&](Ex row, Ex d) {
      const Ex to = builder_.let("to", row * layout_.stride + d);
      builder_.when(
          row < size_,
          [&] {
            builder_.invoke(vectors("start_copy"),
                            {VectorPlace{staged_, to, true},
                             VectorPlace{frame_.q, frame_.token_at(first_ + row) + d}});
          },
          [&] { clear(staged_, to); });
    });
  }
  // Keys and values of the positions from `at` on, counted from 0, likewise.
  void bring_window(Ex at, Ex stage) {
    each_piece(builder_.i64(kTensorChunk), [&](Ex row, Ex d) {
      const Ex key = builder_.let(
          "key_to", stage * layout_.window + row * layout_.stride + d + layout_.keys_at);
      const Ex value = builder_.let("value_to", key + (layout_.values_at - layout_.keys_at));
      const Ex position = builder_.let("p", at + row + 1);
      builder_.when(
          position <= end_,
          [&] {
            const Location from = frame_.locate(frame_.a, position);
            builder_.invoke(vectors("start_copy"),
                            {VectorPlace{staged_, key, true}, VectorPlace{from.key, from.at + d}});
            builder_.invoke(vectors("start_copy"), {VectorPlace{staged_, value, true},
                                                    VectorPlace{from.value, from.at + d}});
          },
          [&] {
            clear(staged_, key);
            clear(staged_, value);
          });
    });
  }

  void take(Ex window) {
    const Ex stage = builder_.let("stage", window / kTensorChunk % kStages);
    const Ex next = builder_.let("next", window + kTensorChunk);
    builder_.when(next < end_, [&] { bring_window(next, builder_.i64(1) - stage); });
    builder_.invoke("close_batch", {});
    builder_.invoke(function("await_batches", kStages - 1), {});
    builder_.barrier();
    // Positions behind the last row of a warp are none of its business, nor are any where it has
    // no row.
    const Ex last = builder_.let("last", before_ + frame_.warp * 16 - window);
    builder_.when(both(last + 16 > 0, frame_.warp * 16 < size_), [&] { mix(stage, last); });
    builder_.barrier();
  }

  // `last` is the last position of the window that the first row of the warp reads.
  void mix(Ex stage, Ex last) {
    const Ex keys = builder_.let("keys_at", stage * layout_.window + layout_.keys_at);
    const Ex values = builder_.let("values_at", stage * layout_.window + layout_.values_at);
    const Ex stride = builder_.i64(layout_.stride);
    const auto whole = [&](MemoryId sums) { return VectorPlace{sums, builder_.i64(0), true}; };
    fill(scores_, kScores, builder_.f32(0));
    builder_.invoke(function("multiply_rows_by_rows", kScoreTiles, dim_),
                    {whole(scores_), VectorPlace{staged_, own_at_}, stride,
                     VectorPlace{staged_, keys}, stride});
    each_sum(kScores,
             [&](Ex e) { builder_.store(scores_, e, frame_.scale * builder_.load(scores_, e)); });
    builder_.when(last < kTensorChunk - 1, [&] {
      builder_.comment("not every row reads every position of the window");
      builder_.invoke(function("mask_scores", kScoreTiles), {whole(scores_), last});
    });
    builder_.invoke(function("raise_highest", kScoreTiles, tiles_),
                    {whole(scores_), whole(highest_), whole(totals_), whole(outputs_)});
    builder_.invoke(function("weigh_scores", kScoreTiles),
                    {whole(scores_), whole(highest_), whole(totals_)});
    builder_.loop("part", builder_.i64(0), builder_.i64(kTensorChunk / 16), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex part) {
                    builder_.invoke(
                        function("multiply_sums_by_columns", tiles_),
                        {whole(outputs_), VectorPlace{scores_, part * 8},
                         VectorPlace{staged_, values + part * (16 * layout_.stride)}, stride});
                  });
  }

  // Outputs go out by way of shared memory, in whole vectors.
  void write() {
    builder_.invoke(function("divide_rows", tiles_), {VectorPlace{outputs_, builder_.i64(0), true},
                                                      VectorPlace{totals_, builder_.i64(0)}});
    builder_.invoke(function("store_sums", tiles_),
                    {VectorPlace{staged_, own_at_, true}, builder_.i64(layout_.stride),
                     VectorPlace{outputs_, builder_.i64(0)}});
    builder_.barrier();
    each_piece(size_, [&](Ex row, Ex d) {
      builder_.invoke(vectors("copy_elements"),
                      {VectorPlace{frame_.y, frame_.token_at(first_ + row) + d, true},
                       VectorPlace{staged_, row * layout_.stride + d}});
    });
  }

  // Every position stays; the chunks share the work.
  void final_state() {
    const SideFrame& side = frame_.a;
    builder_.comment("final state: every position stays");
    const int pieces = dim_ / kVectorOfRow, together = threads() / pieces;
    const Ex d = builder_.let("d", frame_.thread % pieces * kVectorOfRow);
    const Ex turns = builder_.call(Helper::kCeilDivide, {side.slots, builder_.i64(together)});
    builder_.loop("turn", frame_.chunk, turns, *frame_.chunks, LoopKind::kSerial, [&](Ex turn) {
      const Ex slot = builder_.let("slot", turn * together + frame_.thread / pieces);
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
          clear(side.after.key, to);
          clear(side.after.val, to);
        });
  }

  Frame& frame_;
  Builder& builder_;
  AttentionLayout layout_;
  int dim_, tiles_;
  MemoryId staged_, scores_, outputs_, highest_, totals_;
  Ex first_, size_, before_, end_, own_at_;
};

}  // namespace

ir::Kernel tensor_attention(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 32 * spec.tensor->warps);
  Frame frame(builder, spec, /*decode=*/false);
  frame.warps = spec.tensor->warps;
  // Sixteen warps hide what each waits for; with 128 channels eight have registers enough.
  builder.side_by_side((spec.head_dim == 64 ? 16 : 8) / spec.tensor->warps);
  for (const char* size : {"key_rows", "value_rows", "tile_rows"}) builder.size(size);
  frame.chunks = builder.size("chunks");
  frame.each_block([&] { TensorAttention(frame).run(); });
  return builder.take();
}

}  // namespace heddle::schedule
