// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/races.hpp"

#include <algorithm>

#include "codegen/verify/instances.hpp"
#include "codegen/verify/same_numbers.hpp"
#include "codegen/verify/shapes.hpp"

namespace heddle::verify {
namespace {

constexpr const char* kApart = "two threads of a block do not meet";

bool is_private(const Lifted& lifted, ir::MemoryId memory) {
  const ir::ArrayId* array = std::get_if<ir::ArrayId>(&memory);
  return array != nullptr && !lifted.kernel[*array].shared;
}
bool is_buffer(ir::MemoryId memory) { return std::holds_alternative<ir::BufferId>(memory); }

class Races {
 public:
  Races(const Lifted& lifted, const Launch& launch, const Facts& facts, Prover& prover,
        const Trace& trace)
      : lifted_(lifted), launch_(launch), facts_(facts), prover_(prover), trace_(trace) {}

  RacesResult run() {
    for (const Access& first : trace_.accesses) {
      if (first.digits.empty() || is_private(lifted_, first.memory)) continue;
      if (first.started) behind_its_back(first);
      const std::vector<Reach> reach =
          first.started ? std::vector<Reach>() : reachable(trace_, first.segment);
      for (const Access& second : trace_.accesses) {
        if (!meets_in_memory(first, second)) continue;
        if (&second >= &first && is_buffer(first.memory)) between_blocks(first, second);
        for (const Reach& each : reach) {
          // Within one stretch the order of the two does not matter: ask once.
          const bool once = each.to != first.segment || !each.around.empty() || &second >= &first;
          if (each.to != second.segment || !once) continue;
          within_block(first, second, each.around, each.skipped);
        }
      }
    }
    return std::move(result_);
  }

 private:
  bool meets_in_memory(const Access& first, const Access& second) const {
    return !second.digits.empty() && (first.write || second.write) &&
           is_buffer(first.memory) == is_buffer(second.memory) &&
           name_of(lifted_, first.memory) == name_of(lifted_, second.memory);
  }

  // A copy under way against all that other threads touch before all know that it is there, and
  // against what its own thread touches before it is.
  void behind_its_back(const Access& first) {
    const bool alone =
        std::none_of(trace_.accesses.begin(), trace_.accesses.end(),
                     [&](const Access& second) { return meets_in_memory(first, second); });
    if (alone) return;
    const auto stretches = underway(trace_, first.segment);
    if (!stretches) {
      result_.findings.push_back({"races", false,
                                  "it is not proved that this copy arrives within an iteration",
                                  first.at});
      return;
    }
    for (const Access& second : trace_.accesses) {
      if (!meets_in_memory(first, second)) continue;
      for (const Underway& each : *stretches) {
        if (each.segment != second.segment) continue;
        within_block(first, second, each.around, each.skipped);
        if (!each.arrived) within_thread(first, second, each.around, each.skipped);
      }
    }
  }

  static Term differ(const std::vector<Term>& a, const std::vector<Term>& b) {
    std::vector<Term> same;
    for (std::size_t index = 0; index < a.size(); ++index)
      same.push_back(equal(a[index], b[index]));
    return negation(conjunction(same));
  }
  static Term same(const std::vector<Term>& a, const std::vector<Term>& b) {
    std::vector<Term> parts;
    for (std::size_t index = 0; index < a.size(); ++index) {
      parts.push_back(equal(a[index], b[index]));
    }
    return conjunction(parts);
  }

  void within_block(const Access& first, const Access& second, const std::vector<int>& around,
                    const std::vector<int>& skipped = {}) {
    two_visits(first, second, around, /*same_thread=*/false, skipped);
  }
  void within_thread(const Access& first, const Access& second, const std::vector<int>& around,
                     const std::vector<int>& skipped) {
    // What it touched before it started on this one is past.
    const std::vector<int>& mine = first.plain_loops;
    const std::vector<int>& other = second.plain_loops;
    const bool apart = mine.empty() || other.empty() || mine[0] != other[0];
    if (second.segment == first.segment && around.empty() && apart && second.order < first.order) {
      return;
    }
    two_visits(first, second, around, /*same_thread=*/true, skipped);
  }

