// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/coverage.hpp"

#include <algorithm>
#include <functional>

#include "codegen/verify/filled.hpp"
#include "codegen/verify/instances.hpp"
#include "codegen/verify/noted_rows.hpp"
#include "codegen/verify/shapes.hpp"
#include "codegen/verify/witness.hpp"

namespace heddle::verify {
namespace {

std::vector<int> common_prefix(const std::vector<int>& a, const std::vector<int>& b) {
  std::vector<int> result;
  for (std::size_t index = 0; index < std::min(a.size(), b.size()) && a[index] == b[index];
       ++index) {
    result.push_back(a[index]);
  }
  return result;
}

bool within(const std::vector<int>& part, const std::vector<int>& whole) {
  return std::all_of(part.begin(), part.end(),
                     [&](int each) { return std::count(whole.begin(), whole.end(), each) != 0; });
}

void append(std::vector<Term>& to, const std::vector<Term>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

class Initialised {
 public:
  Initialised(const Lifted& lifted, const Launch& launch, const Facts& facts, Prover& prover,
              const Trace& trace)
      : lifted_(lifted),
        launch_(launch),
        facts_(facts),
        prover_(prover),
        trace_(trace),
        filled_(facts, trace, launch, prover),
        noted_(facts, trace, launch, prover) {}

  CoverageResult run() {
    for (const verify::Access& read : trace_.accesses) {
      if (read.write || read.digits.empty() || !starts_unwritten(read.memory)) continue;
      ++result_.looked_at;
      check(read);
    }
    return std::move(result_);
  }

 private:
  bool starts_unwritten(ir::MemoryId memory) const {
    const ir::BufferId* buffer = std::get_if<ir::BufferId>(&memory);
    return buffer == nullptr || lifted_.kernel[*buffer].access == heddle::Access::kWrite;
  }
  bool is_private(ir::MemoryId memory) const {
    const ir::ArrayId* array = std::get_if<ir::ArrayId>(&memory);
    return array != nullptr && !lifted_.kernel[*array].shared;
  }

  // What is known of a place that is read, and the ways in which it may have been written.
  struct Search {
    const verify::Access& read;
    std::vector<Term> place;
    std::vector<Term> known;
    std::vector<Term> ways;

    void take(const std::optional<Witness>& found, const Term& earlier = conjunction({})) {
      if (!found) return;
      append(known, found->assumed);
      ways.push_back(conjunction({found->required, earlier}));
    }
  };

  // A write that the read may be of. Each has a number: a name that two ways defined would be
  // nothing at all.
  struct Candidate {
    const verify::Access& write;
    int number;
  };
  std::vector<Candidate> candidates(const verify::Access& read) const {
    std::vector<Candidate> result;
    int number = 0;
    for (const verify::Access& write : trace_.accesses) {
      ++number;
      if (!write.write || write.digits.empty() || !same_memory(write.memory, read.memory)) continue;
      if (!far_apart(facts_, write, read)) result.push_back({write, number});
    }
    return result;
  }

  // Those that go by the same number where all else is 0. Of many the others are of other vectors,
  // most likely, and only make a question longer; of few there are none here.
  static std::vector<Candidate> alike(const std::vector<Candidate>& all,
                                      const verify::Access& read) {
    constexpr std::size_t kMany = 8;
    const auto numbers = [](const verify::Access& access) {
      std::vector<Integer> result;
      for (const Polynomial& digit : access.digits) {
        const auto number = digit.terms().find({});
        result.push_back(number == digit.terms().end() ? Integer(0) : number->second);
      }
      return result;
    };
    std::vector<Candidate> result;
    for (const Candidate& each : all) {
      if (numbers(each.write) == numbers(read)) result.push_back(each);
    }
    if (all.size() <= kMany || 2 * result.size() > all.size()) result.clear();
    return result;
  }

  // Most reads have their write in the first ways, and every way makes a question longer: the next
  // ones are looked for only where those before do not suffice.
  void check(const verify::Access& read) {
    Search search{read, {}, {}, {}};
    for (const Polynomial& digit : read.digits) search.place.push_back(facts_.term(digit));
    search.known = facts_.context(read.path, search.place);
    const std::vector<Candidate> all = candidates(read), likely = alike(all, read);
    using Step = void (Initialised::*)(Search&, const verify::Access&, const std::string&);
    const Step steps[] = {&Initialised::of_this_iteration, &Initialised::of_earlier_iterations,
                          &Initialised::others};
    for (const Step step : steps) {
      const bool last = step == steps[2];
      if (last && !is_private(read.memory) && noted_.written_before(read)) return;
      const std::size_t tried = search.ways.size();
      const auto look = [&](Search& into, const std::vector<Candidate>& among) {
        for (const auto& [write, number] : among) {
          (this->*step)(into, write, "@" + std::to_string(number));
        }
        return into.ways.size() > tried;
      };
      const char* const kStatement = "a write comes before this read";
      if (Search few = search; !last && look(few, likely) &&
                               prover_.proves_soon(few.known, disjunction(few.ways), kStatement)) {
        return;
      }
      look(search, all);
      if (last && !is_private(read.memory)) {
        for (const Term& end : filled_.filled_before(read)) {
          append(search.known, facts_.context(read.path, {end}));
          search.ways.push_back(conjunction({search.place[0] >= 0, search.place[0] < end}));
        }
      }
      if (search.ways.size() == tried) continue;
      const Term goal = disjunction(search.ways);
      const bool shown = last ? prover_.proves(search.known, goal, kStatement)
                              : prover_.proves_soon(search.known, goal, kStatement);
      if (shown) return;
    }
    result_.findings.push_back({"initialised", false,
                                "it is not proved that this place of " +
                                    name_of(lifted_, read.memory) + " was written before",
                                read.at});
  }

  // Earlier in the text, in the same iteration of the loops around both: by any thread with a
  // barrier between, by itself where nobody else sees what is written.
  void of_this_iteration(Search& search, const verify::Access& write, const std::string& suffix) {
    if (write.order >= search.read.order) return;
    if (is_private(search.read.memory)) {
      if (!write.started) search.take(own_thread(search.read, write, search.place, suffix + "t"));
    } else if (!meets(write, search.read, -1)) {
      search.take(other_thread(write, search.place, search.read.barrier_loops, suffix));
    }
  }

  // In an earlier iteration of a loop with barriers, whose number the place tells; where two places
  // take turns, in the iteration before, or the last one of a loop that is left behind.
  void of_earlier_iterations(Search& search, const verify::Access& write,
                             const std::string& suffix) {
    const verify::Access& read = search.read;
    if (is_private(read.memory)) return;
    if (write.order < read.order && !meets(write, read, -1)) {
      for (const int id : write.barrier_loops) {
        const Loop& loop = trace_.loops[static_cast<std::size_t>(id)];
        const bool left = !within({id}, read.barrier_loops);
        if (!left || !within(loop.outer, read.barrier_loops) || !alternates(write, loop)) continue;
        search.take(other_thread(write, search.place, read.barrier_loops,
                                 suffix + "l" + std::to_string(id), Iteration{id, true}));
      }
    }
    for_earlier_iterations(
        read, write, [&](const Loop& loop, const std::vector<int>& outer, int depth) {
          if (!alternates(write, loop)) {
            return of_counted_iteration(search, write, loop, outer,
                                        suffix + "e" + std::to_string(depth));
          }
          const Term mine = facts_.term(Polynomial::atom(loop.counter));
          append(search.known, facts_.context(read.path, {mine}));
          search.take(other_thread(write, search.place, outer, suffix + "b" + std::to_string(depth),
                                   Iteration{loop.id, false}));
        });
  }

  void of_counted_iteration(Search& search, const verify::Access& write, const Loop& loop,
                            const std::vector<int>& outer, const std::string& suffix) {
    const std::optional<Witness> found = other_thread(write, search.place, outer, suffix);
    if (!found) return;
    const Term mine = facts_.term(Polynomial::atom(loop.counter));
    append(search.known, facts_.context(search.read.path, {mine}));
    // In an earlier iteration: its number is the value that the witness solved for.
    const Term earlier = found->counter.at(loop.id);
    const Term step = facts_.term(loop.step);
    if (loop.value >= 0 && step.operation() == smt::Operation::kVariable &&
        earlier.operation() == smt::Operation::kVariable) {
      // c <= d gives s c <= s d, for s >= 0.
      const Term way = Term::variable(product_of({step.name(), earlier.name()}));
      search.known.push_back(
          implies(conjunction({step >= 0, mine <= earlier}),
                  facts_.term(loop.step * Polynomial::atom(loop.counter)) <= way));
    }
    search.take(found, earlier < mine);
  }

  // By itself, which needs no barrier, and in iterations whose number need not be told: seldom
  // needed, and dear.
  void others(Search& search, const verify::Access& write, const std::string& suffix) {
    const verify::Access& read = search.read;
    inner_iterations(search, write, suffix);
    if (is_private(read.memory)) return;
    if (write.order < read.order && !write.started) {
      search.take(own_thread(read, write, search.place, suffix + "t"));
    }
    if (!write.started) own_iterations(search, write, suffix);
    for_earlier_iterations(
        read, write, [&](const Loop& loop, const std::vector<int>& outer, int depth) {
          if (!alternates(write, loop)) return;
          of_counted_iteration(search, write, loop, outer, suffix + "e" + std::to_string(depth));
        });
  }

  // Counted loops with barriers around both, so that a barrier lies between their iterations.
  void for_earlier_iterations(
      const verify::Access& read, const verify::Access& write,
      const std::function<void(const Loop&, const std::vector<int>&, int)>& each) const {
    for (std::size_t depth = 0; depth < read.barrier_loops.size(); ++depth) {
      const std::vector<int> outer(read.barrier_loops.begin(),
                                   read.barrier_loops.begin() + static_cast<std::ptrdiff_t>(depth));
      const int around = read.barrier_loops[depth];
      const Loop& loop = trace_.loops[static_cast<std::size_t>(around)];
      if (within({around}, write.barrier_loops) && loop.counted && !meets(write, read, around)) {
        each(loop, outer, static_cast<int>(depth));
      }
    }
  }

  // ... and those of earlier iterations of the outermost loop that both stand in, whatever comes
  // first in the text. Nothing of the iteration at hand is taken to be so in the earlier one.
  void own_iterations(Search& search, const verify::Access& write, const std::string& suffix) {
    const std::vector<int> shared = common_prefix(loops_of(search.read), loops_of(write));
    if (shared.empty()) return;
    const Loop& loop = trace_.loops[static_cast<std::size_t>(shared.front())];
    if (!loop.counted) return;
    const Common fixed = [](const Atom& atom) { return atom.nature == Nature::kGiven; };
    const std::optional<Witness> found =
        witness(facts_, trace_, launch_, write, search.place, fixed, {}, suffix + "o");
    if (!found || found->counter.count(shared.front()) == 0) return;
    const Term mine = facts_.term(Polynomial::atom(loop.counter));
    append(search.known, facts_.context(search.read.path, {mine}));
    search.take(found, found->counter.at(shared.front()) < mine);
  }

  // ... and those of earlier iterations of a loop further in, in the same iteration of the loops
  // around it. What was there before the loop is the same then; all else has numbers of its own.
  void inner_iterations(Search& search, const verify::Access& write, const std::string& suffix) {
    if (write.started) return;
    const std::vector<int> shared = common_prefix(loops_of(search.read), loops_of(write));
    for (std::size_t depth = 1; depth < shared.size(); ++depth) {
      const Loop& loop = trace_.loops[static_cast<std::size_t>(shared[depth])];
      if (!loop.counted || loop.barrier) continue;
      AtomId first = loop.counter;  // of the atoms that an iteration makes
      for (const Changed& each : loop.changed) first = std::min(first, each.head);
      const Common fixed = [&](const Atom& atom) {
        return atom.nature == Nature::kGiven || facts_.find(atom.name) < first;
      };
      const std::vector<int> outer(shared.begin(),
                                   shared.begin() + static_cast<std::ptrdiff_t>(depth));
      const std::optional<Witness> found =
          witness(facts_, trace_, launch_, write, search.place, fixed, outer,
                  suffix + "i" + std::to_string(depth));
      if (!found || found->counter.count(shared[depth]) == 0) continue;
      const Term mine = facts_.term(Polynomial::atom(loop.counter));
      append(search.known, facts_.context(search.read.path, {mine}));
      search.take(found, found->counter.at(shared[depth]) < mine);
    }
  }

  // Whether the write goes by what an iteration of a counted loop leaves to the next one, or by a
  // quotient of its number, so that no number of an iteration can be solved for.
  bool alternates(const verify::Access& write, const Loop& loop) const {
    if (!loop.counted) return false;
    return std::any_of(write.digits.begin(), write.digits.end(), [&](const Polynomial& digit) {
      const bool left = std::any_of(
          loop.changed.begin(), loop.changed.end(),
          [&](const Changed& each) { return !each.first_round && digit.mentions(each.head); });
      const std::set<AtomId> atoms = digit.atoms();
      return left || std::any_of(atoms.begin(), atoms.end(), [&](AtomId id) {
               const Atom& atom = facts_[id];
               return atom.nature == Nature::kTotal && id != loop.value &&
                      within({loop.id}, atom.loops);
             });
    });
  }

  // Whether control may pass from the write to the read without a barrier, through the next
  // iteration of `around` or, with -1, of none.
  bool meets(const verify::Access& write, const verify::Access& read, int around) const {
    const auto comes = [&](int segment, const std::vector<int>& path) {
      if (segment != read.segment) return false;
      const bool wraps = std::count(path.begin(), path.end(), around) != 0;
      return around < 0 ? path.empty() : wraps;
    };
    if (write.started) {
      const auto stretches = underway(trace_, write.segment);
      return !stretches || std::any_of(stretches->begin(), stretches->end(), [&](const auto& each) {
        return comes(each.segment, each.around);
      });
    }
    const std::vector<Reach> reach = reachable(trace_, write.segment);
    return std::any_of(reach.begin(), reach.end(),
                       [&](const Reach& each) { return comes(each.to, each.around); });
  }

  std::optional<Witness> own_thread(const verify::Access& read, const verify::Access& write,
                                    const std::vector<Term>& place, const std::string& suffix) {
    std::set<std::string> spoken;
    for (const Term& fact : facts_.context(read.path, place)) collect_factors(fact, spoken);
    for (const Term& digit : place) collect_factors(digit, spoken);
    const Common fixed = [&](const Atom& atom) {
      return atom.nature == Nature::kGiven || spoken.count(atom.name) != 0;
    };
    return witness(facts_, trace_, launch_, write, place, fixed,
                   common_prefix(loops_of(read), loops_of(write)), suffix);
  }

  std::optional<Witness> other_thread(const verify::Access& write, const std::vector<Term>& place,
                                      const std::vector<int>& shared_loops,
                                      const std::string& suffix,
                                      std::optional<Iteration> iteration = std::nullopt) {
    const std::vector<int> loops = common_prefix(shared_loops, write.barrier_loops);
    const Common fixed = [&](const Atom& atom) {
      return atom.sharing != Sharing::kThread && within(atom.loops, loops);
    };
    return witness(facts_, trace_, launch_, write, place, fixed, loops, suffix, iteration);
  }

  const Lifted& lifted_;
  const Launch& launch_;
  const Facts& facts_;
  Prover& prover_;
  const Trace& trace_;
  FilledLists filled_;
  NotedRows noted_;
  CoverageResult result_;
};

}  // namespace

CoverageResult check_initialised(const Lifted& lifted, const Launch& launch, const Facts& facts,
                                 Prover& prover, const Trace& trace) {
  return Initialised(lifted, launch, facts, prover, trace).run();
}

}  // namespace heddle::verify
