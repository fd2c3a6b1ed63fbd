// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/same_numbers.hpp"

#include <algorithm>

namespace heddle::verify {
namespace {

// Its own stores a thread would see before it loads. One of another thread would race with a load,
// which is asked elsewhere, of stores that come before any that this is needed for.
bool stored_to(const Trace& trace, const Access& load) {
  return std::any_of(trace.accesses.begin(), trace.accesses.end(), [&](const Access& each) {
    return each.write && each.segment == load.segment && same_memory(each.memory, load.memory);
  });
}

}  // namespace

bool loads_before(const Access& load, const Access& other) {
  if (load.write || !load.number || load.digits.size() != 1) return false;
  if (!std::holds_alternative<ir::ArrayId>(load.memory)) return false;
  const std::vector<int>& mine = load.plain_loops;
  const std::vector<int>& theirs = other.plain_loops;
  return load.segment == other.segment && load.order <= other.order &&
         load.barrier_loops == other.barrier_loops && mine.size() <= theirs.size() &&
         std::equal(mine.begin(), mine.end(), theirs.begin());
}

std::vector<Term> same_numbers(const Facts& facts, const Trace& trace, const Access& first,
                               const Instance& a, const Renaming& here, const Access& second,
                               const Instance& b, const Renaming& there) {
  std::vector<Term> result;
  if (first.segment != second.segment) return result;
  const auto spoken = [&](const Access& load, const Instance& instance) {
    return instance.atoms.count(facts.term(*load.number).name()) != 0;
  };
  for (const Access& mine : trace.accesses) {
    if (!loads_before(mine, first) || !spoken(mine, a) || stored_to(trace, mine)) continue;
    for (const Access& other : trace.accesses) {
      if (!loads_before(other, second) || !spoken(other, b)) continue;
      if (!same_memory(mine.memory, other.memory)) continue;
      std::vector<Term> where;
      for (const Term& each : conditions(mine.path)) where.push_back(renamed(each, here));
      for (const Term& each : conditions(other.path)) where.push_back(renamed(each, there));
      where.push_back(equal(renamed(facts.term(mine.digits[0]), here),
                            renamed(facts.term(other.digits[0]), there)));
      result.push_back(
          implies(conjunction(where), equal(renamed(facts.term(*mine.number), here),
                                            renamed(facts.term(*other.number), there))));
    }
  }
  return result;
}

}  // namespace heddle::verify
