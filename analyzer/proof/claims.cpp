// SPDX-License-Identifier: Apache-2.0
// A claim holds for all naturals >= 1 (with j < i) when its negation has no model together with the
// laws for its measures. That it has a value everywhere is part of what is proved.
#include "analyzer/proof/claims.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/proof/count_hints.hpp"
#include "analyzer/proof/measure_terms.hpp"
#include "analyzer/proof/reach.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

constexpr const char* kStepByStep =
    "reaches: x_j enters at row j, and every row i reads y_{i-1}, so j walks to i";
constexpr const char* kVacuous = "vacuous: the condition after `for` never holds";
constexpr const char* kBySums =
    "reaches: i - j is one distance of A plus a sum of distances of B, by residues";
constexpr const char* kDirectly = "reaches: row i reads every x_j";

Scope declare(Query& query, const std::vector<std::string>& names,
              const std::optional<Integer>& at_most = {}) {
  Scope scope;
  std::optional<Term> i, j;
  for (const std::string& name : names) {
    const Term variable = query.variable(name);
    query.assume(variable >= 1, name + " is at least 1");
    if (at_most) query.assume(variable <= Term(*at_most), "a bounded search");
    if (name == "i") i = variable;
    if (name == "j") j = variable;
    scope.emplace_back(name, variable);
  }
  if (i && j) query.assume(*j < *i, "j < i");
  return scope;
}

// needs of `for` hold, and where it applies the claim has a value and holds.
Term restricted(Query& query, const Claim& claim, const Scope& scope,
                const std::function<Term()>& encode_claim) {
  const Term where = claim.where ? query.encode(*claim.where, scope) : conjunction({});
  std::vector<Term> outer = query.take_needs();
  const Term holds = encode_claim();
  std::vector<Term> inner = query.take_needs();
  inner.push_back(holds);
  outer.push_back(claim.where ? implies(where, conjunction(inner)) : conjunction(inner));
  return conjunction(outer);
}

std::string quantifier(const std::vector<std::string>& names) {
  if (names.empty()) return "";
  std::string text = " for all ";
  for (const std::string& name : names) text += (name == names.front() ? "" : ", ") + name;
  return text;
}

ClaimAttempt settle(const Structure& structure, const Query& query, Attempt attempt,
                    const MeasureTerms& terms, const std::vector<std::string>& names,
                    std::set<std::string> rules) {
  ClaimAttempt result;
  if (attempt.proved()) {
    std::set<std::string> lemmas = query.lemmas();
    lemmas.insert(terms.lemmas().begin(), terms.lemmas().end());
    rules.insert(terms.rules().begin(), terms.rules().end());
    if (rules.empty()) rules.insert("arithmetic");
    Proved proved;
    proved.rule = joined(rules);
    proved.assumes.assign(terms.assumes().begin(), terms.assumes().end());
    proved.obligations = terms.obligations();
    proved.obligations.push_back(std::move(attempt.obligation));
    for (Obligation& obligation : structure.knowledge.obligations_of(lemmas)) {
      proved.obligations.push_back(std::move(obligation));
    }
    proved.obligations = distinct(std::move(proved.obligations));
    result.proved = std::move(proved);
    return result;
  }
  if (attempt.answer != Answer::kSat) {
    result.reason = attempt.reason;
    return result;
  }
  result.reason = terms.exact() ? "the solver has a counterexample that was not confirmed"
                                : "the bounds that the rules give are too weak";
  for (const std::string& name : names) {
    const auto value = attempt.model.find(name);
    if (value == attempt.model.end()) continue;
    if (!result.suspect || *result.suspect < value->second) result.suspect = value->second;
  }
  return result;
}

}  // namespace

std::string joined(const std::set<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : "; ") + word;
  return text;
}

std::set<std::string> parts_of(const std::string& joined) {
  std::set<std::string> parts;
  for (std::size_t at = 0; at < joined.size();) {
    const std::size_t end = std::min(joined.find("; ", at), joined.size());
    parts.insert(joined.substr(at, end - at));
    at = end + 2;
  }
  return parts;
}

std::vector<Obligation> distinct(std::vector<Obligation> obligations) {
  std::vector<Obligation> result;
  std::set<std::string> seen;
  for (Obligation& obligation : obligations) {
    if (seen.insert(obligation.name + "\n" + obligation.script).second) {
      result.push_back(std::move(obligation));
    }
  }
  return result;
}

