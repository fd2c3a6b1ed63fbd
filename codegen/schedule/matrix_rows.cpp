// SPDX-License-Identifier: Apache-2.0
// Matrix states of any pattern: S_i = k_i x_i^T and the sum of b_ij S_j over the earlier tokens j
// that row i of B reads, y_i = q_i^T S_i. A thread has channels, which are columns of every state,
// and takes them through the rows by itself: prefill finds its earlier states where it left them.
// The cache holds states as it else holds outputs.
#include <functional>

#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/cache.hpp"
#include "codegen/schedule/coefficients.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

class MatrixRows {
 public:
  explicit MatrixRows(Frame& frame)
      : frame_(frame),
        builder_(frame.builder),
        side_(frame.b),
        states_(frame.states),
        dim_(frame.spec.head_dim),
        size_(frame.spec.value_size()) {}

  void prefill() {
    states_at_ = builder_.let("states_at", frame_.block * frame_.tokens * size_);
    builder_.loop("token", builder_.i64(0), frame_.tokens, [&](Ex token) {
      const Ex i = builder_.let("i", frame_.start + token + 1);
      begin(token);
      each_entry(i, token, [&](Ex p, Ex weight) {
        builder_.when(
            p <= frame_.start,
            [&] {
              const Location held = frame_.locate_in_state(side_, p);
              frame_.where_held(held, [&] { add(weight, held.value, held.at); });
            },
            [&] { add(weight, states_, state_of(p - frame_.start - 1)); });
      });
      read_out(token);
      leave(states_, state_of(token));
    });
    leave_state();
  }

  void decode() {
    const Ex token = builder_.i64(0);
    begin(token);
    each_entry(builder_.let("i", frame_.start + 1), token, [&](Ex p, Ex weight) {
      const Location held = frame_.locate_in_state(side_, p);
      frame_.where_held(held, [&] { add(weight, held.value, held.at); });
    });
    read_out(token);
    const bool searched = frame_.cuda() && side_.keep == CacheRetention::kNextRow;
    if (searched) {
      builder_.comment("free what the next row does not read; find a place for this token");
      builder_.barrier();
    }
    NewSlotSearch search(frame_, side_);
    if (searched) builder_.barrier();
    const NewSlot slot = search.settle();
    builder_.when(slot.stored, [&] {
      leave(side_.after.val, builder_.let("to", frame_.slot_at(side_, slot.slot)));
    });
  }

 private:
  // body(s, d, index of both among the thread's own) of every element of a state.
  void each_element(const std::function<void(Ex, Ex, Ex)>& body) {
    each_row([&](Ex s) {
      frame_.each_channel([&](Ex d, Ex index) { body(s, d, s * frame_.owned() + index); });
    });
  }
  void each_row(const std::function<void(Ex)>& body) {
    builder_.loop("s", builder_.i64(0), builder_.i64(frame_.spec.state_dim), body);
  }
  Ex state_of(Ex token) { return builder_.let("state_at", states_at_ + token * size_); }

  // The state of the row at hand begins with its own key and input.
  void begin(Ex token) {
    state_ = builder_.array("state", Type::kF32, frame_.spec.state_dim * frame_.owned());
    key_at_ = builder_.let("key_at", frame_.row_at(token) * frame_.spec.state_dim);
    const Ex at = builder_.let("x_at", frame_.token_at(token));
    each_row([&](Ex s) {
      const Ex key = builder_.let("key", builder_.load(frame_.k, key_at_ + s));
      frame_.each_channel([&](Ex d, Ex index) {
        builder_.store(state_, s * frame_.owned() + index, key * builder_.load(frame_.x, at + d));
      });
    });
  }

  void each_entry(Ex i, Ex token, const std::function<void(Ex, Ex)>& body) {
    builder_.comment("earlier states that this row reads");
    const Ex at =
        builder_.let("coef_at", coefficient_row(frame_.spec, frame_.row_at(token), side_.width));
    const Var entry = builder_.variable("entry", builder_.i64(0));
    rows::emit_walk(builder_, frame_.spec.pattern, *side_.plan, i, [&](Ex p) {
      const Ex weight = builder_.let("weight", builder_.load(side_.coefficients, at + entry));
      builder_.assign(entry, Ex(entry) + 1);
      body(p, weight);
    });
  }
  void add(Ex weight, MemoryId states, Ex at) {
    each_element([&](Ex s, Ex d, Ex own) {
      builder_.store(
          state_, own,
          builder_.load(state_, own) + weight * builder_.load(states, at + s * dim_ + d));
    });
  }

