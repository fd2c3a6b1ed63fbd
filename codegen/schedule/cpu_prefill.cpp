// SPDX-License-Identifier: Apache-2.0
// Prefill on cpu: one (batch, head), or a slice of its channels, after the other, row after row.
// What rows read is copied side by side into working memory first, or as it is finished: heads lie
// interleaved in the caller's buffers, where the rows of one would share few sets of a cache. A row
// is then a list of steps from its own place, which most patterns do not have to walk for: shifted
// rows are beginnings of one list, and a lattice row changes in few places from the row before.
#include "codegen/rows/emit_row.hpp"
#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Operand;
using ir::Procedure;
using ir::Type;
using ir::Var;
using rows::RowShape;

namespace {

// Outputs of that many bytes and more would push out of the caches what rows read.
constexpr std::int64_t kAroundBytes = std::int64_t{1} << 20;

// Rows of a tile: the more, the more often a window finds in the second cache what the next nearer
// one read before it; the sums of a tile take an eighth of that cache. Rows of a part of a tile:
// what they read of each other stays in the first cache.
constexpr std::int64_t kTile = 512;
constexpr std::int64_t kTilePart = 64;

// As in the prelude: the most rows of a lattice that are mixed together.
constexpr int kGroup = 4;

// How one side's rows are gone through.
struct SideRows {
  SideFrame* frame = nullptr;
  RowShape shape = RowShape::kEmpty;
  MemoryId steps;   // kItself, kShifted, kWalked: positions minus the row's number, descending
  Ex most;          // kShifted: steps of the longest row
  Var size;         // kShifted, kWalked: steps of this row
  MemoryId values;  // rows by position, or by slot for kLattice
  MemoryId keys;
  MemoryId lattice;
  Ex room;           // of the lattice
  MemoryId weights;  // of this row
  Ex weights_at;

  std::string letter() const { return frame->side == Side::kA ? "a" : "b"; }
  bool by_position() const { return shape == RowShape::kShifted || shape == RowShape::kWalked; }
};

class CpuPrefill {
 public:
  CpuPrefill(Builder& builder, const KernelSpec& spec)
      : builder_(builder),
        frame_(builder, spec, /*decode=*/false),
        channels_(spec.head_dim / spec.slices),
        width_(ir::padded_channels(channels_)) {}

  void run() {
    length_ = builder_.let("length", frame_.start + frame_.tokens);
    const std::int64_t floats =
        kAroundBytes / static_cast<std::int64_t>(sizeof(float)) / frame_.spec.head_dim;
    around_ = builder_.let("around", frame_.tokens * frame_.heads >= floats);
    for (SideRows* side : {&a_, &b_}) prepare(*side);
    if (by_windows()) {
      near_ =
          steps_within("near", "steps that may stay inside a part of a tile of rows", kTilePart);
      inner_ = steps_within("inner", "and inside the tile", kTile);
      tile_ = builder_.reserve("tile", Type::kF32, builder_.i64(kTile * width_));
      const Ex extent = builder_.perform("packed_floats", Procedure::kPackedExtent, 0,
                                         {builder_.i64(kTile).id(), b_.most.id()});
      packed_ = builder_.reserve("packed", Type::kF32, extent);
    }
    if (frame_.softmax()) {
      if (by_position()) keys_ = builder_.reserve("keys", Type::kF32, length_ * width_);
      weights_ = builder_.reserve("weights", Type::kF32, length_ * 2);
      for (SideRows* side : {&a_, &b_}) {
        if (side->by_position()) side->keys = keys_;
      }
    }
    frame_.each_block([&] {
      for (SideRows* side : {&a_, &b_}) {
        bring_state(*side);
        if (side->shape != RowShape::kShifted) continue;
        side->size = builder_.variable("size_" + side->letter(), builder_.i64(0));
      }
      if (by_windows()) {
        builder_.loop("first", builder_.i64(0), frame_.tokens, builder_.i64(kTile),
                      LoopKind::kSerial, [&](Ex first) { tile(first); });
      } else if (by_groups()) {
        const Var token = builder_.variable("token", builder_.i64(0));
        builder_.repeat_while(token < frame_.tokens, [&] { group(token); });
      } else {
        builder_.loop("token", builder_.i64(0), frame_.tokens, [&](Ex token) { row(token); });
      }
      for (SideRows* side : {&a_, &b_}) leave_state(*side);
    });
    builder_.perform(Procedure::kSettleStores, 0, {});
  }