ClaimAttempt prove_bound(const Structure& structure, const Claim& claim,
                         const std::vector<std::string>& names, Detail detail,
                         const Nearby& nearby) {
  const auto& bound = std::get<BoundClaim>(claim.node);
  Query query(structure.knowledge, structure.knowledge.resource_limit);
  for (const Integer& landmark : nearby.landmarks) query.landmark(landmark);
  if (detail == Detail::kRefined) query.refine();
  MeasureTerms terms(structure, detail);
  query.encode_measures_with([&](Query& q, MeasureKind kind, const std::vector<Term>& arguments) {
    return terms.term(q, kind, arguments);
  });
  const Scope scope = declare(query, names, nearby.at_most);
  const Term goal = restricted(query, claim, scope, [&] {
    const Term left = query.encode(*bound.left, scope);
    const Term right = query.encode(*bound.right, scope);
    return bound.op == ComparisonOperator::kLessEqual      ? left <= right
           : bound.op == ComparisonOperator::kGreaterEqual ? left >= right
                                                           : equal(left, right);
  });
  const std::string text = print(claim);
  Attempt attempt = prove_steadily(query, "claim: " + text, text + quantifier(names), goal);
  return settle(structure, query, std::move(attempt), terms, names, {});
}

ClaimAttempt prove_vacuous(const Structure& structure, const Claim& claim,
                           const std::vector<std::string>& names) {
  if (!claim.where) return {};
  Query query(structure.knowledge, structure.knowledge.resource_limit);
  MeasureTerms terms(structure);
  query.encode_measures_with([&](Query& q, MeasureKind kind, const std::vector<Term>& arguments) {
    return terms.term(q, kind, arguments);
  });
  const Scope scope = declare(query, names);
  const Term where = query.encode(*claim.where, scope);
  const std::string text = print(*claim.where);
  Attempt attempt =
      query.prove("vacuous: " + text, "never " + text + quantifier(names), negation(where));
  ClaimAttempt result = settle(structure, query, std::move(attempt), terms, names, {kVacuous});
  if (result.proved) result.proved->parameters = {{"applies", "never"}};
  return result;
}

ClaimAttempt prove_reach(const Structure& structure, const Claim& claim,
                         const std::vector<std::string>& names) {
  ClaimAttempt result;
  const std::optional<ReachableDistances> distances =
      structure.reaches_all() ? std::nullopt : reachable_distances(structure);
  if (!structure.reaches_all() && !distances) {
    result.reason = "no rule shows that every row reads the one before it or every input";
    return result;
  }
  const auto& reach = std::get<ReachClaim>(claim.node);
  Query query(structure.knowledge, structure.knowledge.resource_limit);
  MeasureTerms terms(structure);
  const Scope scope = declare(query, names);
  const Term goal = restricted(query, claim, scope, [&] {
    const Term later = query.encode(*reach.from_row, scope);
    const Term earlier = query.encode(*reach.to_row, scope);
    std::vector<Term> facts{earlier >= 1, earlier <= later};
    if (distances) facts.push_back(is_reachable(query, *distances, later - earlier));
    return conjunction(facts);
  });
  const std::string text = print(claim);
  Attempt attempt = query.prove(
      "in range: " + text, "the tokens of " + text + " are in order" + quantifier(names), goal);
  result = settle(structure, query, std::move(attempt), terms, names,
                  {distances               ? kBySums
                   : structure.a_reads_all ? kDirectly
                                           : kStepByStep});
  if (!result.proved) {
    if (distances) result.reason = "the distances that rows read do not sum to every i - j claimed";
    return result;
  }
  std::vector<Obligation>& obligations = result.proved->obligations;
  std::set<std::string> lemmas;
  for (const ProvedModel* side : {&structure.a, &structure.b}) {
    obligations.insert(obligations.end(), side->obligations.begin(), side->obligations.end());
    lemmas.insert(side->lemmas.begin(), side->lemmas.end());
  }
  for (Obligation& obligation : structure.knowledge.obligations_of(lemmas)) {
    obligations.push_back(std::move(obligation));
  }
  obligations = distinct(std::move(obligations));
  return result;
}

}  // namespace heddle::proof
