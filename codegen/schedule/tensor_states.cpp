// SPDX-License-Identifier: Apache-2.0
// Prefill of matrix states that rows of any pattern mix, on tensor cores, where rows of B are
// nested. A block owns a slice of the channels of one (batch, head) and takes chunks of 64 rows in
// turn. With M and W as chunk_system.hpp has them,
//   y_i = sum over j of M_ij (q_i . k_j) x_j + sum over live l of W_il q_i^T S_l
// and a row that stays live leaves
//   S_i = sum over j of M_ij k_j x_j^T + sum over live l of W_il S_l,
// which are products of small matrices, but for the last sum, whose states stay in f32. Live states
// lie in scratch by rank, in two halves that take turns from chunk to chunk. A number of a state is
// only ever touched by the thread that has its place in the registers of a product.
#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/chunk_system.hpp"
#include "codegen/schedule/row_vectors.hpp"
#include "codegen/schedule/states_plan.hpp"
#include "codegen/schedule/tensor_plan.hpp"

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

class TensorStates {
 public:
  explicit TensorStates(Frame& frame)
      : frame_(frame),
        builder_(frame.builder),
        side_(frame.b),
        slice_(slice_of(frame.spec)),
        layout_(slice_),
        shares_(slice_),
        dim_(frame.spec.head_dim),
        rows_(frame.spec.state_dim) {}

  void run() {
    staged_ = builder_.dynamic_array("staged", frame_.spec.dtype);
    reals_ = builder_.rest_of_dynamic_array("weights", builder_.i64(layout_.reals_at));
    row_tile_ = builder_.let("row_tile", frame_.warp % (kTensorChunk / 16));
    part_at_ =
        builder_.let("part_at", frame_.warp / (kTensorChunk / 16) * (8 * shares_.output_tiles));
    column_at_ = frame_.spec.tensor->slices > 1
                     ? builder_.let("column_at", frame_.slice * slice_.head_dim)
                     : builder_.i64(0);
    state_ = builder_.array("state", Type::kF32, state_sums());
    fresh_ = builder_.array("fresh_states", Type::kF32, kFreshStates * state_sums());
    outputs_ = builder_.array("outputs", Type::kF32, 4 * shares_.output_tiles);
    products_ = builder_.array("products", Type::kF32, 4 * shares_.output_tiles);
    system_.emplace(frame_, reals_);
    fill(state_, state_sums());
    live_ = builder_.variable("live", builder_.i64(0));
    open();
    builder_.loop("first", builder_.i64(0), frame_.tokens, builder_.i64(kTensorChunk),
                  LoopKind::kSerial, [&](Ex first) { chunk(first); });
    builder_.comment("final state: what the next row reads");
    close();
  }

 private:
  using Place = std::function<VectorPlace(Ex row, Ex column)>;

  int state_sums() const { return shares_.units_of_warp * unit_sums(); }
  int unit_sums() const { return 4 * shares_.state_tiles; }
  int threads() const { return 32 * frame_.spec.tensor->warps; }
  static std::string function(const char* name, int tiles) {
    return std::string(name) + "<" + std::to_string(tiles) + ">";
  }
  static std::string product(const char* name, int tiles, int depth) {
    return std::string(name) + "<" + std::to_string(tiles) + ", " + std::to_string(depth) + ">";
  }

