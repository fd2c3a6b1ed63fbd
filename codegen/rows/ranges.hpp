// SPDX-License-Identifier: Apache-2.0
// Proves that the integer arithmetic of a pattern, done in 64 bits by a kernel, never overflows and
// never leaves the domain of an operation: interval arithmetic over exact integers.
#pragma once

#include <map>
#include <string>

#include "patterns/expression.hpp"

namespace heddle::rows {

struct Range {  // low..high, both attained or not
  Integer low;
  Integer high;
};
using Ranges = std::map<std::string, Range>;

// Rows are 1..2^31 - 1; the row after the last one is asked for its live set.
Range row_range();

class RangeProver {
 public:
  RangeProver(const Pattern& pattern, const Evaluator& evaluator)
      : pattern_(pattern), evaluator_(evaluator) {}

  // A range that holds every value of the expression when its names lie in `names`. Fails, naming
  // the part, when some intermediate result may exceed 2^62, divide by zero or less, or call a
  // function or root with a negative argument.
  Result<Range> range_of(const Expression& expression, const Ranges& names) const;
  // Both sides of every comparison in range.
  Result<Range> check(const Condition& condition, const Ranges& names) const;

 private:
  Result<Range> apply(const Apply& node, const Ranges& names, int depth) const;
  Result<Range> arithmetic(const Expression& expression, const Arithmetic& node,
                           const Ranges& names, int depth) const;
  Result<Range> builtin(const Expression& expression, const BuiltinCall& node, const Ranges& names,
                        int depth) const;
  Result<Range> range_of(const Expression& expression, const Ranges& names, int depth) const;

  const Pattern& pattern_;
  const Evaluator& evaluator_;
};

}  // namespace heddle::rows