 private:
  // Tiles of rows, into which far outputs are mixed for all rows at once.
  bool by_windows() const {
    return !frame_.softmax() && b_.shape == RowShape::kShifted && frame_.spec.long_rows;
  }
  // Rows of a lattice, of which neighbours read nearly the same.
  bool by_groups() const { return !frame_.softmax() && b_.shape == RowShape::kLattice; }
  bool by_position() const { return a_.by_position() || b_.by_position(); }
  Ex place(Ex position) { return (position - 1) * width_; }

  // ---- once per launch ------------------------------------------------------------------------

  void prepare(SideRows& side) {
    side.frame = &side == &a_ ? &frame_.a : &frame_.b;
    const rows::RowPlan& plan = *side.frame->plan;
    const std::string letter = side.letter();
    side.shape = rows::shape_of(plan);
    const bool live_slots =
        side.frame->side == Side::kB && side.frame->keep == CacheRetention::kNextRow;
    if (side.shape == RowShape::kLattice && !live_slots) side.shape = RowShape::kWalked;
    switch (side.shape) {
      case RowShape::kEmpty:
        return;
      case RowShape::kItself:
        if (!frame_.softmax()) return;
        side.steps = builder_.array("itself", Type::kI64, 1);
        return builder_.store(side.steps, builder_.i64(0), builder_.i64(0));
      case RowShape::kLattice:
        return prepare_lattice(side);
      case RowShape::kShifted: {
        builder_.comment(letter == "a" ? "how far back the inputs of a row lie"
                                       : "how far back the outputs lie that a row reads");
        side.steps = builder_.reserve("steps_" + letter, Type::kI64, length_);
        const Var most = builder_.variable("most_" + letter, builder_.i64(0));
        rows::emit_walk(builder_, frame_.spec.pattern, plan, length_, [&](Ex p) {
          builder_.store(side.steps, most, p - length_);
          builder_.assign(most, Ex(most) + 1);
        });
        side.most = most;
        break;
      }
      case RowShape::kWalked:
        side.steps = builder_.reserve("steps_" + letter, Type::kI64, length_);
        break;
    }
    side.values =
        builder_.reserve(letter == "a" ? "inputs" : "outputs", Type::kF32, length_ * width_);
  }

  void prepare_lattice(SideRows& side) {
    const rows::RowPlan& plan = *side.frame->plan;
    builder_.comment("the lattice, and slots for what is read of the outputs");
    const Ex next_row = builder_.let("row_after", length_ + 1);
    const Var terms = builder_.variable("terms", builder_.i64(0));
    rows::emit_lattice_terms(builder_, frame_.spec.pattern, plan, next_row,
                             [&](Ex, Ex) { builder_.assign(terms, Ex(terms) + 1); });
    side.room = builder_.let("room", Ex(terms) + 1);
    const Ex extent = builder_.perform("extent", Procedure::kLatticeExtent, 0, {Ex(terms).id()});
    side.lattice = builder_.reserve("lattice", Type::kI64, extent);
    builder_.perform(Procedure::kLatticeOpen, 0, {builder_.at(side.lattice), Ex(terms).id()});
    rows::emit_lattice_terms(builder_, frame_.spec.pattern, plan, next_row, [&](Ex f, Ex a) {
      builder_.perform(Procedure::kLatticeTerm, 0, {builder_.at(side.lattice), f.id(), a.id()});
    });
    side.values = builder_.reserve("outputs", Type::kF32, side.room * width_);
    if (frame_.softmax()) {
      side.keys = builder_.reserve("live_keys", Type::kF32, side.room * width_);
    }
  }

  Ex lattice_fact(const SideRows& side, const std::string& name, Procedure procedure) {
    return builder_.perform(name, procedure, 0, {builder_.at(side.lattice)});
  }
  Ex lattice_size(const SideRows& side) {
    return lattice_fact(side, "lattice_entries", Procedure::kLatticeSize);
  }
  Ex lattice_positions(const SideRows& side) {
    return lattice_fact(side, "positions_at", Procedure::kLatticePositions);
  }
  Ex lattice_slots(const SideRows& side) {
    return lattice_fact(side, "slots_at", Procedure::kLatticeSlots);
  }

  // ---- state ----------------------------------------------------------------------------------

