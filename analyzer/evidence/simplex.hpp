// SPDX-License-Identifier: Apache-2.0
// Linear constraints over the rationals that come and go like a stack: a point that fulfils them,
// or the combination of bounds that shows that there is none. Dutertre and de Moura's simplex.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "analyzer/evidence/rational.hpp"

namespace heddle::evidence {

// A bound on a variable; `multiplier` times the source `source` is the distance from it, that is
// x - bound for a lower and bound - x for an upper one.
struct Bound {
  Rational value;
  int source = -1;
  Rational multiplier;
};

using Conflict = std::vector<std::pair<int, Rational>>;  // sources with their multipliers

class Simplex {
 public:
  int add_variable();
  // A new variable that is the sum of others, each with its coefficient.
  int add_sum(const std::vector<std::pair<int, Rational>>& sum);

  std::size_t mark() const { return trail_.size(); }
  void undo(std::size_t mark);
  // False if the two bounds of the variable contradict each other.
  bool bound_below(int variable, Bound bound);
  bool bound_above(int variable, Bound bound);
  // The contradiction, or nothing, and then the values fulfil every bound unless it is exhausted.
  std::optional<Conflict> check();
  const Rational& value(int variable) const { return at(variable).value; }
  // No more is computed after a fixed number of coefficients.
  bool exhausted() const { return work_ > kMostWork; }

 private:
  static constexpr std::size_t kMostWork = 1'000'000;

  using Row = std::map<int, Rational>;
  struct Variable {
    Rational value;
    std::optional<Bound> low, high;
    bool basic = false;
    Row row;  // of a basic variable, over those that are not
  };
  struct Change {
    int variable;
    bool high;
    std::optional<Bound> before;
  };

  Variable& at(int variable) { return variables_[static_cast<std::size_t>(variable)]; }
  const Variable& at(int variable) const { return variables_[static_cast<std::size_t>(variable)]; }
  void move(int variable, const Rational& to);
  void pivot(int leaving, int entering);
  void contradict(int variable);

  std::vector<Variable> variables_;
  std::vector<Change> trail_;
  std::optional<Conflict> clash_;  // of two bounds of one variable
  std::size_t clash_mark_ = 0;
  std::size_t work_ = 0;
};

}  // namespace heddle::evidence
