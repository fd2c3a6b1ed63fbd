// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/coverage.hpp"

#include <algorithm>

#include "codegen/verify/bounds.hpp"
#include "codegen/verify/filled.hpp"
#include "codegen/verify/instances.hpp"
#include "codegen/verify/witness.hpp"

namespace heddle::verify {
namespace {

bool same_memory(ir::MemoryId a, ir::MemoryId b) {
  if (a.index() != b.index()) return false;
  return match(
      a, [&](ir::BufferId id) { return id.index == std::get<ir::BufferId>(b).index; },
      [&](ir::ArrayId id) { return id.index == std::get<ir::ArrayId>(b).index; },
      [&](ir::ViewId id) { return id.index == std::get<ir::ViewId>(b).index; });
}

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

// ---- written before read ----------------------------------------------------------------------

class Initialised {
 public:
  Initialised(const Lifted& lifted, const Launch& launch, const Facts& facts, Prover& prover,
              const Trace& trace)
      : lifted_(lifted),
        launch_(launch),
        facts_(facts),
        prover_(prover),
        trace_(trace),
        filled_(facts, trace, launch, prover) {}

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

  void check(const verify::Access& read) {
    std::vector<Term> place;
    for (const Polynomial& digit : read.digits) place.push_back(facts_.term(digit));
    std::vector<Term> known = facts_.context(read.path, place);
    std::vector<Term> ways;
    int number = 0;
    for (const verify::Access& write : trace_.accesses) {
      if (!write.write || write.digits.empty() || !same_memory(write.memory, read.memory)) continue;
      // Each way has names of its own: a number that two of them defined would be nothing at all.
      const std::string suffix = "@" + std::to_string(++number);
      const auto take = [&](const std::optional<Witness>& found, const Term& earlier) {
        if (!found) return;
        append(known, found->assumed);
        ways.push_back(conjunction({found->required, earlier}));
      };
      const Term always_so = conjunction({});
      // Its own earlier stores a thread sees without a barrier.
      if (write.order < read.order && !write.started)
        take(own_thread(read, write, place, suffix + "t"), always_so);
      if (is_private(read.memory)) continue;
      if (!write.started) own_iterations(read, write, place, suffix, known, ways);
      if (write.order < read.order && !meets(write, read, -1)) {
        take(other_thread(write, place, read.barrier_loops, suffix), always_so);
        for (const int id : write.barrier_loops) {
          const Loop& loop = trace_.loops[static_cast<std::size_t>(id)];
          const bool left = !within({id}, read.barrier_loops);
          if (!left || !within(loop.outer, read.barrier_loops) || !alternates(write, loop))
            continue;
          take(other_thread(write, place, read.barrier_loops, suffix + "l", Iteration{id, true}),
               always_so);
        }
      }
      for (std::size_t depth = 0; depth < read.barrier_loops.size(); ++depth) {
        const std::vector<int> outer(
            read.barrier_loops.begin(),
            read.barrier_loops.begin() + static_cast<std::ptrdiff_t>(depth));
        const int around = read.barrier_loops[depth];
        const Loop& loop = trace_.loops[static_cast<std::size_t>(around)];
        if (!within({around}, write.barrier_loops) || !loop.counted || meets(write, read, around)) {
          continue;
        }
        const std::string name = suffix + "e" + std::to_string(depth);
        const Term mine = facts_.term(Polynomial::atom(loop.counter));
        append(known, facts_.context(read.path, {mine}));
        if (alternates(write, loop)) {
          take(other_thread(write, place, outer, name + "b", Iteration{around, false}), always_so);
        }
        const std::optional<Witness> found = other_thread(write, place, outer, name);
        if (!found) continue;
        // In an earlier iteration: its number is the value that the witness solved for.
        const Term earlier = found->counter.at(around);
        const Term step = facts_.term(loop.step);
        if (loop.value >= 0 && step.operation() == smt::Operation::kVariable &&
            earlier.operation() == smt::Operation::kVariable) {
          // c <= d gives s c <= s d, for s >= 0.
          const Term way = Term::variable(product_of({step.name(), earlier.name()}));
          known.push_back(implies(conjunction({step >= 0, mine <= earlier}),
                                  facts_.term(loop.step * Polynomial::atom(loop.counter)) <= way));
        }
        take(found, earlier < mine);
      }
    }
    const auto shown = [&] {
      return !ways.empty() &&
             prover_.proves(known, disjunction(ways), "a write comes before this read");
    };
    if (shown()) return;
    // Seldom needed, and dear.
    const std::size_t tried = ways.size();
    for (const verify::Access& write : trace_.accesses) {
      if (!write.write || write.started || write.digits.empty() ||
          !same_memory(write.memory, read.memory)) {
        continue;
      }
      inner_iterations(read, write, place, "@" + std::to_string(++number), known, ways);
    }
    if (!is_private(read.memory)) {
      for (const Term& end : filled_.filled_before(read)) {
        append(known, facts_.context(read.path, {end}));
        ways.push_back(conjunction({place[0] >= 0, place[0] < end}));
      }
    }
    if (ways.size() > tried && shown()) return;
    result_.findings.push_back({"initialised", false,
                                "it is not proved that this place of " +
                                    name_of(lifted_, read.memory) + " was written before",
                                read.at});
  }

