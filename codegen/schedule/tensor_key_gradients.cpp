// SPDX-License-Identifier: Apache-2.0
// Backward through matrix states on tensor cores where each key has a gate of its own, for chunks
// of 64 rows side by side, whose states in front and gradients behind a scan has found. The state
// goes over the blocks of sixteen rows from the first to the last, the gradient from the last to
// the first; both are kept, rounded, as they are in front of and behind each block. Then, with
// D^s_ti, E^s_t, W, S and H of a block as in tensor_keys, F^s_i = D^s_last,i and M_ti = <dy_t,
// x_i>,
//   dX = (F . K) H + W^T dY,
// and a thread has a key of a block for the gradients by queries, keys and gates:
//   dq_ts = E^s_t (S dy_t)_s + the sum over i of D^s_ti k_is M_ti,
//   dk_is = F^s_i (H x_i)_s + the sum over t of D^s_ti q_ts M_ti,
//   dgate_is = the sum over t of D^s_ti R_i[t] + F^s_i R_i,  R_0[t] = q_ts (S dy_t)_s,
//   R_0 = <H_s, S_s>,  R_{i+1}[t] = gate_is R_i[t] + q_ts k_is M_ti,  R_{i+1} = gate_is R_i +
//   k_is (H x_i)_s.
// Every gate is allowed, also 0.
#include <functional>
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

class TensorKeyGradients {
 public:
  explicit TensorKeyGradients(const KernelSpec& spec)
      : spec_(spec),
        layout_(spec),
        dim_(spec.head_dim),
        rows_(spec.state_dim),
        threads_(32 * spec.tensor->warps),
        builder_(spec.symbol + "_rows", spec.target, 32 * spec.tensor->warps),
        frame_(builder_, spec, LinearUse::kBackward),
        scratch_(builder_, spec, LinearUse::kBackward, Access::kRead, Access::kRead) {}

  ir::Kernel run() {
    frame_.chunks = scratch_.chunks;
    staged_ = builder_.dynamic_array("staged", spec_.dtype);
    reals_ = builder_.rest_of_dynamic_array("gates", builder_.i64(layout_.reals_at));
    frame_.enter(builder_.let("block", builder_.where(ir::Place::kBlock)));
    thread_ = builder_.let("thread", builder_.where(ir::Place::kThread));
    warp_ = builder_.let("warp", builder_.where(ir::Place::kWarp));
    channels_at_ = builder_.let("channels_at", warp_ * kKeyBlock);
    frame_.where_own([&] { go(); });
    return builder_.take();
  }

 private:
  static constexpr int kOutputs = 8;  // floats of a lane for a block's outputs

  void go() {
    chunk_.emplace(KeyChunk{frame_, staged_, reals_, thread_, threads_, layout_.keys_at,
                            layout_.key_stride, layout_.weights_at, layout_.parts_at});
    state_ = builder_.array("state", Type::kF32, 4 * state_tiles());
    outputs_ = builder_.array("outputs", Type::kF32, kKeyBlocks * kOutputs);
    bring();
    builder_.barrier();
    chunk_->weigh();
    overlaps();
    decayed();
    builder_.barrier();
    chunk_->add_weights(/*turned=*/true);
    builder_.comment("the state in front of each block");
    with_channels([&] {
      open(scratch_.carry);
      unrolled("part", kKeyBlocks, [&](Ex part) {
        keep(layout_.states_at, part);
        go_on(part, layout_.values_at, layout_.leaving_at);
      });
    });
    builder_.barrier();
    builder_.comment("the gradient behind each block");
    with_channels([&] {
      open(scratch_.slope);
      unrolled("turn", kKeyBlocks, [&](Ex turn) {
        const Ex part = builder_.let("part", builder_.i64(kKeyBlocks - 1) - turn);
        keep(layout_.slopes_at, part);
        inputs(part);
        go_on(part, layout_.changes_at, layout_.entering_at);
      });
    });
    builder_.barrier();
    products(layout_.changes_at, layout_.states_at, layout_.reads_at);
    products(layout_.values_at, layout_.slopes_at, layout_.writes_at);
    builder_.barrier();
    builder_.comment("gradients of inputs go out where these came in");
    with_channels([&] {
      unrolled("part", kKeyBlocks, [&](Ex part) {
        builder_.invoke(
            "store_sums_across<2>",
            {VectorPlace{staged_, rows_of(part, layout_.values_at) + channels_at_, true},
             stride_of(layout_.value_stride), VectorPlace{outputs_, part * kOutputs}});
      });
    });
    builder_.barrier();
    each_vector(builder_, thread_, threads_, frame_.tokens, {dim_, kPiece}, [&](Ex row, Ex d) {
      builder_.invoke("copy_elements<" + std::to_string(kPiece) + ">",
                      {VectorPlace{frame_.dx, frame_.row_of(row) * dim_ + d, true},
                       VectorPlace{staged_, row * layout_.value_stride + d + layout_.values_at}});
    });
    gradients();
  }

