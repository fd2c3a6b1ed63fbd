// SPDX-License-Identifier: Apache-2.0
// The facts about recursive functions that later proofs draw on.
#include "analyzer/proof/functions.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/proof/induction.hpp"
#include "patterns/expression.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

constexpr int kLargestDegree = 4;
constexpr int kSamples = 12;
constexpr int kSlowestDoubling = 4;
constexpr int kLargestRatio = 16;

bool prove_fact(Knowledge& knowledge, const FunctionDefinition& function, Induction induction) {
  std::optional<Lemma> lemma = by_induction(knowledge, &function, induction);
  if (!lemma) return false;
  knowledge.functions[function.name].total = true;
  knowledge.lemmas.emplace(induction.name, std::move(*lemma));
  return true;
}

int order_of(const FunctionDefinition& function) { return static_cast<int>(function.base.size()); }

Integer gcd(Integer a, Integer b) {
  while (b.sign() != 0) a = std::exchange(b, floor_mod(a, b));
  return abs(a);
}

// Newton's forward differences: if the (d+1)-th differences of the samples vanish,
// f(k) = sum over e <= d of (e-th difference at 0) * binomial(k, e).
std::optional<ClosedForm> interpolate(std::vector<Integer> samples) {
  std::vector<Integer> leading;
  while (!samples.empty()) {
    leading.push_back(samples[0]);
    for (std::size_t at = 0; at + 1 < samples.size(); ++at) {
      samples[at] = samples[at + 1] - samples[at];
    }
    samples.pop_back();
  }
  while (!leading.empty() && leading.back().sign() == 0) leading.pop_back();
  if (leading.size() > kLargestDegree + 1) return std::nullopt;
  ClosedForm form{24, std::vector<Integer>(leading.size(), Integer(0))};  // 24 = kLargestDegree!
  std::vector<Integer> falling{1};  // k (k-1) ... (k-e+1) by powers of k
  Integer factorial = 1;
  for (std::size_t e = 0; e < leading.size(); ++e) {
    const Integer scale = leading[e] * floor_div(form.denominator, factorial);
    for (std::size_t d = 0; d <= e; ++d) {
      form.coefficients[d] = form.coefficients[d] + scale * falling[d];
    }
    falling.push_back(0);
    for (std::size_t d = e + 1; d > 0; --d) {
      falling[d] = falling[d - 1] - Integer(static_cast<std::int64_t>(e)) * falling[d];
    }
    falling[0] = -Integer(static_cast<std::int64_t>(e)) * falling[0];
    factorial = factorial * Integer(static_cast<std::int64_t>(e) + 1);
  }
  Integer divisor = form.denominator;
  for (const Integer& coefficient : form.coefficients) divisor = gcd(divisor, coefficient);
  form.denominator = floor_div(form.denominator, divisor);
  for (Integer& coefficient : form.coefficients) coefficient = floor_div(coefficient, divisor);
  return form;
}

}  // namespace

void learn_order(Knowledge& knowledge, const FunctionDefinition& function) {
  FunctionFacts& facts = knowledge.functions[function.name];
  const auto value = [&](Query& query, const Term& k) { return query.apply(function, k); };
  const std::string& f = function.name;
  const int width = order_of(function);
  if (prove_fact(
          knowledge, function,
          {fmt::format("increasing({})", f), fmt::format("{0}(k) >= 1 and {0}(k+1) > {0}(k)", f),
           width, [&](Query& query, const Term& k) {
             return conjunction({value(query, k) >= 1, value(query, k) + 1 <= value(query, k + 1)});
           }})) {
    facts.increasing = true;
    knowledge.lemmas.at(fmt::format("increasing({})", f))
        .obligations.push_back(pairs_obligation(knowledge, f));
  }
  if (prove_fact(knowledge, function,
                 {fmt::format("positive({})", f), fmt::format("{}(k) >= 1", f), width,
                  [&](Query& query, const Term& k) { return value(query, k) >= 1; }})) {
    facts.positive = true;
  }
  if (!facts.total) {
    prove_fact(knowledge, function,
               {fmt::format("total({})", f), fmt::format("{}(k) has a value", f), width,
                [](Query&, const Term&) { return conjunction({}); }});
  }
}

