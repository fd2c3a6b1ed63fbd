// SPDX-License-Identifier: Apache-2.0
// Backward through matrix states on tensor cores, for chunks of 64 rows side by side. S is the
// state before the chunk, H the gradient of the one behind it; D_ij = gate_{j+1} ... gate_i, E_i
// the product of the gates up to row i and F_i of those behind it. With B = D . dY X^T and P = D .
// Q K^T
//   dQ = E (dY S^T) + B K,   dK = F (X H^T) + B^T Q,   dX = F (K H) + P^T dY.
// The gradient of gate_i is <G_i, S_{i-1}>. Of row t it has D_ti R_i[t], where R_0[t] is what the
// row reads of S, <q_t, S dy_t>, and R_{i+1} = gate_i R_i + <q_t, k_i> <dy_t, x_i>; what stands
// behind the chunk is a row more, with <k_i, H x_i> and <H, S>. Every gate is allowed, also 0.
#include <algorithm>
#include <functional>
#include <optional>

#include "codegen/schedule/gradient_plan.hpp"
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

constexpr int kRowTile = 16;

class TensorGradients {
 public:
  explicit TensorGradients(const KernelSpec& spec)
      : spec_(spec),
        layout_(spec),
        dim_(spec.head_dim),
        rows_(spec.state_dim),
        builder_(spec.symbol + "_rows", spec.target, kThreads),
        frame_(builder_, spec, LinearUse::kBackward),
        scratch_(builder_, spec, LinearUse::kBackward, Access::kRead, Access::kRead) {}

  ir::Kernel run() {
    frame_.chunks = scratch_.chunks;
    staged_ = builder_.dynamic_array("staged", spec_.dtype);
    reals_ = builder_.rest_of_dynamic_array("reals", builder_.i64(layout_.reals_at));
    frame_.enter(builder_.let("block", builder_.where(ir::Place::kBlock)));
    thread_ = builder_.let("thread", builder_.where(ir::Place::kThread));
    row_tile_ = builder_.let("row_tile", builder_.where(ir::Place::kWarp));
    lane_ = builder_.let("lane", builder_.where(ir::Place::kLane));
    frame_.where_own([&] { go(); });
    return builder_.take();
  }

 private:
  void go() {
    sums_ = builder_.array("sums", Type::kF32, std::max(dim_, rows_) / 2);
    bring();
    builder_.barrier();
    decays();
    builder_.barrier();
    overlaps();
    const Region queries{0, layout_.key_stride, rows_};
    const Region keys{layout_.keys_at, layout_.key_stride, rows_};
    const Region values{layout_.values_at, layout_.value_stride, dim_};
    const Region changes{layout_.changes_at, layout_.value_stride, dim_};
    builder_.comment("gradients of queries");
    mix({changes, values, keys, layout_.state_at, queries, GradientLayout::kEnteringAt, false});
    builder_.barrier();
    send(frame_.dq, rows_);
    add_parts(GradientLayout::kReadsAt);
    builder_.barrier();
    builder_.comment("of keys");
    constexpr std::int64_t kLeaving = (kTensorChunk - 1) * GradientLayout::kDecayStride;
    mix({values, changes, queries, layout_.slope_at, keys, kLeaving, true});
    builder_.barrier();
    send(frame_.dk, rows_);
    add_parts(GradientLayout::kOverlapsAt + kTensorChunk * GradientLayout::kDecayStride);
    builder_.barrier();
    builder_.comment("of inputs");
    mix({keys, queries, changes, layout_.slope_at, std::nullopt, kLeaving, true});
    builder_.barrier();
    send(frame_.dx, dim_);
    gates();
  }

  static constexpr int kThreads = 32 * kGradientWarps;

  using Region = ChunkRows;
  // out = factors (own M) + (D . own other^T) gathered; the other rows are the earlier ones, or the
  // later ones. M is a state, or its transpose where each row of it overlaps with one of these.
  struct Mix {
    Region own, other, gathered;
    std::int64_t state_at;
    std::optional<Region> overlapped;
    std::int64_t factors_at;
    bool later;
  };

