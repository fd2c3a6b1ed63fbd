// SPDX-License-Identifier: Apache-2.0
// The goal is looked at first, as it holds at most places; hypotheses only where it fails.
#include "analyzer/proof/counter_model.hpp"

#include <algorithm>
#include <set>

namespace heddle::proof {

using smt::Operation;
using smt::Term;

namespace {

constexpr std::int64_t kLargestArgument = 5000;  // of a recursive function
constexpr std::int64_t kLargestExponent = 2048;
constexpr int kMostPlaces = 4000;  // at which a goal is looked at

// Values for each of so many free variables: all small ones, then ever fewer.
const std::vector<Integer>& values_for(std::size_t variables) {
  static const std::vector<Integer> kOfOne = [] {
    std::vector<Integer> values;
    std::int64_t value = 0;
    for (; value < 50; ++value) values.push_back(value);
    for (; value < 5000; value += value / 9) values.push_back(value);
    for (int exponent = 13; exponent < 62; exponent += exponent < 24 ? 1 : 3) {
      values.push_back((std::int64_t{1} << exponent) + 1);
    }
    return values;
  }();
  static const std::vector<Integer> kOfTwo = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,  12,
                                              15, 16, 17, 21, 24, 31, 32, 33, 40, 64, 101, 257};
  static const std::vector<Integer> kOfThree = {0, 1, 2, 3, 4, 5, 7, 9, 16};
  static const std::vector<Integer> kNone;
  return variables <= 1 ? kOfOne : variables == 2 ? kOfTwo : variables == 3 ? kOfThree : kNone;
}

void variables_in(const Term& term, std::set<std::string>& names) {
  if (term.operation() == Operation::kVariable) names.insert(term.name());
  for (const Term& operand : term.operands()) variables_in(operand, names);
}

class Search {
 public:
  Search(const Evaluator& evaluator, const Question& question)
      : question_(question), model_(evaluator), values_(values_for(question.free.size())) {
    const std::set<std::string> free(question.free.begin(), question.free.end());
    for (const Term& fact : question.hypotheses) {
      std::set<std::string> names;
      variables_in(fact, names);
      const bool only_free = std::includes(free.begin(), free.end(), names.begin(), names.end());
      (only_free ? ranges_ : others_).push_back(fact);
    }
  }

  bool run() { return choose(0); }
  const Model& model() const { return model_; }

 private:
  bool choose(std::size_t at) {
    if (at == question_.free.size()) {
      const auto holds = [&](const Term& fact) { return model_.holds(fact) == true; };
      return std::all_of(ranges_.begin(), ranges_.end(), holds) && define(0);
    }
    for (const Integer& value : values_) {
      if (places_ > kMostPlaces) return false;
      model_.set(question_.free[at], value);
      if (choose(at + 1)) return true;
    }
    return false;
  }

  bool define(std::size_t at) {
    if (at < question_.defined.size()) {
      const auto& [name, witness] = question_.defined[at];
      for (const Integer& value : witness(model_)) {
        model_.set(name, value);
        if (define(at + 1)) return true;
      }
      return false;
    }
    ++places_;
    return model_.holds(question_.goal) == false &&
           std::all_of(others_.begin(), others_.end(),
                       [&](const Term& fact) { return model_.holds(fact) == true; });
  }

  const Question& question_;
  Model model_;
  const std::vector<Integer>& values_;
  std::vector<Term> ranges_, others_;  // hypotheses about free variables alone, and the rest
  int places_ = 0;
};

}  // namespace

std::optional<Integer> Model::apply(const std::string& function, const Integer& argument) const {
  // Scripts say nothing about negative arguments, so any value will do.
  if (argument.sign() < 0) return Integer(0);
  const std::optional<std::int64_t> x = argument.to_int64();
  if (function == "bit.popcount") return Integer(heddle::popcount(argument));
  if (function == "bit.low") {
    return argument.sign() == 0 ? Integer(0) : Integer(heddle::lowbit(argument));
  }
  if (function.compare(0, 4, "pow.") == 0) {
    const std::optional<Integer> base = Integer::parse(function.substr(4));
    if (!base || !x || *x > kLargestExponent) return std::nullopt;
    return power(*base, static_cast<std::uint64_t>(*x), 1 << 14);
  }
  if (function.compare(0, 3, "fn.") != 0 || !x || *x > kLargestArgument) return std::nullopt;
  const Result<Integer> value = evaluator_.call(function.substr(3), *x);
  return value.ok() ? std::optional(*value) : std::nullopt;
}

std::optional<Integer> Model::value(const Term& term) const {
  switch (term.operation()) {
    case Operation::kConstant:
      return term.value();
    case Operation::kVariable: {
      const auto known = values_.find(term.name());
      return known == values_.end() ? std::nullopt : std::optional(known->second);
    }
    case Operation::kApply: {
      const std::optional<Integer> argument = value(term.operands()[0]);
      return argument ? apply(term.name(), *argument) : std::nullopt;
    }
    case Operation::kIfThenElse: {
      const std::optional<bool> condition = holds(term.operands()[0]);
      return condition ? value(term.operands()[*condition ? 1 : 2]) : std::nullopt;
    }
    case Operation::kAdd:
    case Operation::kSubtract:
    case Operation::kMultiply: {
      const std::optional<Integer> left = value(term.operands()[0]);
      const std::optional<Integer> right = left ? value(term.operands()[1]) : std::nullopt;
      if (!right) return std::nullopt;
      if (term.operation() == Operation::kAdd) return *left + *right;
      return term.operation() == Operation::kSubtract ? *left - *right : *left * *right;
    }
    default:
      return std::nullopt;
  }
}

std::optional<bool> Model::holds(const Term& term) const {
  const std::vector<Term>& parts = term.operands();
  const auto compare = [&](auto relation) -> std::optional<bool> {
    const std::optional<Integer> left = value(parts[0]);
    const std::optional<Integer> right = left ? value(parts[1]) : std::nullopt;
    return right ? std::optional(relation(*left, *right)) : std::nullopt;
  };
  // The first part that decides does so whatever the later ones are.
  const auto first = [&](bool deciding) -> std::optional<bool> {
    for (const Term& part : parts) {
      const std::optional<bool> here = holds(part);
      if (!here || *here == deciding) return here;
    }
    return !deciding;
  };
  switch (term.operation()) {
    case Operation::kLess:
      return compare([](const Integer& a, const Integer& b) { return a < b; });
    case Operation::kLessEqual:
      return compare([](const Integer& a, const Integer& b) { return a <= b; });
    case Operation::kEqual:
      return compare([](const Integer& a, const Integer& b) { return a == b; });
    case Operation::kAnd:
      return first(false);
    case Operation::kOr:
      return first(true);
    case Operation::kNot: {
      const std::optional<bool> here = holds(parts[0]);
      return here ? std::optional(!*here) : std::nullopt;
    }
    case Operation::kImplies: {
      const std::optional<bool> premise = holds(parts[0]);
      return premise == true ? holds(parts[1]) : premise ? std::optional(true) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

std::optional<std::map<std::string, Integer>> counter_model(const Evaluator& evaluator,
                                                            const Question& question) {
  for (const auto& [name, witness] : question.defined) {
    if (!witness) return std::nullopt;
  }
  Search search(evaluator, question);
  if (!search.run()) return std::nullopt;
  return search.model().values();
}

}  // namespace heddle::proof
