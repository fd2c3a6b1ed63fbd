// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/gated_chunk.hpp"

#include <algorithm>
#include <iterator>
#include <set>

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;

namespace {

class GatedSolve {
 public:
  explicit GatedSolve(const GatedChunk& chunk)
      : builder_(chunk.builder),
        frame_(chunk.frame),
        near_(chunk.near),
        dim_(chunk.frame.spec.head_dim),
        own_(chunk.own),
        staged_(chunk.staged),
        columns_(chunk.columns),
        first_(chunk.first),
        size_(chunk.size) {}

  // From the last row to the first, each of which leaves its part with rows before it: at the
  // distances that all rows reach in registers, others where rows wait. These are farther, so that
  // a row comes out of there before the last ones behind it are solved; where they are, and with
  // which gates, is asked for a row ahead.
  void solve(Ex d) {
    const int always = static_cast<int>(near_.always.size());
    const int others = std::max(near_.most - always, 1);
    const auto reals = [&](const char* name, int count) {
      return builder_.array(name, Type::kF32, count);
    };
    const Column column{reals("waiting", kGatedRows), reals("due_within", kGatedRows),
                        builder_.array("places", Type::kI64, 2 * others),
                        reals("gates_of_others", 2 * others), reals("before", others)};
    const auto fetch = [&](Ex row) {
      builder_.store(column.waiting, row, builder_.load(own_, lambda_at(row) + d));
    };
    each_of(kGatedRows, "r", [&](Ex r) { builder_.store(column.within, r, builder_.f32(0)); });
    each_of(always, "r", [&](Ex r) { fetch(builder_.i64(kGatedRows - 1) - r); });
    find_others(builder_.i64(kGatedRows - 1), d, column);
    const Ex at = builder_.let("solved_at", frame_.token_at(first_) + d);
    // Rows are gone through in runs of which all have the same to do.
    std::set<int> starts = {0, 1, always, kGatedRows};
    for (const std::int64_t distance : near_.always) starts.insert(static_cast<int>(distance));
    for (auto end = starts.rbegin(); *end > 0; ++end) {
      const int first = *std::next(end);
      each_of(*end - first, "done", [&](Ex done) {
        const Ex r = builder_.let("r", builder_.i64(*end - 1) - done);
        if (first > 0) find_others(r - 1, d, column);
        if (first >= always) fetch(r - always);
        const Ex lambda = builder_.let(
            "lambda", builder_.load(column.waiting, r) + builder_.load(column.within, r));
        builder_.store(own_, lambda_at(r) + d, lambda);
        builder_.when(r < size_,
                      [&] { builder_.store(frame_.lambda, at + r * frame_.token_stride, lambda); });
        push_within(r, first, d, lambda, column);
      });
    }
  }

 private:
  struct Column {
    MemoryId waiting;                // rows as they come out of there
    MemoryId within;                 // what is due of later ones in registers
    MemoryId places, gates, before;  // of the others, of two rows
  };
  void each_of(int count, const char* name, const std::function<void(Ex)>& body) {
    builder_.loop(name, builder_.i64(0), builder_.i64(count), builder_.i64(1), LoopKind::kUnrolled,
                  body);
  }
  Ex lambda_at(Ex row) { return row * gated_stride(dim_); }
  Ex near_at(Ex number, Ex row) { return number * kGatedRows + row; }
  Ex gate_at(Ex number, Ex r, Ex d) {
    return builder_.load(staged_, near_at(number, r) * dim_ + d);
  }
  void each_other(Ex r, const std::function<void(Ex number, Ex slot)>& body) {
    const int always = static_cast<int>(near_.always.size());
    const int others = near_.most - always;
    each_of(others, "other", [&](Ex other) { body(other + always, r % 2 * others + other); });
  }
  void find_others(Ex r, Ex d, const Column& column) {
    each_other(r, [&](Ex number, Ex slot) {
      builder_.store(column.places, slot,
                     lambda_at(builder_.load(columns_, near_at(number, r))) + d);
      builder_.store(column.gates, slot, gate_at(number, r, d));
    });
  }
  // What row r, one of those from `first` on, has for rows of the chunk. No two of its entries are
  // in one column: what there is of all of them is on its way together.
  void push_within(Ex r, int first, Ex d, Ex lambda, const Column& column) {
    const int always = static_cast<int>(near_.always.size());
    for (int number = 0; number < always; ++number) {
      const std::int64_t distance = near_.always[static_cast<std::size_t>(number)];
      if (first < distance) continue;
      const Ex c = r - distance;
      const Ex part = gate_at(builder_.i64(number), r, d) * lambda;
      builder_.store(column.within, c, builder_.load(column.within, c) + part);
    }
    if (first == 0) return;
    each_other(r, [&](Ex number, Ex slot) {
      builder_.store(column.before, number - always,
                     builder_.load(own_, builder_.load(column.places, slot)));
    });
    each_other(r, [&](Ex number, Ex slot) {
      builder_.store(own_, builder_.load(column.places, slot),
                     builder_.load(column.before, number - always) +
                         builder_.load(column.gates, slot) * lambda);
    });
  }

  Builder& builder_;
  GradientFrame& frame_;
  const NearGates::Entries& near_;
  int dim_;
  MemoryId own_, staged_, columns_;
  Ex first_, size_;
};

}  // namespace

void solve_gated_chunk(const GatedChunk& chunk, Ex d) { GatedSolve(chunk).solve(d); }

}  // namespace heddle::schedule
