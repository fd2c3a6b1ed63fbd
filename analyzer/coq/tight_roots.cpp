// SPDX-License-Identifier: Apache-2.0
#include "analyzer/coq/tight_roots.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace heddle::coq {
namespace {

const Arithmetic* as(const Expression& expression, ArithmeticOperator op) {
  const auto* node = std::get_if<Arithmetic>(&expression.node);
  return node != nullptr && node->op == op ? node : nullptr;
}

// q of sqrt(q * (i - 1))
std::optional<Integer> under_root(const Expression& expression, const Pattern& pattern) {
  const auto* root = std::get_if<BuiltinCall>(&expression.node);
  if (root == nullptr || root->function != BuiltinFunction::kSqrt) return std::nullopt;
  const auto sum = sum_of(*root->arguments[0], {pattern, {{"i", "i"}}});
  if (!sum || sum->count("i") == 0) return std::nullopt;
  const Integer factor = sum->at("i");
  return *sum == Sum{{"", -factor}, {"i", factor}} ? std::optional(factor) : std::nullopt;
}

}  // namespace

std::optional<std::string> numbers_near(const Expression& bound, const Pattern& pattern,
                                        const Integer& width, const Integer& stride) {
  const Arithmetic* sum = as(bound, ArithmeticOperator::kAdd);
  const Arithmetic* quotient =
      sum != nullptr ? as(*sum->left, ArithmeticOperator::kFloorDivide) : nullptr;
  const Arithmetic* product =
      quotient != nullptr ? as(*quotient->left, ArithmeticOperator::kMultiply) : nullptr;
  if (product == nullptr || constant(*sum->right, pattern) != Integer(1)) return std::nullopt;
  const auto p = constant(*product->left, pattern), r = constant(*quotient->right, pattern);
  const auto q = under_root(*product->right, pattern);
  if (!p || !q || !r || *r < 1) return std::nullopt;
  // (w + 1 + b)^2 r^2 - p^2 q (s (b + 2) - 1) is least where 2 (w + 1 + b) r^2 = p^2 q s.
  const Integer square = *p * *p * *q, twice = Integer(2) * *r * *r;
  const Integer row = floor_div(square, twice);
  const Integer strides = floor_div(square * stride, twice) - width - Integer(1);
  return fmt::format("numbers_near {} {}", std::max(row, Integer(0)).to_string(),
                     std::max(strides, Integer(0)).to_string());
}

}  // namespace heddle::coq
