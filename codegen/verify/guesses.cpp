// SPDX-License-Identifier: Apache-2.0
// What may hold of a loop's variables, guessed from its text: bounds by what the loop compares
// with, order between the variables that it changes, closed forms of what it assigns, and how many
// entries of a row have been taken. A guess promises nothing: loops.cpp keeps what is proved.
#include <algorithm>

#include "codegen/verify/execute.hpp"
#include "codegen/verify/loop_text.hpp"

namespace heddle::verify {

using ir::Type;

namespace {

const Integer kFar(std::int64_t{1} << 40);  // no index arithmetic of a kernel leaves this

}  // namespace

// Whether a loop's variables may well be bounded by this: a few numbers of the launch or of loops
// around, none of them a place of the thread, and no product. Single warps walk the rows of given
// weights, and those out of a list.
bool Execution::telling(const Polynomial& mark) const {
  const auto plain = [&](const auto& term) {
    if (term.first.empty()) return true;
    const AtomId atom = term.first[0];
    const bool by_warp = !launch_.columns.empty() || !block_numbers_.empty();
    const bool place = atom == launch_.lane || (atom == launch_.warp && !by_warp);
    return term.first.size() == 1 && !place && term.second.bit_length() <= 6;
  };
  return mark.terms().size() <= 6 && std::all_of(mark.terms().begin(), mark.terms().end(), plain);
}

std::vector<Execution::Candidate> Execution::candidates(const LoopText& text) {
  const auto kept = survivors_.find(text.statement);
  const auto dropped = [&](const std::string& key) {
    return kept != survivors_.end() && kept->second.count(key) == 0;
  };
  LoopReads inside;
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
    result.push_back(
        {std::move(key), std::move(terms), Polynomial() - bound, std::nullopt, std::nullopt});
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
    const bool falls = inside.counts_down(kernel(), v);
    if (falls) at_most({{v, -1}}, 1, "least-1");
    if (const auto flips = inside.flips(kernel(), v)) at_most({{v, 1}}, *flips, "flips");
    for (const std::int64_t modulus : inside.reads.moduli) {
      at_most({{v, 1}}, modulus - 1, "modulo" + std::to_string(modulus));
    }
    // What starts again when it comes to a number stays below it.
    for (const std::int64_t end : inside.reads.ends) {
      if (end > 1) at_most({{v, 1}}, end - 1, "start again at " + std::to_string(end));
    }
    for (const auto& [mark, name] : marks) {
      at_most({{v, 1}}, mark, name);
      at_most({{v, 1}}, mark - Polynomial(1), "below " + name);
      // Where it stops, it has gone one step too far.
      if (falls) at_most({{v, -1}}, Polynomial(1) - mark, "down to " + name);
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
  if (text.counted != nullptr && has_barrier(*text.body)) guess_rounds(text, whole, marks, result);
  if (!launch_.columns.empty()) guess_entries(inside, whole, marks, result);
  std::erase_if(result, [&](const Candidate& each) { return dropped(each.key); });
  for (const auto& [v, expression] : inside.assigned) {
    Reads reads;
    collect(kernel(), expression, reads);
    if (assigned.count(v.index) == 0 || reads.memory || reads.variables.count(v.index) != 0) {
      continue;
    }
    const std::string key = "form " + std::to_string(expression.index);
    if (!dropped(key)) result.push_back({key, {{v, 1}}, Polynomial(), expression, std::nullopt});
  }
  return result;
}

// The next place of a ring: it goes with the counter until it would leave no room for a step.
void Execution::guess_rounds(const LoopText& text, const std::vector<ir::VariableId>& whole,
                             const std::map<Polynomial, std::string>& marks,
                             std::vector<Candidate>& result) {
  const ir::VariableId counter = text.counted->variable;
  const Polynomial begin = counters_.at(counter.index);
  const Polynomial step = integer(text.counted->step);
  for (const ir::VariableId v : whole) {
    const Polynomial entry = value_of(v).integer[0].value;
    const std::vector<std::pair<ir::VariableId, int>> ahead = {{v, 1}, {counter, -1}};
    const std::string name = " v" + std::to_string(v.index);
    Candidate behind{"behind the counter" + name, ahead, begin - entry, std::nullopt, std::nullopt};
    behind.linked = true;
    result.push_back(std::move(behind));
    Candidate whole_steps{
        "whole steps" + name, {{v, 1}}, Polynomial() - entry, std::nullopt, std::nullopt};
    whole_steps.step = step;
    result.push_back(std::move(whole_steps));
    for (const auto& [mark, what] : marks) {
      result.push_back(
          {"room for a step in " + what + name, {{v, 1}}, step - mark, std::nullopt, std::nullopt});
      Candidate round{"round " + what + name, ahead, begin - entry, std::nullopt, std::nullopt};
      round.round = Candidate::Round{counter, begin, mark};
      round.linked = true;
      result.push_back(std::move(round));
    }
  }
}

// What bounds the entries of a row that have been taken: the steps of what the row runs along, each
// of which may take one, and how far along is how many steps.
void Execution::guess_entries(const LoopReads& inside, const std::vector<ir::VariableId>& whole,
                              const std::map<Polynomial, std::string>& marks,
                              std::vector<Candidate>& result) {
  const auto entry = [&](ir::VariableId id) { return value_of(id).integer[0].value; };
  const auto name = [](ir::VariableId id) { return " v" + std::to_string(id.index); };
  const auto up = [&](ir::VariableId id) { return inside.counts_up(kernel(), id); };
  const auto down = [&](ir::VariableId id) { return inside.counts_down(kernel(), id); };
  // What counts steps, as (variable, sign): sign (v - entry(v)).
  std::vector<std::pair<ir::VariableId, int>> counters;
  for (const ir::VariableId v : whole) {
    if (entry_counters_.count(v.index) != 0) continue;
    if (up(v) || down(v)) counters.emplace_back(v, up(v) ? 1 : -1);
  }
  std::set<const EntryCount*> counts;
  for (const Columns& columns : launch_.columns) {
    for (const auto& [atom, count] : columns.parts) counts.insert(count);
  }
  for (const EntryCount* count : counts) {
    if (!count->listed.empty()) continue;
    // The last step was taken from at(v - entry(v) - 1), which the row had not left.
    for (const auto& [v, sign] : counters) {
      if (sign < 0) continue;
      for (const auto& [mark, what] : marks) {
        const auto& [c0, c1, c2] = count->polynomial;
        result.push_back({"along " + std::to_string(c2) + " " + std::to_string(c1) + " " +
                              std::to_string(c0) + name(v) + " " + what,
                          {{v, 1}},
                          Polynomial() - entry(v),
                          std::nullopt,
                          Along{count, mark, std::nullopt, 0}});
      }
    }
  }
  for (const ir::VariableId e : whole) {
    if (entry_counters_.count(e.index) == 0 || !up(e)) continue;
    for (std::size_t first = 0; first < counters.size(); ++first) {
      for (std::size_t second = first + 1; second < counters.size(); ++second) {
        const auto& [u, a] = counters[first];
        const auto& [v, b] = counters[second];
        result.push_back({"steps" + name(e) + name(u) + name(v),
                          {{e, 1}, {u, -a}, {v, -b}},
                          Polynomial(a) * entry(u) + Polynomial(b) * entry(v) - entry(e),
                          std::nullopt,
                          std::nullopt});
      }
    }
    // Entries, or those but the steps of u, number k only where w has come to the k-th number.
    std::vector<std::optional<ir::VariableId>> others = {std::nullopt};
    for (const auto& [u, sign] : counters) {
      if (sign < 0) others.push_back(u);
    }
    for (const EntryCount* count : counts) {
      if (count->listed.size() < 2) continue;
      for (const std::optional<ir::VariableId>& u : others) {
        const auto ladder = [&](const std::string& what, Along along) {
          Candidate guess{"ladder " + std::to_string(count->listed[1]) + name(e) +
                              (u ? name(*u) : std::string()) + " " + what,
                          {{e, 1}},
                          Polynomial() - entry(e),
                          std::nullopt,
                          std::move(along)};
          if (u) {
            guess.terms.emplace_back(*u, 1);
            guess.offset = guess.offset - entry(*u);
          }
          result.push_back(std::move(guess));
        };
        for (const auto& [mark, what] : marks) {
          ladder(what, Along{count, mark, std::nullopt, 0});
        }
        for (const ir::VariableId w : whole) {
          if (w.index == e.index || up(w) || down(w)) continue;
          for (const std::size_t shift : {0u, 1u}) {
            ladder(std::to_string(shift) + name(w), Along{count, {}, w, shift});
          }
        }
      }
    }
  }
}

// With at(k) the numbers of the count: after `steps` steps, steps >= 1 gives at(steps - 1) < mark;
// or, for each k, steps >= k gives at(k + shift) <= other.
Term Execution::statement_along(const Along& along, const Polynomial& steps) {
  const EntryCount& count = *along.count;
  std::vector<Term> parts;
  if (!along.other && !count.listed.empty()) {
    for (std::size_t k = 0; k < count.listed.size(); ++k) {
      parts.push_back(implies(facts_.term(steps) > Term(static_cast<std::int64_t>(k)),
                              Term(count.listed[k]) < facts_.term(along.mark)));
    }
    return conjunction(parts);
  }
  if (!along.other) {
    const Polynomial last = steps - Polynomial(1);
    const auto& [c0, c1, c2] = count.polynomial;
    const Polynomial at = Polynomial(c0) + Polynomial(c1) * last + Polynomial(c2) * last * last;
    return implies(facts_.term(steps) >= 1, facts_.term(at) < facts_.term(along.mark));
  }
  Symbolic& other = value_of(*along.other);
  if (other.integer.size() > 1) {
    other.integer = always(collapse(other, kernel()[*along.other].name));
  }
  const Term reached = facts_.term(other.integer[0].value);
  const Term taken = facts_.term(steps);
  for (std::size_t k = 0; k + along.shift < count.listed.size(); ++k) {
    parts.push_back(implies(taken >= Term(static_cast<std::int64_t>(k)),
                            reached >= Term(count.listed[k + along.shift])));
  }
  return conjunction(parts);
}

// The guess about the current state; nothing where it has no sense there.
std::optional<Term> Execution::statement_of(const Candidate& candidate) {
  Polynomial sum = candidate.offset;
  for (const auto& [variable, coefficient] : candidate.terms) {
    if (candidate.linked && variable.index != candidate.terms[0].first.index) {
      sum = sum + Polynomial(coefficient) * counters_.at(variable.index);
      continue;
    }
    Symbolic& value = value_of(variable);
    if (value.integer.size() > 1) {
      value.integer = always(collapse(value, kernel()[variable].name));
    }
    sum = sum + Polynomial(coefficient) * value.integer[0].value;
  }
  if (candidate.along) return statement_along(*candidate.along, sum);
  if (candidate.step) {
    return equal(facts_.term(quotient(sum, *candidate.step, {}).remainder), 0);
  }
  if (candidate.round) {
    const Polynomial way = counters_.at(candidate.round->counter.index) - candidate.round->begin;
    return implies(facts_.term(way) < facts_.term(candidate.round->mark),
                   equal(facts_.term(sum), 0));
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

}  // namespace heddle::verify
