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

// Clipping to 1..i or 1..i-1 is itself a condition on the distance.
bool is_shifted(const Leaf& leaf) {
  if (const SpanLeaf* span = std::get_if<SpanLeaf>(&leaf)) {
    return span->conditions.empty() && is_shifted(*span->high) &&
           (is_one(*span->low) || is_shifted(*span->low));
  }
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