  int state_tiles() const { return rows_ / 8; }
  static std::string tiled(const char* name, int tiles) {
    return std::string(name) + "<" + std::to_string(tiles) + ">";
  }
  Ex stride_of(std::int64_t stride) { return builder_.i64(stride); }
  VectorPlace sums(MemoryId memory) { return {memory, builder_.i64(0), true}; }
  // Of a block's values or changes, and of its keys.
  Ex rows_of(Ex part, std::int64_t at) { return part * (kKeyBlock * layout_.value_stride) + at; }
  Ex keys_of(Ex part, std::int64_t at) { return part * (kKeyBlock * layout_.key_stride) + at; }
  Ex key(std::int64_t region, Ex row, Ex s) {
    return builder_.load(staged_, row * layout_.key_stride + s + region);
  }
  void unrolled(const char* name, int count, const std::function<void(Ex)>& body) {
    builder_.loop(name, builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  body);
  }
  void clear(MemoryId memory, Ex from, int count) {
    unrolled("e", count, [&](Ex e) { builder_.store(memory, from + e, builder_.f32(0)); });
  }
  // For the warps that keep a part of the state.
  void with_channels(const std::function<void()>& body) {
    if (dim_ / kKeyBlock == spec_.tensor->warps) return body();
    builder_.when(warp_ < dim_ / kKeyBlock, body);
  }

  void bring() {
    const Ex first = builder_.i64(0);
    const auto rows = [&](MemoryId from, int width, std::int64_t at, std::int64_t stride) {
      bring_rows(frame_, staged_, thread_, threads_, from, {at, stride, width}, first,
                 frame_.tokens);
    };
    rows(frame_.q, rows_, 0, layout_.key_stride);
    rows(frame_.k, rows_, layout_.keys_at, layout_.key_stride);
    rows(frame_.x, dim_, layout_.values_at, layout_.value_stride);
    rows(frame_.dy, dim_, layout_.changes_at, layout_.value_stride);
    chunk_->bring_gates(first, frame_.tokens);
  }

  // M of a block, turned: a row for each input.
  void overlaps() {
    builder_.when(warp_ < kKeyBlocks, [&] {
      const MemoryId scores = builder_.array("scores", Type::kF32, 8);
      clear(scores, builder_.i64(0), 8);
      builder_.invoke("multiply_rows_by_rows<2, " + std::to_string(dim_) + ">",
                      {sums(scores), VectorPlace{staged_, rows_of(warp_, layout_.values_at)},
                       stride_of(layout_.value_stride),
                       VectorPlace{staged_, rows_of(warp_, layout_.changes_at)},
                       stride_of(layout_.value_stride)});
      builder_.invoke(
          "store_sums<2>",
          {VectorPlace{reals_, warp_ * (kKeyBlock * kKeyBlock) + layout_.overlaps_at, true},
           stride_of(kKeyBlock), VectorPlace{scores, builder_.i64(0)}});
    });
  }

  void decayed() {
    chunk_->each_item(std::int64_t{kKeyBlocks} * rows_, [&](Ex item) {
      const Ex s = builder_.let("s", item % rows_);
      const Ex from = builder_.let("from", item / rows_ * kKeyBlock);
      const auto keep_product = [&](std::int64_t to, Ex row, std::int64_t region, Ex decay) {
        builder_.store(staged_, row * layout_.key_stride + s + to, key(region, row, s) * decay);
      };
      const Var entering = builder_.variable("entering", builder_.f32(1));
      unrolled("i", kKeyBlock, [&](Ex i) {
        builder_.assign(entering, Ex(entering) * chunk_->gate(from + i, s));
        keep_product(layout_.entering_at, from + i, 0, entering);
      });
      builder_.store(reals_, item + layout_.products_at, entering);
      const Var leaving = builder_.variable("leaving", builder_.f32(1));
      unrolled("later", kKeyBlock, [&](Ex later) {
        const Ex row = builder_.let("row", from + (kKeyBlock - 1) - later);
        keep_product(layout_.leaving_at, row, layout_.keys_at, leaving);
        builder_.assign(leaving, Ex(leaving) * chunk_->gate(row, s));
      });
    });
  }