  static std::string function(const char* name, int tiles) {
    return std::string(name) + "<" + std::to_string(tiles) + ">";
  }
  static std::string product(const char* name, int tiles, int depth) {
    return std::string(name) + "<" + std::to_string(tiles) + ", " + std::to_string(depth) + ">";
  }
  static std::string copy() { return "copy_elements<" + std::to_string(kPiece) + ">"; }
  VectorPlace sums() { return {sums_, builder_.i64(0), true}; }
  VectorPlace staged(const Region& region, Ex row) {
    return {staged_, row * region.stride + region.at};
  }
  Ex stride(const Region& region) { return builder_.i64(region.stride); }
  Ex first_row() { return row_tile_ * kRowTile; }

  void each_sum(MemoryId sums, int count, const std::function<Ex(Ex)>& value) {
    builder_.loop("e", builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  [&](Ex e) { builder_.store(sums, e, value(e)); });
  }
  void each_piece(int width, Ex count, const std::function<void(Ex, Ex)>& body) {
    each_vector(builder_, thread_, kThreads, count, {width, kPiece}, body);
  }

  // The chunk's rows, zero beyond the last token, where gates are one; and both states, rounded.
  void bring() {
    const auto rows = [&](MemoryId from, const Region& to) {
      bring_rows(frame_, staged_, thread_, kThreads, from, to, builder_.i64(0), frame_.tokens);
    };
    rows(frame_.q, {0, layout_.key_stride, rows_});
    rows(frame_.k, {layout_.keys_at, layout_.key_stride, rows_});
    rows(frame_.x, {layout_.values_at, layout_.value_stride, dim_});
    rows(frame_.dy, {layout_.changes_at, layout_.value_stride, dim_});
    builder_.when(thread_ < kTensorChunk, [&] {
      const Var gate = builder_.variable("gate_here", builder_.f32(1));
      builder_.when(thread_ < frame_.tokens, [&] {
        builder_.assign(gate, builder_.load(frame_.gate, frame_.row_of(thread_)));
      });
      builder_.store(reals_, thread_ + GradientLayout::kGatesAt, gate);
    });
    bring_states();
  }

  // Sixteen rows of both to a warp at a time; and its part of <H, S>.
  void bring_states() {
    const int tiles = dim_ / 8, units = rows_ / kRowTile;
    const Ex states_at = builder_.let("states_at", frame_.unit * (rows_ * dim_));
    const Var overlap = builder_.variable("overlap", builder_.f32(0));
    const MemoryId slopes = builder_.array("slopes", Type::kF32, 4 * tiles);
    const auto bring = [&](MemoryId from, MemoryId sums, std::int64_t to, Ex first) {
      builder_.invoke(function("load_sums", tiles),
                      {VectorPlace{sums, builder_.i64(0), true},
                       VectorPlace{from, states_at + first * dim_}, builder_.i64(dim_)});
      builder_.invoke(function("store_sums", tiles),
                      {VectorPlace{staged_, first * layout_.value_stride + to, true},
                       builder_.i64(layout_.value_stride), VectorPlace{sums, builder_.i64(0)}});
    };
    builder_.loop("turn", builder_.i64(0),
                  builder_.i64((units + kGradientWarps - 1) / kGradientWarps), [&](Ex turn) {
                    const Ex unit = builder_.let("unit", row_tile_ + turn * kGradientWarps);
                    const auto work = [&] {
                      const Ex first = builder_.let("s", unit * kRowTile);
                      bring(scratch_.carry, sums_, layout_.state_at, first);
                      bring(scratch_.slope, slopes, layout_.slope_at, first);
                      builder_.loop("e", builder_.i64(0), builder_.i64(4 * tiles), builder_.i64(1),
                                    LoopKind::kUnrolled, [&](Ex e) {
                                      builder_.assign(overlap,
                                                      Ex(overlap) + builder_.load(sums_, e) *
                                                                        builder_.load(slopes, e));
                                    });
                    };
                    if (units % kGradientWarps == 0) return work();
                    builder_.when(unit < units, work);
                  });
    builder_.store(reals_, thread_ + GradientLayout::kPartsAt, overlap);
  }

