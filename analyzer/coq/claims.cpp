// SPDX-License-Identifier: Apache-2.0
#include "analyzer/coq/claims.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/coq/statements.hpp"
#include "analyzer/coq/tight_roots.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/expression.hpp"
#include "patterns/names.hpp"

namespace heddle::coq {
namespace {

// i, j as they are called in measures: hops(i, j), not hops(j, i).
const std::vector<std::string>& variables_of(MeasureKind measure) {
  static const std::vector<std::string> pair{"i", "j"}, row{"i"}, copies{"n"}, cut{"m"};
  switch (measure) {
    case MeasureKind::kTime:
    case MeasureKind::kCache:
      return row;
    case MeasureKind::kHops:
      return pair;
    case MeasureKind::kCongestion:
    case MeasureKind::kDepth:
      return copies;
    case MeasureKind::kRank:
      return cut;
  }
  unreachable("measure");
}

// The only measure of a claim, with just its variables as arguments.
std::optional<MeasureTerm> measure_in(const Expression& expression) {
  if (const auto* term = std::get_if<MeasureTerm>(&expression.node)) return *term;
  if (const auto* node = std::get_if<Arithmetic>(&expression.node)) {
    const auto left = measure_in(*node->left), right = measure_in(*node->right);
    if (left && right) return std::nullopt;
    return left ? left : right;
  }
  return std::nullopt;
}

bool plain(const MeasureTerm& term) {
  const std::vector<std::string>& names = variables_of(term.measure);
  for (std::size_t at = 0; at < names.size(); ++at) {
    const auto* name = std::get_if<Name>(&term.arguments[at]->node);
    if (name == nullptr || name->name != names[at]) return false;
  }
  return true;
}

// Lower bounds of variables that a condition states outright.
void learn_bounds(const Condition& condition, const Pattern& pattern, Scope& scope) {
  if (const auto* both = std::get_if<Conjunction>(&condition.node)) {
    learn_bounds(*both->left, pattern, scope);
    learn_bounds(*both->right, pattern, scope);
  }
  const auto* node = std::get_if<Comparison>(&condition.node);
  if (node == nullptr) return;
  const auto* name = std::get_if<Name>(&node->left->node);
  const auto value = constant(*node->right, pattern);
  if (name == nullptr || !value || !scope.names.count(name->name)) return;
  Integer& least = scope.least[name->name];
  if (node->op == ComparisonOperator::kGreaterEqual && *value > least) least = *value;
  if (node->op == ComparisonOperator::kGreater && *value >= least) least = *value + Integer(1);
}

std::optional<Quantified> quantified(const Pattern& pattern, const Claim& claim,
                                     const std::vector<std::string>& variables) {
  Quantified found{variables, "", "intros", {pattern}};
  for (const std::string& name : variables) {
    found.scope.names[name] = name;
    found.scope.least[name] = 1;
    found.introduced += " " + name;
  }
  if (variables.size() == 2) {
    found.scope.j_before_i = true;
    found.hypotheses = "1 <= j < i -> ";
    found.introduced += " J";
  } else {
    const std::string& name = variables.front();
    found.hypotheses = "1 <= " + name + " -> ";
    found.introduced += name == "i" ? " I" : name == "n" ? " N" : " M";
  }
  if (claim.where) {
    const auto condition = proposition(*claim.where, found.scope);
    if (!condition) return std::nullopt;
    learn_bounds(*claim.where, pattern, found.scope);
    found.hypotheses +=
        (condition->find('\\') == std::string::npos && condition->find('~') == std::string::npos
             ? *condition
             : "(" + *condition + ")") +
        " -> ";
    found.introduced += " W";
  }
  found.introduced += ". ";
  return found;
}

ComparisonOperator turned(ComparisonOperator op) {
  if (op == ComparisonOperator::kLessEqual) return ComparisonOperator::kGreaterEqual;
  if (op == ComparisonOperator::kGreaterEqual) return ComparisonOperator::kLessEqual;
  return op;
}

Result<WrittenClaim> bound_claim(const Pattern& pattern, const Claim& claim, const BoundClaim& node,
                                 const Facts& facts) {
  const auto left = measure_in(*node.left), right = measure_in(*node.right);
  if (!left == !right) return Error{"it does not have one measure"};
  const MeasureTerm& measure = left ? *left : *right;
  const std::vector<std::string>& variables = variables_of(measure.measure);
  if (!plain(measure)) return Error{"its measure is not of plain variables"};
  Names names = names_in(*node.left);
  names.merge(names_in(*node.right));
  for (const std::string& name : names) {
    const bool known = std::find(variables.begin(), variables.end(), name) != variables.end();
    if (!known && !pattern.parameter(name)) return Error{"it has more variables"};
  }
  auto over = quantified(pattern, claim, variables);
  if (!over) return Error{"its condition has no form here"};
  const std::string value = value_name(measure.measure);
  Scope scope = over->scope;
  scope.measures[print(*make_expression(measure))] = value;
  const auto text = proposition(*make_condition(Comparison{node.op, node.left, node.right}), scope);
  if (!text) return Error{"its arithmetic has no form over the naturals here"};
  const ComparisonOperator op = left ? node.op : turned(node.op);
  const Expression& of_measure = left ? *node.left : *node.right;
  const bool alone = std::holds_alternative<MeasureTerm>(of_measure.node);
  const auto bound = term(left ? *node.right : *node.left, over->scope);
  Statement statement{measure.measure, *over, *text, op, alone ? bound : std::nullopt};
  if (facts.strided_window && left && measure.measure == MeasureKind::kTime) {
    const auto& [width, stride] = *facts.strided_window;
    statement.tactic = numbers_near(*node.right, pattern, width, stride).value_or("numbers");
  }
  statement.claim = &claim;
  if (alone) statement.limit = left ? &*node.right : &*node.left;
  return write(statement, facts);
}

// The class at the variable, "1", "Nat.log2 n", "Nat.sqrt n", "n * Nat.log2 n", "n ^ 2".
std::optional<std::string> value_of(const GrowthClass& growth, const std::string& n) {
  std::string text;
  if (growth.power_denominator == 2 && growth.power_numerator == 1) {
    text = "Nat.sqrt " + n;
  } else if (growth.power_denominator != 1) {
    return std::nullopt;
  } else if (growth.power_numerator > 0) {
    text = growth.power_numerator == 1 ? n : fmt::format("{} ^ {}", n, growth.power_numerator);
  }
  for (int at = 0; at < growth.log_power; ++at) {
    text += (text.empty() ? "" : " * ") + ("Nat.log2 " + n);
  }
  return text.empty() ? "1" : text;
}

// The constant and the first value of the variable that the verdict names. Four times the constant
// does as well, where sizes are known less sharply here.
std::optional<std::pair<std::string, std::string>> constants_of(const Proved& proved, bool lower,
                                                                bool both) {
  std::string factor, first;
  for (const auto& [name, value] : proved.parameters) {
    if (name == (lower && both ? "d" : "c")) factor = value;
    if (name == (lower && both ? "j0" : "i0")) first = value;
  }
  if (factor.empty() || first.empty()) return std::nullopt;
  return std::pair(factor, first);
}

Result<WrittenClaim> growth_claim(const Pattern& pattern, const Claim& claim,
                                  const GrowthClaim& node, const Proved& proved,
                                  const Facts& facts) {
  const auto* measure = std::get_if<MeasureTerm>(&node.measure->node);
  if (measure == nullptr || !plain(*measure) || measure->measure == MeasureKind::kHops) {
    return Error{"its measure is not of plain variables"};
  }
  if (claim.where) return Error{"a class under a condition has no form here"};
  const std::string variable = variables_of(measure->measure).front();
  const auto value = value_of(node.growth, variable);
  if (!value) return Error{"its class has no form here"};
  const std::string name = value_name(measure->measure);
  WrittenClaim whole;
  const bool both = node.bound == GrowthBound::kBoth;
  for (const bool lower : {false, true}) {
    if (!both && lower != (node.bound == GrowthBound::kAtLeast)) continue;
    const auto constants = constants_of(proved, lower, both);
    if (!constants) return Error{"its verdict names no constants"};
    const std::string relation = lower ? fmt::format("{} <= a * {}", *value, name)
                                       : fmt::format("{} <= a * {}", name, argument(*value));
    Quantified over{{variable}, fmt::format("n0 <= {} -> ", variable), "", {pattern}};
    const char* hypothesis = variable == "i" ? "I" : variable == "n" ? "N" : "M";
    over.introduced = fmt::format("intros {} {}. ", variable, hypothesis);
    const Statement statement{
        measure->measure, over, relation,
        lower ? ComparisonOperator::kGreaterEqual : ComparisonOperator::kLessEqual,
        lower ? std::nullopt : std::optional(fmt::format("a * {}", argument(*value)))};
    Result<WrittenClaim> part = write(statement, facts);
    if (!part.ok()) return part.error();
    part->statement = "exists a n0, " + part->statement;
    part->proof =
        fmt::format("exists (4 * {}), {}. {}", constants->first, constants->second, part->proof);
    if (!both) return part;
    whole.statement += (lower ? " /\\\n  (" : "(") + part->statement + ")";
    whole.proof += (lower ? "\n  - " : "split.\n  - ") + part->proof;
  }
  return whole;
}

Result<WrittenClaim> reach_claim(const Pattern& pattern, const Claim& claim, const ReachClaim& node,
                                 const Facts& facts) {
  const auto* from = std::get_if<Name>(&node.from_row->node);
  const auto* to = std::get_if<Name>(&node.to_row->node);
  if (from == nullptr || to == nullptr || from->name != "i" || to->name != "j") {
    return Error{"it is not of plain variables"};
  }
  if (facts.reaches.empty()) return Error{"no route is known here"};
  const auto over = quantified(pattern, claim, {"i", "j"});
  if (!over) return Error{"its condition has no form here"};
  return WrittenClaim{for_all(*over, "reaches A B i j"), over->introduced + facts.reaches};
}

}  // namespace

Result<WrittenClaim> written(const Pattern& pattern, const Claim& claim, const Proved& proved,
                             const Facts& facts) {
  return match(
      claim.node, [&](const BoundClaim& node) { return bound_claim(pattern, claim, node, facts); },
      [&](const GrowthClaim& node) { return growth_claim(pattern, claim, node, proved, facts); },
      [&](const ReachClaim& node) { return reach_claim(pattern, claim, node, facts); });
}

}  // namespace heddle::coq
