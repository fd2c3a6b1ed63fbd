// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/lattice_table.hpp"

#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/chunk_entries.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::Type;
using ir::Var;

LatticeTable::LatticeTable(GradientFrame& frame, int warps)
    : frame_(frame), builder_(frame.builder), warps_(warps) {
  const std::optional<int> all = terms_of_all_rows(frame.spec);
  complete_ = all && *all <= kTerms;
}

void LatticeTable::open(Ex last) {
  f_ = builder_.array("term_f", Type::kI64, kTerms, true);
  a_ = builder_.array("term_a", Type::kI64, kTerms, true);
  positions_ = builder_.array("positions", Type::kI64, kTerms * kRows, true);
  last_ = last;
  builder_.comment("the terms that the chunk's last row has, and every row before it some of");
  const Var count = builder_.variable("count", builder_.i64(0));
  list(builder_.i64(0), count);
  const Ex counted =
      complete_ ? builder_.call(Helper::kMinimum, {count, builder_.i64(kTerms)}) : Ex(count);
  terms_ = builder_.let("terms", counted);
  builder_.barrier();
}

// Those from number `from` on that there is room for; `count` comes to how many there are in all.
void LatticeTable::list(Ex from, Var count) {
  rows::emit_lattice_terms(builder_, frame_.spec.pattern, frame_.spec.b, last_, [&](Ex f, Ex a) {
    const Ex place = builder_.let("place", Ex(count) - from);
    builder_.when(
        both(equal(frame_.thread, builder_.i64(0)), both(place >= 0, place < builder_.i64(kTerms))),
        [&] {
          builder_.store(f_, place, f);
          builder_.store(a_, place, a);
        });
    builder_.assign(count, Ex(count) + 1);
  });
}

void LatticeTable::look_up(Ex window, Ex begin) {
  if (!complete_) {
    builder_.when(both(terms_ > kTerms, equal(frame_.warp, builder_.i64(0))),
                  [&] { list(window, builder_.variable("listed", builder_.i64(0))); });
    builder_.barrier();
  }
  const Ex i = builder_.let("i", frame_.row_of(begin + frame_.lane));
  // Where what rows have is in registers already, there is no room for several divisions at once.
  builder_.loop("number", frame_.warp, builder_.i64(kTerms), builder_.i64(warps_),
                complete() ? LoopKind::kSerial : LoopKind::kRolled, [&](Ex number) {
                  // Behind what any row reads.
                  const Var p = builder_.variable("p", frame_.tokens);
                  builder_.when(window + number < terms_, [&] { lead(number, i, p); });
                  builder_.store(positions_, number * kRows + frame_.lane, p);
                });
  builder_.barrier();
}

void LatticeTable::lead(Ex number, Ex i, Var p) {
  const Ex f = builder_.let("f", builder_.load(f_, number));
  const Ex a = builder_.let(
      "a", builder_.call(Helper::kMaximum, {builder_.i64(1), builder_.load(a_, number)}));
  builder_.when(f < i, [&] {
    const Ex led = a * builder_.call(Helper::kCeilDivide, {i - f, a});
    builder_.assign(p, builder_.call(Helper::kMinimum, {led, frame_.tokens}));
  });
}

Ex LatticeTable::position(Ex number, Ex r) {
  const Ex held = builder_.load(positions_, number * kRows + r);
  return builder_.let("p", builder_.call(Helper::kMaximum,
                                         {builder_.i64(1),
                                          builder_.call(Helper::kMinimum, {held, frame_.tokens})}));
}

}  // namespace heddle::schedule
