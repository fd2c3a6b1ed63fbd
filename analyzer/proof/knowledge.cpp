// SPDX-License-Identifier: Apache-2.0
// The order of learning, and the way from the name of a lemma to its obligations.
#include "analyzer/proof/knowledge.hpp"

#include "analyzer/proof/functions.hpp"
#include "patterns/expression.hpp"

namespace heddle::proof {
namespace {

// The integers between the brackets of "powers(2,3)".
std::vector<Integer> numbers_in(const std::string& name) {
  std::vector<Integer> numbers;
  std::string digits;
  for (const char c : name.substr(name.find('(') + 1)) {
    if (c >= '0' && c <= '9') {
      digits += c;
    } else {
      const std::optional<Integer> number = Integer::parse(digits);
      assert_that(number.has_value(), "the name of a lemma about powers holds its bases");
      numbers.push_back(*number);
      digits.clear();
    }
  }
  return numbers;
}

}  // namespace

const FunctionFacts& Knowledge::facts(const std::string& function) const {
  static const FunctionFacts kNothing;
  const auto found = functions.find(function);
  return found == functions.end() ? kNothing : found->second;
}

std::vector<Obligation> Knowledge::obligations_of(const std::set<std::string>& lemma_names) const {
  std::vector<Obligation> obligations;
  std::set<std::string> seen;
  const auto append = [&](const Lemma& lemma) {
    for (const Obligation& obligation : lemma.obligations) {
      if (seen.insert(obligation.name).second) obligations.push_back(obligation);
    }
  };
  for (const std::string& name : lemma_names) {
    if (name.rfind("power(", 0) == 0) {
      append(power_lemma(*this, numbers_in(name)[0]));
    } else if (name.rfind("powers(", 0) == 0) {
      append(powers_lemma(*this, numbers_in(name)[0], numbers_in(name)[1]));
    } else if (name.rfind("within(", 0) == 0) {
      append(within_lemma(*this, numbers_in(name)[0], numbers_in(name)[1]));
    } else if (name == "products") {
      append(products_lemma(*this));
    } else if (name == "squares") {
      append(squares_lemma(*this));
    } else if (name == "popcount") {
      append(popcount_lemma(*this));
    } else if (name == "bits") {
      append(bits_lemma(*this));
    } else {
      const auto found = lemmas.find(name);
      assert_that(found != lemmas.end(), "a proof used a lemma that was not learnt");
      append(found->second);
    }
  }
  return obligations;
}

Knowledge learn(const Pattern& pattern, std::uint64_t resource_limit) {
  Knowledge knowledge;
  knowledge.pattern = &pattern;
  knowledge.evaluator = std::make_shared<const Evaluator>(pattern);
  knowledge.resource_limit = resource_limit;
  const Evaluator& evaluator = *knowledge.evaluator;
  for (const FunctionDefinition& function : pattern.syntax().functions) {
    if (!function.recursive()) continue;
    bool starts = true;
    for (std::size_t b = 0; b < function.base.size(); ++b) {
      starts = starts && evaluator.call(function.name, static_cast<std::int64_t>(b)).ok();
    }
    if (!starts) continue;
    learn_order(knowledge, function);
    if (!knowledge.facts(function.name).total) continue;
    learn_closed_form(knowledge, function);
    learn_doubling(knowledge, function);
    learn_ratio(knowledge, function);
    learn_comparisons(knowledge, function);
  }
  return knowledge;
}

}  // namespace heddle::proof
