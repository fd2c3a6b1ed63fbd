// SPDX-License-Identifier: Apache-2.0
// Loops of a symbolic run. Invariants are guessed from the text (bounds by what the loop compares
// with, order between the variables it changes, closed forms of what it assigns) and kept when the
// solver shows that they hold at the start and after any iteration that began with all of them:
// the largest such set of the guesses, as in Houdini.
#include <algorithm>

#include "codegen/verify/execute.hpp"

namespace heddle::verify {

using ir::Type;

namespace {

const Integer kFar(std::int64_t{1} << 40);  // no index arithmetic of a kernel leaves this

struct Reads {
  std::set<std::int32_t> variables;
  std::set<std::int64_t> moduli;  // literals after %
  bool memory = false;
};

void collect(const ir::Kernel& kernel, ir::ValueId id, Reads& reads) {
  const auto into = [&](ir::ValueId part) { collect(kernel, part, reads); };
  match(
      kernel[id].node, [&](const ir::Read& node) { reads.variables.insert(node.variable.index); },
      [&](const ir::Unary& node) { into(node.operand); },
      [&](const ir::Binary& node) {
        into(node.left);
        into(node.right);
        const auto* literal = std::get_if<ir::IntegerLiteral>(&kernel[node.right].node);
        if (node.op == ir::BinaryOperator::kModulo && literal != nullptr) {
          reads.moduli.insert(literal->value);
        }
      },
      [&](const ir::Select& node) {
        into(node.condition);
        into(node.yes);
        into(node.no);
      },
      [&](const ir::Load& node) {
        reads.memory = true;
        into(node.index);
      },
      [&](const ir::Call& node) {
        for (const ir::ValueId argument : node.arguments) into(argument);
      },
      [&](const ir::Reduce& node) {
        reads.memory = true;
        into(node.operand);
      },
      [](const auto&) {});
}

// What the loop assigns and defines, and what it reads to decide and to assign.
struct BodyText {
  std::vector<std::pair<ir::VariableId, ir::ValueId>> assigned;
  std::map<std::int32_t, ir::ValueId> constants;
  Reads reads;
};

void collect(const ir::Kernel& kernel, const ir::Body& statements, BodyText& text) {
  const auto whole = [&](ir::VariableId id) { return kernel[id].type == Type::kI64; };
  for (const ir::Statement& statement : statements) {
    match(
        statement.node,
        [&](const ir::Define& node) {
          if (!whole(node.variable)) return;
          collect(kernel, node.value, text.reads);
          if (!kernel[node.variable].changes) text.constants[node.variable.index] = node.value;
        },
        [&](const ir::Assign& node) {
          if (!whole(node.variable)) return;
          collect(kernel, node.value, text.reads);
          text.assigned.emplace_back(node.variable, node.value);
        },
        [&](const ir::For& node) {
          collect(kernel, node.end, text.reads);
          collect(kernel, node.body, text);
        },
        [&](const ir::While& node) {
          collect(kernel, node.condition, text.reads);
          collect(kernel, node.body, text);
        },
        [&](const ir::If& node) {
          collect(kernel, node.condition, text.reads);
          collect(kernel, node.body, text);
          collect(kernel, node.otherwise, text);
        },
        [](const auto&) {});
  }
}

}  // namespace

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

// Whether a loop's variables may well be bounded by this: a few numbers of the launch or of loops
// around, none of them a place of the thread, and no product.
bool Execution::telling(const Polynomial& mark) const {
  const auto plain = [&](const auto& term) {
    if (term.first.empty()) return true;
    const AtomId atom = term.first[0];
    const bool place = atom == launch_.warp || atom == launch_.lane;
    return term.first.size() == 1 && !place && term.second.bit_length() <= 5;
  };
  return mark.terms().size() <= 6 && std::all_of(mark.terms().begin(), mark.terms().end(), plain);
}

// ---- guesses ----------------------------------------------------------------------------------

std::vector<Execution::Candidate> Execution::candidates(const LoopText& text) {
  const auto kept = survivors_.find(text.statement);
  const auto dropped = [&](const std::string& key) {
    return kept != survivors_.end() && kept->second.count(key) == 0;
  };
  BodyText inside;
  collect(kernel(), *text.body, inside);
  if (text.repeated != nullptr) collect(kernel(), text.repeated->condition, inside.reads);
  if (text.counted != nullptr) collect(kernel(), text.counted->end, inside.reads);
  const std::set<std::int32_t> assigned = assigned_outside(*text.body);
  std::vector<Candidate> result;
  const auto at_most = [&](std::vector<std::pair<ir::VariableId, int>> terms,
                           const Polynomial& bound, const std::string& what) {
    std::string key = what;
    for (const auto& [variable, coefficient] : terms) {
      key += " " + std::to_string(coefficient) + "v" + std::to_string(variable.index);
    }
    if (dropped(key)) return;
    result.push_back({std::move(key), std::move(terms), Polynomial() - bound, std::nullopt});
  };
  // Fixed numbers that the loop looks at, by the variables that hold them.
  std::map<Polynomial, std::string> marks;
  for (const std::int32_t index : inside.reads.variables) {
    const Symbolic& value = state_[static_cast<std::size_t>(index)];
    if (kernel().variables[static_cast<std::size_t>(index)].type != Type::kI64) continue;
    if (assigned.count(index) != 0 || value.integer.size() != 1) continue;
    if (!telling(value.integer[0].value)) continue;
    marks.emplace(value.integer[0].value, "mark" + std::to_string(index));
  }
  for (const Polynomial& size : size_bounds()) {
    marks.emplace(size, "size" + std::to_string(*size.atoms().begin()));
  }
  std::vector<ir::VariableId> whole;
  for (const ir::VariableId id : text.changed) {
    if (kernel()[id].type == Type::kI64) whole.push_back(id);
  }
  const auto entry = [&](ir::VariableId id) { return value_of(id).integer[0].value; };
  for (const ir::VariableId v : whole) {
    at_most({{v, 1}}, kFar, "far");
    at_most({{v, -1}}, kFar, "far");
    for (const int least : {0, 1}) at_most({{v, -1}}, -least, "least" + std::to_string(least));
    at_most({{v, 1}}, entry(v), "entry");
    at_most({{v, -1}}, Polynomial() - entry(v), "entry");
    for (const std::int64_t modulus : inside.reads.moduli) {
      at_most({{v, 1}}, modulus - 1, "modulo" + std::to_string(modulus));
    }
    for (const auto& [mark, name] : marks) {
      at_most({{v, 1}}, mark, name);
      at_most({{v, 1}}, mark - Polynomial(1), "below " + name);
    }
    for (const ir::VariableId u : whole) {
      if (u.index == v.index) continue;
      at_most({{v, 1}, {u, -1}}, 0, "order");
      at_most({{v, 1}, {u, -1}}, -1, "strict order");
      at_most({{v, 1}, {u, -2}}, 0, "half");
      at_most({{v, 1}, {u, -1}}, entry(v) - entry(u), "pace");
      if (u.index < v.index) continue;
      at_most({{v, 1}, {u, 1}}, entry(v) + entry(u), "sum");
      at_most({{v, -1}, {u, -1}}, Polynomial() - entry(v) - entry(u), "sum");
    }
  }
  for (const auto& [v, expression] : inside.assigned) {
    Reads reads;
    collect(kernel(), expression, reads);
    if (assigned.count(v.index) == 0 || reads.memory || reads.variables.count(v.index) != 0) {
      continue;
    }
    const std::string key = "form " + std::to_string(expression.index);
    if (!dropped(key)) result.push_back({key, {{v, 1}}, Polynomial(), expression});
  }
  return result;
}

// The guess about the current state; nothing where it has no sense there.
std::optional<Term> Execution::statement_of(const Candidate& candidate) {
  Polynomial sum = candidate.offset;
  for (const auto& [variable, coefficient] : candidate.terms) {
    Symbolic& value = value_of(variable);
    if (value.integer.size() > 1) {
      value.integer = always(collapse(value, kernel()[variable].name));
    }
    sum = sum + Polynomial(coefficient) * value.integer[0].value;
  }
  if (!candidate.equal_to) return facts_.term(sum) <= 0;
  // Constants of the loop's body stand for their definitions.
  const State before = state_;
  std::function<bool(ir::ValueId, int)> define = [&](ir::ValueId id, int depth) {
    Reads reads;
    collect(kernel(), id, reads);
    if (reads.memory || depth > 8) return false;
    for (const std::int32_t index : reads.variables) {
      const auto constant = constants_.find(index);
      if (constant == constants_.end()) {
        if (value_of({index}).integer.empty()) return false;
        continue;
      }
      if (!define(constant->second, depth + 1)) return false;
      value_of({index}) = evaluate(constant->second);
    }
    return true;
  };
  std::optional<Term> result;
  const bool recorded = std::exchange(recording_, false);
  if (define(*candidate.equal_to, 0)) {
    const Polynomial value = collapse(evaluate(*candidate.equal_to), "form");
    result = equal(facts_.term(sum), facts_.term(value));
  }
  recording_ = recorded;
  state_ = before;
  return result;
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
    const Polynomial entry = value_of(id).integer[0].value;
    value_of(id).integer = always(Polynomial::atom(atom));
    atoms.push_back({id, atom, entry, {}, atom});
  }
  return atoms;
}

