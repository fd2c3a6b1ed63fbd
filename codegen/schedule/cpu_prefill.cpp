// SPDX-License-Identifier: Apache-2.0
// Prefill on cpu: one (batch, head), or a slice of its channels, after the other: row after row,
// short rows in one go, tiles of rows by windows, or groups of lattice rows.
#include "codegen/schedule/cpu_rows.hpp"
#include "codegen/schedule/cpu_sizes.hpp"

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

// Rows of a tile: the more, the more often a window finds in the second cache what the next nearer
// one read before it; the sums of a tile take an eighth of that cache. Rows of a part of a tile:
// what they read of each other stays in the first cache.
constexpr std::int64_t kTile = 512;
constexpr std::int64_t kTilePart = 64;

class CpuPrefill {
 public:
  CpuPrefill(Builder& builder, const KernelSpec& spec)
      : builder_(builder),
        rows_(builder, spec),
        frame_(rows_.frame),
        a_(rows_.a),
        b_(rows_.b),
        channels_(rows_.channels),
        width_(rows_.width) {}

  void run() {
    const bool varlen = frame_.spec.varlen;
    rows_.length = builder_.let("length", varlen ? frame_.longest : frame_.start + frame_.tokens);
    const std::int64_t floats =
        kAroundBytes / static_cast<std::int64_t>(sizeof(float)) / frame_.spec.head_dim;
    rows_.around = builder_.let("around", frame_.tokens * frame_.heads >= floats);
    for (SideRows* side : {&a_, &b_}) rows_.prepare(*side);
    if (by_windows()) {
      near_ =
          steps_within("near", "steps that may stay inside a part of a tile of rows", kTilePart);
      inner_ = frame_.softmax() ? near_ : steps_within("inner", "and inside the tile", kTile);
      tile_ = builder_.reserve("tile", Type::kF32, builder_.i64(tile_rows() * width_));
      const Ex extent = builder_.perform("packed_floats", Procedure::kPackedExtent, 0,
                                         {builder_.i64(tile_rows()).id(), b_.most.id()});
      packed_ = builder_.reserve("packed", Type::kF32, extent);
    }
    if (frame_.softmax()) {
      if (rows_.by_runs()) {
        keys_ = b_.keys;
      } else if (rows_.by_position()) {
        keys_ = builder_.reserve("keys", Type::kF32, rows_.length * width_);
      }
      if (by_windows()) {
        queries_ = builder_.reserve("queries", Type::kF32, builder_.i64(tile_rows() * width_));
        entries_ = builder_.let("entries", b_.most + 1);
      }
      if (rows_.by_runs()) {
        builder_.comment("of a run of rows");
        entries_ = builder_.let("entries", b_.most + 1);
        const Ex extent = builder_.invoke_let("run_extent", Type::kI64, "run_floats", {entries_});
        weights_ = builder_.reserve("weights", Type::kF32, extent);
        builder_.invoke("clear_run", {ir::VectorPlace{weights_, builder_.i64(0), true}, entries_});
      } else {
        weights_ = builder_.reserve("weights", Type::kF32,
                                    by_windows() ? entries_ * tile_rows() : rows_.length * 2);
      }
      for (SideRows* side : {&a_, &b_}) {
        if (side->by_position()) side->keys = keys_;
      }
    }
    frame_.each_block([&] {
      if (varlen) rows_.length = builder_.let("own_length", frame_.start + frame_.tokens);
      for (SideRows* side : {&a_, &b_}) {
        rows_.bring_state(*side);
        if (side->shape != RowShape::kShifted) continue;
        side->size = builder_.variable("size_" + side->letter(), builder_.i64(0));
      }
      if (by_windows()) {
        if (frame_.softmax()) scored_ = builder_.variable("scored", builder_.i64(0));
        builder_.loop("first", builder_.i64(0), frame_.tokens, builder_.i64(tile_rows()),
                      LoopKind::kSerial, [&](Ex first) { tile(first); });
      } else if (by_groups()) {
        const Var token = builder_.variable("token", builder_.i64(0));
        builder_.repeat_while(token < frame_.tokens, [&] { group(token); });
      } else if (rows_.by_short_rows() || rows_.by_runs()) {
        const Var next = builder_.variable("next", builder_.i64(0));
        builder_.repeat_while(next < frame_.tokens,
                              [&] { rows_.by_runs() ? weighed_rows(next) : short_rows(next); });
      } else {
        builder_.loop("token", builder_.i64(0), frame_.tokens, [&](Ex token) { row(token); });
      }
      for (SideRows* side : {&a_, &b_}) rows_.leave_state(*side);
    });
    builder_.perform(Procedure::kSettleStores, 0, {});
  }