  // ... and those of earlier iterations of the outermost loop that both stand in, whatever comes
  // first in the text. Nothing of the iteration at hand is taken to be so in the earlier one.
  void own_iterations(const verify::Access& read, const verify::Access& write,
                      const std::vector<Term>& place, const std::string& suffix,
                      std::vector<Term>& known, std::vector<Term>& ways) {
    const std::vector<int> shared = common_prefix(loops_of(read), loops_of(write));
    if (shared.empty()) return;
    const Loop& loop = trace_.loops[static_cast<std::size_t>(shared.front())];
    if (!loop.counted) return;
    const Common fixed = [](const Atom& atom) { return atom.nature == Nature::kGiven; };
    const std::optional<Witness> found =
        witness(facts_, trace_, launch_, write, place, fixed, {}, suffix + "o");
    if (!found || found->counter.count(shared.front()) == 0) return;
    const Term mine = facts_.term(Polynomial::atom(loop.counter));
    append(known, facts_.context(read.path, {mine}));
    append(known, found->assumed);
    ways.push_back(conjunction({found->required, found->counter.at(shared.front()) < mine}));
  }

  // ... and those of earlier iterations of a loop further in, in the same iteration of the loops
  // around it. What was there before the loop is the same then; all else has numbers of its own.
  void inner_iterations(const verify::Access& read, const verify::Access& write,
                        const std::vector<Term>& place, const std::string& suffix,
                        std::vector<Term>& known, std::vector<Term>& ways) {
    const std::vector<int> shared = common_prefix(loops_of(read), loops_of(write));
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
      const std::optional<Witness> found = witness(facts_, trace_, launch_, write, place, fixed,
                                                   outer, suffix + "i" + std::to_string(depth));
      if (!found || found->counter.count(shared[depth]) == 0) continue;
      const Term mine = facts_.term(Polynomial::atom(loop.counter));
      append(known, facts_.context(read.path, {mine}));
      append(known, found->assumed);
      ways.push_back(conjunction({found->required, found->counter.at(shared[depth]) < mine}));
    }
  }

