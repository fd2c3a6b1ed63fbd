// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/coverage.hpp"

#include <algorithm>
#include <map>

#include "codegen/verify/free_slots.hpp"
#include "codegen/verify/instances.hpp"
#include "codegen/verify/shapes.hpp"
#include "codegen/verify/witness.hpp"

namespace heddle::verify {
namespace {

void append(std::vector<Term>& to, const std::vector<Term>& more) {
  to.insert(to.end(), more.begin(), more.end());
}

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
      // Scratch means nothing afterwards, unless it is what a step leaves to later ones.
      const bool scratch = lifted_.kernel.buffers[index].name.rfind("scratch_", 0) == 0;
      if (scratch && entry_.chunk_tokens == 0) continue;
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
  // An axis of all sequences' tokens: each block answers for its own sequence's.
  bool sequences_share(const Polynomial& extent) const {
    return launch_.sequence && launch_.sequence->first && extent == launch_.extent("tokens");
  }

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
            return extents[axis] == launch_.extent_of(candidate) && blocks.count(candidate) == 0 &&
                   std::all_of(writes.begin(), writes.end(), [&](const verify::Access* write) {
                     return write->digits[axis] == Polynomial::atom(candidate);
                   });
          });
      if (of_block != launch_.places.end()) {
        blocks.insert(*of_block);
        place.push_back(facts_.term(Polynomial::atom(*of_block)));
        continue;
      }
      // An axis that they share out in stretches of so many.
      const auto with_stretch =
          std::find_if(launch_.places.begin(), launch_.places.end(), [&](AtomId candidate) {
            const Integer length = magnitude(stretch_of(writes, axis, candidate));
            return blocks.count(candidate) == 0 && length > Integer(1) &&
                   has_a_block(candidate, length, most_of_one(extents[axis]));
          });
      const AtomId any = facts_.fresh("any", Sharing::kBlock, Nature::kState);
      Polynomial first, behind = extents[axis];
      if (sequences_share(extents[axis])) {
        first = Polynomial::atom(*launch_.sequence->first);
        behind = Polynomial::atom(*launch_.sequence->behind);
        blocks.insert(launch_.sequence->place);
        append(known,
               granted_of_sequence(facts_, launch_, [](const std::string& each) { return each; }));
      }
      const Term rest = facts_.term(Polynomial::atom(any));
      known.push_back(rest >= 0);
      if (with_stretch != launch_.places.end()) {
        const Integer stretch = stretch_of(writes, axis, *with_stretch);
        known.push_back(rest < Term(magnitude(stretch)));
        blocks.insert(*with_stretch);
        // Stretches may be counted from the last block on: there are as many.
        const Polynomial block = Polynomial::atom(*with_stretch);
        const Polynomial number =
            stretch.sign() > 0 ? block : launch_.extent_of(*with_stretch) - Polynomial(1) - block;
        first = first + number * Polynomial(magnitude(stretch));
      }
      place.push_back(facts_.term(first) + rest);
      known.push_back(place.back() < facts_.term(behind));
    }
    choose_blocks(writes, blocks, known);
    if (const auto start = launch_.sizes.find("start");
        is_of_state_before(name) && start != launch_.sizes.end()) {
      known.push_back(facts_.term(Polynomial::atom(start->second)) >= 1);
    }
    append(known, facts_.context(nullptr, known));
    append(known, facts_.context(nullptr, place));
    const Common fixed = [](const Atom& atom) {
      return atom.sharing != Sharing::kThread && atom.loops.empty();
    };
    std::vector<Term> ways;
    std::vector<Witness> before;
    std::map<AtomId, Witness::Turn> chosen;
    int number = 0;
    for (const verify::Access* write : writes) {
      const std::string suffix = "@" + std::to_string(++number);
      const std::optional<Witness> found =
          witness(facts_, trace_, launch_, *write, place, fixed, {}, suffix);
      if (!found) continue;
      for (const auto& [block, turn] : found->turns) {
        const auto first = chosen.find(block);
        if (first != chosen.end()) {
          // Division with remainder gives one result.
          known.push_back(
              implies(conjunction({turn.blocks >= 1, equal(turn.number, first->second.number)}),
                      conjunction({equal(turn.product, first->second.product),
                                   equal(turn.block, first->second.block)})));
        } else if (may_choose(block, *write, writes) && blocks.insert(block).second) {
          known.push_back(equal(facts_.term(Polynomial::atom(block)), turn.block));
          chosen.emplace(block, turn);
        }
      }
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

  // Along an axis of the grid that says nothing of where the writes go, one block may be theirs:
  // the one that a branch on their way names, if the grid has it.
  void choose_blocks(const std::vector<const verify::Access*>& writes,
                     const std::set<AtomId>& taken, std::vector<Term>& known) {
    for (const AtomId block : launch_.places) {
      const bool told = std::any_of(writes.begin(), writes.end(), [&](const verify::Access* write) {
        return std::any_of(write->digits.begin(), write->digits.end(),
                           [&](const Polynomial& each) { return each.atoms().count(block) != 0; });
      });
      if (told || taken.count(block) != 0) continue;
      const Term which = facts_.term(Polynomial::atom(block));
      for (const Term& condition : conditions(writes.front()->path)) {
        if (condition.operation() != smt::Operation::kEqual) continue;
        const Term& left = condition.operands()[0];
        const Term& right = condition.operands()[1];
        const bool first =
            left.operation() == smt::Operation::kVariable && left.name() == which.name();
        const bool second =
            right.operation() == smt::Operation::kVariable && right.name() == which.name();
        if (first == second) continue;
        const Term value = first ? right : left;
        if (!of_launch(value)) continue;
        const Term there = conjunction({value >= 0, value < facts_.term(launch_.extent_of(block))});
        if (!prover_.proves(facts_.context(nullptr, {there}), there, "the grid has this block")) {
          continue;
        }
        known.push_back(equal(which, value));
        break;
      }
    }
  }
  // Whether the block along an axis may be any: the places that are written say nothing of it but
  // by the turns that it takes.
  bool may_choose(AtomId block, const verify::Access& write,
                  const std::vector<const verify::Access*>& writes) const {
    std::set<AtomId> turns;
    for (const int id : loops_of(write)) turns.insert(trace_.loops[std::size_t(id)].value);
    return std::all_of(writes.begin(), writes.end(), [&](const verify::Access* each) {
      std::set<AtomId> atoms;
      for (const Polynomial& digit : each->digits) {
        for (const AtomId atom : digit.atoms()) {
          // Iterations that are counted from the last one on are told by where their loop ends.
          if (digit.coefficient(atom).sign() < 0 && facts_[atom].nature == Nature::kCounter) {
            return false;
          }
          if (turns.count(atom) == 0) atoms.insert(atom);
        }
      }
      const std::set<AtomId> inputs = facts_.with_inputs(atoms);
      return std::none_of(inputs.begin(), inputs.end(), [&](AtomId atom) {
        return atom == block || facts_[atom].nature == Nature::kState;
      });
    });
  }
  bool of_launch(const Term& value) const {
    std::set<std::string> names;
    collect_factors(value, names);
    return std::all_of(names.begin(), names.end(), [&](const std::string& each) {
      const Atom& atom = facts_[facts_.find(each)];
      return atom.sharing == Sharing::kLaunch && atom.nature == Nature::kGiven;
    });
  }

  static Integer magnitude(const Integer& number) { return number.sign() < 0 ? -number : number; }

  // Where every write goes to a place c x (that of the block) + something along the axis: c, else
  // 0.
  static Integer stretch_of(const std::vector<const verify::Access*>& writes, std::size_t axis,
                            AtomId block) {
    const Integer length = writes.front()->digits[axis].coefficient(block);
    const bool same = std::all_of(writes.begin(), writes.end(), [&](const verify::Access* write) {
      return write->digits[axis].coefficient(block) == length;
    });
    return same ? length : Integer(0);
  }

  // How far an axis goes that stretches are counted on: a sequence's tokens from its first one on.
  std::vector<Polynomial> most_of_one(const Polynomial& extent) const {
    if (!sequences_share(extent)) return {extent};
    return {extent, launch_.extent("longest")};
  }

  // Whether the stretches of the blocks that there are hold the whole axis: for every place on it,
  // floor(place / length) is a block of the grid.
  bool has_a_block(AtomId block, const Integer& length, const std::vector<Polynomial>& extents) {
    const AtomId whole = facts_.fresh("whole", Sharing::kBlock, Nature::kState);
    const AtomId rest = facts_.fresh("rest", Sharing::kBlock, Nature::kState);
    const Term which = facts_.term(Polynomial::atom(whole));
    const Term within = facts_.term(Polynomial::atom(rest));
    const Term place = which * Term(length) + within;
    const Term goal = conjunction({which >= 0, which < facts_.term(launch_.extent_of(block))});
    std::vector<Term> known = {within >= 0, within < Term(length), place >= 0};
    for (const Polynomial& extent : extents) known.push_back(place < facts_.term(extent));
    append(known, facts_.context(nullptr, known));
    append(known, facts_.context(nullptr, {goal}));
    return prover_.proves(known, goal, "the blocks hold the whole axis");
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
    append(known,
           shared_by_warp(facts_, trace_, a, b, launch_, here, there, [](int) { return false; }));
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

CoverageResult check_outputs(const Lifted& lifted, const KernelEntry& entry, const Launch& launch,
                             Facts& facts, Prover& prover, const Trace& trace) {
  return Outputs(lifted, entry, launch, facts, prover, trace).run();
}

}  // namespace heddle::verify
