// SPDX-License-Identifier: Apache-2.0
// Linear prefill on tensor cores where each key has a gate of its own. 64 rows at a time come into
// shared memory, and the state goes over them sixteen by sixteen: with D^s_ij = gate_{j+1,s} ...
// gate_{i,s} of the rows of such a block, E^s_i the product from its first row to row i and S the
// state before it,
//   Y = (E . Q) S + W X,  W_ij = the sum over s of q_is D^s_ij k_js,
//   and afterwards  row s of S := E^s_last times itself, and the sum over j of D^s_last,j k_js x_j.
// Every gate is allowed, also 0: nothing is a quotient, and no product goes beyond a block. W is
// summed in f32; what else there is of matrices are products of small ones. A warp keeps sixteen
// channels of the state, turned, so that its sums are the left side of the next product: between
// blocks no warp waits for another. Of a scan a block of threads has some of the chunks, as in
// tensor_linear; backward a chunk's own part of the gradient in front of it is such a state, too,
// from the last block to the first.
#include <optional>

#include "codegen/schedule/key_chunk.hpp"
#include "codegen/schedule/key_plan.hpp"
#include "codegen/schedule/matrix_scan.hpp"
#include "codegen/schedule/row_vectors.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;
using ir::VectorPlace;

namespace {

class TensorKeys {
 public:
  TensorKeys(LinearFrame& frame, LinearPart part, const MatrixScratch* scratch)
      : part_(part),
        scratch_(scratch),
        frame_(frame),
        builder_(frame.builder),
        spec_(frame.spec),
        layout_(frame.spec),
        dim_(frame.spec.head_dim),
        rows_(frame.spec.state_dim),
        threads_(32 * frame.spec.tensor->warps) {}

  void run() {
    for (const char* size : {"key_rows", "value_rows", "tile_rows"}) builder_.size(size);
    staged_ = builder_.dynamic_array("staged", spec_.dtype);
    reals_ = builder_.rest_of_dynamic_array("gates", builder_.i64(layout_.reals_at));
    frame_.enter(builder_.let("block", builder_.where(ir::Place::kBlock)));
    frame_.where_own([&] { go(); });
  }

 private:
  void go() {
    thread_ = builder_.let("thread", builder_.where(ir::Place::kThread));
    chunk_.emplace(KeyChunk{frame_, staged_, reals_, thread_, threads_, layout_.keys_at,
                            layout_.key_stride, layout_.weights_at, layout_.parts_at});
    warp_ = builder_.let("warp", builder_.where(ir::Place::kWarp));
    channels_at_ = builder_.let("channels_at", warp_ * kKeyBlock);
    state_ = builder_.array("state", Type::kF32, 4 * state_tiles());
    if (has_outputs()) outputs_ = builder_.array("outputs", Type::kF32, kKeyBlocks * kOutputs);
    open_state();
    const Var product = builder_.variable("product", builder_.f32(1));  // of all gates of a key
    builder_.loop("first", builder_.i64(0), frame_.tokens, builder_.i64(kTensorChunk),
                  LoopKind::kSerial, [&](Ex first) {
                    chunk(first);
                    if (part_ == LinearPart::kSums) keep_product(product);
                  });
    if (part_ == LinearPart::kRows) return;
    builder_.comment(part_ == LinearPart::kWhole
                         ? "the state after the last token"
                         : "what the chunks come to from zero, and what they multiply a state by");
    with_channels([&] {
      builder_.invoke(
          tiled("store_sums_across", state_tiles()),
          {state_in_memory(true), stride_of(dim_), VectorPlace{state_, builder_.i64(0)}});
    });
    if (part_ != LinearPart::kSums) return;
    builder_.when(thread_ < rows_, [&] {
      builder_.store(scratch_->product, frame_.unit * rows_ + thread_, product);
    });
  }

  static constexpr int kOutputs = 8;  // floats of a lane for a block's outputs

  int state_tiles() const { return rows_ / 8; }
  static std::string tiled(const char* name, int tiles) {
    return std::string(name) + "<" + std::to_string(tiles) + ">";
  }
  VectorPlace sums(MemoryId memory) { return {memory, builder_.i64(0), true}; }
  Ex stride_of(std::int64_t stride) { return builder_.i64(stride); }
  bool has_outputs() const { return part_ == LinearPart::kWhole || part_ == LinearPart::kRows; }
  // Of a slope rows have queries for keys, and what comes from behind for values.
  bool is_slope() const { return part_ == LinearPart::kSlopes; }

