// SPDX-License-Identifier: Apache-2.0
// Lower bounds on how an integer expression grows in one variable, found from its syntax alone.
// Everything reported is true for every value of the variable; what is not seen is left out.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "patterns/expression.hpp"

namespace heddle {

// x as a function of v >= start.
struct Growth {
  std::optional<Integer> low;   // x(v) >= low
  std::optional<Integer> step;  // x(v + 1) - x(v) >= step
  bool diverges = false;        // x(v) tends to infinity

  bool nondecreasing() const { return step && step->sign() >= 0; }
  bool strictly_increasing() const { return step && step->sign() > 0; }
};

class GrowthAnalysis {
 public:
  GrowthAnalysis(const Pattern& pattern, const Evaluator& evaluator)
      : pattern_(pattern), evaluator_(evaluator) {}

  // `expression` as a function of `variable` >= start; any other name must be a parameter.
  Growth of(const Expression& expression, const std::string& variable, std::int64_t start);
  // f(k) for k >= 0.
  Growth of_function(const std::string& name);

 private:
  Growth compute_function(const std::string& name);

  const Pattern& pattern_;
  const Evaluator& evaluator_;
  std::map<std::string, Growth> functions_;  // an entry still being computed claims nothing
};

// Does `name` occur free in the expression or condition?
bool mentions(const Expression& expression, const std::string& name);
bool mentions(const Condition& condition, const std::string& name);

}  // namespace heddle
