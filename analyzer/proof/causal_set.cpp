// SPDX-License-Identifier: Apache-2.0
// Rules: distances d with nearest <= d < i give positions i - d in range, where nearest is 0 for A
// and 1 for B; lattice positions lie in 1..i-1; a union needs both parts, an intersection one, a
// difference its left part; anything else is one query per comprehension or range.
#include "analyzer/proof/causal_set.hpp"

#include <fmt/format.h>

#include "analyzer/proof/query.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

CausalProof accepted(std::string rule) {
  CausalProof proof;
  proof.proved = true;
  proof.rules.insert(std::move(rule));
  return proof;
}

CausalProof declined(std::string reason) {
  CausalProof proof;
  proof.reason = std::move(reason);
  return proof;
}

// The least of the points is at least `low`.
bool starts_at(const Points& points, std::int64_t low) {
  if (!points.start.empty()) return points.start.front().low >= low;
  return !points.infinite() || points.split + 1 >= low;
}

enum class Goal { kWithinRange, kHasValue };

// Everything that was encoded up to here has a value.
Term needed_so_far(Query& query) {
  std::vector<Term> needs = query.take_needs();
  for (const Term& fact : needs) query.need(fact);
  return conjunction(needs);
}

CausalProof by_query(const Knowledge& knowledge, const SetExpression& set, Side side, Goal wanted) {
  Query query(knowledge, knowledge.resource_limit);
  const Term i = query.variable("i");
  query.assume(i >= 1, "rows count from 1");
  const Term last = side == Side::kA ? i : i - 1;
  Scope scope{{"i", i}};
  Term goal(0);
  if (const auto* range = std::get_if<RangeSet>(&set.node)) {
    const Term low = query.encode(*range->low, scope);
    const Term high = query.encode(*range->high, scope);
    goal = wanted == Goal::kHasValue ? conjunction({})
                                     : implies(low <= high, conjunction({low >= 1, high <= last}));
  } else if (const auto* comprehension = std::get_if<Comprehension>(&set.node)) {
    for (const Binder& binder : comprehension->binders) {
      const Term low = query.encode(*binder.low, scope);
      // An end without a value is a row without one, so it must not count as an empty range.
      const Term has_low = needed_so_far(query);
      const Term variable = query.variable(binder.name);
      const auto within = [&](const Term& has_value, const Term& fact) {
        query.assume(has_value.operands().empty() ? fact : implies(has_value, fact),
                     "range of " + binder.name);
      };
      within(has_low, variable >= low);
      if (binder.high) {
        const Term high = query.encode(*binder.high, scope);
        within(needed_so_far(query), variable <= high);
      }
      scope.emplace_back(binder.name, variable);
    }
    std::vector<Term> guards;
    for (const ConditionPtr& condition : comprehension->conditions) {
      guards.push_back(query.encode(*condition, scope));
    }
    // A condition must have a value wherever the variables range; the element, where it is read.
    const std::vector<Term> outer_needs = query.take_needs();
    const Term element = query.encode(*comprehension->element, scope);
    std::vector<Term> inside = query.take_needs();
    for (const Term& fact : outer_needs) query.need(fact);
    if (wanted == Goal::kWithinRange) {
      inside.push_back(element >= 1);
      inside.push_back(element <= last);
    }
    goal = implies(conjunction(guards), conjunction(inside));
  } else {
    return declined("no rule for the set " + print(set));
  }
  const std::string text = print(set);
  Attempt attempt =
      wanted == Goal::kHasValue
          ? query.prove("has a value: " + text, text + " has a value in every row", goal)
          : query.prove("causal: " + text,
                        fmt::format("{} lies within 1..{}", text, side == Side::kA ? "i" : "i-1"),
                        goal);
  if (attempt.proved()) {
    CausalProof proof =
        accepted(wanted == Goal::kHasValue ? "every expression has a value"
                                           : "every position is in range under the conditions");
    proof.obligations.push_back(std::move(attempt.obligation));
    proof.lemmas = query.lemmas();
    return proof;
  }
  CausalProof proof = declined(attempt.answer == Answer::kSat
                                   ? "the solver has a counterexample that may not be real"
                                   : attempt.reason);
  if (const auto row = attempt.model.find("i"); row != attempt.model.end()) {
    proof.suspect = row->second;
  }
  return proof;
}

CausalProof both(CausalProof left, const CausalProof& right) {
  if (!left.proved) return left;
  if (!right.proved) return right;
  left.rules.insert(right.rules.begin(), right.rules.end());
  left.obligations.insert(left.obligations.end(), right.obligations.begin(),
                          right.obligations.end());
  left.lemmas.insert(right.lemmas.begin(), right.lemmas.end());
  return left;
}

// Every row of the set has a value, though perhaps positions out of range.
CausalProof prove_has_value(const Knowledge& knowledge, const RowModel& model, Side side) {
  if (model.kind == RowModel::Kind::kOther) {
    return by_query(knowledge, *model.set, side, Goal::kHasValue);
  }
  CausalProof proof = accepted("built-in sets have values");
  for (const RowModel& part : model.parts) {
    proof = both(std::move(proof), prove_has_value(knowledge, part, side));
  }
  return proof;
}

}  // namespace

CausalProof prove_causal_set(const Knowledge& knowledge, const RowModel& model, Side side) {
  const std::int64_t nearest = side == Side::kA ? 0 : 1;
  switch (model.kind) {
    case RowModel::Kind::kDistances:
      if (!starts_at(model.points, nearest)) return declined("a row reads itself");
      return accepted("distances between the nearest allowed one and i - 1");
    case RowModel::Kind::kPositions:
      if (!starts_at(model.points, 1)) return declined("a row reads position 0");
      if (side == Side::kB && !model.before_row &&
          (!model.points.start.empty() || model.points.infinite())) {
        return declined("a row reads itself");
      }
      return accepted("fixed positions that the conditions clip at the row");
    case RowModel::Kind::kLattice:
      return accepted("lattice positions of a strictly increasing f with f(0) = 1 lie in 1..i-1");
    case RowModel::Kind::kUnion:
      return both(prove_causal_set(knowledge, model.parts[0], side),
                  prove_causal_set(knowledge, model.parts[1], side));
    case RowModel::Kind::kIntersection: {
      const CausalProof left = prove_causal_set(knowledge, model.parts[0], side);
      if (left.proved) return both(left, prove_has_value(knowledge, model.parts[1], side));
      const CausalProof right = prove_causal_set(knowledge, model.parts[1], side);
      if (!right.proved) return left;
      return both(right, prove_has_value(knowledge, model.parts[0], side));
    }
    case RowModel::Kind::kDifference:
      return both(prove_causal_set(knowledge, model.parts[0], side),
                  prove_has_value(knowledge, model.parts[1], side));
    case RowModel::Kind::kOther:
      return by_query(knowledge, *model.set, side, Goal::kWithinRange);
  }
  unreachable("row model");
}

}  // namespace heddle::proof
