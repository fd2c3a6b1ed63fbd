// SPDX-License-Identifier: Apache-2.0
// Decode on cpu. What the new token reads, and what the token after it will read, is listed once
// per launch; each (batch, head) then gathers its rows from the cache, mixes them, and keeps the
// newest in a slot that nothing reads any more.
#include <tuple>
#include <utility>

#include "codegen/rows/emit_row.hpp"
#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/coefficients.hpp"
#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Procedure;
using ir::Type;
using ir::Var;

namespace {

struct Reads {
  SideFrame* frame = nullptr;
  bool itself = false;  // the new token's input and nothing else
  MemoryId list;        // positions, descending
  Ex count;
  Ex first;        // of its rows among those gathered
  MemoryId keeps;  // kNextRow: what the next row reads
  Ex kept;
};

class CpuDecode {
 public:
  CpuDecode(Builder& builder, const KernelSpec& spec)
      : builder_(builder),
        frame_(builder, spec, /*decode=*/true),
        width_(ir::padded_channels(spec.head_dim)) {}

  void run() {
    // Lists are of a row, which all sequences have in common or each token for itself.
    const bool in_common = !frame_.spec.varlen && !frame_.spec.several_tokens;
    if (in_common) list_rows();
    frame_.each_block([&] {
      frame_.each_new_token([&] {
        if (!in_common) list_rows();
        for (const Reads* reads : {&a_, &b_}) gather(*reads);
        mix();
        for (const Reads* reads : {&a_, &b_}) keep_newest(*reads);
      });
    });
  }

 private:
  // ---- the row --------------------------------------------------------------------------------

  void list_rows() {
    row_ = builder_.let("i", frame_.start + 1);
    list_reads(a_, frame_.a);
    list_reads(b_, frame_.b);
    a_.first = builder_.i64(0);
    b_.first = a_.count;
    total_ = builder_.let("total", a_.count + b_.count);
    order_ = builder_.reserve("order", Type::kI64, total_);
    builder_.loop("e", builder_.i64(0), total_, [&](Ex e) { builder_.store(order_, e, e); });
    values_ = builder_.reserve("values", Type::kF32, total_ * width_);
    if (frame_.softmax()) {
      keys_ = builder_.reserve("keys", Type::kF32, total_ * width_);
      weights_ = builder_.reserve("weights", Type::kF32, total_);
    }
  }

  // The positions of a row, descending.
  std::pair<MemoryId, Ex> list(const std::string& name, const rows::RowPlan& plan, Ex row) {
    const std::string suffix = plan.side == Side::kA ? "_a" : "_b";
    const MemoryId positions = builder_.reserve(name + suffix, Type::kI64, row);
    const Var count = builder_.variable(name + "_count" + suffix, builder_.i64(0));
    rows::emit_walk(builder_, frame_.spec.pattern, plan, row, [&](Ex p) {
      builder_.store(positions, count, p);
      builder_.assign(count, Ex(count) + 1);
    });
    return {positions, count};
  }

  void list_reads(Reads& reads, SideFrame& side) {
    reads.frame = &side;
    const rows::RowShape shape = rows::shape_of(*side.plan);
    reads.itself = shape == rows::RowShape::kItself;
    if (shape == rows::RowShape::kEmpty || reads.itself) {
      reads.count = builder_.i64(reads.itself ? 1 : 0);
    } else {
      std::tie(reads.list, reads.count) = list("reads", *side.plan, row_);
    }
    if (side.keep != CacheRetention::kNextRow) return;
    std::tie(reads.keeps, reads.kept) =
        list("keeps", *side.plan, builder_.let("next_row", row_ + 1));
  }

  // ---- the token ------------------------------------------------------------------------------

  void gather(const Reads& reads) {
    const auto copy = [&](const Location& from, Ex to) {
      const auto keep = [&](MemoryId target, MemoryId source) {
        builder_.perform(Procedure::kKeepRow, frame_.spec.head_dim,
                         {builder_.at(target, to), builder_.at(source, from.at)});
      };
      if (frame_.softmax()) keep(keys_, from.key);
      keep(values_, from.value);
    };
    if (reads.frame->plan->empty()) return;
    if (reads.itself) {
      return copy({frame_.k, frame_.x, frame_.token_at(builder_.i64(0))}, reads.first * width_);
    }
    builder_.loop("e", builder_.i64(0), reads.count, [&](Ex e) {
      const Ex p = builder_.let("p", builder_.load(reads.list, e));
      copy(frame_.locate(*reads.frame, p), (reads.first + e) * width_);
    });
  }