  void each_sum(MemoryId sums, int count, const std::function<Ex(Ex)>& value) {
    builder_.loop("e", builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  [&](Ex e) { builder_.store(sums, e, value(e)); });
  }
  void fill(MemoryId sums, int count) {
    each_sum(sums, count, [&](Ex) { return builder_.f32(0); });
  }
  // body(its sums, first row, first column of the slice) for each unit of a state that this warp
  // has.
  void each_unit(const std::function<void(Ex, Ex, Ex)>& body) {
    builder_.loop(
        "turn", builder_.i64(0), builder_.i64(shares_.units_of_warp), builder_.i64(1),
        LoopKind::kUnrolled, [&](Ex turn) {
          const Ex unit = builder_.let("unit", frame_.warp + turn * frame_.spec.tensor->warps);
          const auto work = [&] {
            body(turn * unit_sums(), builder_.let("s", unit / shares_.state_parts * 16),
                 builder_.let("d", unit % shares_.state_parts * (8 * shares_.state_tiles)));
          };
          if (shares_.units_of_warp * frame_.spec.tensor->warps == shares_.state_units) {
            return work();
          }
          builder_.when(unit < shares_.state_units, work);
        });
  }
  void load_state(const Place& from) {
    each_unit([&](Ex sums, Ex row, Ex column) {
      builder_.invoke(function("load_sums", shares_.state_tiles),
                      {VectorPlace{state_, sums, true}, from(row, column), builder_.i64(dim_)});
    });
  }
  void store_state(MemoryId sums_of, Ex sums_at, const Place& to) {
    each_unit([&](Ex sums, Ex row, Ex column) {
      builder_.invoke(function("store_sums", shares_.state_tiles),
                      {to(row, column), builder_.i64(dim_), VectorPlace{sums_of, sums_at + sums}});
    });
  }
  // A state of which the first number lies at `at`.
  Place in(MemoryId memory, Ex at, bool written = false) {
    return [this, memory, at, written](Ex row, Ex column) {
      return VectorPlace{memory, at + row * dim_ + column_at_ + column, written};
    };
  }
  // Which half has the states before token `first`, where a chunk begins.
  Ex half_of(Ex first) { return builder_.let("half", first / kTensorChunk % 2); }
  Ex scratch_at(Ex half, Ex rank) {
    return builder_.let("state_at",
                        ((frame_.block * 2 + half) * frame_.live_states + rank) * (rows_ * dim_));
  }

  // ---- between launches ---------------------------------------------------------------------

  // body(position, rank) of what the row behind position `last` reads, as far as slots go.
  Var each_kept(Ex last, Ex slots, const std::function<void(Ex, Ex)>& body) {
    const Var rank = builder_.variable("rank", builder_.i64(0));
    rows::emit_walk(builder_, frame_.spec.pattern, *side_.plan, last + 1, [&](Ex p) {
      builder_.when(both(p <= last, rank < slots), [&] {
        body(p, rank);
        builder_.assign(rank, Ex(rank) + 1);
      });
    });
    return rank;
  }

  void open() {
    const Var opened = each_kept(frame_.start, frame_.live_states, [&](Ex p, Ex rank) {
      const Location held = frame_.locate_in_state(side_, p);
      fill(state_, state_sums());
      frame_.where_held(held, [&] { load_state(in(held.value, held.at)); });
      store_state(state_, builder_.i64(0),
                  in(frame_.states, scratch_at(builder_.i64(0), rank), true));
    });
    builder_.assign(live_, opened);
  }

  void close() {
    const Ex last = builder_.let("last_token", frame_.start + frame_.tokens);
    const Ex slots = side_.slots;
    half_ = half_of(frame_.tokens + (kTensorChunk - 1));
    const Var used =
        each_kept(last, builder_.let("kept", builder_.call(Helper::kMinimum, {slots, live_})),
                  [&](Ex p, Ex rank) {
                    load_state(in(frame_.states, scratch_at(half_, rank)));
                    keep(rank);
                    store_position(rank, p);
                  });
    fill(state_, state_sums());
    builder_.loop("slot", used, slots, [&](Ex slot) {
      keep(slot);
      store_position(slot, builder_.i64(0));
    });
  }
  void keep(Ex slot) {
    store_state(state_, builder_.i64(0),
                in(side_.after.val, builder_.let("to", frame_.slot_at(side_, slot)), true));
  }
  void store_position(Ex slot, Ex p) {
    Ex one = equal(frame_.thread, builder_.i64(0));
    if (frame_.spec.tensor->slices > 1) one = both(one, equal(frame_.slice, builder_.i64(0)));
    builder_.when(one, [&] { builder_.store(side_.after.pos, side_.pos_base + slot, p); });
  }

  // ---- a chunk --------------------------------------------------------------------------------

  void chunk(Ex first) {
    chunk_.first = first;
    chunk_.size = builder_.let("size", builder_.call(Helper::kMinimum, {builder_.i64(kTensorChunk),
                                                                        frame_.tokens - first}));
    chunk_.before = builder_.let("before", frame_.start + first);
    chunk_.last = builder_.let("last", chunk_.before + chunk_.size);
    half_ = half_of(first);
    bring();
    system_->look_ahead(chunk_);
    builder_.barrier();
    const Ex fresh = builder_.let("fresh_here", system_->fresh());
    fill(outputs_, 4 * shares_.output_tiles);
    builder_.loop("group", builder_.i64(0),
                  builder_.call(Helper::kMaximum, {fresh, builder_.i64(1)}),
                  builder_.i64(kFreshStates), LoopKind::kSerial, [&](Ex group) {
                    fill(fresh_, kFreshStates * state_sums());
                    builder_.loop("window", builder_.i64(0),
                                  builder_.call(Helper::kMaximum, {live_, builder_.i64(1)}),
                                  builder_.i64(kLiveWindow), LoopKind::kSerial,
                                  [&](Ex window) { take_window(group, window, fresh); });
                    builder_.when(equal(group, builder_.i64(0)), [&] { add_own(); });
                    leave_fresh(group, fresh);
                  });
    builder_.assign(live_, system_->next());
    builder_.barrier();
    write();
  }

