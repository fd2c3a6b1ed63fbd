// SPDX-License-Identifier: Apache-2.0
// Backward on the cpu, one (batch, head) after the other, its rows from the last to the first: what
// a head's rows read, and the gradients of that, lie side by side in working memory, by position or
// in the slots of a lattice. A row finds its lambda complete and pushes it to the rows that it
// reads, in the order of its list, so that every sum has one order.
#include "codegen/schedule/backward.hpp"
#include "codegen/schedule/cpu_sizes.hpp"
#include "codegen/schedule/row_list.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::MemoryId;
using ir::Procedure;
using ir::Type;
using ir::Var;
using ir::VectorPlace;
using rows::RowShape;

namespace {

// What one side's rows read.
struct SideLists : RowList {
  GradientSide* side = nullptr;
  MemoryId values, sums;
  MemoryId keys, dkeys;  // softmax; of both sides the same, but for a lattice and a row's own

  std::string letter() const { return side->side == Side::kA ? "a" : "b"; }
};

class RowsBackward {
 public:
  explicit RowsBackward(GradientFrame& frame)
      : frame_(frame),
        builder_(frame.builder),
        channels_(frame.spec.head_dim),
        width_(ir::padded_channels(channels_)),
        floats_("<" + std::to_string(width_) + ">"),
        lists_(frame.builder, frame.spec.pattern) {}

  void run() {
    a_.side = &frame_.a;
    b_.side = &frame_.b;
    for (SideLists* side : {&a_, &b_}) side->shape = rows::shape_of(*side->side->plan);
    // Slots are for outputs, of which a row is complete when an earlier one comes into its slot.
    if (a_.shape == RowShape::kLattice) a_.shape = RowShape::kWalked;
    // Where inputs lie by position, so do the keys, whose gradients both sides add to. A state of
    // positions is found by position.
    if (lattice() && (a_.by_position() || frame_.handed_on())) b_.shape = RowShape::kWalked;
    frame_.each_sequence([&] { prepare(); }, [&] { sequence(); });
  }

 private:
  void sequence() {
    open();
    if (frame_.handed_on()) open_state();
    if (lattice() && !softmax() && own_input() && !frame_.spec.by_channel()) {
      const Var token = builder_.variable("token", frame_.tokens - 1);
      return builder_.repeat_while(Ex(token) >= 0, [&] { group(token); });
    }
    builder_.loop("done", builder_.i64(0), frame_.tokens,
                  [&](Ex done) { row(builder_.let("token", frame_.tokens - 1 - done)); });
    if (frame_.handed_on()) leave_state();
  }

  bool softmax() const { return frame_.softmax(); }
  bool lattice() const { return b_.shape == RowShape::kLattice; }
  bool by_position() const { return a_.by_position() || b_.by_position(); }
  bool own_input() const { return a_.shape == RowShape::kItself; }
  // Gradients of keys by the side that reads them.
  bool apart() const { return softmax() && a_.side->state.cached() && b_.side->state.cached(); }
  // The place of a token's row, where rows lie by position.
  Ex row_place(Ex token) {
    return frame_.handed_on() ? (frame_.start + token) * width_ : token * width_;
  }

  // ---- once per launch --------------------------------------------------------------------------

  void prepare() {
    const std::int64_t floats = kAroundBytes / static_cast<std::int64_t>(sizeof(float)) / channels_;
    around_ = builder_.let("around", frame_.tokens * frame_.heads >= floats);
    length_ = frame_.tokens;
    if (frame_.handed_on()) length_ = builder_.let("all_positions", frame_.start + frame_.tokens);
    const Ex all = builder_.let("all_rows", length_ * width_);
    for (SideLists* side : {&a_, &b_}) list_once(*side);
    if (by_position() && softmax()) {
      const MemoryId keys = builder_.reserve("keys", Type::kF32, all);
      const MemoryId dkeys = builder_.reserve("dkeys", Type::kF32, all);
      for (SideLists* side : {&a_, &b_}) {
        side->keys = keys;
        side->dkeys = dkeys;
      }
      // The initial state has the keys of each side apart.
      if (apart()) b_.dkeys = builder_.reserve("dkeys_b", Type::kF32, all);
    }
    if (a_.by_position()) {
      a_.values = builder_.reserve("inputs", Type::kF32, all);
      a_.sums = builder_.reserve("dinputs", Type::kF32, all);
    }
    if (!b_.empty()) {
      const Ex room = lattice() ? b_.room * width_ : all;
      b_.values = builder_.reserve("outputs", Type::kF32, room);
      b_.sums = builder_.reserve("lambda", Type::kF32, room);
      if (softmax() && lattice()) {
        b_.keys = builder_.reserve("live_keys", Type::kF32, room);
        b_.dkeys = builder_.reserve("live_dkeys", Type::kF32, room);
      }
    }
    if (softmax()) {
      weights_ = builder_.reserve("weights", Type::kF32, length_ * 2);
      slopes_ = builder_.reserve("slopes", Type::kF32, length_ * 2);
    }
  }