  void read_out(Ex token) {
    const MemoryId sums = builder_.array("sums", Type::kF32, frame_.owned());
    frame_.each_channel([&](Ex, Ex index) { builder_.store(sums, index, builder_.f32(0)); });
    each_row([&](Ex s) {
      const Ex query = builder_.let("query", builder_.load(frame_.q, key_at_ + s));
      frame_.each_channel([&](Ex, Ex index) {
        builder_.store(
            sums, index,
            builder_.load(sums, index) + query * builder_.load(state_, s * frame_.owned() + index));
      });
    });
    const Ex at = builder_.let("y_at", frame_.token_at(token));
    frame_.each_channel(
        [&](Ex d, Ex index) { builder_.store(frame_.y, at + d, builder_.load(sums, index)); });
  }
  void leave(MemoryId to, Ex at) {
    each_element([&](Ex s, Ex d, Ex own) {
      builder_.store(to, at + s * dim_ + d, builder_.load(state_, own));
    });
  }

  // ---- the final state --------------------------------------------------------------------------

  void leave_state() {
    const Ex last = builder_.let("last_token", frame_.start + frame_.tokens);
    if (side_.keep == CacheRetention::kAll) {
      builder_.comment("final state: every position stays");
      return builder_.loop("slot", builder_.i64(0), side_.slots, [&](Ex slot) {
        builder_.when(
            slot < last, [&] { keep(builder_.let("p", slot + 1), slot); }, [&] { clear(slot); });
      });
    }
    builder_.comment("final state: what the next row reads");
    const Var used = builder_.variable("used", builder_.i64(0));
    rows::emit_walk(builder_, frame_.spec.pattern, *side_.plan, builder_.let("next_row", last + 1),
                    [&](Ex p) {
                      builder_.when(both(p <= last, used < side_.slots), [&] {
                        keep(p, used);
                        store_position(used, p);
                        builder_.assign(used, Ex(used) + 1);
                      });
                    });
    builder_.loop("slot", used, side_.slots, [&](Ex slot) {
      clear(slot);
      store_position(slot, builder_.i64(0));
    });
  }
  void keep(Ex p, Ex slot) {
    const Ex to = builder_.let("to", frame_.slot_at(side_, slot));
    const Location from = locate(p);
    each_element([&](Ex s, Ex d, Ex) {
      const Ex element = s * dim_ + d;
      builder_.store(side_.after.val, to + element, frame_.load(from, from.value, element));
    });
  }
  // A state of this launch, or of the one before it; in one place, so that one store serves both.
  Location locate(Ex p) {
    const Ex cached = builder_.let("cached", p <= frame_.start);
    const Var at =
        builder_.variable("at", states_at_ + (p - frame_.start - 1) * builder_.i64(size_));
    const bool by_position = frame_.cuda() && side_.keep == CacheRetention::kNextRow;
    Location location;
    Var held;
    if (by_position) held = builder_.variable("held", builder_.truth(true));
    builder_.when(cached, [&] {
      const Slot slot = frame_.slot_of(side_, side_.before, p);
      builder_.assign(at, frame_.slot_at(side_, slot.number));
      if (by_position) builder_.assign(held, *slot.held);
    });
    location.value = builder_.choose("states", cached, side_.before.val, states_);
    location.at = at;
    if (by_position) location.held = held;
    return location;
  }
  void clear(Ex slot) {
    const Ex to = builder_.let("to", frame_.slot_at(side_, slot));
    each_element([&](Ex s, Ex d, Ex) {
      builder_.store(side_.after.val, to + s * dim_ + d, builder_.f32(0));
    });
  }
  void store_position(Ex slot, Ex p) {
    const auto store = [&] { builder_.store(side_.after.pos, side_.pos_base + slot, p); };
    if (!frame_.cuda()) return store();
    builder_.when(equal(frame_.thread, builder_.i64(0)), store);
  }

  Frame& frame_;
  Builder& builder_;
  const SideFrame& side_;
  MemoryId states_;  // of the launch's tokens; prefill only
  int dim_, size_;
  MemoryId state_;  // of the row at hand, the thread's channels
  Ex states_at_, key_at_;
};

}  // namespace

ir::Kernel matrix_rows(const KernelSpec& spec, bool decode) {
  if (spec.tensor && !decode) return tensor_states(spec);
  const int threads = spec.target == ir::Target::kCuda ? kThreads : 1;
  Builder builder(spec.symbol, spec.target, threads);
  Frame frame(builder, spec, decode);
  frame.warps_share = true;
  frame.each_block([&] {
    MatrixRows rows(frame);
    if (!decode) return rows.prefill();
    frame.each_new_token([&] { rows.decode(); });
  });
  return builder.take();
}

}  // namespace heddle::schedule
