// SPDX-License-Identifier: Apache-2.0
// Linear prefill on tensor cores: S_i = gate_i S_{i-1} + k_i x_i^T and y_i = q_i^T S_i for 64 rows
// at a time. With D_ij = gate_{j+1} ... gate_i, S the state before the chunk and E_i the product of
// the gates up to row i,
//   Y = E (Q S) + (D . Q K^T) X    and afterwards    S := E_last S + K^T diag(D_last) X,
// which are four products of small matrices. Every gate is allowed, also 0: no D is a quotient. A
// block owns one (batch, head); the state stays in registers, in f32, and is rounded for Q S only.
// Of a scan a block has some of the chunks: first from a state of zero and for the state alone,
// then from the one that they begin with.
#include "codegen/schedule/matrix_scan.hpp"
#include "codegen/schedule/row_vectors.hpp"
#include "codegen/schedule/tensor_plan.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;
using ir::VectorPlace;

namespace {

class TensorLinear {
 public:
  TensorLinear(LinearFrame& frame, LinearPart part, const MatrixScratch* scratch)
      : part_(part),
        scratch_(scratch),
        frame_(frame),
        builder_(frame.builder),
        spec_(frame.spec),
        layout_(frame.spec),
        shares_(frame.spec),
        dim_(frame.spec.head_dim),
        rows_(frame.spec.state_dim) {}

  void run() {
    for (const char* size : {"key_rows", "value_rows", "tile_rows"}) builder_.size(size);
    staged_ = builder_.dynamic_array("staged", spec_.dtype);
    reals_ = builder_.rest_of_dynamic_array("decays", builder_.i64(layout_.reals_at));
    frame_.enter(builder_.let("block", builder_.where(ir::Place::kBlock)));
    thread_ = builder_.let("thread", builder_.where(ir::Place::kThread));
    const Ex warp = builder_.let("warp", builder_.where(ir::Place::kWarp));
    warp_ = warp;
    row_tile_ = builder_.let("row_tile", warp % (kTensorChunk / 16));
    part_at_ = builder_.let("part_at", warp / (kTensorChunk / 16) * (8 * shares_.output_tiles));
    frame_.where_own([&] { go(); });
  }

 private:
  void go() {
    state_ = builder_.array("state", Type::kF32, shares_.units_of_warp * unit_sums());
    if (has_outputs()) {
      outputs_ = builder_.array("outputs", Type::kF32, 4 * shares_.output_tiles);
    }
    const Var product = builder_.variable("product", builder_.f32(1));  // of all gates
    open_state();
    builder_.loop("first", builder_.i64(0), frame_.tokens, builder_.i64(kTensorChunk),
                  LoopKind::kSerial, [&](Ex first) {
                    chunk(first);
                    if (part_ == LinearPart::kSums) {
                      builder_.assign(product, Ex(product) * left_);
                    }
                  });
    if (part_ == LinearPart::kWhole) {
      builder_.comment("the state after the last token");
      store_state([&](Ex row, Ex column) {
        return VectorPlace{frame_.after, frame_.state(row, column), true};
      });
    } else if (part_ != LinearPart::kRows) {
      builder_.comment("what the chunks come to from zero, and what they multiply a state by");
      store_state([&](Ex row, Ex column) { return carried(row, column, true); });
      if (part_ == LinearPart::kSlopes) return;
      builder_.when(equal(thread_, builder_.i64(0)),
                    [&] { builder_.store(scratch_->product, frame_.unit, product); });
    }
  }

  bool has_outputs() const { return part_ == LinearPart::kWhole || part_ == LinearPart::kRows; }
  // Of a slope rows have queries for keys, and what comes from behind for values.
  bool is_slope() const { return part_ == LinearPart::kSlopes; }
  int unit_sums() const { return 4 * shares_.state_tiles; }
  static std::string function(const char* name, int tiles) {
    return std::string(name) + "<" + std::to_string(tiles) + ">";
  }
  static std::string product(const char* name, int tiles, int depth) {
    return std::string(name) + "<" + std::to_string(tiles) + ", " + std::to_string(depth) + ">";
  }
  Ex reals(std::int64_t at) { return builder_.i64(at); }

