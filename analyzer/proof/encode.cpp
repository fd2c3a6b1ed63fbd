// SPDX-License-Identifier: Apache-2.0
// The meaning of expressions and conditions as terms. Quotients, roots and logarithms are fresh
// integers pinned between the products that define them, so solvers never see a division. Each
// pinning hypothesis is guarded by what makes it satisfiable and so can never prove anything alone.
#include <fmt/format.h>

#include "analyzer/proof/query.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

constexpr std::int64_t kLargestUnrolledPower = 12;
constexpr std::size_t kMostEncoded = 20000;  // nodes of one query

Term compare(ComparisonOperator op, const Term& a, const Term& b) {
  switch (op) {
    case ComparisonOperator::kLess:
      return a < b;
    case ComparisonOperator::kLessEqual:
      return a <= b;
    case ComparisonOperator::kGreater:
      return b < a;
    case ComparisonOperator::kGreaterEqual:
      return b <= a;
    case ComparisonOperator::kEqual:
      return equal(a, b);
    case ComparisonOperator::kNotEqual:
      return negation(equal(a, b));
  }
  unreachable("comparison operator");
}

}  // namespace

Term Query::encode(const Condition& condition, const Scope& scope) {
  return match(
      condition.node,
      [&](const Comparison& node) {
        const Term left = encode(*node.left, scope);
        return compare(node.op, left, encode(*node.right, scope));
      },
      [&](const Conjunction& node) {
        const Term left = encode(*node.left, scope);
        return conjunction({left, encode(*node.right, scope)});
      },
      [&](const Disjunction& node) {
        const Term left = encode(*node.left, scope);
        return disjunction({left, encode(*node.right, scope)});
      },
      [&](const Negation& node) { return negation(encode(*node.operand, scope)); });
}

Term Query::encode(const Expression& expression, const Scope& scope) {
  // Functions are written out where they are used, so a chain of them can double at each link.
  if (refused()) return Term(0);
  if (++encoded_ > kMostEncoded) {
    refuse("it is too large when its functions are written out");
    return Term(0);
  }
  return match(
      expression.node, [&](const Literal& node) { return Term(node.value); },
      [&](const Name& node) {
        for (auto at = scope.rbegin(); at != scope.rend(); ++at) {
          if (at->first == node.name) return at->second;
        }
        if (std::optional<Integer> value = knowledge_.pattern->parameter(node.name)) {
          return Term(*value);
        }
        refuse("the name " + node.name + " has no meaning here");
        return Term(0);
      },
      [&](const Apply& node) {
        const Term argument = encode(*node.argument, scope);
        needs_.push_back(argument >= 0);
        return apply(*knowledge_.pattern->function(node.function), argument);
      },
      [&](const Negate& node) { return Term(0) - encode(*node.operand, scope); },
      [&](const Arithmetic& node) { return encode_arithmetic(node, scope); },
      [&](const BuiltinCall& node) { return encode_builtin(node, scope); },
      [&](const MeasureTerm& node) { return encode_measure(node, scope); });
}

Term Query::encode_arithmetic(const Arithmetic& node, const Scope& scope) {
  const Term left = encode(*node.left, scope);
  const Term right = encode(*node.right, scope);
  switch (node.op) {
    case ArithmeticOperator::kAdd:
      return left + right;
    case ArithmeticOperator::kSubtract:
      return left - right;
    case ArithmeticOperator::kMultiply:
      return left * right;
    case ArithmeticOperator::kPower:
      return power_term(left, right);
    case ArithmeticOperator::kFloorDivide:
      return floor_of_quotient(left, right);
    case ArithmeticOperator::kCeilDivide: {  // ceil(x / y) = -floor(-x / y)
      return Term(0) - floor_of_quotient(Term(0) - left, right);
    }
    case ArithmeticOperator::kMod:
      return left - right * floor_of_quotient(left, right);
  }
  unreachable("arithmetic operator");
}

// q = floor(x / d) for d >= 1: d q <= x <= d q + d - 1
Term Query::floor_of_quotient(const Term& dividend, const Term& divisor) {
  if (divisor.is_constant()) {
    if (divisor.value().sign() == 0) {
      refuse("a divisor is zero");
      return Term(0);
    }
    if (divisor.value().sign() < 0) {
      return floor_of_quotient(Term(0) - dividend, Term(-divisor.value()));
    }
    if (dividend.is_constant()) return Term(floor_div(dividend.value(), divisor.value()));
  } else {
    needs_.push_back(divisor >= 1);
  }
  const std::string key = "/ " + dividend.text() + " " + divisor.text();
  if (auto known = known_values_.find(key); known != known_values_.end()) return known->second;
  const Term quotient = fresh("quotient", quotient_witness(dividend, divisor));
  known_values_.emplace(key, quotient);
  const Term product = divisor * quotient;
  const Term pinned = conjunction({product <= dividend, dividend < product + divisor});
  assume(divisor.is_constant() ? pinned : implies(divisor >= 1, pinned),
         fmt::format("{} is the floor of a quotient", quotient.name()));
  return quotient;
}

Term Query::power_term(const Term& base, const Term& exponent) {
  if (exponent.is_constant()) {
    const std::optional<std::int64_t> n = exponent.value().to_int64();
    if (!n || *n < 0 || *n > kLargestUnrolledPower) {
      refuse("an exponent is negative or too large to unroll");
      return Term(0);
    }
    Term product(1);
    for (std::int64_t factor = 0; factor < *n; ++factor) {
      product = factor == 0 ? base : product * base;
    }
    return product;
  }
  if (!base.is_constant() || base.value() < Integer(2)) {
    refuse("a power with a variable exponent needs a constant base of at least 2");
    return Term(0);
  }
  needs_.push_back(exponent >= 0);
  return power_of(base.value(), exponent);
}

