// SPDX-License-Identifier: Apache-2.0
// Gradients of keys where B is a lattice, with softmax. The rows that read a position are those
// behind it, up to as far as its divisors say, so that a block gathers what is due of its tokens'
// keys from them: tokens in turns of as many as it has groups of lanes. Each group has a token of
// its own and takes the nearest readers; those of a token that has more are shared among all
// groups, whose sums its own group adds up in order.
#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/gather_backward.hpp"
#include "codegen/schedule/gradient_rows.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;

namespace {

constexpr int kColumnWarps = 8;
constexpr int kNearest = 16;  // readers that a group takes by itself

// Slots of states are looked for by whole warps.
int lanes_of_columns(const KernelSpec& spec) {
  if (spec.state_gradients) return RowLanes::kWarp;
  return RowLanes::sharing_for(spec.head_dim, spec.dtype);
}

class NestedColumns {
 public:
  explicit NestedColumns(const KernelSpec& spec)
      : spec_(spec),
        dim_(spec.head_dim),
        sharing_(lanes_of_columns(spec)),
        groups_(kColumnWarps * RowLanes::kWarp / sharing_),
        builder_(spec.symbol + "_columns", spec.target, 32 * kColumnWarps),
        frame_(builder_, spec, {Access::kRead, Access::kRead, Access::kRead}),
        rows_(frame_) {
    builder_.side_by_side(2);  // divisions want registers
    frame_.chunks = builder_.size("chunks");
  }

  ir::Kernel run() {
    frame_.each_block([&] {
      share_lanes();
      ends_ = builder_.array("ends", Type::kI64, groups_, true);
      parts_ = builder_.array_of_vectors("parts", groups_ * dim_);
      rows_.write(parts_, group_ * dim_, rows_.zeros("nothing"));
      const int size = spec_.gather->chunk_tokens;
      const Ex first = builder_.let("first", frame_.chunk * size);
      const Ex end =
          builder_.let("end", builder_.call(Helper::kMinimum, {first + size, frame_.tokens}));
      builder_.loop("turn", first, end, builder_.i64(groups_), LoopKind::kSerial,
                    [&](Ex turn) { tokens_from(turn, end); });
      if (frame_.handed_on()) {
        builder_.comment("what rows have for slots of the initial state");
        builder_.when(frame_.most_before > 0, [&] { slots(); });
      }
    });
    return builder_.take();
  }

 private:
  // A key, and the value that lies beside it.
  struct Column {
    MemoryId key, value;
  };

  void share_lanes() {
    group_ = frame_.warp;
    if (sharing_ == RowLanes::kWarp) return;
    group_ =
        builder_.let("group", frame_.warp * (RowLanes::kWarp / sharing_) + frame_.lane / sharing_);
    const Ex lane = builder_.let("lane_of_row", frame_.lane % sharing_);
    rows_.share(RowLanes(builder_, lane, dim_, sharing_, spec_.dtype), /*together=*/false);
  }

  // A group's token is turn + group, if it lies before `end`.
  void tokens_from(Ex turn, Ex end) {
    builder_.comment("where the readers of each token end");
    builder_.when(both(frame_.thread < groups_, turn + frame_.thread < end), [&] {
      const Ex p = builder_.let("p", frame_.row_of(turn + frame_.thread));
      builder_.store(ends_, frame_.thread, end_of_readers(p));
    });
    builder_.barrier();
    const Ex token = builder_.let("token", turn + group_);
    const MemoryId dk = rows_.zeros("own_dk");
    builder_.when(token < end, [&] { take_nearest(token, dk); });
    builder_.comment("readers beyond the nearest, by all groups");
    const Ex count =
        builder_.let("count", builder_.call(Helper::kMinimum, {builder_.i64(groups_), end - turn}));
    builder_.loop("r", builder_.i64(0), count, [&](Ex r) {
      const Ex from = builder_.let("from", turn + r + (kNearest + 1));
      const Ex last = builder_.let("last", listed_end(r));
      builder_.when(from < last, [&] {
        const Ex at = builder_.let("at", frame_.token_at(turn + r));
        share_readers(column_of(frame_.b, at), from, last);
        builder_.when(equal(group_, r), [&] { add_parts(dk); });
        builder_.barrier();
      });
    });
    builder_.when(token < end,
                  [&] { rows_.write(frame_.dk, builder_.let("to", frame_.token_at(token)), dk); });
    builder_.barrier();
  }

  // The token behind the last one that reads position p.
  Ex end_of_readers(Ex p) {
    const Ex behind = builder_.let("behind", frame_.length - p);
    const Ex reach = rows::emit_lattice_reach(builder_, spec_.pattern, spec_.b, p, behind);
    return builder_.call(Helper::kMinimum, {frame_.tokens, frame_.tokens - behind + reach});
  }