  // body(its sums, first row, first column) for each unit of the state that this warp keeps.
  void each_unit(const std::function<void(Ex, Ex, Ex)>& body) {
    builder_.loop(
        "turn", builder_.i64(0), builder_.i64(shares_.units_of_warp), builder_.i64(1),
        LoopKind::kUnrolled, [&](Ex turn) {
          const Ex unit = builder_.let("unit", warp_ + turn * spec_.tensor->warps);
          const auto work = [&] {
            body(turn * unit_sums(), builder_.let("s", unit / shares_.state_parts * 16),
                 builder_.let("d", unit % shares_.state_parts * (8 * shares_.state_tiles)));
          };
          if (shares_.units_of_warp * spec_.tensor->warps == shares_.state_units) return work();
          builder_.when(unit < shares_.state_units, work);
        });
  }

  void each_sum(MemoryId sums, int count, const std::function<Ex(Ex)>& value) {
    builder_.loop("e", builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  [&](Ex e) { builder_.store(sums, e, value(e)); });
  }

  // Of the state of this block's chunks.
  VectorPlace carried(Ex row, Ex column, bool written) const {
    return {is_slope() ? scratch_->slope : scratch_->carry,
            frame_.unit * (rows_ * dim_) + row * dim_ + column, written};
  }

  void open_state() {
    each_sum(state_, shares_.units_of_warp * unit_sums(), [&](Ex) { return builder_.f32(0); });
    if (part_ == LinearPart::kRows) {
      load_state([&](Ex row, Ex column) { return carried(row, column, false); });
    } else if (part_ == LinearPart::kWhole) {
      builder_.when(frame_.start > 0, [&] {
        load_state([&](Ex row, Ex column) {
          return VectorPlace{frame_.before, frame_.state(row, column)};
        });
      });
    }
  }

  using Place = std::function<VectorPlace(Ex row, Ex column)>;
  void load_state(const Place& from) {
    each_unit([&](Ex sums, Ex row, Ex column) {
      builder_.invoke(function("load_sums", shares_.state_tiles),
                      {VectorPlace{state_, sums, true}, from(row, column), builder_.i64(dim_)});
    });
  }
  void store_state(const Place& to) {
    each_unit([&](Ex sums, Ex row, Ex column) {
      builder_.invoke(function("store_sums", shares_.state_tiles),
                      {to(row, column), builder_.i64(dim_), VectorPlace{state_, sums}});
    });
  }

  void chunk(Ex first) {
    const Ex size = builder_.let(
        "size",
        builder_.call(ir::Helper::kMinimum, {builder_.i64(kTensorChunk), frame_.tokens - first}));
    bring(first, size);
    builder_.barrier();
    decays();
    builder_.barrier();
    if (has_outputs()) outputs();
    if (part_ != LinearPart::kRows) {
      keep_state_up();
    } else if (spec_.scan->chunk_tokens > kTensorChunk) {
      builder_.when(first + kTensorChunk < frame_.tokens, [&] { keep_state_up(); });
    }
    builder_.barrier();
    if (!has_outputs()) return;
    builder_.comment("outputs go out where values came in, in whole vectors");
    builder_.invoke(
        function("store_sums", shares_.output_tiles),
        {VectorPlace{staged_,
                     row_tile_ * (16 * layout_.value_stride) + part_at_ + layout_.values_at, true},
         builder_.i64(layout_.value_stride), VectorPlace{outputs_, builder_.i64(0)}});
    builder_.barrier();
    each_piece(dim_, size, [&](Ex row, Ex d) {
      builder_.invoke(copy(),
                      {VectorPlace{frame_.y, frame_.row_of(first + row) * dim_ + d, true},
                       VectorPlace{staged_, row * layout_.value_stride + d + layout_.values_at}});
    });
    // Into these places the next chunk's values are brought by the very threads that emptied them.
  }