// s = floor(sqrt(x)) for x >= 0: s^2 <= x < (s + 1)^2
Term Query::floor_of_sqrt(const Term& operand) {
  needs_.push_back(operand >= 0);
  const std::string key = "sqrt " + operand.text();
  if (auto known = known_values_.find(key); known != known_values_.end()) return known->second;
  const Term root = fresh("sqrt", [operand](const Model& model) -> std::vector<Integer> {
    const std::optional<Integer> x = model.value(operand);
    if (!x) return {};
    return {x->sign() < 0 ? Integer(0) : integer_sqrt(*x)};
  });
  known_values_.emplace(key, root);
  rooted(root, 2);
  assume(implies(operand >= 0, conjunction({root >= 0, root * root <= operand,
                                            operand < (root + 1) * (root + 1)})),
         fmt::format("{} is the floor of a square root", root.name()));
  return root;
}

// l = floor(log2(x)) for x >= 1: 2^l <= x < 2 * 2^l
Term Query::floor_of_log2(const Term& operand) {
  needs_.push_back(operand >= 1);
  const std::string key = "log2 " + operand.text();
  if (auto known = known_values_.find(key); known != known_values_.end()) return known->second;
  const Term exponent = fresh("log2", [operand](const Model& model) -> std::vector<Integer> {
    const std::optional<Integer> x = model.value(operand);
    if (!x) return {};
    return {x->sign() <= 0 ? Integer(0) : integer_log2(*x)};
  });
  known_values_.emplace(key, exponent);
  const Term power = power_of(2, exponent);
  assume(implies(operand >= 1,
                 conjunction({exponent >= 0, power <= operand, operand < Term(2) * power})),
         fmt::format("{} is the floor of a binary logarithm", exponent.name()));
  return exponent;
}

// 1 <= popcount(x) <= floor(log2(x)) + 1 for x >= 1; 1 <= lowbit(x) <= |x| for x != 0;
// 2^popcount(x) <= x + 1 where the size of numbers matters
Term Query::bits_of(BuiltinFunction function, const Term& operand) {
  if (function == BuiltinFunction::kLowbit) {
    needs_.push_back(negation(equal(operand, 0)));
    const Term value = Term::apply("bit.low", operand);
    assume(implies(negation(equal(operand, 0)),
                   conjunction(
                       {value >= 1, disjunction({value <= operand, value <= Term(0) - operand})})),
           "the lowest one bit of a number is at most the number");
    return value;
  }
  const Term value = Term::apply("bit.popcount", operand);
  const std::vector<Term> outer_needs = take_needs();
  const Term exponent = floor_of_log2(operand);
  needs_ = outer_needs;  // the logarithm is ours; popcount(0) has a value
  needs_.push_back(operand >= 0);
  lemmas_.insert("popcount");
  assume(implies(operand >= 1, conjunction({value >= 1, value <= exponent + 1})), "popcount");
  assume(implies(equal(operand, 0), equal(value, 0)), "popcount");
  if (!landmarks_.empty()) {  // how many bits a number has room for says more than its logarithm
    lemmas_.insert("bits");
    assume(implies(operand >= 0, power_of(2, value) <= operand + 1), "bits");
  }
  return value;
}

Term Query::popcount_of(const Term& x) {
  std::vector<Term> outer_needs = take_needs();
  const Term value = bits_of(BuiltinFunction::kPopcount, x);
  needs_ = std::move(outer_needs);
  return value;
}

Term Query::encode_builtin(const BuiltinCall& node, const Scope& scope) {
  std::vector<Term> arguments;
  for (const ExpressionPtr& argument : node.arguments) {
    arguments.push_back(encode(*argument, scope));
  }
  switch (node.function) {
    case BuiltinFunction::kSqrt:
      return floor_of_sqrt(arguments[0]);
    case BuiltinFunction::kLog2:
      return floor_of_log2(arguments[0]);
    case BuiltinFunction::kPopcount:
    case BuiltinFunction::kLowbit:
      return bits_of(node.function, arguments[0]);
    case BuiltinFunction::kAbs:
      return if_then_else(arguments[0] >= 0, arguments[0], Term(0) - arguments[0]);
    case BuiltinFunction::kMin:
    case BuiltinFunction::kMax: {
      Term extreme = arguments[0];
      for (std::size_t at = 1; at < arguments.size(); ++at) {
        const bool minimum = node.function == BuiltinFunction::kMin;
        const Term& other = arguments[at];
        extreme = if_then_else(minimum ? extreme <= other : other <= extreme, extreme, other);
      }
      return extreme;
    }
  }
  unreachable("built-in function");
}

Term Query::encode_measure(const MeasureTerm& node, const Scope& scope) {
  std::vector<Term> arguments;
  for (const ExpressionPtr& argument : node.arguments) {
    arguments.push_back(encode(*argument, scope));
  }
  if (measure_encoder_) {
    if (std::optional<Term> value = measure_encoder_(*this, node.measure, arguments)) {
      return *value;
    }
  }
  refuse(fmt::format("no rule gives {} of this pattern in closed form",
                     heddle::name_of(node.measure)));
  return Term(0);
}

}  // namespace heddle::proof