  void copy_in(SideRows& side, Ex to, Ex slot) {
    const Ex from = builder_.let("from", frame_.slot_at(*side.frame, slot));
    const auto keep = [&](MemoryId target, MemoryId source) {
      builder_.perform(Procedure::kKeepRow, channels_,
                       {builder_.at(target, to), builder_.at(source, from)});
    };
    if (frame_.softmax()) keep(side.keys, side.frame->before.key);
    keep(side.values, side.frame->before.val);
  }
  void copy_out(SideRows& side, Ex slot, Ex from) {
    const Ex to = builder_.let("to", frame_.slot_at(*side.frame, slot));
    const auto send = [&](MemoryId target, MemoryId source) {
      builder_.perform(Procedure::kSendRow, channels_,
                       {builder_.at(target, to), builder_.at(source, from), around_.id()});
    };
    if (frame_.softmax()) send(side.frame->after.key, side.keys);
    send(side.frame->after.val, side.values);
  }
  void clear_out(SideRows& side, Ex slot) {
    const Ex to = builder_.let("to", frame_.slot_at(*side.frame, slot));
    const auto clear = [&](MemoryId target) {
      builder_.perform(Procedure::kClearRow, channels_, {builder_.at(target, to)});
    };
    if (frame_.softmax()) clear(side.frame->after.key);
    clear(side.frame->after.val);
  }

  void bring_state(SideRows& side) {
    if (!side.frame->cached()) return;
    if (side.shape == RowShape::kLattice) {
      builder_.perform(Procedure::kLatticeStart, 0,
                       {builder_.at(side.lattice), (frame_.start + 1).id()});
      return builder_.when(frame_.start > 0, [&] {
        const Ex positions = lattice_positions(side);
        builder_.loop("e", builder_.i64(0), lattice_size(side), [&](Ex e) {
          const Ex p = builder_.let("p", builder_.load(side.lattice, positions + e));
          copy_in(side, e * width_, frame_.slot_of(*side.frame, side.frame->before, p));
        });
      });
    }
    if (side.frame->keep == CacheRetention::kAll) {
      return builder_.loop("slot", builder_.i64(0), frame_.start,
                           [&](Ex slot) { copy_in(side, slot * width_, slot); });
    }
    builder_.when(frame_.start > 0, [&] {
      builder_.loop("slot", builder_.i64(0), side.frame->slots, [&](Ex slot) {
        const Ex p =
            builder_.let("p", builder_.load(side.frame->before.pos, side.frame->pos_base + slot));
        builder_.when(both(p >= 1, p <= frame_.start), [&] { copy_in(side, place(p), slot); });
      });
    });
  }

  void leave_state(SideRows& side) {
    const SideFrame& frame = *side.frame;
    if (!frame.cached()) return;
    if (frame.keep == CacheRetention::kAll) {
      builder_.comment("final state: every position stays");
      return builder_.loop("slot", builder_.i64(0), frame.slots, [&](Ex slot) {
        builder_.when(
            slot < length_, [&] { copy_out(side, slot, slot * width_); },
            [&] { clear_out(side, slot); });
      });
    }
    builder_.comment("final state: what the next row reads");
    const Var used = builder_.variable("used", builder_.i64(0));
    const auto keep = [&](Ex p, Ex from) {
      builder_.when(used < frame.slots, [&] {
        copy_out(side, used, from);
        store_position(frame, used, p);
        builder_.assign(used, Ex(used) + 1);
      });
    };
    if (side.shape == RowShape::kLattice) {
      const Ex slots = lattice_slots(side), positions = lattice_positions(side);
      builder_.loop("e", builder_.i64(0), lattice_size(side), [&](Ex e) {
        const Ex slot = builder_.let("slot", builder_.load(side.lattice, slots + e));
        keep(builder_.load(side.lattice, positions + e), slot * width_);
      });
    } else {
      const Ex next_row = builder_.let("next_row", length_ + 1);
      rows::emit_walk(builder_, frame_.spec.pattern, *frame.plan, next_row,
                      [&](Ex p) { builder_.when(p <= length_, [&] { keep(p, place(p)); }); });
    }
    builder_.loop("slot", used, frame.slots, [&](Ex slot) {
      clear_out(side, slot);
      store_position(frame, slot, builder_.i64(0));
    });
  }
  // Slices share positions; one of them writes.
  void store_position(const SideFrame& frame, Ex slot, Ex p) {
    const auto store = [&] { builder_.store(frame.after.pos, frame.pos_base + slot, p); };
    if (frame_.spec.slices == 1) return store();
    builder_.when(equal(frame_.slice, builder_.i64(0)), store);
  }