  static std::string copy() { return "copy_elements<" + std::to_string(kPiece) + ">"; }

  void each_piece(int width, Ex count, const std::function<void(Ex, Ex)>& body) {
    each_vector(builder_, thread_, 32 * spec_.tensor->warps, count, {width, kPiece}, body);
  }

  // The chunk's rows; those beyond the last token are zero and their gates one, so that nothing
  // else has to know of them.
  void bring(Ex first, Ex size) {
    const auto rows = [&](MemoryId from, int width, std::int64_t at, std::int64_t stride) {
      bring_rows(frame_, staged_, thread_, 32 * spec_.tensor->warps, from, {at, stride, width},
                 first, size);
    };
    if (has_outputs()) rows(frame_.q, rows_, 0, layout_.key_stride);
    rows(is_slope() ? frame_.q : frame_.k, rows_, layout_.keys_at, layout_.key_stride);
    rows(is_slope() ? frame_.dy : frame_.x, dim_, layout_.values_at, layout_.value_stride);
    builder_.when(thread_ < kTensorChunk, [&] {
      const Var gate = builder_.variable("gate_here", builder_.f32(1));
      builder_.when(thread_ < size, [&] {
        builder_.assign(gate, builder_.load(frame_.gate, frame_.row_of(first + thread_)));
      });
      builder_.store(reals_, thread_ + TensorLayout::kGatesAt, gate);
    });
    if (!has_outputs()) return;
    builder_.comment("the state before the chunk, rounded");
    each_unit([&](Ex sums, Ex row, Ex column) {
      builder_.invoke(
          function("store_sums", shares_.state_tiles),
          {VectorPlace{staged_, row * layout_.value_stride + column + layout_.state_at, true},
           builder_.i64(layout_.value_stride), VectorPlace{state_, sums}});
    });
  }

  // One thread a column of D, and one for E. Without outputs the last row of both will do, and of
  // a slope E.
  void decays() {
    const auto gate = [&](Ex i) { return builder_.load(reals_, i + TensorLayout::kGatesAt); };
    const Ex j = thread_;
    const auto column = [&] {
      const Var decay = builder_.variable("decay", builder_.f32(1));
      builder_.loop("i", builder_.i64(0), builder_.i64(kTensorChunk), [&](Ex i) {
        builder_.when(i > j, [&] { builder_.assign(decay, Ex(decay) * gate(i)); });
        if (!has_outputs()) return;
        builder_.store(reals_, i * TensorLayout::kDecayStride + j,
                       builder_.select(i < j, builder_.f32(0), decay));
      });
      if (has_outputs()) return;
      builder_.store(reals_, j + (kTensorChunk - 1) * TensorLayout::kDecayStride, decay);
    };
    if (!is_slope()) builder_.when(j < kTensorChunk, column);
    builder_.when(equal(j, builder_.i64(kTensorChunk)), [&] {
      const Var entering = builder_.variable("entering", builder_.f32(1));
      builder_.loop("i", builder_.i64(0), builder_.i64(kTensorChunk), [&](Ex i) {
        builder_.assign(entering, Ex(entering) * gate(i));
        if (part_ == LinearPart::kSums) return;
        builder_.store(reals_, i + TensorLayout::kEnteringAt, entering);
      });
      if (part_ != LinearPart::kSums) return;
      builder_.store(reals_, builder_.i64(TensorLayout::kEnteringAt + kTensorChunk - 1), entering);
    });
  }