  void list_once(SideLists& side) {
    const rows::RowPlan& plan = *side.side->plan;
    switch (side.shape) {
      case RowShape::kEmpty:
        return;
      case RowShape::kItself:
        return lists_.list_itself(side);
      case RowShape::kLattice:
        return record_lattice(plan);
      case RowShape::kShifted:
        return lists_.list_shifted(side, plan, length_, side.letter());
      case RowShape::kWalked:
        side.steps = builder_.reserve("steps_" + side.letter(), Type::kI64, length_);
        return;
    }
  }

  void record_lattice(const rows::RowPlan& plan) {
    builder_.comment("the lattice, and what each of its rows drops");
    lists_.open_lattice(b_, plan, frame_.tokens);
    const Ex entries =
        builder_.invoke_let("entries", Type::kI64, "journal_extent", {frame_.tokens, b_.terms});
    journal_ = builder_.reserve("journal", Type::kI64, entries);
    builder_.invoke("lattice_record", {whole(b_.lattice), whole(journal_), frame_.tokens});
  }
  VectorPlace whole(MemoryId memory) { return {memory, builder_.i64(0), true}; }

  // ---- once per head ----------------------------------------------------------------------------

  void keep(MemoryId to, Ex to_at, MemoryId from, Ex from_at) {
    builder_.perform(Procedure::kKeepRow, channels_,
                     {builder_.at(to, to_at), builder_.at(from, from_at)});
  }
  void clear(MemoryId to, Ex at) {
    builder_.perform(Procedure::kZeroRow, channels_, {builder_.at(to, at)});
  }

  // lambda starts as dy, and every other sum at zero.
  void open() {
    for (SideLists* side : {&a_, &b_}) {
      if (side->shape != RowShape::kShifted) continue;
      side->size = builder_.variable("size_" + side->letter(), side->most);
    }
    if (lattice()) {
      builder_.invoke("lattice_wind", {whole(b_.lattice), whole(journal_)});
      const Ex positions = lists_.lattice_positions(b_);
      const Ex slots = lists_.lattice_slots(b_);
      builder_.loop("e", builder_.i64(0), lists_.lattice_size(b_), [&](Ex e) {
        bring(builder_.load(b_.lattice, slots + e), builder_.load(b_.lattice, positions + e));
      });
      next_lambda_ = builder_.array("next_lambda", Type::kF32, kLatticeGroup * width_);
      keep(next_lambda_, builder_.i64(0), frame_.dy, frame_.token_at(frame_.tokens - 1));
      if (softmax()) {
        next_dkey_ = builder_.array("next_dkey", Type::kF32, width_);
        clear(next_dkey_, builder_.i64(0));
      }
    }
    if (!by_position()) return;
    builder_.loop("token", builder_.i64(0), frame_.tokens, [&](Ex token) {
      const Ex at = builder_.let("at", frame_.token_at(token));
      const Ex here = builder_.let("here", row_place(token));
      const Ex later = builder_.let("later", at + frame_.token_stride * kRowsAhead);
      if (softmax()) ask_for(frame_.k, later);
      if (a_.by_position()) ask_for(frame_.x, later);
      if (b_.by_position()) {
        for (const MemoryId& memory : {frame_.y, frame_.dy}) ask_for(memory, later);
      }
      if (softmax()) {
        keep(a_.keys, here, frame_.k, at);
        clear(a_.dkeys, here);
        if (apart()) clear(b_.dkeys, here);
      }
      if (a_.by_position()) {
        keep(a_.values, here, frame_.x, at);
        clear(a_.sums, here);
      }
      if (b_.by_position()) {
        keep(b_.values, here, frame_.y, at);
        keep(b_.sums, here, frame_.dy, at);
      }
    });
  }

  // ---- states -----------------------------------------------------------------------------------