 private:
  // Tiles of rows, into which far outputs are mixed for all rows at once.
  bool by_windows() const {
    return b_.shape == RowShape::kShifted && frame_.spec.long_rows && !frame_.spec.by_channel() &&
           (!frame_.softmax() || a_.shape == RowShape::kItself);
  }
  // The weights of a softmax tile lie in the second cache, too.
  std::int64_t tile_rows() const { return frame_.softmax() ? kTilePart : kTile; }
  // Rows of a lattice, of which neighbours read nearly the same.
  bool by_groups() const {
    return !frame_.softmax() && !frame_.spec.by_channel() && b_.shape == RowShape::kLattice;
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
    first_ = first;
    const Ex rows = builder_.let("rows", minimum(builder_.i64(tile_rows()), frame_.tokens - first));
    if (frame_.softmax()) weigh_tile(rows);
    builder_.loop("r", builder_.i64(0), rows, [&](Ex r) {
      open_row(first + r);
      if (!frame_.softmax()) {
        ask_for_callers_rows();
        rows_.find_weights(b_, first + r);
        builder_.invoke("prefetch_span",
                        {ir::VectorPlace{b_.weights, b_.weights_at}, b_.frame->width});
      }
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
    rows_.list_steps(b_, i);
    const Ex stop =
        builder_.let(name, builder_.call(ir::Helper::kMaximum, {begin, minimum(end, b_.size)}));
    find_weights(b_, token);
    const Ex stride = frame_.softmax() ? entries_ : frame_.heads * b_.frame->width;
    builder_.perform(Procedure::kMixWindows, channels_,
                     {builder_.at(tile_, from * width_), count.id(),
                      builder_.at(b_.weights, b_.weights_at + begin), stride.id(),
                      builder_.at(b_.values, rows_.place(i)), builder_.at(b_.steps, begin),
                      (stop - begin).id(), builder_.at(packed_)});
    return stop;
  }

  // The weights of the tile's rows, the one of the row's own input first.
  void weigh_tile(Ex rows) {
    const Ex before = builder_.let("before", frame_.start + first_);
    const auto keep = [&](MemoryId to, Ex to_at, MemoryId from, Ex from_at) {
      builder_.perform(Procedure::kKeepRow, channels_,
                       {builder_.at(to, to_at), builder_.at(from, from_at)});
    };
    builder_.loop("r", builder_.i64(0), rows, [&](Ex r) {
      const Ex at = builder_.let("at", frame_.token_at(first_ + r));
      ask_for_inputs(at);
      keep(queries_, r * width_, frame_.q, at);
      keep(keys_, (before + r) * width_, frame_.k, at);
    });
    const std::string floats = "<" + std::to_string(width_) + ">";
    builder_.invoke(
        "score_windows" + floats,
        {ir::VectorPlace{weights_, builder_.i64(1), true}, entries_, b_.most, rows,
         ir::VectorPlace{queries_, builder_.i64(0)}, ir::VectorPlace{keys_, before * width_},
         ir::VectorPlace{b_.steps, builder_.i64(0)}, b_.most, before});
    builder_.loop("r", builder_.i64(0), rows, [&](Ex r) {
      const Ex reaches = builder_.load(b_.steps, scored_) + before + r >= 0;
      builder_.repeat_while(both(scored_ < b_.most, reaches),
                            [&] { builder_.assign(scored_, Ex(scored_) + 1); });
      const Ex at = builder_.let("row_at", r * entries_);
      builder_.perform(
          Procedure::kScoreRows, channels_,
          {builder_.at(weights_, at), builder_.at(queries_, r * width_),
           builder_.at(keys_, (before + r) * width_), builder_.at(a_.steps), builder_.i64(1).id()});
      const Ex inverse = weigh_scores(at, builder_.i64(1), Ex(scored_) + 1);
      builder_.invoke("scale_scores",
                      {ir::VectorPlace{weights_, at, true}, Ex(scored_) + 1, inverse});
    });
  }
  void find_weights(SideRows& side, Ex token) {
    if (!frame_.softmax()) return rows_.find_weights(side, token);
    side.weights = weights_;
    const Ex row = (token - first_) * entries_;
    side.weights_at = builder_.let("entry", &side == &a_ ? row : row + 1);
  }

  // The inputs of a row that is one of several.
  void open_row(Ex token_value) {
    const Ex token = builder_.let("token", token_value);
    const Ex i = builder_.let("i", frame_.start + token + 1);
    at_ = builder_.let("at", frame_.token_at(token));
    if (rows_.by_position()) here_ = builder_.let("here", rows_.place(i));
    rows_.list_steps(a_, i);
    keep_input(at_);
    find_weights(a_, token);
  }

  void rest_of_row(Ex token_value, Ex r, Ex middle, Ex far) {
    const Ex token = builder_.let("token", token_value);
    const Ex i = builder_.let("i", frame_.start + token + 1);
    const Ex at = builder_.let("at", frame_.token_at(token));
    here_ = builder_.let("here", rows_.place(i));
    rows_.list_steps(b_, i);
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
    const MemoryId mixed = builder_.array("mixed", Type::kF32, kLatticeGroup * width_);
    builder_.loop("r", builder_.i64(0), rows, [&](Ex r) {
      open_row(first + r);
      ask_for_callers_rows();
      mix_inputs(at_, builder_.at(mixed, r * width_));
    });
    rows_.find_weights(b_, first);
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

  // ---- short rows -------------------------------------------------------------------------------

  // As many rows at once as read equally many outputs.
  void short_rows(Var next) {
    const Ex token = builder_.let("token", next);
    const Ex i = builder_.let("i", frame_.start + token + 1);
    const Ex at = builder_.let("at", frame_.token_at(token));
    rows_.list_steps(b_, i);
    for (SideRows* side : {&a_, &b_}) rows_.find_weights(*side, token);
    const ir::VectorPlace steps = {b_.steps, builder_.i64(0)};
    const Ex rows = builder_.invoke_let("rows", Type::kI64, "alike_rows",
                                        {steps, b_.size, b_.most, i, frame_.tokens - token});
    const Ex mask = *b_.ring - 1;
    builder_.invoke("short_rows<" + std::to_string(channels_) + ">",
                    {ir::VectorPlace{frame_.y, at, true}, ir::VectorPlace{frame_.x, at},
                     frame_.token_stride, ir::VectorPlace{b_.values, builder_.i64(0), true}, i - 1,
                     mask, ir::VectorPlace{a_.weights, a_.weights_at},
                     frame_.heads * a_.frame->width, ir::VectorPlace{b_.weights, b_.weights_at},
                     frame_.heads * b_.frame->width, steps, b_.size, rows, rows_.around});
    builder_.assign(next, token + rows);
  }

  // A run of rows that read equally many outputs.
  void weighed_rows(Var next) {
    const Ex token = builder_.let("token", next);
    const Ex i = builder_.let("i", frame_.start + token + 1);
    const Ex at = builder_.let("at", frame_.token_at(token));
    const Ex slot = builder_.let("slot", rows_.row_of(b_, i));
    rows_.list_steps(b_, i);
    const ir::VectorPlace steps = {b_.steps, builder_.i64(0)};
    const Ex left = minimum(frame_.tokens - token, *b_.ring - slot);
    const Ex rows =
        builder_.invoke_let("rows", Type::kI64, "alike_run", {steps, b_.size, b_.most, i, left});
    builder_.invoke("weighed_rows<" + std::to_string(channels_) + ">",
                    {ir::VectorPlace{frame_.y, at, true}, ir::VectorPlace{frame_.x, at},
                     ir::VectorPlace{frame_.q, at}, ir::VectorPlace{frame_.k, at},
                     frame_.token_stride, ir::VectorPlace{b_.values, builder_.i64(0), true},
                     ir::VectorPlace{keys_, builder_.i64(0), true}, *b_.ring, slot,
                     ir::VectorPlace{weights_, builder_.i64(0), true}, steps, b_.size, rows,
                     frame_.scale, factor_of_inputs(), factor_of_outputs(), rows_.around});
    builder_.assign(next, token + rows);
  }

  // ---- one row --------------------------------------------------------------------------------

  void row(Ex token) {
    const Ex i = builder_.let("i", frame_.start + token + 1);
    const Ex at = builder_.let("at", frame_.token_at(token));
    if (rows_.by_position()) here_ = builder_.let("here", rows_.place(i));
    ask_for_inputs(at);
    for (SideRows* side : {&a_, &b_}) rows_.list_steps(*side, i);
    keep_input(at);
    Ex factor = builder_.f32(1);
    if (frame_.softmax()) {
      a_.weights = b_.weights = weights_;
      a_.weights_at = builder_.i64(0);
      b_.weights_at = rows_.lists.size_of(a_);
      factor = weigh(at);
    } else {
      for (SideRows* side : {&a_, &b_}) rows_.find_weights(*side, token);
    }
    const MemoryId sums = builder_.array("mixed", Type::kF32, width_);
    const Operand mixed = builder_.at(sums);
    if (frame_.spec.by_channel()) {
      mix_gated(at, sums);
    } else {
      mix_inputs(at, mixed);
      mix_side(b_, mixed);
    }
    close(at, mixed, factor);
  }

  // Of a row that comes some rows after the one at hand.
  void ask_for_callers_rows() {
    builder_.invoke(
        "ask_for_callers_rows<" + std::to_string(channels_) + ">",
        {ir::VectorPlace{frame_.y, at_}, ir::VectorPlace{frame_.x, at_}, frame_.token_stride});
  }
  // Prefetching behind the end of a buffer is harmless. Given weights that come by here, of odd
  // rows, have one stream of inputs, of which the processor needs no reminder.
  void ask_for_inputs(Ex at) {
    if (!frame_.softmax()) return;
    const Ex later = builder_.let("later", at + frame_.token_stride * kRowsAhead);
    const auto ask_for = [&](MemoryId memory) {
      builder_.invoke("prefetch_row<" + std::to_string(channels_) + ">",
                      {ir::VectorPlace{memory, later}});
    };
    if (a_.shape != RowShape::kEmpty) ask_for(frame_.x);
    ask_for(frame_.q);
    ask_for(frame_.k);
  }
  void keep_input(Ex at) {
    if (!a_.by_position()) return;
    builder_.perform(Procedure::kKeepRow, channels_,
                     {builder_.at(a_.values, here_), builder_.at(frame_.x, at)});
  }

  // The scores of the row as weights; gives one over their sum.
  Ex weigh(Ex at) {
    const MemoryId query = builder_.array("query", Type::kF32, width_);
    builder_.perform(Procedure::kKeepRow, channels_,
                     {builder_.at(query), builder_.at(frame_.q, at)});
    // The newest key, which is this row's own, where rows read it from.
    Operand key;
    if (rows_.by_position()) {
      key = builder_.at(keys_, here_);
    } else if (a_.shape == RowShape::kItself) {
      key = builder_.at(builder_.array("key", Type::kF32, width_));
    }
    if (rows_.by_position() || a_.shape == RowShape::kItself) {
      builder_.perform(Procedure::kKeepRow, channels_, {key, builder_.at(frame_.k, at)});
    }
    for (const SideRows* side : {&a_, &b_}) {
      if (side->shape == RowShape::kEmpty) continue;
      const Operand rows = side->shape == RowShape::kLattice ? builder_.at(side->keys) : key;
      builder_.perform(Procedure::kScoreRows, channels_,
                       {builder_.at(weights_, side->weights_at), builder_.at(query), rows,
                        rows_.steps_of(*side), rows_.lists.size_of(*side).id()});
    }
    return weigh_scores(builder_.i64(0), rows_.lists.size_of(a_),
                        rows_.lists.size_of(a_) + rows_.lists.size_of(b_));
  }
  Ex weigh_scores(Ex at, Ex of_inputs, Ex count) {
    return builder_.perform("inverse", Procedure::kWeighScores, 0,
                            {builder_.at(weights_, at), of_inputs.id(), count.id(),
                             frame_.scale.id(), factor_of_inputs().id(), factor_of_outputs().id()});
  }

  Ex factor_of_inputs() {
    const Ex one = builder_.f32(1);
    return frame_.gamma ? one - *frame_.gamma : one;
  }
  Ex factor_of_outputs() { return frame_.gamma ? *frame_.gamma : builder_.f32(1); }

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
                     {mixed, builder_.at(side.weights, side.weights_at), rows, rows_.steps_of(side),
                      rows_.lists.size_of(side).id()});
  }

  // The whole sum of a row whose channels have weights of their own.
  void mix_gated(Ex at, MemoryId mixed) {
    const std::string channels = "<" + std::to_string(channels_) + ">";
    const ir::VectorPlace sums{mixed, builder_.i64(0), true};
    if (a_.shape == RowShape::kItself) {
      builder_.invoke("scale_gated_row" + channels, {sums, ir::VectorPlace{frame_.x, at},
                                                     ir::VectorPlace{a_.weights, a_.weights_at}});
    } else {
      builder_.perform(Procedure::kZeroRow, channels_, {builder_.at(mixed)});
    }
    for (const SideRows* side : {&a_, &b_}) {
      if (side->shape == RowShape::kEmpty || side->shape == RowShape::kItself) continue;
      const bool slots = side->shape == RowShape::kLattice;
      builder_.invoke("mix_gated_rows" + channels,
                      {sums, ir::VectorPlace{side->weights, side->weights_at},
                       ir::VectorPlace{side->values, slots ? builder_.i64(0) : here_},
                       rows_.lists.steps_of(*side), rows_.lists.size_of(*side)});
    }
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
                     {builder_.at(frame_.y, at), kept, mixed, factor.id(), rows_.around.id()});
  }

  Builder& builder_;
  CpuRows rows_;
  Frame& frame_;
  SideRows &a_, &b_;
  int channels_;  // of the caller's rows
  int width_;     // floats of a row in working memory
  Ex here_, near_, inner_, at_;
  Ex first_, entries_;  // of a tile; weights of one of its rows, softmax only
  Var scored_;          // steps of the last row that has weights
  MemoryId queries_;
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