// denominator * f(k) = p(k), guessed from samples and proved by induction
void learn_closed_form(Knowledge& knowledge, const FunctionDefinition& function) {
  const Evaluator evaluator(*knowledge.pattern);
  std::vector<Integer> samples;
  for (int k = 0; k < kSamples; ++k) {
    const Result<Integer> value = evaluator.call(function.name, k);
    if (!value.ok()) return;
    samples.push_back(value.value());
  }
  const std::optional<ClosedForm> form = interpolate(samples);
  if (!form) return;
  const Induction induction{fmt::format("closed_form({})", function.name),
                            fmt::format("{}(k) is a polynomial of degree {}", function.name,
                                        static_cast<int>(form->coefficients.size()) - 1),
                            order_of(function), [&](Query& query, const Term& k) {
                              return equal(Term(form->denominator) * query.apply(function, k),
                                           polynomial(*form, k));
                            }};
  if (prove_fact(knowledge, function, induction)) knowledge.functions[function.name].closed = form;
}

// f(0) >= 1 and f(k+m) >= 2 f(k), hence f(k) >= 2^floor(k/m)
void learn_doubling(Knowledge& knowledge, const FunctionDefinition& function) {
  FunctionFacts& facts = knowledge.functions[function.name];
  if (!facts.positive || facts.closed) return;
  for (int m = 1; m <= kSlowestDoubling; ++m) {
    const Induction induction{fmt::format("doubling({})", function.name),
                              fmt::format("{0}(k+{1}) >= 2 {0}(k)", function.name, m),
                              std::max(m, order_of(function)), [&](Query& query, const Term& k) {
                                return Term(2) * query.apply(function, k) <=
                                       query.apply(function, k + Term(m));
                              }};
    if (prove_fact(knowledge, function, induction)) {
      facts.doubling = m;
      for (Obligation& obligation : doubling_obligations(knowledge, function.name, m)) {
        knowledge.lemmas.at(induction.name).obligations.push_back(std::move(obligation));
      }
      return;
    }
  }
}

// f(k+1) <= c f(k) for the least c that the samples allow, hence f(k) <= f(0) c^k
void learn_ratio(Knowledge& knowledge, const FunctionDefinition& function) {
  FunctionFacts& facts = knowledge.functions[function.name];
  if (!facts.positive || facts.closed) return;
  const Evaluator evaluator(*knowledge.pattern);
  Integer ratio = 2, previous = 0, first = 0;
  for (int k = 0; k < kSamples; ++k) {
    const Result<Integer> value = evaluator.call(function.name, k);
    if (!value.ok()) return;
    if (k == 0) first = value.value();
    if (k > 0) ratio = std::max(ratio, ceil_div(value.value(), previous));
    previous = value.value();
  }
  if (Integer(kLargestRatio) < ratio) return;
  const Induction induction{fmt::format("ratio({})", function.name),
                            fmt::format("{0}(k+1) <= {1} {0}(k)", function.name, ratio.to_string()),
                            order_of(function), [&](Query& query, const Term& k) {
                              return query.apply(function, k + 1) <=
                                     Term(ratio) * query.apply(function, k);
                            }};
  if (!prove_fact(knowledge, function, induction)) return;
  facts.ratio = ratio;
  for (Obligation& obligation : ratio_obligations(knowledge, function.name, first, ratio)) {
    knowledge.lemmas.at(induction.name).obligations.push_back(std::move(obligation));
  }
}

// f(k) <= g(k) for every other function g of the pattern
void learn_comparisons(Knowledge& knowledge, const FunctionDefinition& function) {
  const Evaluator evaluator(*knowledge.pattern);
  for (const FunctionDefinition& other : knowledge.pattern->syntax().functions) {
    if (other.name == function.name) continue;
    if (other.recursive() && !knowledge.facts(other.name).total) continue;
    bool plausible = true;
    for (int k = 0; plausible && k < kSamples; ++k) {
      const Result<Integer> low = evaluator.call(function.name, k);
      const Result<Integer> high = evaluator.call(other.name, k);
      plausible = low.ok() && high.ok() && low.value() <= high.value();
    }
    if (!plausible) continue;
    const Induction induction{fmt::format("at_most({},{})", function.name, other.name),
                              fmt::format("{}(k) <= {}(k)", function.name, other.name),
                              order_of(function), [&](Query& query, const Term& k) {
                                return query.apply(function, k) <= query.apply(other, k);
                              }};
    if (prove_fact(knowledge, function, induction)) {
      knowledge.functions[function.name].at_most.push_back(other.name);
    }
  }
}

}  // namespace heddle::proof