  // Queries, keys and inputs; those beyond the last token are zero.
  void bring() {
    const auto rows = [&](MemoryId from, const ChunkRows& to, int width, Ex column) {
      bring_rows(builder_, staged_, frame_.thread, threads(), from, to, chunk_.size,
                 [&](Ex row) { return frame_.row_at(chunk_.first + row) * width + column; });
    };
    rows(frame_.q, {0, layout_.key_stride, rows_}, rows_, builder_.i64(0));
    rows(frame_.k, {layout_.keys_at, layout_.key_stride, rows_}, rows_, builder_.i64(0));
    rows(frame_.x, {layout_.values_at, layout_.value_stride, slice_.head_dim}, dim_, column_at_);
  }

  // body(which of the group, its rank) of the states that this turn makes.
  void each_fresh(Ex group, Ex fresh, const std::function<void(Ex, Ex)>& body) {
    builder_.loop("g", builder_.i64(0), builder_.i64(kFreshStates), builder_.i64(1),
                  LoopKind::kUnrolled,
                  [&](Ex g) { builder_.when(group + g < fresh, [&] { body(g, group + g); }); });
  }

  void take_window(Ex group, Ex window, Ex fresh) {
    const Ex count = builder_.let(
        "count", builder_.call(Helper::kMinimum, {builder_.i64(kLiveWindow), live_ - window}));
    // What one window holds is there already.
    builder_.when(either(equal(group, builder_.i64(0)), live_ > kLiveWindow),
                  [&] { system_->solve(chunk_, window, count); });
    builder_.loop("l", builder_.i64(0), count, [&](Ex l) {
      load_state(in(frame_.states, scratch_at(half_, window + l)));
      builder_.when(equal(group, builder_.i64(0)), [&] { read_out(l); });
      each_fresh(group, fresh, [&](Ex g, Ex rank) {
        const Ex weight = builder_.let("weight", system_->weight(l, system_->fresh_row(rank)));
        builder_.loop("e", builder_.i64(0), builder_.i64(state_sums()), builder_.i64(1),
                      LoopKind::kUnrolled, [&](Ex e) {
                        const Ex own = g * state_sums() + e;
                        builder_.store(
                            fresh_, own,
                            builder_.load(fresh_, own) + weight * builder_.load(state_, e));
                      });
      });
    });
  }

  // What the chunk's rows read of a live state, which moves to its place for the next chunk.
  void read_out(Ex l) {
    const int tiles = shares_.output_tiles;
    const Ex moved = builder_.let("moved_to", system_->moved_to(l));
    builder_.when(moved >= 0, [&] {
      store_state(state_, builder_.i64(0),
                  in(frame_.states, scratch_at(builder_.i64(1) - half_, moved), true));
    });
    const Ex stage = builder_.let("stage", l % 2 * layout_.state_size + layout_.state_at);
    each_unit([&](Ex sums, Ex row, Ex column) {
      builder_.invoke(function("store_sums", shares_.state_tiles),
                      {VectorPlace{staged_, row * layout_.value_stride + column + stage, true},
                       builder_.i64(layout_.value_stride), VectorPlace{state_, sums}});
    });
    builder_.barrier();
    fill(products_, 4 * tiles);
    builder_.invoke(product("multiply_rows_by_columns", tiles, rows_),
                    {VectorPlace{products_, builder_.i64(0), true},
                     VectorPlace{staged_, row_tile_ * (16 * layout_.key_stride)},
                     builder_.i64(layout_.key_stride), VectorPlace{staged_, part_at_ + stage},
                     builder_.i64(layout_.value_stride)});
    builder_.invoke(function("scale_rows", tiles),
                    {VectorPlace{products_, builder_.i64(0), true},
                     VectorPlace{reals_, l * StatesLayout::kLiveStride + row_tile_ * 16 +
                                             StatesLayout::kLiveAt}});
    each_sum(outputs_, 4 * tiles,
             [&](Ex e) { return builder_.load(outputs_, e) + builder_.load(products_, e); });
  }

