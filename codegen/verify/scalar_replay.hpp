// SPDX-License-Identifier: Apache-2.0
// Operators and helpers of kernels on numbers. Nothing where an operation has no value: beyond 64
// bits, or outside the domain that the prelude states.
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>

#include "codegen/ir/ir.hpp"
#include "patterns/result.hpp"

namespace heddle::verify {

constexpr float kLowestReplayScore = -3.402823466e+38f;

inline std::optional<std::int64_t> replayed(ir::BinaryOperator op, std::int64_t x, std::int64_t y) {
  std::int64_t result = 0;
  bool overflow = false;
  switch (op) {
    case ir::BinaryOperator::kAdd:
      overflow = __builtin_add_overflow(x, y, &result);
      break;
    case ir::BinaryOperator::kSubtract:
      overflow = __builtin_sub_overflow(x, y, &result);
      break;
    case ir::BinaryOperator::kMultiply:
      overflow = __builtin_mul_overflow(x, y, &result);
      break;
    case ir::BinaryOperator::kDivide:
    case ir::BinaryOperator::kModulo:
      if (x < 0 || y < 1) return std::nullopt;
      return op == ir::BinaryOperator::kDivide ? x / y : x % y;
    default:
      unreachable("an operator of arithmetic");
  }
  if (overflow) return std::nullopt;
  return result;
}

inline float replayed(ir::BinaryOperator op, float x, float y) {
  switch (op) {
    case ir::BinaryOperator::kAdd:
      return x + y;
    case ir::BinaryOperator::kSubtract:
      return x - y;
    case ir::BinaryOperator::kMultiply:
      return x * y;
    case ir::BinaryOperator::kDivide:
      return x / y;
    default:
      unreachable("an operator of arithmetic");
  }
}

// Of two std::int64_t or two float.
template <typename Number>
bool compared(ir::BinaryOperator op, Number x, Number y) {
  switch (op) {
    case ir::BinaryOperator::kLess:
      return x < y;
    case ir::BinaryOperator::kLessEqual:
      return x <= y;
    case ir::BinaryOperator::kGreater:
      return x > y;
    case ir::BinaryOperator::kGreaterEqual:
      return x >= y;
    case ir::BinaryOperator::kEqual:
      return x == y;
    case ir::BinaryOperator::kNotEqual:
      return x != y;
    default:
      unreachable("a comparison");
  }
}

// act(operator), with the operator known when `act` is compiled: for loops over threads, which
// need not ask for it in each.
template <ir::BinaryOperator kOne, ir::BinaryOperator... kMore, typename Act>
void with_one_of(ir::BinaryOperator op, Act&& act) {
  if (op == kOne) return act(std::integral_constant<ir::BinaryOperator, kOne>());
  if constexpr (sizeof...(kMore) > 0) return with_one_of<kMore...>(op, act);
  unreachable("an operator of another kind");
}
template <typename Act>
void with_arithmetic(ir::BinaryOperator op, Act&& act) {
  using Op = ir::BinaryOperator;
  with_one_of<Op::kAdd, Op::kSubtract, Op::kMultiply, Op::kDivide, Op::kModulo>(op, act);
}
template <typename Act>
void with_comparison(ir::BinaryOperator op, Act&& act) {
  using Op = ir::BinaryOperator;
  with_one_of<Op::kLess, Op::kLessEqual, Op::kGreater, Op::kGreaterEqual, Op::kEqual,
              Op::kNotEqual>(op, act);
}

std::optional<std::int64_t> replayed(ir::Helper helper, std::int64_t x, std::int64_t y);
float replayed(ir::Helper helper, float x, float y);

}  // namespace heddle::verify