  // Of this warp's channels.
  VectorPlace state_in_memory(bool written) {
    if (part_ != LinearPart::kWhole) {
      return {is_slope() ? scratch_->slope : scratch_->carry,
              frame_.unit * (rows_ * dim_) + channels_at_, written};
    }
    return {written ? frame_.after : frame_.before, frame_.state(builder_.i64(0), channels_at_),
            written};
  }
  void open_state() {
    each_sum(state_, builder_.i64(0), 4 * state_tiles());
    const auto load = [&] {
      with_channels([&] {
        builder_.invoke(tiled("load_sums_across", state_tiles()),
                        {sums(state_), state_in_memory(false), stride_of(dim_)});
      });
    };
    if (part_ == LinearPart::kRows) return load();
    if (part_ == LinearPart::kWhole) builder_.when(frame_.start > 0, load);
  }
  // A thread has a key.
  void keep_product(Var product) {
    builder_.when(thread_ < rows_, [&] {
      unrolled("part", kKeyBlocks, [&](Ex part) {
        builder_.assign(product, Ex(product) * builder_.load(reals_, part * rows_ + thread_ +
                                                                         layout_.products_at));
      });
    });
    builder_.barrier();
  }

  void each_sum(MemoryId memory, Ex from, int count) {
    builder_.loop("e", builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  [&](Ex e) { builder_.store(memory, from + e, builder_.f32(0)); });
  }
  void unrolled(const char* name, int count, const std::function<void(Ex)>& body) {
    builder_.loop(name, builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  body);
  }
  // For the warps that keep a part of the state.
  void with_channels(const std::function<void()>& body) {
    if (dim_ / kKeyBlock == spec_.tensor->warps) return body();
    builder_.when(warp_ < dim_ / kKeyBlock, body);
  }

  Ex query_at(Ex row, Ex s) { return row * layout_.key_stride + s; }
  Ex key_at(Ex row, Ex s) { return query_at(row, s) + layout_.keys_at; }
  Ex rest_at(Ex row, Ex s) { return query_at(row, s) + layout_.rests_at; }
  Ex gate(Ex row, Ex s) { return chunk_->gate(row, s); }

  void chunk(Ex first) {
    const Ex size = builder_.let(
        "size",
        builder_.call(ir::Helper::kMinimum, {builder_.i64(kTensorChunk), frame_.tokens - first}));
    bring(first, size);
    builder_.barrier();
    if (has_outputs()) {
      chunk_->weigh();
      builder_.barrier();
      chunk_->add_weights(/*turned=*/false);
    }
    decayed();
    builder_.barrier();
    with_channels([&] {
      unrolled("part", kKeyBlocks,
               [&](Ex part) { block(is_slope() ? builder_.i64(kKeyBlocks - 1) - part : part); });
    });
    if (!has_outputs()) return;
    builder_.barrier();
    builder_.comment("outputs go out where values came in, in whole vectors");
    with_channels([&] {
      unrolled("part", kKeyBlocks, [&](Ex part) {
        builder_.invoke("store_sums_across<2>",
                        {VectorPlace{staged_,
                                     part * (kKeyBlock * layout_.value_stride) + channels_at_ +
                                         layout_.values_at,
                                     true},
                         stride_of(layout_.value_stride), VectorPlace{outputs_, part * kOutputs}});
      });
    });
    builder_.barrier();
    each_vector(builder_, thread_, threads_, size, {dim_, kPiece}, [&](Ex row, Ex d) {
      builder_.invoke("copy_elements<" + std::to_string(kPiece) + ">",
                      {VectorPlace{frame_.y, frame_.row_of(first + row) * dim_ + d, true},
                       VectorPlace{staged_, row * layout_.value_stride + d + layout_.values_at}});
    });
    // Into these places the next chunk's values are brought by the very threads that emptied them.
  }

  // The chunk's rows; those beyond the last token are zero and their gates one, so that nothing
  // else has to know of them.
  void bring(Ex first, Ex size) {
    const auto rows = [&](MemoryId from, int width, std::int64_t at, std::int64_t stride) {
      bring_rows(frame_, staged_, thread_, threads_, from, {at, stride, width}, first, size);
    };
    if (has_outputs()) rows(frame_.q, rows_, 0, layout_.key_stride);
    rows(is_slope() ? frame_.q : frame_.k, rows_, layout_.keys_at, layout_.key_stride);
    rows(is_slope() ? frame_.dy : frame_.x, dim_, layout_.values_at, layout_.value_stride);
    chunk_->bring_gates(first, size);
  }

