// SPDX-License-Identifier: Apache-2.0
// Decode on cuda: one new token per (batch, head). The warps share the row's entries and their
// partial sums are merged; then the cache moves on by one token in the same launch.
#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/cache.hpp"
#include "codegen/schedule/mixer.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

// What the warps leave for each other.
struct Partials {
  MemoryId mixed;    // kWarps rows of head_dim
  MemoryId highest;  // softmax only, by warp
  MemoryId total;
};

class Decode {
 public:
  explicit Decode(Frame& frame) : frame_(frame), builder_(frame.builder) {}

  // Once for all tokens of a block.
  void declare() {
    partials_.mixed = builder_.array("warp_mixed", Type::kF32, kWarps * frame_.spec.head_dim, true);
    if (frame_.softmax()) {
      partials_.highest = builder_.array("warp_highest", Type::kF32, kWarps, true);
      partials_.total = builder_.array("warp_total", Type::kF32, kWarps, true);
    }
  }

  void run() {
    row_ = builder_.let("i", frame_.start + 1);
    if (!frame_.spec.several_tokens) declare();
    slots_.clear();
    Mixer mixer(frame_, builder_.i64(0));
    for (const SideFrame* side : {&frame_.a, &frame_.b}) take_side(mixer, *side);
    leave_partials(mixer);
    std::vector<NewSlotSearch> searches;
    for (const SideFrame* side : {&frame_.a, &frame_.b}) {
      if (!side->cached()) continue;
      if (side->keep == CacheRetention::kNextRow) {
        builder_.comment("free what the next row does not read; find a place for this token");
      }
      searches.emplace_back(frame_, *side);
    }
    const bool searched = frame_.spec.keep_a == CacheRetention::kNextRow ||
                          frame_.spec.keep_b == CacheRetention::kNextRow;
    if (searched) builder_.barrier();
    for (NewSlotSearch& search : searches) slots_.push_back(search.settle());
    merge();
  }

 private:
  void take_side(Mixer& mixer, const SideFrame& side) {
    if (side.plan->empty()) return;
    builder_.comment(side.side == Side::kA ? "inputs that this token reads"
                                           : "earlier outputs that this token reads");
    mixer.begin_side(side);
    const Var turn = builder_.variable("turn", builder_.i64(0));
    rows::emit_walk(builder_, frame_.spec.pattern, *side.plan, row_, [&](Ex p) {
      builder_.when(
          equal(turn, frame_.warp), [&] { mixer.take(side, p); }, [&] { mixer.skip(); });
      builder_.assign(turn, (Ex(turn) + 1) % kWarps);
    });
  }

  void leave_partials(Mixer& mixer) {
    frame_.each_channel([&](Ex d, Ex index) {
      builder_.store(partials_.mixed, frame_.warp * frame_.spec.head_dim + d,
                     builder_.load(mixer.mixed, index));
    });
    if (frame_.softmax()) {
      builder_.when(equal(frame_.lane, builder_.i64(0)), [&] {
        builder_.store(partials_.highest, frame_.warp, mixer.highest);
        builder_.store(partials_.total, frame_.warp, mixer.total);
      });
    }
    builder_.barrier();
  }

  // Channel d of the newest token goes to its place in the caches.
  void keep_channel(Ex d, const std::function<Ex()>& output) {
    const Ex at = frame_.token_base + d;
    std::size_t next = 0;
    for (const SideFrame* side : {&frame_.a, &frame_.b}) {
      if (!side->cached()) continue;
      const NewSlot& slot = slots_[next++];
      builder_.when(slot.stored, [&] {
        const Ex to = builder_.let("to", frame_.slot_at(*side, slot.slot) + d);
        if (frame_.softmax()) {
          builder_.store(side->after.key, to, builder_.load(frame_.k, at));
        }
        builder_.store(side->after.val, to,
                       side->side == Side::kA ? builder_.load(frame_.x, at) : output());
      });
    }
  }

  void merge() {
    builder_.comment("merge the warps' sums");
    const auto each_warp = [&](const std::function<void(Ex)>& body) {
      builder_.loop("w", builder_.i64(0), builder_.i64(kWarps), builder_.i64(1),
                    LoopKind::kUnrolled, body);
    };
    Var highest;
    Ex inverse;
    const auto share = [&](Ex w) {
      return builder_.call(Helper::kExponential, {builder_.load(partials_.highest, w) - highest});
    };
    if (frame_.softmax()) {
      highest = builder_.variable("highest_of_all", builder_.lowest_score());
      each_warp([&](Ex w) {
        builder_.assign(highest, builder_.call(Helper::kMaximum,
                                               {highest, builder_.load(partials_.highest, w)}));
      });
      const Var total = builder_.variable("total_of_all", builder_.f32(0));
      each_warp([&](Ex w) {
        builder_.assign(total, Ex(total) + builder_.load(partials_.total, w) * share(w));
      });
      inverse = builder_.let("inverse", builder_.select(Ex(total) > builder_.f32(0),
                                                        builder_.f32(1) / total, builder_.f32(0)));
    }
    const int dim = frame_.spec.head_dim;
    builder_.loop("d", frame_.thread, builder_.i64(dim), builder_.i64(kThreads), LoopKind::kSerial,
                  [&](Ex d) {
                    const Var sum = builder_.variable("sum", builder_.f32(0));
                    each_warp([&](Ex w) {
                      const Ex part = builder_.load(partials_.mixed, w * dim + d);
                      builder_.assign(sum, Ex(sum) + (frame_.softmax() ? part * share(w) : part));
                    });
                    const Ex output =
                        builder_.let("output", frame_.softmax() ? Ex(sum) * inverse : Ex(sum));
                    builder_.store(frame_.y, frame_.token_base + d, output);
                    keep_channel(d, [&] { return output; });
                  });
  }

  Frame& frame_;
  Builder& builder_;
  Ex row_;
  Partials partials_;
  std::vector<NewSlot> slots_;
};

}  // namespace

ir::Kernel decode(const KernelSpec& spec) {
  if (spec.target == ir::Target::kCpu) return cpu_decode(spec);
  Builder builder(spec.symbol, spec.target, kThreads);
  Frame frame(builder, spec, /*decode=*/true);
  frame.each_block([&] {
    Decode step(frame);
    if (spec.several_tokens) step.declare();
    frame.each_new_token([&] { step.run(); });
  });
  return builder.take();
}

}  // namespace heddle::schedule