  // Whatever the list holds, no reader lies behind the last token.
  Ex listed_end(Ex r) {
    return builder_.call(Helper::kMinimum, {frame_.tokens, builder_.load(ends_, r)});
  }

  void take_nearest(Ex token, MemoryId dk) {
    const Ex at = builder_.let("at", frame_.token_at(token));
    take_reader(frame_.a, token, column_of(frame_.a, at), dk);
    const Column column = column_of(frame_.b, at);
    const Ex end = builder_.call(Helper::kMinimum, {listed_end(group_), token + (kNearest + 1)});
    builder_.loop("reader", token + 1, builder_.let("near_end", end),
                  [&](Ex reader) { take_reader(frame_.b, reader, column, dk); });
    rows_.add_handed(frame_.b, frame_.row_of(token), {{frame_.b.state.dfinal_key, dk}});
  }

  // Each group's sum over its readers of from .. last - 1, for all to add up behind the barrier.
  void share_readers(const Column& column, Ex from, Ex last) {
    const MemoryId part = rows_.zeros("part_dk");
    builder_.loop("reader", from + group_, last, builder_.i64(groups_), LoopKind::kSerial,
                  [&](Ex reader) { take_reader(frame_.b, reader, column, part); });
    rows_.write(parts_, group_ * dim_, part);
    builder_.barrier();
  }
  void add_parts(MemoryId dk) {
    builder_.loop("other", builder_.i64(0), builder_.i64(groups_), [&](Ex other) {
      rows_.each_value("others_dk", parts_, other * dim_, [&](Ex value, Ex index) {
        builder_.store(dk, index, builder_.load(dk, index) + value);
      });
    });
  }

  Column column_of(const GradientSide& side, Ex at) {
    return {rows_.row_of("key", frame_.k, at), rows_.row_of("value", side.value, at)};
  }
  // What the row of token `reader` has for a key that it reads.
  void take_reader(const GradientSide& side, Ex reader, const Column& column, MemoryId sums) {
    const Ex from = builder_.let("reader_at", frame_.token_at(reader));
    const Ex statistic_at = builder_.let("statistic_at", frame_.row_at(reader));
    const MemoryId query = rows_.row_of("query", frame_.q, from);
    const MemoryId lambda = rows_.row_of("lambda", frame_.lambda, from);
    const Ex weight = rows_.weight_of(side, rows_.statistic(statistic_at), query, column.key);
    const Ex change = rows_.dot("change", lambda, column.value);
    const Ex mean = builder_.load(frame_.mean, statistic_at);
    rows_.add(sums, builder_.let("slope", frame_.scale * weight * (change - mean)), query);
  }

  // What is due of slots of the initial state, one after the other; 0 where they hold nothing.
  void slots() {
    const StateGradients& state = frame_.b.state;
    builder_.loop("slot", frame_.chunk, state.slots, *frame_.chunks, LoopKind::kSerial,
                  [&](Ex slot) {
                    const Ex at = builder_.let("at", frame_.slot_at(state, slot));
                    const MemoryId dk = rows_.zeros("own_dk");
                    rows_.when_held_before(state, slot, [&](Ex p) { gather_slot(p, at, dk); });
                    builder_.when(equal(group_, builder_.i64(0)),
                                  [&] { rows_.write(state.dinitial_key, at, dk); });
                  });
  }
  void gather_slot(Ex p, Ex at, MemoryId dk) {
    const StateGradients& state = frame_.b.state;
    const Column column{rows_.row_of("key", state.key, at), rows_.row_of("value", state.val, at)};
    share_readers(column, builder_.i64(0), builder_.let("last", end_of_readers(p)));
    builder_.when(equal(group_, builder_.i64(0)), [&] {
      add_parts(dk);
      rows_.add_handed(frame_.b, p, {{state.dfinal_key, dk}});
    });
    builder_.barrier();
  }

  const KernelSpec& spec_;
  int dim_;
  int sharing_;  // lanes of a row
  int groups_;   // of the block
  ir::Builder builder_;
  GradientFrame frame_;
  GradientRows rows_;
  Ex group_;
  MemoryId ends_;   // of a turn's tokens
  MemoryId parts_;  // what each group has for one token
};

}  // namespace

ir::Kernel nested_columns(const KernelSpec& spec) { return NestedColumns(spec).run(); }

int nested_alignment(const KernelSpec& spec) {
  return lanes_of_columns(spec) < RowLanes::kWarp ? 16 : 0;
}

}  // namespace heddle::schedule
