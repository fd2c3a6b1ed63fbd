// SPDX-License-Identifier: Apache-2.0
#include "analyzer/proof/claim_terms.hpp"

#include <set>

#include "patterns/result.hpp"

namespace heddle::proof {
namespace {

// visit(expression) for every expression in the claim, outermost first.
class Walk {
 public:
  explicit Walk(std::function<void(const Expression&)> visit) : visit_(std::move(visit)) {}

  void claim(const Claim& claim) {
    match(
        claim.node,
        [&](const BoundClaim& node) {
          expression(*node.left);
          expression(*node.right);
        },
        [&](const GrowthClaim& node) { expression(*node.measure); },
        [&](const ReachClaim& node) {
          expression(*node.from_row);
          expression(*node.to_row);
        });
    if (claim.where) condition(*claim.where);
  }

 private:
  void condition(const Condition& node) {
    match(
        node.node,
        [&](const Comparison& comparison) {
          expression(*comparison.left);
          expression(*comparison.right);
        },
        [&](const Conjunction& both) {
          condition(*both.left);
          condition(*both.right);
        },
        [&](const Disjunction& either) {
          condition(*either.left);
          condition(*either.right);
        },
        [&](const Negation& negated) { condition(*negated.operand); });
  }

  void expression(const Expression& node) {
    visit_(node);
    match(
        node.node, [](const Literal&) {}, [](const Name&) {},
        [&](const Apply& apply) { expression(*apply.argument); },
        [&](const Negate& negate) { expression(*negate.operand); },
        [&](const Arithmetic& arithmetic) {
          expression(*arithmetic.left);
          expression(*arithmetic.right);
        },
        [&](const BuiltinCall& call) {
          for (const ExpressionPtr& argument : call.arguments) expression(*argument);
        },
        [&](const MeasureTerm& measure) {
          for (const ExpressionPtr& argument : measure.arguments) expression(*argument);
        });
  }

  std::function<void(const Expression&)> visit_;
};

}  // namespace

bool mentions(const Claim& claim, MeasureKind measure) {
  bool found = measure == MeasureKind::kHops && std::holds_alternative<ReachClaim>(claim.node);
  Walk([&](const Expression& node) {
    const auto* term = std::get_if<MeasureTerm>(&node.node);
    found = found || (term != nullptr && term->measure == measure);
  }).claim(claim);
  return found;
}

bool rank_or_congestion(const Claim& claim) {
  return mentions(claim, MeasureKind::kCongestion) || mentions(claim, MeasureKind::kRank);
}

void for_each_measure(const Claim& claim, const std::function<void(const MeasureTerm&)>& visit) {
  Walk([&](const Expression& node) {
    if (const auto* term = std::get_if<MeasureTerm>(&node.node)) visit(*term);
  }).claim(claim);
}

Claim up_to(Claim claim, const std::string& variable, const Integer& last) {
  const ConditionPtr near =
      make_condition(Comparison{ComparisonOperator::kLessEqual, make_expression(Name{variable}),
                                make_expression(Literal{last})});
  claim.where = claim.where ? make_condition(Conjunction{claim.where, near}) : near;
  return claim;
}

std::vector<Integer> constants_of(const Claim& claim, const Pattern& pattern) {
  std::set<Integer> constants;
  Walk([&](const Expression& node) {
    if (const auto* literal = std::get_if<Literal>(&node.node)) constants.insert(literal->value);
    const auto* name = std::get_if<Name>(&node.node);
    if (name != nullptr && pattern.parameter(name->name)) {
      constants.insert(*pattern.parameter(name->name));
    }
  }).claim(claim);
  return {constants.begin(), constants.end()};
}

std::vector<std::string> variables_of(const Claim& claim, const Pattern& pattern) {
  std::set<std::string> names;
  Walk([&](const Expression& node) {
    const auto* name = std::get_if<Name>(&node.node);
    if (name != nullptr && !pattern.parameter(name->name)) names.insert(name->name);
  }).claim(claim);
  return {names.begin(), names.end()};
}

}  // namespace heddle::proof
