// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/filled.hpp"

#include <algorithm>

#include "codegen/verify/instances.hpp"
#include "codegen/verify/witness.hpp"

namespace heddle::verify {
namespace {

bool is_in(const Loop& loop, const std::vector<int>& loops) {
  return std::count(loops.begin(), loops.end(), loop.id) != 0;
}

}  // namespace

std::vector<const Access*> FilledLists::writes_to(std::int32_t array) const {
  std::vector<const Access*> result;
  for (const Access& access : trace_.accesses) {
    const ir::ArrayId* id = std::get_if<ir::ArrayId>(&access.memory);
    if (id == nullptr || id->index != array || !access.write) continue;
    if (access.started || access.digits.size() != 1) return {};
    result.push_back(&access);
  }
  return result;
}

// 0 <= k < entry only where a loop that is left behind filled it, or a write that comes first in
// the text; and 0 <= k < end of an iteration only where k < head, which was filled before it, or
// where the iteration itself writes k.
bool FilledLists::proves_filling(const Loop& loop, const Changed& counter, std::int32_t array) {
  const Term place = Term::variable("place@filled");
  std::vector<Term> begun;
  std::vector<Term> about = {facts_.term(counter.entry)};
  for (const Loop& other : trace_.loops) {
    const bool behind = other.id < loop.id && !other.counted && other.barrier &&
                        other.outer == loop.outer && continues(loop.entry, other.entry);
    if (!behind) continue;
    for (const Changed& each : other.changed) {
      if (each.variable.index != counter.variable.index || !fills(other, each, array)) continue;
      about.push_back(facts_.term(Polynomial::atom(each.exit)));
      begun.push_back(place < about.back());
    }
  }
  std::vector<Term> before = facts_.context(loop.entry, about);
  before.push_back(place >= 0);
  before.push_back(place < about.front());
  int number = 0;
  const auto wrote = [&](const Access& write, const std::vector<int>& iteration,
                         std::vector<Term>& known, std::vector<Term>& ways) {
    const Common fixed = [&](const Atom& atom) {
      return atom.sharing != Sharing::kThread &&
             std::all_of(atom.loops.begin(), atom.loops.end(), [&](int each) {
               return std::count(iteration.begin(), iteration.end(), each) != 0;
             });
    };
    const auto found = witness(facts_, trace_, launch_, write, {place}, fixed, iteration,
                               "@f" + std::to_string(++number));
    if (!found) return;
    known.insert(known.end(), found->assumed.begin(), found->assumed.end());
    ways.push_back(found->required);
  };
  const std::vector<const Access*> writes = writes_to(array);
  const auto first = std::find_if(writes.begin(), writes.end(), [&](const Access* write) {
    return is_in(loop, write->barrier_loops);
  });
  // Nothing else tells what stands before the loop.
  if (first == writes.end()) return false;
  for (auto write = writes.begin(); write != first; ++write) {
    if ((*write)->barrier_loops == loop.outer) wrote(**write, loop.outer, before, begun);
  }
  if (!prover_.proves(before, disjunction(begun), "a list begins filled")) return false;
  const Term head = facts_.term(Polynomial::atom(counter.head));
  const Term end = facts_.term(counter.end);
  std::vector<Term> known = facts_.context(loop.inside, {head, end});
  known.push_back(place >= 0);
  known.push_back(place < end);
  std::vector<Term> ways = {place < head};
  std::vector<int> iteration = loop.outer;
  iteration.push_back(loop.id);
  for (const Access* write : writes) {
    if (is_in(loop, write->barrier_loops)) wrote(*write, iteration, known, ways);
  }
  return prover_.proves(known, disjunction(ways), "an iteration fills the next place of a list");
}

bool FilledLists::fills(const Loop& loop, const Changed& counter, std::int32_t array) {
  const auto [place, fresh] = known_.emplace(std::tuple{loop.id, counter.head, array}, false);
  if (fresh) place->second = proves_filling(loop, counter, array);
  return place->second;
}

std::vector<Term> FilledLists::filled_before(const Access& read) {
  const ir::ArrayId* array = std::get_if<ir::ArrayId>(&read.memory);
  if (array == nullptr || read.digits.size() != 1) return {};
  std::vector<Term> result;
  for (const Loop& loop : trace_.loops) {
    if (loop.counted || !loop.barrier) continue;
    const bool inside = is_in(loop, read.barrier_loops);
    // What a loop leaves is known in the iterations of the loops around it.
    const bool around = std::all_of(loop.outer.begin(), loop.outer.end(), [&](int each) {
      return std::count(read.barrier_loops.begin(), read.barrier_loops.end(), each) != 0;
    });
    bool before = inside || (around && continues(read.path, loop.entry));
    for (const Access* write : writes_to(array->index)) {
      const bool of_loop = is_in(loop, write->barrier_loops);
      before = before && (inside || !of_loop || write->order < read.order);
      for (const Reach& reach : reachable(trace_, write->segment)) {
        before = before && reach.to != read.segment;
      }
    }
    if (!before) continue;
    for (const Changed& counter : loop.changed) {
      if (!fills(loop, counter, array->index)) continue;
      result.push_back(facts_.term(Polynomial::atom(inside ? counter.head : counter.exit)));
    }
  }
  return result;
}

}  // namespace heddle::verify