  // Queries become what they read of the state before their block, and keys what is left of them
  // behind it, rounded and the rest.
  void decayed() {
    chunk_->each_item(std::int64_t{kKeyBlocks} * rows_, [&](Ex item) {
      const Ex s = builder_.let("s", item % rows_);
      const Ex from = builder_.let("from", item / rows_ * kKeyBlock);
      if (has_outputs()) {
        const Var entering = builder_.variable("entering", builder_.f32(1));
        unrolled("i", kKeyBlock, [&](Ex i) {
          builder_.assign(entering, Ex(entering) * gate(from + i, s));
          const Ex at = builder_.let("at", query_at(from + i, s));
          builder_.store(staged_, at, builder_.load(staged_, at) * Ex(entering));
        });
      }
      const Var decay = builder_.variable("decay", builder_.f32(1));
      unrolled("turn", kKeyBlock, [&](Ex turn) {
        const Ex row =
            builder_.let("row", is_slope() ? from + turn : from + (kKeyBlock - 1) - turn);
        const auto pass = [&] { builder_.assign(decay, Ex(decay) * gate(row, s)); };
        if (is_slope()) pass();
        const Ex key = builder_.let("key", builder_.load(staged_, key_at(row, s)) * Ex(decay));
        builder_.store(staged_, key_at(row, s), key);
        builder_.store(staged_, rest_at(row, s), key - builder_.load(staged_, key_at(row, s)));
        if (!is_slope()) pass();
      });
      builder_.store(reals_, item + layout_.products_at, decay);
    });
  }

  // Outputs of sixteen rows in this warp's channels, and the state behind them.
  void block(Ex part) {
    const Ex keys = builder_.let("keys_from", part * (kKeyBlock * layout_.key_stride));
    const Ex values = builder_.let("values_from", part * (kKeyBlock * layout_.value_stride) +
                                                      channels_at_ + layout_.values_at);
    if (has_outputs()) outputs(part, keys, values);
    builder_.invoke(tiled("scale_columns", state_tiles()),
                    {sums(state_), VectorPlace{reals_, part * rows_ + layout_.products_at}});
    for (const std::int64_t side : {layout_.rests_at, layout_.keys_at}) {
      builder_.invoke(tiled("multiply_columns", state_tiles()),
                      {sums(state_), VectorPlace{staged_, values}, stride_of(layout_.value_stride),
                       VectorPlace{staged_, keys + side}, stride_of(layout_.key_stride)});
    }
  }

  // What the rows read of the state before them, and of each other.
  void outputs(Ex part, Ex keys, Ex values) {
    const VectorPlace outputs{outputs_, part * kOutputs, true};
    each_sum(outputs_, part * kOutputs, kOutputs);
    unrolled("depth", rows_ / 16, [&](Ex depth) {
      builder_.invoke("multiply_sums_by_rows<2>",
                      {outputs, VectorPlace{state_, depth * 8},
                       VectorPlace{staged_, keys + depth * 16}, stride_of(layout_.key_stride)});
    });
    builder_.invoke(
        "multiply_columns_by_rows<2>",
        {outputs, VectorPlace{staged_, values}, stride_of(layout_.value_stride),
         VectorPlace{staged_, part * (kKeyBlock * KeyLayout::kWeightStride) + layout_.weights_at},
         stride_of(KeyLayout::kWeightStride)});
  }

  LinearPart part_;
  const MatrixScratch* scratch_;
  LinearFrame& frame_;
  Builder& builder_;
  const KernelSpec& spec_;
  KeyLayout layout_;
  int dim_, rows_, threads_;
  MemoryId staged_, reals_, state_, outputs_;
  Ex thread_, warp_, channels_at_;
  std::optional<KeyChunk> chunk_;
};

}  // namespace

ir::Kernel tensor_keys(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 32 * spec.tensor->warps);
  LinearFrame frame(builder, spec, LinearUse::kPrefill);
  TensorKeys(frame, LinearPart::kWhole, nullptr).run();
  return builder.take();
}

ir::Kernel tensor_keys_part(const KernelSpec& spec, LinearPart part, LinearUse use) {
  return part_of_scan(spec, part, use, [&](LinearFrame& frame, const MatrixScratch& scratch) {
    TensorKeys(frame, part, &scratch).run();
  });
}

}  // namespace heddle::schedule
