// SPDX-License-Identifier: Apache-2.0
#include "codegen/rows/row_shape.hpp"

#include <algorithm>

#include "codegen/rows/syntax.hpp"

namespace heddle::rows {
namespace {

bool is_row(const Expression& expression) {
  const Name* name = std::get_if<Name>(&expression.node);
  return name != nullptr && name->name == "i";
}

// i, or i - x with x the same in every row.
bool is_shifted(const Expression& expression) {
  if (is_row(expression)) return true;
  const Arithmetic* difference = std::get_if<Arithmetic>(&expression.node);
  return difference != nullptr && difference->op == ArithmeticOperator::kSubtract &&
         is_row(*difference->left) && !mentions(*difference->right, "i");
}

bool is_one(const Expression& expression) {
  const Literal* literal = std::get_if<Literal>(&expression.node);
  return literal != nullptr && literal->value == Integer(1);
}

// i - c says c, i itself 0.
std::optional<Integer> constant_step(const Expression& expression) {
  if (is_row(expression)) return Integer(0);
  if (!is_shifted(expression)) return std::nullopt;
  const Literal* step = std::get_if<Literal>(&std::get<Arithmetic>(expression.node).right->node);
  return step == nullptr ? std::nullopt : std::optional(step->value);
}

// Whether every row that reaches as far back as `step` meets the condition: i >= c or i > c - 1
// with c at most step + 1, either way round.
bool met_by_reach(const Condition& condition, const Integer& step) {
  const Comparison* comparison = std::get_if<Comparison>(&condition.node);
  if (comparison == nullptr) return false;
  const auto bounds = [&](const Expression& row, const Expression& bound, bool strict) {
    const Literal* least = std::get_if<Literal>(&bound.node);
    return is_row(row) && least != nullptr &&
           least->value + Integer(strict ? 1 : 0) <= step + Integer(1);
  };
  switch (comparison->op) {
    case ComparisonOperator::kGreaterEqual:
    case ComparisonOperator::kGreater:
      return bounds(*comparison->left, *comparison->right,
                    comparison->op == ComparisonOperator::kGreater);
    case ComparisonOperator::kLessEqual:
    case ComparisonOperator::kLess:
      return bounds(*comparison->right, *comparison->left,
                    comparison->op == ComparisonOperator::kLess);
    default:
      return false;
  }
}

// Clipping to 1..i or 1..i-1 is itself a condition on the distance, and makes those idle that only
// ask for it.
bool is_shifted(const SpanLeaf& span) {
  if (!is_shifted(*span.high)) return false;
  const std::optional<Integer> nearest = constant_step(*span.high);
  const bool idle =
      std::all_of(span.conditions.begin(), span.conditions.end(),
                  [&](const ConditionPtr& c) { return nearest && met_by_reach(*c, *nearest); });
  return idle && (is_one(*span.low) || is_shifted(*span.low));
}
bool is_shifted(const Leaf& leaf) {
  if (const SpanLeaf* span = std::get_if<SpanLeaf>(&leaf)) return is_shifted(*span);
  const StreamLeaf* stream = std::get_if<StreamLeaf>(&leaf);
  // An element that needs no clipping is i - x, taken while x < i.
  return stream != nullptr && !stream->clip && stream->filters.empty() && stream->last == nullptr &&
         !mentions(*stream->start, "i") && is_shifted(*stream->element);
}

}  // namespace

RowShape shape_of(const RowPlan& plan) {
  if (plan.empty()) return RowShape::kEmpty;
  const Leaf& first = plan.leaves.front();
  if (plan.leaves.size() == 1) {
    if (std::holds_alternative<LatticeLeaf>(first)) return RowShape::kLattice;
    const SpanLeaf* span = std::get_if<SpanLeaf>(&first);
    if (span != nullptr && plan.side == Side::kA && span->conditions.empty() &&
        is_row(*span->low) && is_row(*span->high)) {
      return RowShape::kItself;
    }
  }
  const bool shifted = std::all_of(plan.leaves.begin(), plan.leaves.end(),
                                   [](const Leaf& leaf) { return is_shifted(leaf); });
  return shifted ? RowShape::kShifted : RowShape::kWalked;
}

bool is_first_order(const Pattern& pattern, const RowPlan& a, const RowPlan& b) {
  if (shape_of(a) != RowShape::kItself || b.leaves.size() != 1) return false;
  const SpanLeaf* span = std::get_if<SpanLeaf>(&b.leaves.front());
  if (span == nullptr || !is_shifted(*span)) return false;
  const auto one_back = [&](const Expression& position) {
    if (is_row(position) || !is_shifted(position)) return false;
    const Expression& step = *std::get<Arithmetic>(position.node).right;
    const Result<Integer> value = Evaluator(pattern).evaluate(step, {});
    return value && *value == Integer(1);
  };
  return one_back(*span->low) && one_back(*span->high);
}

std::optional<std::int64_t> window_of(const Pattern& pattern, const RowPlan& plan) {
  if (plan.side != Side::kA || plan.leaves.size() != 1) return std::nullopt;
  const SpanLeaf* span = std::get_if<SpanLeaf>(&plan.leaves.front());
  if (span == nullptr || !span->conditions.empty() || !is_row(*span->high)) return std::nullopt;
  if (is_row(*span->low) || !is_shifted(*span->low)) return std::nullopt;
  const Expression& back = *std::get<Arithmetic>(span->low->node).right;
  const Result<Integer> value = Evaluator(pattern).evaluate(back, {});
  const auto reach = value ? value->to_int64() : std::nullopt;
  constexpr std::int64_t kFurthest = std::int64_t{1} << 31;
  if (!reach || *reach < 1 || *reach >= kFurthest) return std::nullopt;
  return *reach + 1;
}

}  // namespace heddle::rows