  void mix() {
    const Ex at = builder_.let("at", frame_.token_at(builder_.i64(0)));
    const MemoryId mixed = builder_.array("mixed", Type::kF32, width_);
    const MemoryId finished = builder_.array("finished", Type::kF32, width_);
    builder_.perform(Procedure::kZeroRow, frame_.spec.head_dim, {builder_.at(mixed)});
    const auto mix_rows = [&](const ir::Operand& weights, Ex first, Ex count) {
      builder_.perform(Procedure::kMixRows, frame_.spec.head_dim,
                       {builder_.at(mixed), weights, builder_.at(values_, first * width_),
                        builder_.at(order_), count.id()});
    };
    Ex factor = builder_.f32(1);
    if (frame_.softmax()) {
      factor = weigh(at);
      mix_rows(builder_.at(weights_), builder_.i64(0), total_);
    } else {
      for (const Reads* reads : {&a_, &b_}) {
        if (reads->frame->plan->empty()) continue;
        const Ex coefficients = builder_.let(
            "coef_at", coefficient_row(frame_.spec, row_of_coefficients(), reads->frame->width));
        if (frame_.spec.by_channel()) {
          builder_.invoke("mix_gated_rows<" + std::to_string(frame_.spec.head_dim) + ">",
                          {ir::VectorPlace{mixed, builder_.i64(0), true},
                           ir::VectorPlace{reads->frame->coefficients, coefficients},
                           ir::VectorPlace{values_, reads->first * width_},
                           ir::VectorPlace{order_, builder_.i64(0)}, reads->count});
          continue;
        }
        mix_rows(builder_.at(reads->frame->coefficients, coefficients), reads->first, reads->count);
      }
    }
    builder_.perform(Procedure::kCloseRow, frame_.spec.head_dim,
                     {builder_.at(frame_.y, at), builder_.at(finished), builder_.at(mixed),
                      factor.id(), builder_.truth(false).id()});
  }

  Ex row_of_coefficients() {
    return frame_.spec.several_tokens ? frame_.row_at(builder_.i64(0)) : frame_.block;
  }

  Ex weigh(Ex at) {
    const MemoryId query = builder_.array("query", Type::kF32, width_);
    builder_.perform(Procedure::kKeepRow, frame_.spec.head_dim,
                     {builder_.at(query), builder_.at(frame_.q, at)});
    builder_.perform(Procedure::kScoreRows, frame_.spec.head_dim,
                     {builder_.at(weights_), builder_.at(query), builder_.at(keys_),
                      builder_.at(order_), total_.id()});
    const Ex one = builder_.f32(1);
    const Ex of_a = frame_.gamma ? one - *frame_.gamma : one;
    const Ex of_b = frame_.gamma ? *frame_.gamma : one;
    return builder_.perform("inverse", Procedure::kWeighScores, 0,
                            {builder_.at(weights_), a_.count.id(), total_.id(), frame_.scale.id(),
                             of_a.id(), of_b.id()});
  }

  // ---- the cache ------------------------------------------------------------------------------

  void keep_newest(const Reads& reads) {
    const SideFrame& side = *reads.frame;
    if (!side.cached()) return;
    if (side.keep == CacheRetention::kAll) {
      return builder_.when(frame_.start < side.slots, [&] { store_newest(side, frame_.start); });
    }
    builder_.comment("free what the next row does not read; the newest takes the first free slot");
    const auto read_next = [&](Ex p) {
      return builder_.perform("read_next", Procedure::kHoldsPosition, 0,
                              {builder_.at(reads.keeps), reads.kept.id(), p.id()}) > 0;
    };
    const Var room = builder_.variable("room", builder_.i64(0));  // slots minus the free one
    builder_.loop("slot", builder_.i64(0), side.slots, [&](Ex slot) {
      const Ex held = builder_.let("held", builder_.load(side.before.pos, side.pos_base + slot));
      builder_.when(negated(read_next(held)), [&] {
        builder_.store(side.after.pos, side.pos_base + slot, builder_.i64(0));
        builder_.assign(room, builder_.call(ir::Helper::kMaximum, {room, side.slots - slot}));
      });
    });
    builder_.when(both(read_next(row_), Ex(room) > 0), [&] {
      const Ex slot = builder_.let("slot", side.slots - room);
      builder_.store(side.after.pos, side.pos_base + slot, row_);
      store_newest(side, slot);
    });
  }

  // Bit by bit: what is kept is what the caller gave, or got.
  void store_newest(const SideFrame& side, Ex slot) {
    const Ex to = builder_.let("to", frame_.slot_at(side, slot));
    const Ex at = builder_.let("from", frame_.token_at(builder_.i64(0)));
    frame_.each_channel([&](Ex d, Ex) {
      if (frame_.softmax()) {
        builder_.store(side.after.key, to + d, builder_.load(frame_.k, at + d));
      }
      builder_.store(side.after.val, to + d, builder_.load(side.input, at + d));
    });
  }

  Builder& builder_;
  Frame frame_;
  int width_;  // floats of a row in working memory
  Ex row_, total_;
  Reads a_, b_;
  MemoryId order_, values_, keys_, weights_;
};

}  // namespace

ir::Kernel cpu_decode(const KernelSpec& spec) {
  Builder builder(spec.symbol, spec.target, 1);
  CpuDecode(builder, spec).run();
  return builder.take();
}

}  // namespace heddle::schedule
