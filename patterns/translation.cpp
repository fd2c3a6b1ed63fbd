// SPDX-License-Identifier: Apache-2.0
// Union, intersection and difference act on D as they act on the rows.
#include "patterns/translation.hpp"

#include "patterns/ast_print.hpp"
#include "patterns/names.hpp"

namespace heddle {
namespace {

bool mentions_row(const Expression& expression) { return names_in(expression).contains("i"); }

bool mentions_row(const Condition& condition) {
  return match(
      condition.node,
      [](const Comparison& x) { return mentions_row(*x.left) || mentions_row(*x.right); },
      [](const Conjunction& x) { return mentions_row(*x.left) || mentions_row(*x.right); },
      [](const Disjunction& x) { return mentions_row(*x.left) || mentions_row(*x.right); },
      [](const Negation& x) { return mentions_row(*x.operand); });
}

// Is the condition `distance < i`, in one of the ways to write it?
bool clips(const Comparison& comparison, const std::string& distance) {
  const std::string left = print(*comparison.left);
  const std::string right = print(*comparison.right);
  const std::string element = "i - " + distance;
  const auto* number = std::get_if<Literal>(&comparison.right->node);
  const bool next = number != nullptr && (number->value - Integer(1)).to_string() == distance;
  switch (comparison.op) {
    case ComparisonOperator::kLess:
      return (left == distance && right == "i") || (left == "0" && right == element);
    case ComparisonOperator::kGreater:
      return (left == "i" && right == distance) || (left == element && right == "0");
    case ComparisonOperator::kLessEqual:
      return left == "1" && right == element;
    case ComparisonOperator::kGreaterEqual:
      return (left == element && right == "1") || (left == "i" && next);
    case ComparisonOperator::kEqual:
    case ComparisonOperator::kNotEqual:
      return false;
  }
  unreachable("comparison operator");
}

// Conditions that do not speak of i, and `distance < i`; `clipped` is set when the latter is there.
bool only_clips(const Condition& condition, const std::string& distance, bool& clipped) {
  if (!mentions_row(condition)) return true;
  if (const auto* both = std::get_if<Conjunction>(&condition.node)) {
    return only_clips(*both->left, distance, clipped) &&
           only_clips(*both->right, distance, clipped);
  }
  const auto* comparison = std::get_if<Comparison>(&condition.node);
  if (comparison == nullptr || !clips(*comparison, distance)) return false;
  return clipped = true;
}

// { i - e : e < i and conditions without i }
bool translates(const Comprehension& set) {
  const auto* element = std::get_if<Arithmetic>(&set.element->node);
  if (element == nullptr || element->op != ArithmeticOperator::kSubtract) return false;
  if (print(*element->left) != "i" || mentions_row(*element->right)) return false;
  for (const Binder& binder : set.binders) {
    if (mentions_row(*binder.low) || (binder.high && mentions_row(*binder.high))) return false;
  }
  // The text after "i - ", brackets included where the distance is itself a sum.
  const std::string distance = print(*set.element).substr(std::string("i - ").size());
  const std::string bare = print(*element->right);
  bool clipped = false;
  for (const ConditionPtr& condition : set.conditions) {
    if (!only_clips(*condition, bare, clipped) && !only_clips(*condition, distance, clipped)) {
      return false;
    }
  }
  return clipped;
}

bool translates(const SetExpression& set) {
  return match(
      set.node, [](const EmptySet&) { return true; }, [](const DiagonalSet&) { return true; },
      [](const DenseSet&) { return true; }, [](const WindowSet&) { return true; },
      [](const OffsetsSet&) { return true; }, [](const LatticeSet&) { return false; },
      [](const RangeSet&) { return false; },
      [](const Comprehension& node) { return translates(node); },
      [](const SetOperation& node) { return translates(*node.left) && translates(*node.right); });
}

}  // namespace

bool reads_translates(const Pattern& pattern, Side side) { return translates(*pattern.set(side)); }

}  // namespace heddle