  void open(MemoryId scratch) {
    builder_.invoke(
        tiled("load_sums_across", state_tiles()),
        {sums(state_), VectorPlace{scratch, frame_.unit * (rows_ * dim_) + channels_at_},
         stride_of(dim_)});
  }
  // Rounded: a row for each channel.
  void keep(std::int64_t at, Ex part) {
    builder_.invoke(
        tiled("store_sums", state_tiles()),
        {VectorPlace{staged_, part * layout_.state_size + channels_at_ * layout_.key_stride + at,
                     true},
         stride_of(layout_.key_stride), VectorPlace{state_, builder_.i64(0)}});
  }
  // To the other side of a block.
  void go_on(Ex part, std::int64_t values, std::int64_t keys) {
    builder_.invoke(tiled("scale_columns", state_tiles()),
                    {sums(state_), VectorPlace{reals_, part * rows_ + layout_.products_at}});
    builder_.invoke(tiled("multiply_columns", state_tiles()),
                    {sums(state_), VectorPlace{staged_, rows_of(part, values) + channels_at_},
                     stride_of(layout_.value_stride), VectorPlace{staged_, keys_of(part, keys)},
                     stride_of(layout_.key_stride)});
  }

  // dX of a block, in this warp's channels.
  void inputs(Ex part) {
    const VectorPlace outputs{outputs_, part * kOutputs, true};
    clear(outputs_, part * kOutputs, kOutputs);
    unrolled("depth", rows_ / 16, [&](Ex depth) {
      builder_.invoke("multiply_sums_by_rows<2>",
                      {outputs, VectorPlace{state_, depth * 8},
                       VectorPlace{staged_, keys_of(part, layout_.leaving_at) + depth * 16},
                       stride_of(layout_.key_stride)});
    });
    builder_.invoke(
        "multiply_columns_by_rows<2>",
        {outputs, VectorPlace{staged_, rows_of(part, layout_.changes_at) + channels_at_},
         stride_of(layout_.value_stride),
         VectorPlace{staged_, part * (kKeyBlock * KeyLayout::kWeightStride) + layout_.weights_at},
         stride_of(KeyLayout::kWeightStride)});
  }

  // Of rows of a block and its state, sixteen keys to a warp at a time.
  void products(std::int64_t values, std::int64_t states, std::int64_t to) {
    const int units = rows_ / 16;
    const MemoryId part_sums = builder_.array("products", Type::kF32, 8);
    builder_.loop("unit", warp_, builder_.i64(std::int64_t{kKeyBlocks} * units),
                  builder_.i64(spec_.tensor->warps), LoopKind::kSerial, [&](Ex unit) {
                    const Ex part = builder_.let("part", unit / units);
                    const Ex s = builder_.let("s", unit % units * 16);
                    clear(part_sums, builder_.i64(0), 8);
                    builder_.invoke("multiply_rows_by_columns<2, " + std::to_string(dim_) + ">",
                                    {sums(part_sums), VectorPlace{staged_, rows_of(part, values)},
                                     stride_of(layout_.value_stride),
                                     VectorPlace{staged_, part * layout_.state_size + s + states},
                                     stride_of(layout_.key_stride)});
                    builder_.invoke("store_sums<2>",
                                    {VectorPlace{reals_, part * (kKeyBlock * rows_) + s + to, true},
                                     stride_of(rows_), VectorPlace{part_sums, builder_.i64(0)}});
                  });
  }