  // One thread a column of D, and one for E and for <H, S>.
  void decays() {
    const auto gate = [&](Ex i) { return builder_.load(reals_, i + GradientLayout::kGatesAt); };
    const Ex j = thread_;
    const Ex chunk = builder_.i64(kTensorChunk);
    builder_.when(j < chunk, [&] {
      const Var decay = builder_.variable("decay", builder_.f32(1));
      builder_.loop("i", builder_.i64(0), chunk, [&](Ex i) {
        builder_.when(i > j, [&] { builder_.assign(decay, Ex(decay) * gate(i)); });
        const Ex here = builder_.let("here", builder_.select(i < j, builder_.f32(0), decay));
        builder_.store(reals_, i * GradientLayout::kDecayStride + j, here);
      });
    });
    builder_.when(equal(j, chunk), [&] {
      const Var entering = builder_.variable("entering", builder_.f32(1));
      builder_.loop("i", builder_.i64(0), chunk, [&](Ex i) {
        builder_.assign(entering, Ex(entering) * gate(i));
        builder_.store(reals_, i + GradientLayout::kEnteringAt, entering);
      });
      const Var all = builder_.variable("all", builder_.f32(0));
      builder_.loop("part", builder_.i64(0), builder_.i64(kThreads), [&](Ex part) {
        builder_.assign(all, Ex(all) + builder_.load(reals_, part + GradientLayout::kPartsAt));
      });
      builder_.store(reals_, builder_.i64(GradientLayout::kReadsAt + kTensorChunk), all);
    });
  }

  // <q_t, k_j> <dy_t, x_j> of the rows of a warp and those up to them.
  void overlaps() {
    const MemoryId scores = builder_.array("scores", Type::kF32, 8);
    const MemoryId others = builder_.array("others", Type::kF32, 8);
    builder_.comment("scores of keys times scores of inputs, without decays");
    builder_.loop("near", builder_.i64(0), row_tile_ + 1, [&](Ex near) {
      score(scores, {0, layout_.key_stride, rows_}, {layout_.keys_at, layout_.key_stride, rows_},
            near);
      score(others, {layout_.changes_at, layout_.value_stride, dim_},
            {layout_.values_at, layout_.value_stride, dim_}, near);
      each_sum(scores, 8,
               [&](Ex e) { return builder_.load(scores, e) * builder_.load(others, e); });
      builder_.invoke(
          function("store_sums", 2),
          {VectorPlace{reals_,
                       first_row() * GradientLayout::kDecayStride + near * kRowTile +
                           GradientLayout::kOverlapsAt,
                       true},
           builder_.i64(GradientLayout::kDecayStride), VectorPlace{scores, builder_.i64(0)}});
    });
  }
  // Sixteen rows of one region by sixteen of the other, from its tile `near` on.
  void score(MemoryId scores, const Region& own, const Region& other, Ex near) {
    each_sum(scores, 8, [&](Ex) { return builder_.f32(0); });
    builder_.invoke(product("multiply_rows_by_rows", 2, own.width),
                    {VectorPlace{scores, builder_.i64(0), true}, staged(own, first_row()),
                     stride(own), staged(other, near * kRowTile), stride(other)});
  }

  void mix(const Mix& mix) {
    const int width = mix.gathered.width, tiles = width / 8;
    each_sum(sums_, width / 2, [&](Ex) { return builder_.f32(0); });
    builder_.invoke(
        product(mix.overlapped ? "multiply_rows_by_rows" : "multiply_rows_by_columns", tiles,
                mix.own.width),
        {sums(), staged(mix.own, first_row()), stride(mix.own),
         VectorPlace{staged_, builder_.i64(mix.state_at)}, builder_.i64(layout_.value_stride)});
    if (mix.overlapped) overlap_of(*mix.overlapped, tiles);
    builder_.invoke(function("scale_rows", tiles),
                    {sums(), VectorPlace{reals_, first_row() + mix.factors_at}});
    const MemoryId scores = builder_.array("scores", Type::kF32, 8);
    const Ex begin = mix.later ? row_tile_ : builder_.i64(0);
    const Ex end = mix.later ? builder_.i64(kTensorChunk / kRowTile) : row_tile_ + 1;
    builder_.loop("near", begin, end, [&](Ex near) {
      score(scores, mix.own, mix.other, near);
      const Ex from = mix.later ? near * kRowTile : first_row();
      const Ex to = mix.later ? first_row() : near * kRowTile;
      builder_.invoke(function(mix.later ? "scale_sums_across" : "scale_sums", 2),
                      {VectorPlace{scores, builder_.i64(0), true},
                       VectorPlace{reals_, from * GradientLayout::kDecayStride + to},
                       builder_.i64(GradientLayout::kDecayStride)});
      builder_.invoke(function("multiply_sums_by_columns", tiles),
                      {sums(), VectorPlace{scores, builder_.i64(0)},
                       staged(mix.gathered, near * kRowTile), stride(mix.gathered)});
    });
    builder_.invoke(function("store_sums", tiles),
                    {VectorPlace{staged_, first_row() * layout_.out_stride + layout_.out_at, true},
                     builder_.i64(layout_.out_stride), VectorPlace{sums_, builder_.i64(0)}});
  }

