// SPDX-License-Identifier: Apache-2.0
// How a kernel walks a row without tables: a row is a boolean formula over leaves, and each leaf is
// a stream of positions that never ascends and needs O(1) integers of state. Planning recognises
// the leaves and proves, with exact integers, that 64 bits suffice for every row below 2^31;
// what it cannot prove it refuses.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "patterns/expression.hpp"

namespace heddle::rows {

// low..high clipped to the row, all conditions on i alone permitting. {e} has low = high.
struct SpanLeaf {
  ExpressionPtr low;
  ExpressionPtr high;
  std::vector<ConditionPtr> conditions;
  bool clip_low = true;   // low may lie below 1
  bool clip_high = true;  // high may lie above the row's last position
};

// f(k + shift), kept in a variable while k runs. A recursive function of order r needs its next
// r values, whose shifts are then consecutive from 0.
struct CarriedFunction {
  std::string function;
  int values = 1;
};

// { element : variable, filters }, the variable running so that the element never ascends.
struct StreamLeaf {
  std::string variable;
  ExpressionPtr start;
  ExpressionPtr last;  // inclusive end of a bounded variable; null: `end` alone stops it
  bool ascending = true;
  ConditionPtr end;  // false for good once false; null for a bounded variable
  std::vector<ConditionPtr> filters;
  ExpressionPtr element;
  bool strict = false;  // the element descends at every step: no position comes twice
  bool clip = true;     // the element may leave the row
  std::vector<CarriedFunction> carried;
};

// lattice(f): {a_k ceil((i - f(k)) / a_k) : k >= 0, f(k) < i}, a_0 = 1 and
// a_{k+1} = a_k ceil((f(k+1) - f(k)) / a_k). Never leaves 1..i-1 when f ascends from f(0) = 1.
struct LatticeLeaf {
  std::string function;
  std::vector<CarriedFunction> carried;
};

using Leaf = std::variant<SpanLeaf, StreamLeaf, LatticeLeaf>;

// leaf, or left op right
struct RowFormula {
  int leaf = -1;
  SetOperator op = SetOperator::kUnion;
  std::unique_ptr<RowFormula> left;
  std::unique_ptr<RowFormula> right;
};

struct RowPlan {
  Side side = Side::kB;
  std::vector<Leaf> leaves;
  std::unique_ptr<RowFormula> formula;  // null: the row is empty

  bool empty() const { return formula == nullptr; }
};

Result<RowPlan> plan_row(const Pattern& pattern, Side side);

}  // namespace heddle::rows