  // What the initial state holds, with sums at zero; then the gradients of the final state join the
  // sums of what that holds.
  void open_state() {
    for (SideLists* side : {&a_, &b_}) {
      const StateGradients& state = side->side->state;
      if (!state.cached()) continue;
      builder_.when(frame_.start > 0, [&] {
        each_held(builder_, state, HeldWhen::kBefore, frame_.start, [&](Ex slot, Ex p) {
          const Ex from = builder_.let("from", frame_.slot_at(state, slot));
          const Ex to = builder_.let("to", (p - 1) * width_);
          keep(side->values, to, state.val, from);
          clear(side->sums, to);
          if (!softmax()) return;
          keep(side->keys, to, state.key, from);
          clear(side->dkeys, to);
        });
      });
    }
    for (SideLists* side : {&a_, &b_}) {
      const StateGradients& state = side->side->state;
      if (!state.cached()) continue;
      each_held(builder_, state, HeldWhen::kAfter, length_, [&](Ex slot, Ex p) {
        const Ex from = builder_.let("from", frame_.slot_at(state, slot));
        const Ex to = builder_.let("to", (p - 1) * width_);
        add(side->sums, to, state.dfinal_val, from);
        if (softmax()) add(side->dkeys, to, state.dfinal_key, from);
      });
    }
  }
  void add(MemoryId to, Ex to_at, MemoryId from, Ex from_at) {
    builder_.loop("d", builder_.i64(0), builder_.i64(channels_), builder_.i64(1),
                  ir::LoopKind::kLanes, [&](Ex d) {
                    builder_.store(to, to_at + d,
                                   builder_.load(to, to_at + d) + builder_.load(from, from_at + d));
                  });
  }

  void leave_state() {
    builder_.when(frame_.most_before > 0, [&] {
      for (SideLists* side : {&a_, &b_}) {
        const StateGradients& state = side->side->state;
        if (!state.cached()) continue;
        const auto slot_at = [&](Ex slot) {
          return builder_.let("slot_at", frame_.slot_at(state, slot));
        };
        each_held(
            builder_, state, HeldWhen::kBefore, frame_.start,
            [&](Ex slot, Ex p) {
              const Ex to = slot_at(slot);
              const Ex from = builder_.let("from", (p - 1) * width_);
              const auto send_sums = [&](MemoryId gradient, MemoryId sums) {
                builder_.perform(
                    Procedure::kSendRow, channels_,
                    {builder_.at(gradient, to), builder_.at(sums, from), around_.id()});
              };
              send_sums(state.dinitial_val, side->sums);
              if (softmax()) send_sums(state.dinitial_key, side->dkeys);
            },
            [&](Ex slot) {
              const Ex to = slot_at(slot);
              const auto clear_row = [&](MemoryId gradient) {
                builder_.perform(Procedure::kClearRow, channels_, {builder_.at(gradient, to)});
              };
              clear_row(state.dinitial_val);
              if (softmax()) clear_row(state.dinitial_key);
            });
      }
    });
  }

  // The slot now stands for the position.
  void bring(Ex slot_value, Ex position) {
    const Ex slot = builder_.let("slot", slot_value);
    const Ex at = builder_.let("from", frame_.token_at(position - 1));
    const Ex to = builder_.let("to", slot * width_);
    keep(b_.values, to, frame_.y, at);
    keep(b_.sums, to, frame_.dy, at);
    if (!softmax()) return;
    keep(b_.keys, to, frame_.k, at);
    clear(b_.dkeys, to);
  }

  // ---- one row ----------------------------------------------------------------------------------

  void row(Ex token) {
    at_ = builder_.let("at", frame_.token_at(token));
    i_ = builder_.let("i", frame_.row_of(token));
    here_ = by_position() ? builder_.let("here", row_place(token)) : builder_.i64(0);
    if (!lattice()) ask_for_row();
    for (SideLists* side : {&a_, &b_}) list_steps(*side);
    find_lambda();
    if (softmax()) find_keys();
    if (own_input() && softmax()) {
      a_.values = builder_.array("input", Type::kF32, width_);
      keep(a_.values, builder_.i64(0), frame_.x, at_);
      a_.sums = builder_.array("dinput", Type::kF32, width_);
      clear(a_.sums, builder_.i64(0));
    }
    if (softmax()) {
      softmax_row();
    } else {
      for (SideLists* side : {&a_, &b_}) given_side(*side, token);
    }
    close(token);
  }

