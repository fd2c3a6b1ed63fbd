// SPDX-License-Identifier: Apache-2.0
// The sides of a claim, and its condition, where a measure is infinite: hops between tokens without
// a path, congestion when a copy is out of reach. Infinity is a value like others, as long as the
// arithmetic around it has one meaning: infinity + 3, 2 * infinity and max(infinity, 7) do,
// infinity - infinity does not.
#pragma once

#include "patterns/expression.hpp"

namespace heddle::proof {

struct Extended {
  int infinite = 0;  // -1, 0, 1
  Integer value;     // when finite
};

// How the error of an oracle begins where the measure is infinite; the rest says why.
constexpr const char* kNoPath = "there is no path";
bool is_infinite(const Error& error);

Result<Extended> evaluate_extended(const Evaluator& evaluator, const Expression& expression,
                                   const Bindings& bindings, const MeasureOracle& measures);
// As the evaluator does, what stands right of an `and` or `or` that is decided is not looked at.
Result<bool> holds_extended(const Evaluator& evaluator, const Condition& condition,
                            const Bindings& bindings, const MeasureOracle& measures);
// Infinity equals itself and is at most itself.
bool at_most(const Extended& a, const Extended& b);

}  // namespace heddle::proof