  void send(MemoryId to, int width) {
    each_piece(width, frame_.tokens, [&](Ex row, Ex d) {
      builder_.invoke(copy(),
                      {VectorPlace{to, frame_.row_of(row) * width + d, true},
                       VectorPlace{staged_, row * layout_.out_stride + d + layout_.out_at}});
    });
  }

  // Of the warp's rows; the four lanes that have one leave a part each.
  void overlap_of(const Region& rows, int tiles) {
    const MemoryId parts = builder_.array("parts", Type::kF32, 2);
    builder_.invoke(function("dot_rows", tiles),
                    {VectorPlace{parts, builder_.i64(0), true}, VectorPlace{sums_, builder_.i64(0)},
                     staged(rows, first_row()), stride(rows)});
    for (const int half : {0, 1}) {
      builder_.store(reals_,
                     row_tile_ * (4 * kRowTile) + lane_ + (32 * half + GradientLayout::kPartsAt),
                     builder_.load(parts, builder_.i64(half)));
    }
  }
  void add_parts(std::int64_t to) {
    builder_.when(thread_ < kTensorChunk, [&] {
      const auto part = [&](int number) {
        return builder_.load(reals_, thread_ * 4 + (GradientLayout::kPartsAt + number));
      };
      builder_.store(reals_, thread_ + to, part(0) + part(1) + part(2) + part(3));
    });
  }

  // A thread a row, and one for what stands behind the chunk; then one a gate.
  void gates() {
    constexpr std::int64_t kStride = GradientLayout::kDecayStride;
    const Ex chunk = builder_.i64(kTensorChunk);
    const Ex t = thread_;
    builder_.comment("what each row has of each gate");
    builder_.when(t < chunk + 1, [&] {
      const Var reads =
          builder_.variable("reads", builder_.load(reals_, t + GradientLayout::kReadsAt));
      const Ex last = builder_.let(
          "last", builder_.call(ir::Helper::kMinimum, {t, builder_.i64(kTensorChunk - 1)}));
      builder_.loop("i", builder_.i64(0), last + 1, [&](Ex i) {
        const Ex at = builder_.let("at", t * kStride + i + GradientLayout::kOverlapsAt);
        const Ex next =
            builder_.let("next", builder_.load(reals_, i + GradientLayout::kGatesAt) * reads +
                                     builder_.load(reals_, at));
        builder_.store(reals_, at, builder_.load(reals_, last * kStride + i) * reads);
        builder_.assign(reads, next);
      });
    });
    builder_.barrier();
    builder_.when(t < frame_.tokens, [&] {
      const Var sum = builder_.variable("sum", builder_.f32(0));
      builder_.loop("row", t, chunk + 1, [&](Ex row) {
        builder_.assign(
            sum, Ex(sum) + builder_.load(reals_, row * kStride + t + GradientLayout::kOverlapsAt));
      });
      builder_.store(frame_.dgate, frame_.row_of(t), sum);
    });
  }

  const KernelSpec& spec_;
  GradientLayout layout_;
  int dim_, rows_;
  Builder builder_;
  LinearFrame frame_;
  MatrixScratch scratch_;
  MemoryId staged_, reals_, sums_;
  Ex thread_, row_tile_, lane_;
};

}  // namespace

ir::Kernel tensor_gradients(const KernelSpec& spec) { return TensorGradients(spec).run(); }

}  // namespace heddle::schedule
