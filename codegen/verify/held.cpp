// SPDX-License-Identifier: Apache-2.0
// Which slots of a state hold a token, as a run finds out: where the position that it loads for a
// slot is above 0, and by numbers that searches leave behind. What positions held at the start of
// the launch is meant; free_slots.cpp sees that nothing was stored to them before the load.
#include <algorithm>

#include "codegen/verify/execute.hpp"
#include "codegen/verify/free_slots.hpp"

namespace heddle::verify {

// A load of P[index] > 0 tells that this slot is taken.
void Execution::look_at_position(ir::MemoryId memory, const Symbolic& index, const Term& loaded) {
  const ir::BufferId* buffer = std::get_if<ir::BufferId>(&memory);
  if (!recording_ || buffer == nullptr || index.integer.size() != 1) return;
  if (!holds_positions(kernel()[*buffer].name)) return;
  HeldSlot told;
  told.positions = memory;
  told.index = index.integer[0].value;
  told.when = loaded > Term(0);
  told = held_here(std::move(told), -1);
  told.looked_in = loops_;
  told.looked_in.insert(told.looked_in.end(), around_.begin(), around_.end());
  trace.held.push_back(std::move(told));
}

// The same said of a number, or of what is said already, at this place.
HeldSlot Execution::held_here(HeldSlot of, AtomId number) const {
  of.path = path_;
  of.barrier_loops = loops_;
  of.plain_loops = around_;
  of.order = order_;
  if (number < 0) return of;
  of.number = number;
  of.index = of.base + Polynomial::atom(number);
  of.when = negation(equal(facts_.term(Polynomial::atom(number)), Term(of.none)));
  return of;
}

// Numbers v that are what they were before the loop, c, or lead to a slot for which the loop found
// a token: v = c or P[base + v] > 0. That holds before the loop, and an iteration that changes v
// looks at the position at index = base' + s and leaves v = s, or s + 1, only where it is above 0;
// base' is what no iteration changes. Indices into changed with what is said of them.
std::vector<std::pair<std::size_t, HeldSlot>> Execution::found_by_loop(const Loop& loop,
                                                                       std::size_t known) {
  std::vector<std::pair<std::size_t, HeldSlot>> found;
  AtomId first = loop.counter;  // of those that an iteration makes
  for (const Changed& each : loop.changed)
    first = first < 0 ? each.head : std::min(first, each.head);
  for (std::size_t index = known; index < trace.held.size(); ++index) {
    const HeldSlot told = trace.held[index];
    // Of this very iteration, not of one of a loop inside.
    if (told.number >= 0 || told.barrier_loops != loops_ || told.plain_loops != around_) continue;
    Polynomial base;
    for (const auto& [monomial, coefficient] : told.index.terms()) {
      const bool stays = std::all_of(monomial.begin(), monomial.end(), [&](AtomId atom) {
        return atom < first && facts_[atom].sharing != Sharing::kThread;
      });
      if (stays) base = base + Polynomial::term(coefficient, monomial);
    }
    std::vector<Term> there = conditions(told.path);
    there.push_back(told.when);
    for (std::size_t changed = 0; changed < loop.changed.size(); ++changed) {
      const Changed& each = loop.changed[changed];
      const std::optional<Integer> none = each.entry.constant();
      if (!none) continue;
      const Term left_alone =
          equal(facts_.term(each.end), facts_.term(Polynomial::atom(each.head)));
      for (const std::int64_t more : {0, 1}) {
        std::vector<Term> goal = there;
        goal.push_back(
            equal(facts_.term(each.end), facts_.term(told.index - base + Polynomial(more))));
        if (!proves(path_, disjunction({left_alone, conjunction(goal)}),
                    "a number leads to a slot that holds a token")) {
          continue;
        }
        HeldSlot number = told;
        number.base = base - Polynomial(more);
        number.none = *none;
        found.emplace_back(changed, std::move(number));
        break;
      }
    }
  }
  return found;
}

void Execution::hold_after_loop(const Loop& loop,
                                std::vector<std::pair<std::size_t, HeldSlot>> found) {
  for (auto& [changed, number] : found) {
    trace.held.push_back(held_here(std::move(number), loop.changed[changed].exit));
  }
}

bool Execution::same_for_block(const Polynomial& value) const {
  const std::set<AtomId> atoms = value.atoms();
  return std::all_of(atoms.begin(), atoms.end(),
                     [&](AtomId atom) { return facts_[atom].sharing != Sharing::kThread; });
}

// The largest number of a warp, or of a group of lanes, is that of one of its lanes, which all come
// from where it is said of theirs; the slots that the numbers lead to are of one sequence and head.
void Execution::held_by_warp(const Polynomial& operand, AtomId result) {
  if (!recording_) return;
  for (std::size_t index = 0; index < trace.held.size(); ++index) {
    const HeldSlot told = trace.held[index];
    if (told.number < 0 || !(operand == Polynomial::atom(told.number))) continue;
    if (!same_for_block(told.base) || !continues(path_, told.path)) continue;
    if (told.barrier_loops != loops_ || told.plain_loops != around_) continue;
    trace.held.push_back(held_here(told, result));
  }
}

}  // namespace heddle::verify