void Execution::assume(const std::vector<Candidate>& invariants) {
  for (const Candidate& each : invariants) {
    const std::optional<Term> term = statement_of(each);
    assert_that(term.has_value(), "an invariant was checked and has no sense");
    // Owned by what the loop changes and by nothing older: else what was known before the loop
    // would lean on it where the loop was not reached.
    std::set<AtomId> owners;
    for (const auto& [variable, coefficient] : each.terms) {
      const std::set<AtomId> atoms = value_of(variable).integer[0].value.atoms();
      owners.insert(atoms.begin(), atoms.end());
    }
    facts_.add(owners, path_, *term);
    const std::optional<Integer> offset = each.offset.constant();
    if (each.equal_to || each.terms.size() != 1 || !offset) continue;
    const auto& [variable, coefficient] = each.terms[0];
    Atom& atom = facts_[*value_of(variable).integer[0].value.atoms().begin()];
    if (coefficient == 1) atom.high = atom.high ? std::min(*atom.high, -*offset) : -*offset;
    if (coefficient == -1) atom.low = atom.low ? std::max(*atom.low, *offset) : *offset;
  }
}

void Execution::loop(LoopText text) {
  for (const std::int32_t index : assigned_outside(*text.body)) text.changed.push_back({index});
  const std::map<std::int32_t, ir::ValueId> outer_constants = constants_;
  BodyText inside;
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
    loop.step = step;
    const std::optional<Integer> constant = step.constant();
    if (!constant || constant->sign() <= 0) {
      if (recording_) {
        findings.push_back({"arithmetic", false, "this step is not a positive number",
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

  // One iteration, any one; afterwards the state and the path are those of its end.
  const auto iterate = [&] {
    plain_loops_ += plain;
    if (loop.counted) {
      const AtomId counter =
          facts_.fresh(kernel()[text.counted->variable].name,
                       plain_loops_ == 0 ? Sharing::kBlock : Sharing::kThread, Nature::kCounter);
      facts_[counter].loops = loops_;
      facts_[counter].low = 0;
      // The end bounds the counter by numbers, too.
      const auto first = facts_.interval(begin);
      const auto last = facts_.interval(end);
      if (first && last) {
        facts_[counter].high =
            std::max(Integer(0), floor_div(last->high - Integer(1) - first->low, *step.constant()));
      }
      // With one iteration at most the counter is no unknown.
      const bool once = facts_[counter].high && facts_[counter].high->sign() == 0;
      const Polynomial value = once ? begin : begin + step * Polynomial::atom(counter);
      if (once) {
        facts_.add(counter, nullptr, facts_.term(Polynomial::atom(counter)) <= 0);
      }
      facts_.add(counter, nullptr, facts_.term(Polynomial::atom(counter)) >= 0);
      // There may be no iteration at all, so this is no fact about the counter: what is found out
      // in the body holds under it.
      path_ = extend(path_, facts_.term(value) < facts_.term(end));
      value_of(text.counted->variable).integer = always(value);
      loop.counter = counter;
      in_range(value + step, lifted_.place(*text.statement));
    } else {
      const Term condition = truth(text.repeated->condition);
      path_ = extend(path_, condition);
    }
    loop.inside = path_;
    body(*text.body);
    plain_loops_ -= plain;
  };
  const auto leave = [&] {
    state_ = entry;
    path_ = before;
  };

  std::vector<Candidate> invariants = candidates(text);
  filter(invariants, path_, "an invariant holds before the loop");
  const bool recorded = std::exchange(recording_, false);
  while (!invariants.empty()) {
    const std::size_t count = invariants.size();
    plain_loops_ += plain;
    forget(text, "_");
    plain_loops_ -= plain;
    assume(invariants);
    iterate();
    filter(invariants, path_, "an invariant survives an iteration");
    leave();
    if (invariants.size() == count) break;
  }
  std::set<std::string>& survivors = survivors_[text.statement];
  survivors.clear();
  for (const Candidate& each : invariants) survivors.insert(each.key);
  recording_ = recorded;

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
    loop.changed = forget(text, "_");
    plain_loops_ -= plain;
    assume(invariants);
    iterate();
    bool ends = loop.counted;
    for (Changed& each : loop.changed) {
      each.end = collapse(value_of(each.variable), kernel()[each.variable].name);
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
    leave();
    if (loop.barrier) {
      loops_.pop_back();
      trace.flows.push_back({segment_, head_segment, loop.id});
      const int after = segments_++;
      trace.flows.push_back({segment_, after, -1});
      trace.flows.push_back({before_segment, after, -1});
      // A while loop looks at its condition once more than it runs.
      if (!loop.counted) trace.flows.push_back({head_segment, after, -1});
      segment_ = after;
    } else {
      around_.pop_back();
    }
  }

  const std::vector<Changed> exits = forget(text, "");
  assume(invariants);
  if (!loop.counted) {
    const bool again = std::exchange(recording_, false);
    // From here on, and only here: the loop may as well never end.
    path_ = extend(path_, negation(truth(text.repeated->condition)), /*settled=*/true);
    recording_ = again;
  }
  for (std::size_t index = 0; index < loop.changed.size(); ++index) {
    loop.changed[index].exit = exits[index].head;
  }
  if (recording_) trace.loops[static_cast<std::size_t>(loop.id)] = loop;
  constants_ = outer_constants;
}

}  // namespace heddle::verify
