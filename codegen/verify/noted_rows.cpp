// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/noted_rows.hpp"

#include <algorithm>

#include "codegen/verify/instances.hpp"
#include "codegen/verify/same_numbers.hpp"
#include "codegen/verify/witness.hpp"

namespace heddle::verify {
namespace {

// A barrier lies between the two, whichever way control takes.
bool apart(const Trace& trace, const Access& write, const Access& read) {
  const std::vector<Reach> reach = reachable(trace, write.segment);
  return std::none_of(reach.begin(), reach.end(),
                      [&](const Reach& each) { return each.to == read.segment; });
}

std::vector<int> common_loops(const Access& a, const Access& b) {
  std::vector<int> result = a.barrier_loops;
  for (std::size_t index = 0; index < std::min(a.plain_loops.size(), b.plain_loops.size()) &&
                              a.plain_loops[index] == b.plain_loops[index];
       ++index) {
    result.push_back(a.plain_loops[index]);
  }
  return result;
}

}  // namespace

// Nothing where a store is not followed, or where not all that blank the array leave one number.
std::optional<NotedRows::Notes> NotedRows::notes_in(ir::MemoryId array) const {
  Notes notes;
  std::optional<Integer> blank;
  for (const Access& store : trace_.accesses) {
    if (!store.write || !same_memory(store.memory, array)) continue;
    if (!store.number || store.digits.size() != 1) return std::nullopt;
    const std::optional<Integer> constant = store.number->constant();
    if (!constant) {
      notes.stores.push_back(&store);
      continue;
    }
    if (blank && *blank != *constant) return std::nullopt;
    blank = constant;
  }
  if (!blank || notes.stores.empty()) return std::nullopt;
  notes.blank = Polynomial(*blank);
  return notes;
}

bool NotedRows::written_before(const Access& read) {
  for (const Access& load : trace_.accesses) {
    if (!loads_before(load, read)) continue;
    const std::optional<Notes> notes = notes_in(load.memory);
    if (!notes) continue;
    // The load was come to, and what it gave is not blank: then a note was made.
    std::vector<Term> goal = conditions(load.path);
    goal.push_back(negation(equal(facts_.term(*load.number), facts_.term(notes->blank))));
    const Term noted = conjunction(goal);
    if (!prover_.proves(facts_.context(read.path, {noted}), noted, "a row is noted")) continue;
    const bool shown = std::all_of(notes->stores.begin(), notes->stores.end(),
                                   [&](const Access* note) { return shows(*note, read, load); });
    if (shown) return true;
  }
  return false;
}

// The visit of the store that noted what was loaded, by its own names, the read by others; and
// writes of the same warp in the same iterations, which are over at the barrier behind the store.
bool NotedRows::shows(const Access& note, const Access& read, const Access& load) {
  if (!apart(trace_, note, load)) return false;
  const Common common = [](const Atom& atom) {
    return atom.sharing != Sharing::kThread && atom.loops.empty();
  };
  const Renaming there = renaming(facts_, common, "@r");
  std::vector<Term> about;
  std::vector<Term> place;
  for (const Polynomial& digit : read.digits) {
    about.push_back(facts_.term(digit));
    place.push_back(renamed(about.back(), there));
  }
  about.push_back(facts_.term(load.digits[0]));
  about.push_back(facts_.term(*load.number));
  std::vector<Term> known;
  for (const Term& fact : facts_.context(read.path, about)) known.push_back(renamed(fact, there));
  const Term row = facts_.term(note.digits[0]);
  const Term number = facts_.term(*note.number);
  for (const Term& fact : facts_.context(note.path, {row, number})) known.push_back(fact);
  known.push_back(equal(row, renamed(facts_.term(load.digits[0]), there)));
  known.push_back(equal(number, renamed(facts_.term(*load.number), there)));
  std::vector<Term> ways;
  for (const Access& write : trace_.accesses) {
    const bool near = write.write && !write.started && write.segment == note.segment &&
                      write.barrier_loops == note.barrier_loops && !write.digits.empty() &&
                      same_memory(write.memory, read.memory);
    if (!near) continue;
    const std::vector<int> loops = common_loops(note, write);
    const auto within = [&](const std::vector<int>& part) {
      return std::all_of(part.begin(), part.end(), [&](int each) {
        return std::count(loops.begin(), loops.end(), each) != 0;
      });
    };
    const auto counts_one_of_them = [&](AtomId id) {
      return std::any_of(loops.begin(), loops.end(), [&](int each) {
        return trace_.loops[static_cast<std::size_t>(each)].counter == id;
      });
    };
    // What lanes of a warp share in these iterations.
    const Common fixed = [&](const Atom& atom) {
      const AtomId id = facts_.find(atom.name);
      if (id == launch_.warp || counts_one_of_them(id)) return true;
      if (atom.sharing != Sharing::kThread) return within(atom.loops);
      return atom.warp_loops.has_value() && within(atom.loops) && within(*atom.warp_loops);
    };
    const auto found = witness(facts_, trace_, launch_, write, place, fixed, loops,
                               "@n" + std::to_string(++suffixes_));
    if (!found) continue;
    known.insert(known.end(), found->assumed.begin(), found->assumed.end());
    ways.push_back(found->required);
  }
  return !ways.empty() && prover_.proves(known, disjunction(ways), "a row that is noted is filled");
}

}  // namespace heddle::verify