  void list_steps(SideLists& side) {
    if (side.shape == RowShape::kShifted) {
      const Ex behind = builder_.load(side.steps, Ex(side.size) - 1) + i_ < 1;
      return builder_.repeat_while(both(side.size > 0, behind),
                                   [&] { builder_.assign(side.size, Ex(side.size) - 1); });
    }
    if (side.shape != RowShape::kWalked) return;
    lists_.walk(side, *side.side->plan, i_, side.letter());
  }
  Ex size_of(const SideLists& side) { return lists_.size_of(side); }
  VectorPlace steps_of(const SideLists& side) { return lists_.steps_of(side); }

  // Where steps are counted from: a row's own place, or slot 0.
  VectorPlace place(const SideLists& side, MemoryId memory, bool writes) {
    return {memory, side.by_position() ? here_ : builder_.i64(0), writes};
  }

  // The row's lambda: with the others, from the slot that it had, or nobody reads outputs.
  void find_lambda() {
    if (b_.by_position()) {
      lambda_ = {b_.sums, here_};
      return;
    }
    if (lattice()) {
      lambda_ = {next_lambda_, builder_.i64(0)};
      return;
    }
    const MemoryId lambda = builder_.array("own_lambda", Type::kF32, width_);
    keep(lambda, builder_.i64(0), frame_.dy, at_);
    lambda_ = {lambda, builder_.i64(0)};
  }

  // The row's own key and its gradient, for an input of its own.
  void find_keys() {
    if (by_position()) {
      own_dkey_ = {a_.dkeys, here_};
      return;
    }
    MemoryId dkey = next_dkey_;
    if (!lattice()) {
      dkey = builder_.array("own_dkey", Type::kF32, width_);
      clear(dkey, builder_.i64(0));
    }
    own_dkey_ = {dkey, builder_.i64(0)};
    if (!own_input()) return;
    a_.keys = builder_.array("key", Type::kF32, width_);
    a_.dkeys = dkey;
    keep(a_.keys, builder_.i64(0), frame_.k, at_);
  }
  VectorPlace keys_of(const SideLists& side, MemoryId memory, bool writes) {
    const bool here = side.by_position() || (side.shape == RowShape::kItself && by_position());
    return {memory, here ? here_ : builder_.i64(0), writes};
  }

  void given_side(SideLists& side, Ex token) {
    if (side.empty()) return;
    const Ex first = builder_.let("coef_at", frame_.coefficients_at(*side.side, token));
    if (frame_.spec.by_channel()) return gated_side(side, first);
    if (side.shape == RowShape::kItself) return given_input(first);
    builder_.invoke("slope_rows" + floats_, {VectorPlace{side.side->dcoefficients, first, true},
                                             lambda_, place(side, side.values, false),
                                             steps_of(side), size_of(side), side.side->width});
    builder_.invoke("push_rows" + floats_,
                    {place(side, side.sums, true), lambda_,
                     VectorPlace{side.side->coefficients, first}, steps_of(side), size_of(side)});
  }

  void gated_side(SideLists& side, Ex first) {
    const std::string channels = "<" + std::to_string(channels_) + ">";
    const VectorPlace weights{side.side->coefficients, first};
    const VectorPlace slopes{side.side->dcoefficients, first, true};
    if (side.shape == RowShape::kItself) {
      return builder_.invoke("own_gated_input" + channels,
                             {VectorPlace{frame_.dx, at_, true}, slopes, lambda_,
                              VectorPlace{frame_.x, at_}, weights, side.side->width, around_});
    }
    builder_.invoke("slope_gated_rows" + channels,
                    {slopes, lambda_, place(side, side.values, false), steps_of(side),
                     size_of(side), side.side->width});
    builder_.invoke("push_gated_rows" + channels, {place(side, side.sums, true), lambda_, weights,
                                                   steps_of(side), size_of(side)});
  }

  void given_input(Ex first) {
    const Ex weight = builder_.let("weight", builder_.load(frame_.a.coefficients, first));
    const Ex slope = builder_.invoke_let(
        "slope", Type::kF32, "own_input<" + std::to_string(channels_) + ">",
        {VectorPlace{frame_.dx, at_, true}, lambda_, VectorPlace{frame_.x, at_}, weight, around_});
    builder_.store(frame_.a.dcoefficients, first, slope);
    builder_.loop("rest", builder_.i64(1), frame_.a.width, [&](Ex rest) {
      builder_.store(frame_.a.dcoefficients, first + rest, builder_.f32(0));
    });
  }

