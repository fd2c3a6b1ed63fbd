// SPDX-License-Identifier: Apache-2.0
#include "analyzer/rules/expressivity_laws.hpp"

#include "patterns/expression.hpp"

namespace heddle {
namespace {

bool reads_own_inputs_only(const SetExpression& set) {
  if (std::holds_alternative<DiagonalSet>(set.node) || std::holds_alternative<EmptySet>(set.node)) {
    return true;
  }
  const auto* operation = std::get_if<SetOperation>(&set.node);
  if (operation == nullptr) return false;
  const bool left = reads_own_inputs_only(*operation->left);
  const bool right = reads_own_inputs_only(*operation->right);
  switch (operation->op) {
    case SetOperator::kUnion:
      return left && right;
    case SetOperator::kIntersection:
      return left || right;
    case SetOperator::kDifference:
      return left;
  }
  unreachable("set operator");
}

// "Omega(n / log n)" for O(log n).
std::string quotient(const GrowthClass& growth) {
  const std::string text = to_string(growth);
  const std::string inner = text.substr(2, text.size() - 3);
  if (inner == "1") return "Omega(n)";
  if (inner == "n") return "Omega(1)";
  if (inner == "sqrt n") return "Omega(sqrt n)";
  return "Omega(n / " +
         (inner.find(' ') == std::string::npos || growth.power_numerator == 0 ? inner
                                                                              : "(" + inner + ")") +
         ")";
}

}  // namespace

GrowthLaw rank_law(const GrowthClass& cache) {
  return {to_string(cache), "each path across a cut passes a live position: rank(m) <= cache(m)"};
}

std::optional<GrowthLaw> congestion_law(const Pattern& pattern, const GrowthClass& cache) {
  if (!reads_own_inputs_only(*pattern.set(Side::kA))) return std::nullopt;
  return GrowthLaw{quotient(cache), "capacity law: congestion(n) cache(n) >= n"};
}

std::optional<std::int64_t> state_size(const Pattern& pattern) {
  const Weights& weights = pattern.weights();
  if (weights.kind != WeightKind::kLinear || !weights.state) return std::nullopt;
  const Result<Integer> size = Evaluator(pattern).evaluate(*weights.state, {});
  return size.ok() ? size->to_int64() : std::nullopt;
}

}  // namespace heddle