  // ---- rows by windows ------------------------------------------------------------------------

  // How many steps are shorter than `rows`: the nearest ones.
  Ex steps_within(const std::string& name, const std::string& comment, std::int64_t rows) {
    builder_.comment(comment);
    const Var count = builder_.variable(name, builder_.i64(0));
    builder_.repeat_while(both(count<b_.most, builder_.load(b_.steps, count)> - rows),
                          [&] { builder_.assign(count, Ex(count) + 1); });
    return count;
  }
  Ex minimum(Ex a, Ex b) { return builder_.call(ir::Helper::kMinimum, {a, b}); }

  // Windows of far outputs lie before the tile: first they are mixed into all its rows, then those
  // before a part of the tile into its rows, and then each row gets what is left of it, the nearest
  // outputs last.
  void tile(Ex first) {
    const Ex rows = builder_.let("rows", minimum(builder_.i64(kTile), frame_.tokens - first));
    builder_.loop("r", builder_.i64(0), rows, [&](Ex r) {
      open_row(first + r);
      mix_inputs(at_, builder_.at(tile_, r * width_));
    });
    const Ex far = mix_windows("far", first, builder_.i64(0), rows, inner_, b_.most);
    builder_.loop(
        "part", builder_.i64(0), rows, builder_.i64(kTilePart), LoopKind::kSerial, [&](Ex part) {
          const Ex count = builder_.let("count", minimum(builder_.i64(kTilePart), rows - part));
          const Ex middle = mix_windows("middle", first, part, count, near_, inner_);
          builder_.loop("r", part, part + count,
                        [&](Ex r) { rest_of_row(first + r, r, middle, far); });
        });
  }

  // Mixes steps begin .. end - 1, as far as the first row of them has any, into `count` rows of the
  // tile from its row `from` on; returns where it stopped.
  Ex mix_windows(const std::string& name, Ex first, Ex from, Ex count, Ex begin, Ex end) {
    const Ex token = builder_.let("first_token", first + from);
    const Ex i = builder_.let("first_row", frame_.start + token + 1);
    list_steps(b_, i);
    const Ex stop =
        builder_.let(name, builder_.call(ir::Helper::kMaximum, {begin, minimum(end, b_.size)}));
    find_weights(b_, token);
    builder_.perform(Procedure::kMixWindows, channels_,
                     {builder_.at(tile_, from * width_), count.id(),
                      builder_.at(b_.weights, b_.weights_at + begin),
                      (frame_.heads * b_.frame->width).id(), builder_.at(b_.values, place(i)),
                      builder_.at(b_.steps, begin), (stop - begin).id(), builder_.at(packed_)});
    return stop;
  }

  // The inputs of a row that is one of several.
  void open_row(Ex token_value) {
    const Ex token = builder_.let("token", token_value);
    const Ex i = builder_.let("i", frame_.start + token + 1);
    at_ = builder_.let("at", frame_.token_at(token));
    if (by_position()) here_ = builder_.let("here", place(i));
    list_steps(a_, i);
    keep_input(at_);
    find_weights(a_, token);
  }

  void rest_of_row(Ex token_value, Ex r, Ex middle, Ex far) {
    const Ex token = builder_.let("token", token_value);
    const Ex i = builder_.let("i", frame_.start + token + 1);
    const Ex at = builder_.let("at", frame_.token_at(token));
    here_ = builder_.let("here", place(i));
    list_steps(b_, i);
    find_weights(b_, token);
    const Operand mixed = builder_.at(tile_, r * width_);
    const auto mix = [&](Ex begin, Ex end) {
      builder_.perform(
          Procedure::kMixRows, channels_,
          {mixed, builder_.at(b_.weights, b_.weights_at + begin), builder_.at(b_.values, here_),
           builder_.at(b_.steps, begin), (end - begin).id()});
    };
    builder_.when(b_.size > far, [&] { mix(far, b_.size); });
    const Ex inner = builder_.let("inner_end", minimum(inner_, b_.size));
    builder_.when(inner > middle, [&] { mix(middle, inner); });
    mix(builder_.i64(0), minimum(near_, b_.size));
    close(at, mixed, builder_.f32(1));
  }

  // ---- rows by groups -------------------------------------------------------------------------