  // Whether the write goes by what an iteration of a counted loop leaves to the next one, so that
  // no number of an iteration can be solved for.
  static bool alternates(const verify::Access& write, const Loop& loop) {
    return loop.counted &&
           std::any_of(loop.changed.begin(), loop.changed.end(), [&](const Changed& each) {
             return !each.first_round &&
                    std::any_of(write.digits.begin(), write.digits.end(),
                                [&](const Polynomial& digit) { return digit.mentions(each.head); });
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
  CoverageResult result_;
};

// ---- written once -----------------------------------------------------------------------------

class Outputs {
 public:
  Outputs(const Lifted& lifted, const KernelEntry& entry, const Launch& launch, Facts& facts,
          Prover& prover, const Trace& trace)
      : lifted_(lifted),
        entry_(entry),
        launch_(launch),
        facts_(facts),
        prover_(prover),
        trace_(trace) {}

  CoverageResult run() {
    for (std::size_t index = 0; index < lifted_.kernel.buffers.size(); ++index) {
      if (lifted_.kernel.buffers[index].access != heddle::Access::kWrite) continue;
      // Scratch means nothing afterwards.
      if (lifted_.kernel.buffers[index].name.rfind("scratch_", 0) == 0) continue;
      ++result_.looked_at;
      const ir::MemoryId memory = ir::BufferId{static_cast<std::int32_t>(index)};
      std::vector<const verify::Access*> writes;
      for (const verify::Access& access : trace_.accesses) {
        if (!access.write || !same_memory(access.memory, memory)) continue;
        // Out of bounds, that is reported; here nothing can be said of it.
        if (!access.digits.empty()) writes.push_back(&access);
      }
      all_written(memory, writes);
      // A gradient may be summed up where it is to stand.
      const bool sum =
          entry_.op == "backward" &&
          std::any_of(trace_.accesses.begin(), trace_.accesses.end(), [&](const auto& access) {
            return !access.write && same_memory(access.memory, memory);
          });
      if (sum) continue;
      for (std::size_t first = 0; first < writes.size(); ++first) {
        for (std::size_t second = first; second < writes.size(); ++second) {
          written_once(*writes[first], *writes[second]);
        }
      }
    }
    return std::move(result_);
  }

 private:
  void all_written(ir::MemoryId memory, const std::vector<const verify::Access*>& writes) {
    const std::string name = name_of(lifted_, memory);
    const auto fails = [&](const std::string& sentence, TextPlace at) {
      result_.findings.push_back({"outputs", false, sentence, at});
    };
    if (writes.empty()) return fails(name + " is an output that nothing writes", {});
    const std::vector<Polynomial> extents = extents_of(lifted_, entry_, launch_, memory);
    std::vector<Term> place;
    std::vector<Term> known;
    std::set<AtomId> blocks;
    for (std::size_t axis = 0; axis < extents.size(); ++axis) {
      // An axis along which the blocks of the grid lie: each answers for its own part.
      const auto of_block =
          std::find_if(launch_.places.begin(), launch_.places.end(), [&](AtomId candidate) {
            return extents[axis] == extent_of(candidate) && blocks.count(candidate) == 0 &&
                   std::all_of(writes.begin(), writes.end(), [&](const verify::Access* write) {
                     return write->digits[axis] == Polynomial::atom(candidate);
                   });
          });
      if (of_block != launch_.places.end()) {
        blocks.insert(*of_block);
        place.push_back(facts_.term(Polynomial::atom(*of_block)));
        continue;
      }
      const AtomId any = facts_.fresh("any", Sharing::kBlock, Nature::kState);
      place.push_back(facts_.term(Polynomial::atom(any)));
      known.push_back(place.back() >= 0);
      known.push_back(place.back() < facts_.term(extents[axis]));
    }
    append(known, facts_.context(nullptr, known));
    append(known, facts_.context(nullptr, place));
    const Common fixed = [](const Atom& atom) {
      return atom.sharing != Sharing::kThread && atom.loops.empty();
    };
    std::vector<Term> ways;
    std::vector<Witness> before;
    int number = 0;
    for (const verify::Access* write : writes) {
      const std::string suffix = "@" + std::to_string(++number);
      const std::optional<Witness> found =
          witness(facts_, trace_, launch_, *write, place, fixed, {}, suffix);
      if (!found) continue;
      for (const Witness& other : before) {
        for (const auto& [atom, value] : found->of_warp) {
          const auto theirs = other.of_warp.find(atom);
          if (theirs != other.of_warp.end()) known.push_back(agree(value, theirs->second));
        }
      }
      before.push_back(*found);
      append(known, found->assumed);
      ways.push_back(found->required);
    }
    const Term goal = disjunction(ways);
    if (!ways.empty() && prover_.proves(known, goal, "every element is written")) return;
    fails("it is not proved that every element of " + name + " is written", writes.front()->at);
  }

  Polynomial extent_of(AtomId place) const {
    for (std::size_t axis = 0; axis < launch_.places.size(); ++axis) {
      if (launch_.places[axis] == place) return launch_.extent(entry_.grid[axis]);
    }
    return {};
  }

  // Two visits, by one thread or by two, in one phase or in several.
  void written_once(const verify::Access& first, const verify::Access& second) {
    const Common own = [](const Atom&) { return true; };
    const Common common = [&](const Atom& atom) {
      const bool place = atom.nature == Nature::kGiven && atom.sharing == Sharing::kBlock;
      return place || (atom.sharing != Sharing::kThread && atom.loops.empty());
    };
    const Renaming here = renaming(facts_, own, "");
    const Renaming there = renaming(facts_, common, "@2");
    const Instance a = instance(facts_, trace_, first, launch_.warp, launch_.lane, here);
    const Instance b = instance(facts_, trace_, second, launch_.warp, launch_.lane, there);
    std::vector<Term> known = a.known;
    append(known, b.known);
    append(known, risen(facts_, trace_, first, second, here));
    append(known, risen(facts_, trace_, second, first, there));
    if (&first == &second) append(known, steps_apart(facts_, trace_, first, here, there));
    append(known, shared_by_warp(facts_, trace_, a, b, launch_.warp, here, there,
                                 [](int) { return false; }));
    if (&first == &second) {
      std::vector<Term> ways;
      const auto differs = [&](const std::vector<Term>& x, const std::vector<Term>& y) {
        for (std::size_t index = 0; index < x.size(); ++index) {
          ways.push_back(negation(equal(x[index], y[index])));
        }
      };
      differs(a.thread, b.thread);
      differs(a.counters, b.counters);
      for (const int id : loops_of(first)) {
        const Loop& loop = trace_.loops[static_cast<std::size_t>(id)];
        if (loop.counted) continue;
        // The one iteration came before the other: what rises had got no further.
        for (const auto& [before, after] : {std::pair{&here, &there}, std::pair{&there, &here}}) {
          std::vector<Term> order;
          for (const Changed& each : loop.changed) {
            if (!each.rises) continue;
            const Term end = facts_.term(each.end);
            const Term head = facts_.term(Polynomial::atom(each.head));
            order.push_back(renamed(end, *before) <= renamed(head, *after));
            for (const Term& fact : facts_.context(first.path, {end, head})) {
              known.push_back(renamed(fact, here));
              known.push_back(renamed(fact, there));
            }
          }
          ways.push_back(conjunction(order));
        }
      }
      known.push_back(disjunction(ways));
    }
    std::vector<Term> meet;
    for (std::size_t axis = 0; axis < a.digits.size(); ++axis) {
      meet.push_back(equal(a.digits[axis], b.digits[axis]));
    }
    if (prover_.proves(known, negation(conjunction(meet)), "no element is written twice")) return;
    result_.findings.push_back({"outputs", false,
                                "it is not proved that " + name_of(lifted_, first.memory) +
                                    " is written once only, here and in line " +
                                    std::to_string(second.at.line),
                                first.at});
  }

  const Lifted& lifted_;
  const KernelEntry& entry_;
  const Launch& launch_;
  Facts& facts_;
  Prover& prover_;
  const Trace& trace_;
  CoverageResult result_;
};

}  // namespace

CoverageResult check_initialised(const Lifted& lifted, const Launch& launch, const Facts& facts,
                                 Prover& prover, const Trace& trace) {
  return Initialised(lifted, launch, facts, prover, trace).run();
}

CoverageResult check_outputs(const Lifted& lifted, const KernelEntry& entry, const Launch& launch,
                             Facts& facts, Prover& prover, const Trace& trace) {
  return Outputs(lifted, entry, launch, facts, prover, trace).run();
}

}  // namespace heddle::verify
