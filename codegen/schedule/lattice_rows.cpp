// SPDX-License-Identifier: Apache-2.0
// Launches of a gather with a block for each chunk of tokens, of softmax where B is a lattice: what
// rows have for what they read. Groups of eight lanes have a row each, and all of a warp take term
// after term together: terms are the same for all rows, so that only those with the same position
// as the term before, or with none yet, leave a group without an entry. Before that a warp looks up
// a term for all rows at hand, out of a list of terms that the block makes once; and several keys
// and values are asked for before the first of them is used.
#include "codegen/rows/row_shape.hpp"
#include "codegen/schedule/gather_backward.hpp"
#include "codegen/schedule/gradient_rows.hpp"
#include "codegen/schedule/lattice_table.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::Var;

namespace {

constexpr int kLatticeWarps = 8;  // with four rows each at hand
constexpr int kAskedAtOnce = 4;   // entries

GradientScratch scratch_for(WindowUse use) {
  if (use == WindowUse::kWeights) return {};
  return {Access::kRead, Access::kRead, Access::kWrite};
}

class LatticeRows {
 public:
  LatticeRows(const KernelSpec& spec, WindowUse use)
      : spec_(spec),
        use_(use),
        sharing_(RowLanes::sharing_for(spec.head_dim, spec.dtype)),
        builder_(spec.symbol + (weights() ? "_weights" : "_rows"), spec.target,
                 RowLanes::kWarp * kLatticeWarps),
        frame_(builder_, spec, scratch_for(use)),
        rows_(frame_),
        table_(frame_, kLatticeWarps) {
    builder_.side_by_side(2);  // divisions want registers
    frame_.chunks = builder_.size("chunks");
  }

  ir::Kernel run() {
    frame_.each_block([&] {
      const int size = spec_.gather->chunk_tokens;
      const Ex first = builder_.let("first", frame_.chunk * size);
      end_ = builder_.let("end", builder_.call(Helper::kMinimum, {first + size, frame_.tokens}));
      const Ex group = builder_.let("group", frame_.lane / sharing_);
      const Ex lane = builder_.let("lane_of_row", frame_.lane % sharing_);
      rows_.share(RowLanes(builder_, lane, spec_.head_dim, sharing_, spec_.dtype));
      row_ = builder_.let("r", frame_.warp * (RowLanes::kWarp / sharing_) + group);
      table_.open(end_);
      builder_.loop("begin", first, end_, builder_.i64(LatticeTable::kRows), LoopKind::kSerial,
                    [&](Ex begin) { take_rows(begin); });
    });
    return builder_.take();
  }

 private:
  bool weights() const { return use_ == WindowUse::kWeights; }

  // ---- rows -------------------------------------------------------------------------------------

  // A row for each group, from token `begin` on; groups without one come along.
  void take_rows(Ex begin) {
    // What divides comes before what registers are kept for, where that is possible.
    if (table_.complete()) table_.look_up(builder_.i64(0), begin);
    const Ex token = builder_.let("token", begin + row_);
    counts_ = builder_.let("counts", token < end_);
    const Ex at = builder_.let("at", frame_.token_at(token));
    const Ex statistic_at = builder_.let("statistic_at", frame_.row_at(token));
    query_ = own_row("query", frame_.q, at);
    weights() ? open_weights(at) : open_row(at, statistic_at);
    above_ = builder_.variable("above", frame_.row_of(token));
    if (table_.complete()) {
      each_listed(table_.terms());
    } else {
      builder_.loop(
          "window", builder_.i64(0), table_.terms(), builder_.i64(LatticeTable::kTerms),
          LoopKind::kSerial, [&](Ex window) {
            table_.look_up(window, begin);
            each_listed(builder_.call(
                Helper::kMinimum, {builder_.i64(LatticeTable::kTerms), table_.terms() - window}));
          });
    }
    builder_.when(counts_, [&] {
      weights() ? close_weights(statistic_at) : rows_.write(frame_.dq, at, dq_);
    });
  }
  void each_listed(Ex count) {
    builder_.loop("e", builder_.i64(0), builder_.let("listed", count), builder_.i64(kAskedAtOnce),
                  LoopKind::kSerial, [&](Ex e) { weights() ? weigh(e) : take(e); });
    builder_.barrier();
  }

  // What this lane's row has in global memory; zeros of a row that there is not.
  MemoryId own_row(const char* name, MemoryId memory, Ex at) {
    return row_where(counts_, name, memory, at);
  }
  MemoryId row_where(Ex held, const char* name, MemoryId memory, Ex at) {
    const MemoryId made = rows_.zeros(name);
    builder_.when(held, [&] { rows_.load(made, memory, at); });
    return made;
  }

  void open_weights(Ex at) {
    const Ex own = rows_.score_of(query_, own_row("own_key", frame_.k, at));
    highest_ = builder_.variable("highest", own);
    total_ = builder_.variable("total", frame_.factor(frame_.a));
  }
  void close_weights(Ex statistic_at) {
    rows_.on_first_lane([&] {
      builder_.store(frame_.highest, statistic_at, highest_);
      builder_.store(
          frame_.inverse, statistic_at,
          builder_.select(Ex(total_) > builder_.f32(0), builder_.f32(1) / total_, builder_.f32(0)));
    });
  }