  // What all rows of a group read is mixed into them at once, then each gets what is left of it.
  void group(Var token) {
    const Ex first = builder_.let("first", token);
    const Ex rows = builder_.perform("rows", Procedure::kLatticeGroup, 0,
                                     {builder_.at(b_.lattice), (frame_.tokens - first).id()});
    const MemoryId mixed = builder_.array("mixed", Type::kF32, kGroup * width_);
    builder_.loop("r", builder_.i64(0), rows, [&](Ex r) {
      open_row(first + r);
      mix_inputs(at_, builder_.at(mixed, r * width_));
    });
    find_weights(b_, first);
    const Ex stride = builder_.let("stride", frame_.heads * b_.frame->width);
    builder_.perform(Procedure::kMixGroup, channels_,
                     {builder_.at(mixed), builder_.at(b_.weights, b_.weights_at), stride.id(),
                      builder_.at(b_.values), builder_.at(b_.lattice)});
    builder_.loop("r", builder_.i64(0), rows, [&](Ex r) {
      const Ex at = builder_.let("at", frame_.token_at(first + r));
      builder_.perform(
          Procedure::kMixNear, channels_,
          {builder_.at(mixed, r * width_), builder_.at(b_.weights, b_.weights_at + r * stride),
           builder_.at(b_.values), builder_.at(b_.lattice), r.id()});
      const Ex slot =
          builder_.perform("slot", Procedure::kLatticeSlot, 0, {builder_.at(b_.lattice), r.id()});
      finish(at, builder_.at(b_.values, slot * width_), builder_.at(mixed, r * width_),
             builder_.f32(1));
    });
    builder_.assign(token, first + rows);
  }

  // ---- one row --------------------------------------------------------------------------------

  void row(Ex token) {
    const Ex i = builder_.let("i", frame_.start + token + 1);
    const Ex at = builder_.let("at", frame_.token_at(token));
    if (by_position()) here_ = builder_.let("here", place(i));
    for (SideRows* side : {&a_, &b_}) list_steps(*side, i);
    keep_input(at);
    Ex factor = builder_.f32(1);
    if (frame_.softmax()) {
      a_.weights = b_.weights = weights_;
      a_.weights_at = builder_.i64(0);
      b_.weights_at = size_of(a_);
      factor = weigh(at);
    } else {
      for (SideRows* side : {&a_, &b_}) find_weights(*side, token);
    }
    const Operand mixed = builder_.at(builder_.array("mixed", Type::kF32, width_));
    mix_inputs(at, mixed);
    mix_side(b_, mixed);
    close(at, mixed, factor);
  }

  void keep_input(Ex at) {
    if (!a_.by_position()) return;
    builder_.perform(Procedure::kKeepRow, channels_,
                     {builder_.at(a_.values, here_), builder_.at(frame_.x, at)});
  }

  // The coefficients of a token's row.
  void find_weights(SideRows& side, Ex token) {
    if (side.shape == RowShape::kEmpty) return;
    const Ex row = (frame_.batch * frame_.tokens + token) * frame_.heads + frame_.head;
    side.weights = side.frame->coefficients;
    side.weights_at = builder_.let("coef_at", row * side.frame->width);
  }

  void list_steps(SideRows& side, Ex i) {
    if (side.shape == RowShape::kShifted) {
      const Ex reaches = builder_.load(side.steps, side.size) + i >= 1;
      return builder_.repeat_while(both(side.size < side.most, reaches),
                                   [&] { builder_.assign(side.size, Ex(side.size) + 1); });
    }
    if (side.shape != RowShape::kWalked) return;
    side.size = builder_.variable("size_" + side.letter(), builder_.i64(0));
    rows::emit_walk(builder_, frame_.spec.pattern, *side.frame->plan, i, [&](Ex p) {
      builder_.store(side.steps, side.size, p - i);
      builder_.assign(side.size, Ex(side.size) + 1);
    });
  }

  Ex size_of(const SideRows& side) {
    switch (side.shape) {
      case RowShape::kEmpty:
        return builder_.i64(0);
      case RowShape::kItself:
        return builder_.i64(1);
      case RowShape::kLattice:
        return lattice_size(side);
      case RowShape::kShifted:
      case RowShape::kWalked:
        return side.size;
    }
    unreachable("row shape");
  }
  Operand steps_of(const SideRows& side) {
    if (side.shape != RowShape::kLattice) return builder_.at(side.steps);
    return builder_.at(side.lattice, lattice_slots(side));
  }

