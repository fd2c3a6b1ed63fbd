// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/lattice_terms.hpp"

#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/chunk_entries.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::Type;
using ir::Var;

namespace {

constexpr int kRoom = 256;  // terms
constexpr std::int64_t kDifferent = LatticeTerms::kDifferent;

}  // namespace

LatticeTerms::LatticeTerms(ir::Builder& builder, const KernelSpec& spec, Ex thread)
    : builder_(builder),
      spec_(spec),
      thread_(thread),
      f_(builder_.array("term_f", Type::kI64, kRoom + 1, true)),
      a_(builder_.array("term_a", Type::kI64, kRoom + 1, true)),
      last_f_(builder_.array("last_f", Type::kI64, kDifferent, true)),
      different_a_(builder_.array("different_a", Type::kI64, kDifferent, true)) {}

void LatticeTerms::open(Ex length) {
  length_ = length;
  builder_.comment("terms of the last row, and the different a among them");
  const auto clear = [&](ir::MemoryId list, std::int64_t size) {
    builder_.loop("place", thread_, builder_.i64(size), builder_.i64(builder_.kernel().threads),
                  ir::LoopKind::kSerial,
                  [&](Ex place) { builder_.store(list, place, builder_.i64(0)); });
  };
  for (const ir::MemoryId& list : {f_, a_}) clear(list, kRoom + 1);
  for (const ir::MemoryId& list : {last_f_, different_a_}) clear(list, kDifferent);
  builder_.barrier();
  const Var count = builder_.variable("terms", builder_.i64(0));
  const Var newest = builder_.variable("newest_a", builder_.i64(0));
  const Var which = builder_.variable("which_a", builder_.i64(-1));
  rows::emit_lattice_terms_beyond(builder_, spec_.pattern, spec_.b, length_, [&](Ex f, Ex a) {
    builder_.when(not_equal(a, newest), [&] {
      builder_.assign(newest, a);
      builder_.assign(which, Ex(which) + 1);
    });
    builder_.when(both(equal(thread_, builder_.i64(0)),
                       both(Ex(which) >= 0, Ex(which) < builder_.i64(kDifferent))),
                  [&] {
                    builder_.store(last_f_, which, builder_.call(Helper::kMinimum, {f, length_}));
                    builder_.store(different_a_, which, a);
                  });
    builder_.when(f < length_, [&] { builder_.assign(count, Ex(count) + 1); });
  });
  const bool complete = terms_of_all_rows(spec_, kRoom).has_value();
  terms_ = builder_.let(
      "all_terms",
      complete ? builder_.call(Helper::kMinimum, {count, builder_.i64(kRoom)}) : Ex(count));
  different_ = builder_.let(
      "different", builder_.call(Helper::kMinimum, {Ex(which) + 1, builder_.i64(kDifferent)}));
  if (!complete) fits_ = builder_.let("fits", terms_ <= builder_.i64(kRoom));
  count_ = builder_.variable("terms_left", terms_);
  list(builder_.i64(0));
  builder_.barrier();
}

// By one thread.
void LatticeTerms::list(Ex from) {
  builder_.when(equal(thread_, builder_.i64(0)), [&] {
    const Var place = builder_.variable("place", builder_.i64(1) - from);
    builder_.store(f_, builder_.i64(0), builder_.i64(0));
    rows::emit_lattice_terms(builder_, spec_.pattern, spec_.b, length_, [&](Ex f, Ex a) {
      builder_.when(both(Ex(place) >= 0, Ex(place) <= builder_.i64(kRoom)), [&] {
        builder_.store(f_, place, f);
        builder_.store(a_, place, a);
      });
      builder_.assign(place, Ex(place) + 1);
    });
  });
}

Ex LatticeTerms::count_for(Ex row) {
  const auto leave = [&] {
    builder_.repeat_while(both(Ex(count_) > 0, builder_.load(f_, count_) >= row),
                          [&] { builder_.assign(count_, Ex(count_) - 1); });
  };
  fits_ ? builder_.when(*fits_, leave) : leave();
  return builder_.let("count", count_);
}

void LatticeTerms::show(Ex from) {
  if (!fits_) {
    shown_ = from;
    return;
  }
  builder_.when(negated(*fits_), [&] {
    builder_.barrier();
    list(from);
    builder_.barrier();
  });
  shown_ = builder_.let("shown", builder_.select(*fits_, from, builder_.i64(0)));
}

Ex LatticeTerms::position(Ex row, Ex number, Ex behind, std::optional<Var> repeated) {
  const Var p = builder_.variable("p", builder_.i64(0));
  builder_.when(number < terms_, [&] {
    const Ex place = builder_.let("term_at", shown_ + behind);
    const Ex f = builder_.let("f", builder_.load(f_, place + 1));
    builder_.when(f < row, [&] {
      const Ex a = builder_.let(
          "a", builder_.call(Helper::kMaximum, {builder_.i64(1), builder_.load(a_, place + 1)}));
      builder_.assign(p, a * builder_.call(Helper::kCeilDivide, {row - f, a}));
      if (repeated) builder_.assign(*repeated, p);
      builder_.when(row - p <= builder_.load(f_, place),
                    [&] { builder_.assign(p, builder_.i64(0)); });
    });
  });
  return p;
}

// By halves of what is left: an a that divides p is divided by those before it.
Ex LatticeTerms::reach(Ex p) {
  const Var dividing = builder_.variable("dividing", builder_.i64(0));
  for (std::int64_t half = kDifferent / 2; half > 0; half /= 2) {
    divide(p, dividing, builder_.i64(half));
  }
  return reach_by(dividing);
}

void LatticeTerms::divide(Ex p, Var dividing, Ex more) {
  const Ex next = Ex(dividing) + more;
  builder_.when(next <= different_, [&] {
    const Ex a =
        builder_.call(Helper::kMaximum, {builder_.i64(1), builder_.load(different_a_, next - 1)});
    builder_.when(equal(p % a, builder_.i64(0)), [&] { builder_.assign(dividing, next); });
  });
}

Ex LatticeTerms::reach_by(Var dividing) {
  const Var reach = builder_.variable("reach", builder_.i64(0));
  builder_.when(Ex(dividing) > 0,
                [&] { builder_.assign(reach, builder_.load(last_f_, Ex(dividing) - 1)); });
  return reach;
}

}  // namespace heddle::schedule