  void outputs() {
    const int tiles = shares_.output_tiles;
    builder_.comment("what the rows read of the state before the chunk");
    each_sum(outputs_, 4 * tiles, [&](Ex) { return builder_.f32(0); });
    const Ex queries = builder_.let("queries_at", row_tile_ * (16 * layout_.key_stride));
    builder_.invoke(
        product("multiply_rows_by_columns", tiles, rows_),
        {VectorPlace{outputs_, builder_.i64(0), true}, VectorPlace{staged_, queries},
         builder_.i64(layout_.key_stride), VectorPlace{staged_, part_at_ + layout_.state_at},
         builder_.i64(layout_.value_stride)});
    builder_.invoke(function("scale_rows", tiles),
                    {VectorPlace{outputs_, builder_.i64(0), true},
                     VectorPlace{reals_, row_tile_ * 16 + TensorLayout::kEnteringAt}});
    builder_.comment("and of the chunk's own rows, sixteen at a time");
    const MemoryId scores = builder_.array("scores", Type::kF32, 8);
    builder_.loop("near", builder_.i64(0), row_tile_ + 1, [&](Ex near) {
      each_sum(scores, 8, [&](Ex) { return builder_.f32(0); });
      builder_.invoke(product("multiply_rows_by_rows", 2, rows_),
                      {VectorPlace{scores, builder_.i64(0), true}, VectorPlace{staged_, queries},
                       builder_.i64(layout_.key_stride),
                       VectorPlace{staged_, near * (16 * layout_.key_stride) + layout_.keys_at},
                       builder_.i64(layout_.key_stride)});
      builder_.invoke(
          function("scale_sums", 2),
          {VectorPlace{scores, builder_.i64(0), true},
           VectorPlace{reals_, row_tile_ * (16 * TensorLayout::kDecayStride) + near * 16},
           builder_.i64(TensorLayout::kDecayStride)});
      builder_.invoke(
          function("multiply_sums_by_columns", tiles),
          {VectorPlace{outputs_, builder_.i64(0), true}, VectorPlace{scores, builder_.i64(0)},
           VectorPlace{staged_, near * (16 * layout_.value_stride) + part_at_ + layout_.values_at},
           builder_.i64(layout_.value_stride)});
    });
  }

  void keep_state_up() {
    builder_.comment("the state after the chunk");
    left_ = builder_.let(
        "left", builder_.load(reals_, builder_.i64(TensorLayout::kEnteringAt + kTensorChunk - 1)));
    each_sum(state_, shares_.units_of_warp * unit_sums(),
             [&](Ex e) { return builder_.load(state_, e) * left_; });
    each_unit([&](Ex sums, Ex row, Ex column) {
      builder_.invoke(
          product("multiply_columns_by_columns", shares_.state_tiles, kTensorChunk),
          {VectorPlace{state_, sums, true}, VectorPlace{staged_, row + layout_.keys_at},
           builder_.i64(layout_.key_stride),
           VectorPlace{reals_,
                       builder_.i64(is_slope() ? TensorLayout::kEnteringAt
                                               : (kTensorChunk - 1) * TensorLayout::kDecayStride)},
           VectorPlace{staged_, column + layout_.values_at}, builder_.i64(layout_.value_stride)});
    });
  }

  LinearPart part_;
  const MatrixScratch* scratch_;
  LinearFrame& frame_;
  Builder& builder_;
  const KernelSpec& spec_;
  TensorLayout layout_;
  TensorShares shares_;
  int dim_, rows_;
  MemoryId staged_, reals_, state_, outputs_;
  Ex thread_, warp_, row_tile_, part_at_;
  Ex left_;  // of the state before a chunk, after it
};

}  // namespace

void bring_rows(LinearFrame& frame, MemoryId staged, Ex thread, int threads, MemoryId from,
                const ChunkRows& to, Ex first, Ex size) {
  bring_rows(frame.builder, staged, thread, threads, from, to, size,
             [&](Ex row) { return frame.row_of(first + row) * to.width; });
}

ir::Kernel tensor_linear(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 32 * spec.tensor->warps);
  LinearFrame frame(builder, spec, LinearUse::kPrefill);
  TensorLinear(frame, LinearPart::kWhole, nullptr).run();
  return builder.take();
}

ir::Kernel tensor_linear_part(const KernelSpec& spec, LinearPart part, LinearUse use) {
  return part_of_scan(spec, part, use, [&](LinearFrame& frame, const MatrixScratch& scratch) {
    TensorLinear(frame, part, &scratch).run();
  });
}

}  // namespace heddle::schedule