  void two_visits(const Access& first, const Access& second, const std::vector<int>& around,
                  bool same_thread, const std::vector<int>& skipped) {
    ++result_.pairs;
    if (far_apart(facts_, first, second)) return;
    const auto moved = [&](const Atom& atom) {
      return std::any_of(around.begin(), around.end(), [&](int loop) {
        return std::count(atom.loops.begin(), atom.loops.end(), loop) != 0;
      });
    };
    const Common own = [](const Atom&) { return true; };
    const Common common = [&](const Atom& atom) {
      return atom.sharing != Sharing::kThread && !moved(atom);
    };
    const Renaming here = renaming(facts_, own, "");
    const Renaming there = renaming(facts_, common, "@2");
    const Instance a = instance(facts_, trace_, first, launch_.warp, launch_.lane, here);
    const Instance b = instance(facts_, trace_, second, launch_.warp, launch_.lane, there);
    std::vector<Term> known = a.known;
    const auto add = [&](const std::vector<Term>& more) {
      known.insert(known.end(), more.begin(), more.end());
    };
    add(b.known);
    add(risen(facts_, trace_, first, second, here));
    add(risen(facts_, trace_, second, first, there));
    add(later_iterations(facts_, trace_, around, here, there));
    add(shared_by_warp(facts_, trace_, a, b, launch_, here, there, [&](int loop) {
      return trace_.loops[static_cast<std::size_t>(loop)].barrier &&
             std::count(around.begin(), around.end(), loop) == 0;
    }));
    const std::vector<Term> begun = first_iterations(facts_, trace_, first, second, around, there);
    if (first.started) add(begun);
    for (const int id : skipped) {
      // A loop of the same iterations as the first access had no iteration of its own.
      const Loop& loop = trace_.loops[static_cast<std::size_t>(id)];
      const Term none = facts_.term(loop.end) <= facts_.term(loop.begin);
      add(facts_.context(nullptr, {none}));
      known.push_back(none);
    }
    if (!same_thread) {
      // Which lane of a warp reads what a lane names is not told: it may be any, itself too.
      const bool any_lane = first.by_warp || second.by_warp;
      if (!any_lane) known.push_back(differ(a.thread, b.thread));
      // Asked without at first, which is enough nearly everywhere.
      const Term meet = same(a.digits, b.digits);
      if (!begun.empty() && !prover_.proves(known, negation(meet), kApart)) add(begun);
      if (around.empty()) add(same_numbers(facts_, trace_, first, a, here, second, b, there));
      return decide(first, second, known, meet, "two threads of a block");
    }
    known.push_back(same(a.thread, b.thread));
    // Of one access these are two visits, which their counters tell apart.
    const bool told =
        std::all_of(first.plain_loops.begin(), first.plain_loops.end(),
                    [&](int loop) { return trace_.loops[static_cast<std::size_t>(loop)].counted; });
    if (&first == &second && around.empty() && told) {
      known.push_back(differ(a.counters, b.counters));
    }
    decide(first, second, known, same(a.digits, b.digits), "a copy under way and its thread");
  }

  void between_blocks(const Access& first, const Access& second) {
    ++result_.pairs;
    // An axis whose digit is the block's own place keeps blocks apart by itself.
    const bool apart = std::all_of(launch_.places.begin(), launch_.places.end(), [&](AtomId place) {
      for (std::size_t axis = 0; axis < first.digits.size(); ++axis) {
        if (first.digits[axis] == Polynomial::atom(place) &&
            second.digits[axis] == Polynomial::atom(place)) {
          return true;
        }
      }
      return false;
    });
    if (apart) return;
    const Common own = [](const Atom&) { return true; };
    const Common common = [](const Atom& atom) { return atom.sharing == Sharing::kLaunch; };
    const Renaming here = renaming(facts_, own, "");
    const Renaming there = renaming(facts_, common, "@2");
    const Instance a = instance(facts_, trace_, first, launch_.warp, launch_.lane, here);
    const Instance b = instance(facts_, trace_, second, launch_.warp, launch_.lane, there);
    std::vector<Term> known = a.known;
    known.insert(known.end(), b.known.begin(), b.known.end());
    std::vector<Term> mine, others;
    for (const AtomId place : launch_.places) {
      mine.push_back(facts_.term(Polynomial::atom(place)));
      others.push_back(renamed(mine.back(), there));
      for (const Term& fact : facts_.context(nullptr, {mine.back()})) {
        known.push_back(fact);
        known.push_back(renamed(fact, there));
      }
    }
    known.push_back(differ(mine, others));
    for (const Term& fact : facts_.context(nullptr, granted_of_sequence(facts_, launch_, here))) {
      known.push_back(fact);
      known.push_back(renamed(fact, there));
    }
    for (const Term& fact : sequences_apart(facts_, launch_, here, there)) known.push_back(fact);
    if (&first == &second) {
      for (const Term& fact : steps_apart(facts_, trace_, first, here, there))
        known.push_back(fact);
    }
    decide(first, second, known, same(a.digits, b.digits), "threads of two blocks");
  }

  void decide(const Access& first, const Access& second, const std::vector<Term>& known,
              const Term& meet, const std::string& who) {
    if (prover_.proves(known, negation(meet), who + " do not meet")) return;
    const bool both = first.write && second.write;
    result_.findings.push_back(
        {"races", false,
         "it is not proved that " + who + " keep apart in " + name_of(lifted_, first.memory) +
             (both ? ", written here and in line " : ", touched here and in line ") +
             std::to_string(second.at.line),
         first.at});
  }

  const Lifted& lifted_;
  const Launch& launch_;
  const Facts& facts_;
  Prover& prover_;
  const Trace& trace_;
  RacesResult result_;
};

}  // namespace

RacesResult check_races(const Lifted& lifted, const Launch& launch, const Facts& facts,
                        Prover& prover, const Trace& trace) {
  return Races(lifted, launch, facts, prover, trace).run();
}

}  // namespace heddle::verify