  // The scores of the row as weights; gives one over their sum.
  Ex weigh(Ex at) {
    const MemoryId query = builder_.array("query", Type::kF32, width_);
    builder_.perform(Procedure::kKeepRow, channels_,
                     {builder_.at(query), builder_.at(frame_.q, at)});
    // The newest key, which is this row's own, where rows read it from.
    Operand key;
    if (by_position()) {
      key = builder_.at(keys_, here_);
    } else if (a_.shape == RowShape::kItself) {
      key = builder_.at(builder_.array("key", Type::kF32, width_));
    }
    if (by_position() || a_.shape == RowShape::kItself) {
      builder_.perform(Procedure::kKeepRow, channels_, {key, builder_.at(frame_.k, at)});
    }
    for (const SideRows* side : {&a_, &b_}) {
      if (side->shape == RowShape::kEmpty) continue;
      const Operand rows = side->shape == RowShape::kLattice ? builder_.at(side->keys) : key;
      builder_.perform(Procedure::kScoreRows, channels_,
                       {builder_.at(weights_, side->weights_at), builder_.at(query), rows,
                        steps_of(*side), size_of(*side).id()});
    }
    const Ex one = builder_.f32(1);
    const Ex of_a = frame_.gamma ? one - *frame_.gamma : one;
    const Ex of_b = frame_.gamma ? *frame_.gamma : one;
    return builder_.perform(
        "inverse", Procedure::kWeighScores, 0,
        {builder_.at(weights_), size_of(a_).id(), (size_of(a_) + size_of(b_)).id(),
         frame_.scale.id(), of_a.id(), of_b.id()});
  }

  // Starts the sum of a row with its inputs.
  void mix_inputs(Ex at, const Operand& mixed) {
    if (a_.shape == RowShape::kItself) {
      return builder_.perform(
          Procedure::kScaleRow, channels_,
          {mixed, builder_.at(frame_.x, at), builder_.load(a_.weights, a_.weights_at).id()});
    }
    builder_.perform(Procedure::kZeroRow, channels_, {mixed});
    mix_side(a_, mixed);
  }
  void mix_side(const SideRows& side, const Operand& mixed) {
    if (side.shape == RowShape::kEmpty) return;
    const Operand rows = side.shape == RowShape::kLattice ? builder_.at(side.values)
                                                          : builder_.at(side.values, here_);
    builder_.perform(Procedure::kMixRows, channels_,
                     {mixed, builder_.at(side.weights, side.weights_at), rows, steps_of(side),
                      size_of(side).id()});
  }

  void close(Ex at, const Operand& mixed, Ex factor) {
    Operand kept;
    if (b_.shape == RowShape::kLattice) {
      const Ex slot =
          builder_.perform("slot", Procedure::kLatticeNext, 0, {builder_.at(b_.lattice)});
      const Ex to = builder_.let("slot_at", slot * width_);
      kept = builder_.at(b_.values, to);
      if (frame_.softmax()) {
        builder_.perform(Procedure::kKeepRow, channels_,
                         {builder_.at(b_.keys, to), builder_.at(frame_.k, at)});
      }
    } else if (b_.by_position()) {
      kept = builder_.at(b_.values, here_);
    } else {
      kept = builder_.at(builder_.array("finished", Type::kF32, width_));
    }
    finish(at, kept, mixed, factor);
  }
  void finish(Ex at, const Operand& kept, const Operand& mixed, Ex factor) {
    builder_.perform(Procedure::kCloseRow, channels_,
                     {builder_.at(frame_.y, at), kept, mixed, factor.id(), around_.id()});
  }

  Builder& builder_;
  Frame frame_;
  int channels_;  // of the caller's rows
  int width_;     // floats of a row in working memory
  SideRows a_, b_;
  Ex length_, around_, here_, near_, inner_, at_;
  MemoryId keys_, weights_, tile_, packed_;
};

}  // namespace

ir::Kernel cpu_prefill(const KernelSpec& spec) {
  assert_that(spec.slices == 1 ||
                  (spec.weights == WeightKind::kGiven && can_slice(spec.head_dim, spec.slices)),
              "only whole lanes of given-weight rows can be taken apart");
  Builder builder(spec.symbol, spec.target, 1);
  CpuPrefill(builder, spec).run();
  return builder.take();
}

}  // namespace heddle::schedule