  // With what it has of its own input, which is its alone.
  void open_row(Ex at, Ex statistic_at) {
    lambda_ = own_row("lambda", frame_.lambda, at);
    mean_ = rows_.dot("mean", lambda_, own_row("output", frame_.y, at));
    const Var highest = builder_.variable("highest", builder_.f32(0));
    const Var inverse = builder_.variable("inverse", builder_.f32(0));
    builder_.when(counts_, [&] {
      builder_.assign(highest, builder_.load(frame_.highest, statistic_at));
      builder_.assign(inverse, builder_.load(frame_.inverse, statistic_at));
      rows_.on_first_lane([&] { builder_.store(frame_.mean, statistic_at, mean_); });
    });
    own_ = {highest, inverse};
    const MemoryId key = own_row("own_key", frame_.k, at);
    const Ex weight = rows_.weight_of(frame_.a, own_, query_, key);
    const Ex change = rows_.dot("change", lambda_, own_row("own_value", frame_.x, at));
    dq_ = rows_.zeros("own_dq");
    rows_.add(dq_, builder_.let("slope", frame_.scale * weight * (change - mean_)), key);
    builder_.when(counts_, [&] {
      const MemoryId weighed = rows_.array("weighed");
      rows_.each_channel([&](Ex, Ex index) {
        builder_.store(weighed, index, weight * builder_.load(lambda_, index));
      });
      rows_.write(frame_.dx, at, weighed);
    });
  }

  // ---- entries, several at a time ---------------------------------------------------------------

  // The entries that the terms from place e on lead to: what is asked of memory for them does not
  // wait for each other, as no branch lies between but for the requests themselves.
  struct Entry {
    Ex held;  // whether the row has it; else key and value are zeros
    MemoryId key, value;
  };
  void each_entry(Ex e, const std::function<void(const Entry&)>& body) {
    builder_.loop("part", builder_.i64(0), builder_.i64(kAskedAtOnce), builder_.i64(1),
                  LoopKind::kUnrolled, [&](Ex part) {
                    const Ex p = table_.position(e + part, row_);
                    Entry entry;
                    entry.held = builder_.let("held", both(counts_, p < above_));
                    builder_.assign(above_, builder_.select(entry.held, p, above_));
                    const Ex from = builder_.let("from", frame_.token_at(frame_.token_of(p)));
                    entry.key = row_where(entry.held, "key", frame_.k, from);
                    if (!weights()) entry.value = row_where(entry.held, "value", frame_.y, from);
                    body(entry);
                  });
  }

  void weigh(Ex e) {
    each_entry(e, [&](const Entry& entry) {
      const Ex score = rows_.score_of(query_, entry.key);
      const Ex highest = builder_.call(Helper::kMaximum, {highest_, score});
      const Ex above = builder_.let("above_all", builder_.select(entry.held, highest, highest_));
      const Ex shrink = builder_.call(Helper::kExponential, {Ex(highest_) - above});
      const Ex share =
          frame_.times_factor(frame_.b, builder_.call(Helper::kExponential, {score - above}));
      builder_.assign(total_,
                      Ex(total_) * shrink + builder_.select(entry.held, share, builder_.f32(0)));
      builder_.assign(highest_, above);
    });
  }

  void take(Ex e) {
    each_entry(e, [&](const Entry& entry) {
      const Ex score = rows_.score_of(query_, entry.key);
      const Ex change = rows_.dot("change", lambda_, entry.value);
      const Ex weight = builder_.let(
          "share",
          builder_.select(entry.held, rows_.weight_of(frame_.b, own_, score), builder_.f32(0)));
      rows_.add(dq_, builder_.let("slope", frame_.scale * weight * (change - mean_)), entry.key);
    });
  }

  const KernelSpec& spec_;
  WindowUse use_;
  int sharing_;
  Builder builder_;
  GradientFrame frame_;
  GradientRows rows_;
  LatticeTable table_;
  Ex end_;     // of the chunk
  Ex row_;     // this group's, of those that the block has at once
  Ex counts_;  // whether there is such a row
  Var above_;  // which its next entry lies below
  MemoryId query_, lambda_, dq_;
  GradientRows::Statistic own_;
  Ex mean_;
  Var highest_, total_;
};

}  // namespace

bool shares_lattice(const KernelSpec& spec) {
  return spec.weights == WeightKind::kSoftmax &&
         rows::shape_of(spec.b) == rows::RowShape::kLattice && !spec.state_gradients &&
         RowLanes::sharing_for(spec.head_dim, spec.dtype) < RowLanes::kWarp;
}

ir::Kernel lattice_rows(const KernelSpec& spec, WindowUse use) {
  return LatticeRows(spec, use).run();
}

}  // namespace heddle::schedule
