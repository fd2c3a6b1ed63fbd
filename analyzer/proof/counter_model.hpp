// SPDX-License-Identifier: Apache-2.0
// A model of hypotheses in which a goal fails, looked for among a few values before a solver is
// asked: most statements that cannot be proved have one, and solvers take long to say so. Numbers
// that scripts define (quotients, roots, counts) are computed, functions and powers are what they
// are, so a model that is found is one; that none is found says nothing.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/smt/term.hpp"
#include "patterns/expression.hpp"

namespace heddle::proof {

class Model {
 public:
  explicit Model(const Evaluator& evaluator) : evaluator_(evaluator) {}

  // Nothing where a value is too large to compute or does not exist.
  std::optional<Integer> value(const smt::Term& term) const;
  std::optional<bool> holds(const smt::Term& term) const;

  void set(const std::string& variable, Integer value) { values_[variable] = std::move(value); }
  const std::map<std::string, Integer>& values() const { return values_; }
  const Evaluator& evaluator() const { return evaluator_; }

 private:
  std::optional<Integer> apply(const std::string& function, const Integer& argument) const;

  const Evaluator& evaluator_;
  std::map<std::string, Integer> values_;
};

// What a variable may be where those before it have their values: all of it that matters. None
// where that is not known.
using Witness = std::function<std::vector<Integer>(const Model&)>;

struct Question {
  std::vector<std::string> free;                         // of any value
  std::vector<std::pair<std::string, Witness>> defined;  // in order of definition
  std::vector<smt::Term> hypotheses;
  smt::Term goal;
};

// By name of the variable.
std::optional<std::map<std::string, Integer>> counter_model(const Evaluator& evaluator,
                                                            const Question& question);

}  // namespace heddle::proof