  // A thread has a key of a block.
  void gradients() {
    builder_.comment("gradients of queries, keys and gates, key by key");
    chunk_->each_item(std::int64_t{kKeyBlocks} * rows_, [&](Ex item) {
      const Ex s = builder_.let("s", item % rows_);
      const Ex part = builder_.let("part", item / rows_);
      const Ex from = builder_.let("from", part * kKeyBlock);
      const auto real = [&](std::int64_t at, Ex row) {
        return builder_.load(reals_, row * rows_ + s + at);
      };
      const MemoryId rest = builder_.array("rest", Type::kF32, kKeyBlock);
      const MemoryId slopes = builder_.array("slopes", Type::kF32, kKeyBlock);
      unrolled("t", kKeyBlock, [&](Ex t) {
        builder_.store(rest, t, key(0, from + t, s) * real(layout_.reads_at, from + t));
        builder_.store(slopes, t, builder_.f32(0));
      });
      const Var behind = builder_.variable("behind", builder_.f32(0));
      builder_.loop("d", builder_.i64(0), builder_.i64(dim_), [&](Ex d) {
        const Ex at = builder_.let("at", part * layout_.state_size + d * layout_.key_stride + s);
        builder_.assign(behind, Ex(behind) + builder_.load(staged_, at + layout_.states_at) *
                                                 builder_.load(staged_, at + layout_.slopes_at));
      });
      builder_.loop("i", builder_.i64(0), builder_.i64(kKeyBlock), [&](Ex i) {
        const Ex row = builder_.let("row", from + i);
        one_key(row, i, s, behind, rest, slopes, real(layout_.writes_at, row));
      });
      const Var entering = builder_.variable("entering", builder_.f32(1));
      unrolled("t", kKeyBlock, [&](Ex t) {
        const Ex row = builder_.let("row", from + t);
        builder_.assign(entering, Ex(entering) * chunk_->gate(row, s));
        builder_.when(row < frame_.tokens, [&] {
          builder_.store(frame_.dq, frame_.row_of(row) * rows_ + s,
                         builder_.load(slopes, t) + Ex(entering) * real(layout_.reads_at, row));
        });
      });
    });
  }

  void one_key(Ex row, Ex i, Ex s, Var behind, MemoryId rest, MemoryId slopes, Ex read) {
    const Ex here = builder_.let("key", key(layout_.keys_at, row, s));
    const Ex gate = builder_.let("gate_here", chunk_->gate(row, s));
    const Ex write = builder_.let("write", read);
    const Var decay = builder_.variable("decay", builder_.f32(1));
    const Var slope = builder_.variable("slope", builder_.f32(0));
    const Var of_gate = builder_.variable("of_gate", builder_.f32(0));
    unrolled("t", kKeyBlock, [&](Ex t) {
      builder_.when(t >= i, [&] {
        const Ex later = builder_.let("later", row - i + t);
        builder_.assign(
            decay, Ex(decay) * builder_.select(t > i, chunk_->gate(later, s), builder_.f32(1)));
        const Ex overlap = builder_.let(
            "overlap", builder_.load(reals_, row * kKeyBlock + t + layout_.overlaps_at));
        const Ex weighed = builder_.let("weighed", key(0, later, s) * overlap);
        builder_.assign(of_gate, Ex(of_gate) + Ex(decay) * builder_.load(rest, t));
        builder_.store(rest, t, gate * builder_.load(rest, t) + weighed * here);
        builder_.store(slopes, t, builder_.load(slopes, t) + overlap * here * Ex(decay));
        builder_.assign(slope, Ex(slope) + weighed * Ex(decay));
      });
    });
    builder_.when(row < frame_.tokens, [&] {
      const Ex at = builder_.let("to", frame_.row_of(row) * rows_ + s);
      builder_.store(frame_.dgate, at, Ex(of_gate) + Ex(decay) * Ex(behind));
      builder_.store(frame_.dk, at, Ex(slope) + Ex(decay) * write);
    });
    builder_.assign(behind, gate * Ex(behind) + here * write);
  }

  const KernelSpec& spec_;
  KeyGradientLayout layout_;
  int dim_, rows_, threads_;
  Builder builder_;
  LinearFrame frame_;
  MatrixScratch scratch_;
  MemoryId staged_, reals_, state_, outputs_;
  Ex thread_, warp_, channels_at_;
  std::optional<KeyChunk> chunk_;
};

}  // namespace

ir::Kernel tensor_key_gradients(const KernelSpec& spec) { return TensorKeyGradients(spec).run(); }

}  // namespace heddle::schedule