  // Entries of A stand before those of B.
  VectorPlace entries(const SideLists& side, MemoryId memory, bool writes) {
    return {memory, side.side->side == Side::kA ? builder_.i64(0) : size_of(a_), writes};
  }

  void softmax_row() {
    const MemoryId query = builder_.array("query", Type::kF32, width_);
    keep(query, builder_.i64(0), frame_.q, at_);
    const VectorPlace q{query, builder_.i64(0)};
    each_side([&](SideLists& side) {
      score(entries(side, weights_, true), q, keys_of(side, side.keys, false), side);
    });
    const Ex count = builder_.let("count", size_of(a_) + size_of(b_));
    const Ex inverse = builder_.invoke_let("inverse", Type::kF32, "weigh_scores",
                                           {whole(weights_), size_of(a_), count, frame_.scale,
                                            frame_.factor(frame_.a), frame_.factor(frame_.b)});
    each_side([&](SideLists& side) {
      score(entries(side, slopes_, true), lambda_, place(side, side.values, false), side);
    });
    builder_.invoke("slope_scores",
                    {whole(weights_), whole(slopes_), count, inverse, frame_.scale});
    const MemoryId dquery = builder_.array("dquery", Type::kF32, width_);
    clear(dquery, builder_.i64(0));
    each_side([&](SideLists& side) {
      builder_.invoke("mix_rows" + floats_,
                      {whole(dquery), entries(side, slopes_, false),
                       keys_of(side, side.keys, false), steps_of(side), size_of(side)});
    });
    each_side([&](SideLists& side) {
      builder_.invoke("push_rows" + floats_,
                      {keys_of(side, side.dkeys, true), q, entries(side, slopes_, false),
                       steps_of(side), size_of(side)});
      builder_.invoke("push_rows" + floats_,
                      {place(side, side.sums, true), lambda_, entries(side, weights_, false),
                       steps_of(side), size_of(side)});
    });
    send(frame_.dq, {dquery, builder_.i64(0)});
  }
  void each_side(const std::function<void(SideLists&)>& body) {
    for (SideLists* side : {&a_, &b_}) {
      if (!side->empty()) body(*side);
    }
  }
  void score(VectorPlace scores, VectorPlace row, VectorPlace rows, SideLists& side) {
    builder_.invoke("score_rows" + floats_, {scores, row, rows, steps_of(side), size_of(side)});
  }

  void send(MemoryId to, VectorPlace from) {
    builder_.perform(Procedure::kSendRow, channels_,
                     {builder_.at(to, at_), builder_.at(from.memory, from.at), around_.id()});
  }

  // No earlier row reads this one: what was summed for it is complete.
  void close(Ex token) {
    if (apart()) add(a_.dkeys, here_, b_.dkeys, here_);
    if (softmax()) send(frame_.dk, own_dkey_);
    if (a_.empty()) {
      builder_.perform(Procedure::kClearRow, channels_, {builder_.at(frame_.dx, at_)});
    } else if (softmax() || !own_input()) {
      send(frame_.dx, place(a_, a_.sums, false));
    }
    if (lattice()) builder_.when(token > 0, [&] { row_before(builder_.i64(0)); });
  }

  // Rows of a lattice that read nearly the same: what all of them read follows when all of their
  // lambdas are complete.
  void group(Var token) {
    const Ex first = builder_.let("first", token);
    const Ex rows = builder_.invoke_let("rows", Type::kI64, "lattice_group_back",
                                        {whole(b_.lattice), whole(journal_), first + 1});
    const Ex weights = builder_.let("coef_at", frame_.coefficients_at(frame_.b, first));
    const Ex stride = builder_.let("stride", frame_.heads * frame_.b.width);
    builder_.loop("r", builder_.i64(0), rows, [&](Ex r) {
      const Ex own = builder_.let("token", first - r);
      at_ = builder_.let("at", frame_.token_at(own));
      const Ex row = builder_.let("row_at", r * width_);
      builder_.when(r > 0, [&] { row_before(row); });
      lambda_ = {next_lambda_, row};
      given_input(builder_.let("coef_at", frame_.coefficients_at(frame_.a, own)));
      const Ex near =
          builder_.invoke_let("near", Type::kI64, "lattice_near", {whole(b_.lattice), r});
      const VectorPlace slots{b_.lattice, lists_.lattice_slots(b_)};
      builder_.invoke("slope_rows" + floats_,
                      {VectorPlace{frame_.b.dcoefficients, weights - r * stride, true}, lambda_,
                       VectorPlace{b_.values, builder_.i64(0)}, slots, near, near});
      builder_.invoke("push_rows" + floats_,
                      {whole(b_.sums), lambda_,
                       VectorPlace{frame_.b.coefficients, weights - r * stride}, slots, near});
    });
    builder_.invoke(
        "push_group" + floats_,
        {whole(b_.sums), VectorPlace{next_lambda_, builder_.i64(0)},
         VectorPlace{b_.values, builder_.i64(0)}, VectorPlace{frame_.b.coefficients, weights},
         VectorPlace{frame_.b.dcoefficients, weights, true}, stride, frame_.b.width,
         whole(b_.lattice)});
    builder_.assign(token, first - rows);
    builder_.when(Ex(token) >= 0, [&] {
      at_ = builder_.let("at", frame_.token_at(Ex(token) + 1));
      row_before(builder_.i64(0));
    });
  }

