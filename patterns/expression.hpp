// SPDX-License-Identifier: Apache-2.0
// Exact evaluation of expressions, conditions and sets of one pattern. Values of recursive
// functions are remembered, so an Evaluator is cheap to ask often and belongs to one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "patterns/pattern.hpp"

namespace heddle {

// Values of free variables, innermost last.
using Bindings = std::vector<std::pair<std::string, Integer>>;
// Value of a measure term in a claim, e.g. time(17).
using MeasureOracle = std::function<Result<Integer>(MeasureKind, const std::vector<Integer>&)>;

// A position that a row may not read, found while evaluating it.
struct RowViolation {
  Side side;
  std::int64_t row;
  Integer position;  // outside 1..row (A) or 1..row-1 (B)
};

// A row, or why there is none. `violation` is set when the row reads outside its range.
struct Row {
  IntervalList positions;
  std::optional<RowViolation> violation;
};

class Evaluator {
 public:
  explicit Evaluator(const Pattern& pattern);
  ~Evaluator();
  Evaluator(Evaluator&&) noexcept;

  // Fails on division by zero, a negative function argument, sqrt of a negative number and the
  // like, and on values of more than 2^20 bits.
  Result<Integer> evaluate(const Expression& expression, const Bindings& bindings,
                           const MeasureOracle& measures = {}) const;
  Result<bool> holds(const Condition& condition, const Bindings& bindings,
                     const MeasureOracle& measures = {}) const;
  // f(k) for a function of the pattern, k >= 0.
  Result<Integer> call(const std::string& function, std::int64_t k) const;
  // rowA(i) or rowB(i), i >= 1. Fails from i = 2^60 on.
  Result<Row> row(Side side, std::int64_t i) const;
  // What rows have cost so far: values of binders that were looked at, in a row or not.
  std::int64_t looked_at() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace heddle
