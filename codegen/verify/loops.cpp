// SPDX-License-Identifier: Apache-2.0
// Loops of a symbolic run. Invariants are guessed (guesses.cpp) and kept when the solver shows that
// they hold at the start and after any iteration that began with all of them: the largest such set
// of the guesses, as in Houdini.
#include <algorithm>

#include "codegen/verify/execute.hpp"
#include "codegen/verify/loop_text.hpp"

namespace heddle::verify {

using ir::Type;

bool Execution::has_barrier(const ir::Body& statements) const {
  return std::any_of(statements.begin(), statements.end(), [&](const ir::Statement& each) {
    return match(
        each.node, [](const ir::Barrier&) { return true; },
        [&](const ir::For& node) { return has_barrier(node.body); },
        [&](const ir::While& node) { return has_barrier(node.body); },
        [&](const ir::If& node) { return has_barrier(node.body) || has_barrier(node.otherwise); },
        [](const auto&) { return false; });
  });
}

void Execution::filter(std::vector<Candidate>& all, const Path& path,
                       const std::string& statement) {
  std::vector<std::optional<Term>> terms;
  const auto refresh = [&] {
    terms.clear();
    for (const Candidate& each : all) terms.push_back(statement_of(each));
  };
  const auto drop = [&](const std::function<bool(const Term&)>& fails) {
    std::vector<Candidate> kept;
    std::vector<std::optional<Term>> kept_terms;
    for (std::size_t index = 0; index < all.size(); ++index) {
      if (!terms[index] || fails(*terms[index])) continue;
      kept.push_back(all[index]);
      kept_terms.push_back(terms[index]);
    }
    const bool fewer = kept.size() < all.size();
    all = std::move(kept);
    terms = std::move(kept_terms);
    return fewer;
  };
  refresh();
  drop([](const Term&) { return false; });
  while (!all.empty()) {
    std::vector<Term> parts;
    for (const auto& term : terms) parts.push_back(*term);
    const Term goal = conjunction(parts);
    const smt::Reply reply =
        prover_.ask(facts_.context(path, {goal}), goal, statement, /*with_model=*/true);
    if (reply.answer == smt::Answer::kUnsat) return;
    const bool fewer = reply.answer == smt::Answer::kSat &&
                       drop([&](const Term& term) { return !holds(term, reply.model); });
    if (fewer) continue;
    drop([&](const Term& term) { return !proves(path, term, statement); });
    return;
  }
}

// ---- iterations -------------------------------------------------------------------------------

// Whatever the loop changes is unknown now.
std::vector<Changed> Execution::forget(const LoopText& text, const std::string& suffix) {
  std::vector<Changed> atoms;
  for (const ir::VariableId id : text.changed) {
    const ir::Variable& variable = kernel()[id];
    if (variable.type == Type::kF32) continue;
    if (variable.type == Type::kBool) {
      value_of(id) = opaque_truth();
      continue;
    }
    const AtomId atom = facts_.fresh(variable.name + suffix, sharing_of(id), Nature::kState);
    facts_[atom].loops = loops_;
    const Spread spread = uniformity_.variables[static_cast<std::size_t>(id.index)];
    if (spread <= Spread::kByWarp) {
      facts_[atom].warp_loops = around_;
    } else if (const int lanes = lanes_that_agree(spread); lanes > 1) {
      facts_[atom].group = lanes;
      facts_[atom].group_loops = around_;
    }
    if (squares_.variables.count(id.index) != 0) {
      const Polynomial x = Polynomial::atom(atom);
      for (const std::int64_t least : squares_.least) {
        // x x >= c x for x >= c >= 0
        facts_.add(atom, nullptr,
                   implies(facts_.term(x) >= Term(least),
                           facts_.term(x * x) >= facts_.term(Polynomial(least) * x)));
      }
    }
    const Polynomial entry = value_of(id).integer[0].value;
    value_of(id).integer = always(Polynomial::atom(atom));
    atoms.push_back({id, atom, entry, {}, atom});
  }
  return atoms;
}

void Execution::assume(const std::vector<Candidate>& invariants, bool linked) {
  for (const Candidate& each : invariants) {
    if (each.linked != linked) continue;
    const std::optional<Term> term = statement_of(each);
    assert_that(term.has_value(), "an invariant was checked and has no sense");
    // Owned by what the loop changes and by nothing older: else what was known before the loop
    // would lean on it where the loop was not reached.
    std::set<AtomId> owners;
    for (const auto& [variable, coefficient] : each.terms) {
      if (linked && variable.index != each.terms[0].first.index) continue;  // the counter
      const std::set<AtomId> atoms = value_of(variable).integer[0].value.atoms();
      owners.insert(atoms.begin(), atoms.end());
    }
    if (each.along && each.along->other) {
      const std::set<AtomId> atoms = value_of(*each.along->other).integer[0].value.atoms();
      owners.insert(atoms.begin(), atoms.end());
    }
    facts_.add(owners, path_, *term);
    const std::optional<Integer> offset = each.offset.constant();
    if (each.equal_to || each.along || each.round || each.step || each.terms.size() != 1 || !offset)
      continue;
    const auto& [variable, coefficient] = each.terms[0];
    Atom& atom = facts_[*value_of(variable).integer[0].value.atoms().begin()];
    if (coefficient == 1) atom.high = atom.high ? std::min(*atom.high, -*offset) : -*offset;
    if (coefficient == -1) atom.low = atom.low ? std::max(*atom.low, *offset) : *offset;
  }
}

void Execution::loop(LoopText text) {
  for (const std::int32_t index : assigned_outside(*text.body)) text.changed.push_back({index});
  const std::map<std::int32_t, ir::ValueId> outer_constants = constants_;
  LoopReads inside;
  collect(kernel(), *text.body, inside);
  for (const auto& constant : inside.constants) constants_.insert(constant);

  Loop loop;
  loop.barrier = has_barrier(*text.body);
  loop.counted = text.counted != nullptr;
  loop.entry = path_;
  loop.outer = loops_;
  const int before_segment = segment_;
  Polynomial begin, end, step;
  if (loop.counted) {
    begin = integer(text.counted->begin);
    end = integer(text.counted->end);
    step = integer(text.counted->step);
    loop.begin = begin;
    loop.end = end;
    loop.step = step;
    if (!proves(path_, facts_.term(step) >= 1, "a loop steps on")) {
      if (recording_) {
        findings.push_back({"arithmetic", false, "it is not proved that this step is positive",
                            lifted_.place(*text.statement)});
      }
      step = loop.step = Polynomial(1);
    }
  }
  for (const ir::VariableId id : text.changed) {
    Symbolic& value = value_of(id);
    if (kernel()[id].type != Type::kI64 || value.integer.size() == 1) continue;
    value.integer = always(collapse(value, kernel()[id].name));
  }
  const State entry = state_;
  const Path before = path_;
  if (recording_) {
    loop.id = static_cast<int>(trace.loops.size());
    trace.loops.push_back(loop);
  }
  const int plain = loop.barrier ? 0 : 1;
  std::vector<Candidate> invariants;
  std::vector<Changed> heads;

  // One iteration, any one; afterwards the state and the path are those of its end.
  const auto iterate = [&] {
    plain_loops_ += plain;
    if (loop.counted) {
      const AtomId counter =
          facts_.fresh(kernel()[text.counted->variable].name,
                       plain_loops_ == 0 ? Sharing::kBlock : Sharing::kThread, Nature::kCounter);
      facts_[counter].loops = loops_;
      facts_[counter].low = 0;
      if (const auto by = step.constant()) facts_[counter].step = *by;
      // The end bounds the counter by numbers, too.
      const auto first = facts_.interval(begin);
      const auto last = facts_.interval(end);
      if (first && last && step.constant()) {
        facts_[counter].high =
            std::max(Integer(0), floor_div(last->high - Integer(1) - first->low, *step.constant()));
      }
      // With one iteration at most the counter is no unknown.
      const bool once = facts_[counter].high && facts_[counter].high->sign() == 0;
      Polynomial value = once ? begin : begin + step * Polynomial::atom(counter);
      if (!once && !step.constant()) {
        // A product gets a name, so that it may stand in others.
        const Term product = facts_.term(value);
        loop.value = total(kernel()[text.counted->variable].name, {product});
        facts_.add(loop.value, nullptr, equal(facts_.term(Polynomial::atom(loop.value)), product));
        for (const Launch::Multiple& each : launch_.multiples) {
          if (step != Polynomial::atom(each.size)) continue;
          const Polynomial times = Polynomial::atom(each.times) * Polynomial::atom(counter);
          facts_.add(loop.value, nullptr,
                     equal(facts_.term(Polynomial::atom(loop.value)),
                           facts_.term(begin + Polynomial(each.number) * times)));
        }
        value = Polynomial::atom(loop.value);
      }
      if (once) {
        facts_.add(counter, nullptr, facts_.term(Polynomial::atom(counter)) <= 0);
      }
      facts_.add(counter, nullptr, facts_.term(Polynomial::atom(counter)) >= 0);
      // The first iteration begins with what was there before.
      for (const Changed& each : heads) {
        if (!loop.barrier) break;
        facts_.add(
            each.head, before,
            implies(equal(facts_.term(Polynomial::atom(counter)), 0),
                    equal(facts_.term(Polynomial::atom(each.head)), facts_.term(each.entry))));
      }
      // There may be no iteration at all, so this is no fact about the counter: what is found out
      // in the body holds under it.
      path_ = extend(path_, facts_.term(value) < facts_.term(end));
      value_of(text.counted->variable).integer = always(value);
      counters_[text.counted->variable.index] = value;
      assume(invariants, /*linked=*/true);
      loop.counter = counter;
      in_range(value + step, lifted_.place(*text.statement));
    } else {
      const Term condition = truth(text.repeated->condition);
      path_ = extend(path_, condition);
    }
    loop.inside = path_;
    body(*text.body);
    if (loop.counted) {
      Polynomial& number = counters_.at(text.counted->variable.index);
      number = number + step;
    }
    plain_loops_ -= plain;
  };
  const auto leave = [&] {
    state_ = entry;
    path_ = before;
  };

  if (loop.counted) counters_[text.counted->variable.index] = begin;
  invariants = candidates(text);
  filter(invariants, path_, "an invariant holds before the loop");
  const bool recorded = std::exchange(recording_, false);
  while (!invariants.empty()) {
    const std::size_t count = invariants.size();
    plain_loops_ += plain;
    heads = forget(text, "_");
    plain_loops_ -= plain;
    assume(invariants, /*linked=*/false);
    iterate();
    filter(invariants, path_, "an invariant survives an iteration");
    leave();
    if (invariants.size() == count) break;
  }
  std::set<std::string>& survivors = survivors_[text.statement];
  survivors.clear();
  for (const Candidate& each : invariants) survivors.insert(each.key);
  recording_ = recorded;

  std::vector<std::pair<std::size_t, HeldSlot>> found;
  if (recording_) {
    if (loop.barrier) {
      loops_.push_back(loop.id);
      segment_ = segments_++;
      trace.flows.push_back({before_segment, segment_, -1});
    } else {
      around_.push_back(loop.id);
    }
    const int head_segment = segment_;
    plain_loops_ += plain;
    heads = loop.changed = forget(text, "_");
    plain_loops_ -= plain;
    assume(invariants, /*linked=*/false);
    const std::size_t known = trace.held.size();
    iterate();
    bool ends = loop.counted;
    for (Changed& each : loop.changed) {
      each.end = collapse(value_of(each.variable), kernel()[each.variable].name);
      for (const Candidate& invariant : invariants) {
        if (!invariant.round || invariant.terms[0].first.index != each.variable.index) continue;
        each.first_round = each.entry + step * Polynomial::atom(loop.counter);
      }
      const Term head = facts_.term(Polynomial::atom(each.head));
      const Term after = facts_.term(each.end);
      each.rises = proves(path_, after >= head, "this variable never falls");
      each.steps = each.rises && proves(path_, after <= head + Term(1), "by steps of one");
      const Atom& atom = facts_[each.head];
      ends = ends ||
             (atom.high && each.rises && proves(path_, after > head, "a bounded variable rises"));
      ends = ends || (atom.low && proves(path_, after < head, "a bounded variable falls"));
    }
    if (!ends) {
      findings.push_back(
          {"loops", false, "it is not proved that this loop ends", lifted_.place(*text.statement)});
    }
    if (!loop.counted) ++while_loops;
    found = found_by_loop(loop, known);
    leave();
    if (loop.barrier) {
      loops_.pop_back();
      trace.flows.push_back({segment_, head_segment, loop.id});
      const int after = segments_++;
      trace.flows.push_back({segment_, after, -1});
      trace.flows.push_back({before_segment, after, -1, loop.counted ? loop.id : -1});
      // A while loop looks at its condition once more than it runs.
      if (!loop.counted) trace.flows.push_back({head_segment, after, -1});
      segment_ = after;
    } else {
      around_.pop_back();
    }
  }

  const std::vector<Changed> exits = forget(text, "");
  assume(invariants, /*linked=*/false);
  if (!loop.counted) {
    const bool again = std::exchange(recording_, false);
    // From here on, and only here: the loop may as well never end.
    loop.ended = negation(truth(text.repeated->condition));
    path_ = extend(path_, *loop.ended, /*settled=*/true);
    recording_ = again;
  }
  for (std::size_t index = 0; index < loop.changed.size(); ++index) {
    loop.changed[index].exit = exits[index].head;
  }
  for (const Changed& each : exits) {
    if (!loop.barrier || !loop.counted) break;
    facts_.add(each.head, path_,
               implies(facts_.term(end) <= facts_.term(begin),
                       equal(facts_.term(Polynomial::atom(each.head)), facts_.term(each.entry))));
  }
  if (recording_) {
    trace.loops[static_cast<std::size_t>(loop.id)] = loop;
    hold_after_loop(loop, std::move(found));
  }
  constants_ = outer_constants;
}

}  // namespace heddle::verify