  // From the row at hand to the one before it, whose lambda goes to `to`.
  void row_before(Ex to) {
    const Ex left = builder_.invoke_let("left", Type::kI64, "lattice_back",
                                        {whole(b_.lattice), whole(journal_)});
    const auto take = [&](MemoryId memory, Ex place, MemoryId from) {
      builder_.perform(Procedure::kKeepRow, width_,
                       {builder_.at(memory, place), builder_.at(from, left * width_)});
    };
    take(next_lambda_, to, b_.sums);
    if (softmax()) take(next_dkey_, builder_.i64(0), b_.dkeys);
    const Ex ahead = builder_.invoke_let("ahead", Type::kI64, "lattice_ahead", {whole(journal_)});
    builder_.loop("e", builder_.i64(0), ahead, [&](Ex e) {
      const Ex p =
          builder_.invoke_let("p", Type::kI64, "lattice_ahead_position", {whole(journal_), e});
      const Ex at = builder_.let("from", frame_.token_at(p - 1));
      for (const MemoryId& memory : {frame_.y, frame_.dy}) ask_for(memory, at);
      if (softmax()) ask_for(frame_.k, at);
    });
    ask_for_row();
    const Ex returned =
        builder_.invoke_let("returned", Type::kI64, "lattice_returned", {whole(b_.lattice)});
    builder_.loop("e", builder_.i64(0), returned, [&](Ex e) {
      bring(builder_.invoke_let("its_slot", Type::kI64, "lattice_returned_slot",
                                {whole(b_.lattice), e}),
            builder_.invoke_let("its_position", Type::kI64, "lattice_returned_position",
                                {whole(b_.lattice), e}));
    });
  }

  // What only the row kRowsAhead before this one reads, and where rows are stored; prefetching
  // before a buffer is harmless.
  void ask_for_row() {
    const Ex at = builder_.let("later", at_ - frame_.token_stride * kRowsAhead);
    if (own_input()) ask_for(frame_.x, at);
    if (softmax()) ask_for(frame_.q, at);
    ask_for_page_before(frame_.dx);
    if (!softmax()) return;
    ask_for_page_before(frame_.dq);
    ask_for_page_before(frame_.dk);
  }
  void ask_for_page_before(MemoryId memory) {
    builder_.invoke("ask_for_page_before", {VectorPlace{memory, at_}, frame_.token_stride});
  }
  void ask_for(MemoryId memory, Ex at) {
    builder_.invoke("prefetch_row<" + std::to_string(channels_) + ">", {VectorPlace{memory, at}});
  }

  GradientFrame& frame_;
  Builder& builder_;
  int channels_;  // of the caller's rows
  int width_;     // floats of a row in working memory
  std::string floats_;
  RowLists lists_;
  SideLists a_, b_;
  Ex around_;
  Ex length_;  // positions up to the last token
  MemoryId weights_, slopes_, journal_;
  MemoryId next_lambda_, next_dkey_;  // of the next row, where rows read slots
  Ex at_, here_, i_;                  // of the row at hand
  VectorPlace lambda_, own_dkey_;
};

}  // namespace

ir::Kernel backward_cpu(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 1);
  GradientFrame frame(builder, spec);
  if (frame.by_short_rows()) {
    backward_short(frame);
  } else if (frame.by_windows()) {
    backward_windows(frame);
  } else {
    RowsBackward(frame).run();
  }
  return builder.take();
}

}  // namespace heddle::schedule