  void add_own() {
    builder_.comment("what rows read of the chunk's own, sixteen at a time");
    const MemoryId scores = builder_.array("scores", Type::kF32, 8);
    builder_.loop("near", builder_.i64(0), row_tile_ + 1, [&](Ex near) {
      fill(scores, 8);
      builder_.invoke(product("multiply_rows_by_rows", 2, rows_),
                      {VectorPlace{scores, builder_.i64(0), true},
                       VectorPlace{staged_, row_tile_ * (16 * layout_.key_stride)},
                       builder_.i64(layout_.key_stride),
                       VectorPlace{staged_, near * (16 * layout_.key_stride) + layout_.keys_at},
                       builder_.i64(layout_.key_stride)});
      builder_.invoke(function("scale_sums", 2),
                      {VectorPlace{scores, builder_.i64(0), true},
                       VectorPlace{reals_, row_tile_ * (16 * StatesLayout::kMixStride) + near * 16},
                       builder_.i64(StatesLayout::kMixStride)});
      builder_.invoke(
          function("multiply_sums_by_columns", shares_.output_tiles),
          {VectorPlace{outputs_, builder_.i64(0), true}, VectorPlace{scores, builder_.i64(0)},
           VectorPlace{staged_, near * (16 * layout_.value_stride) + part_at_ + layout_.values_at},
           builder_.i64(layout_.value_stride)});
    });
  }

  // The states of the chunk's rows that later ones read.
  void leave_fresh(Ex group, Ex fresh) {
    each_fresh(group, fresh, [&](Ex g, Ex rank) {
      const Ex row = builder_.let("fresh_row", system_->fresh_row(rank));
      each_unit([&](Ex sums, Ex key, Ex column) {
        builder_.invoke(
            product("multiply_columns_by_columns", shares_.state_tiles, kTensorChunk),
            {VectorPlace{fresh_, g * state_sums() + sums, true},
             VectorPlace{staged_, key + layout_.keys_at}, builder_.i64(layout_.key_stride),
             VectorPlace{reals_, row * StatesLayout::kMixStride},
             VectorPlace{staged_, column + layout_.values_at}, builder_.i64(layout_.value_stride)});
      });
      store_state(fresh_, g * state_sums(),
                  in(frame_.states, scratch_at(builder_.i64(1) - half_, rank), true));
    });
  }

  // Outputs go out where values came in, in whole vectors; into these places the next chunk's
  // values are brought by the very threads that emptied them.
  void write() {
    builder_.invoke(
        function("store_sums", shares_.output_tiles),
        {VectorPlace{staged_,
                     row_tile_ * (16 * layout_.value_stride) + part_at_ + layout_.values_at, true},
         builder_.i64(layout_.value_stride), VectorPlace{outputs_, builder_.i64(0)}});
    builder_.barrier();
    each_vector(builder_, frame_.thread, threads(), chunk_.size, {slice_.head_dim, kPiece},
                [&](Ex row, Ex d) {
                  builder_.invoke(
                      function("copy_elements", kPiece),
                      {VectorPlace{frame_.y,
                                   frame_.row_at(chunk_.first + row) * dim_ + column_at_ + d, true},
                       VectorPlace{staged_, row * layout_.value_stride + d + layout_.values_at}});
                });
  }

  Frame& frame_;
  Builder& builder_;
  const SideFrame& side_;
  KernelSpec slice_;
  StatesLayout layout_;
  TensorShares shares_;
  int dim_, rows_;
  std::optional<ChunkSystem> system_;
  ChunkSystem::Chunk chunk_;
  MemoryId staged_, reals_;
  MemoryId state_, fresh_, outputs_, products_;
  Ex row_tile_, part_at_, column_at_;
  Ex half_;   // of scratch, that has the states before the chunk
  Var live_;  // how many these are
};

}  // namespace

ir::Kernel tensor_states(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 32 * spec.tensor->warps);
  Frame frame(builder, spec, /*decode=*/false);
  frame.warps = spec.tensor->warps;
  for (const char* size : {"key_rows", "value_rows", "tile_rows"}) builder.size(size);
  frame.each_block([&] { TensorStates(frame).run(); });
  return builder.take();
}

}  // namespace heddle::schedule
