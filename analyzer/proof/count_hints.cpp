// SPDX-License-Identifier: Apache-2.0
#include "analyzer/proof/count_hints.hpp"

#include <functional>
#include <optional>

#include "analyzer/evidence/evidence.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

constexpr std::int64_t kSamples = 48;
constexpr std::int64_t kLargestFactor = 16;

// f(low), f(low + 1), ... of the progression.
std::vector<Integer> samples_of(const Query& query, const Progression& progression) {
  std::vector<Integer> samples;
  for (std::int64_t x = 0; x < kSamples; ++x) {
    const Result<Integer> value = query.knowledge().evaluator->evaluate(
        *progression.value, {{progression.variable, Integer(progression.low) + Integer(x)}});
    if (!value.ok()) break;
    samples.push_back(value.value());
  }
  return samples;
}

Integer raised(const Integer& base, int exponent) {
  return *power(base, static_cast<std::uint64_t>(exponent), 1 << 20);
}

// The least m for which all samples f(x) satisfy `holds`(x, f(x), m).
template <class Holds>
std::optional<std::int64_t> least_factor(const std::vector<Integer>& samples, const Holds& holds) {
  for (std::int64_t m = 1; m <= kLargestFactor; ++m) {
    bool all = !samples.empty();
    for (std::size_t x = 0; x < samples.size() && all; ++x) {
      all = holds(Integer(static_cast<std::int64_t>(x)), samples[x], Integer(m));
    }
    if (all) return m;
  }
  return std::nullopt;
}

// 0 <= a <= b gives a^2 <= b^2, ..., a^q <= b^q.
void order_powers(Query& query, const Term& a, const Term& b, int q) {
  Term left = a, right = b;
  for (int factor = 1; factor < q; ++factor) {
    query.order_products(left, right, a, b);
    left = left * a;
    right = right * b;
  }
}

// g = floor(i^(1/q)), so i < (g + 1)^q: with x^q <= m^q f(x) the last x that counts is below
// m (g + 1). The other way round, f(x) <= (m x + 1)^q and g > m count would put f(count) below i.
void hint_at_root(Query& query, int q, const Term& g, const Integer& c, Direction direction) {
  for (const auto& [count, progression] : query.counts()) {
    const std::vector<Integer> samples = samples_of(query, progression);
    if (direction == Direction::kAtLeast) {
      const auto m =
          least_factor(samples, [&](const Integer& x, const Integer& f, const Integer& by) {
            return f <= raised(by * x + Integer(1), q);
          });
      if (m) order_powers(query, (*m == 1 ? count : Term(*m) * count) + 1, g, q);
      continue;
    }
    const auto m =
        least_factor(samples, [&](const Integer& x, const Integer& f, const Integer& by) {
          return raised(x, q) <= raised(by, q) * f;
        });
    const Term last = count - 1;
    if (m) order_powers(query, *m == 1 ? g + 1 : Term(*m) * (g + 1), last, q);
    if (Integer(1) < c) order_powers(query, Term(c) * g - 1, last, q);
  }
}

// g = floor(log2(i)): f(x) <= 4^x for f(x) = (x + 1) 2^x, as x + 1 <= 2^x.
void hint_at_logarithm(Query& query) {
  for (const auto& [count, progression] : query.counts()) {
    const std::vector<Integer> samples = samples_of(query, progression);
    bool slow = !samples.empty();
    for (std::size_t x = 0; x < samples.size() && slow; ++x) {
      slow = samples[x] <= raised(2, static_cast<int>(2 * x));
    }
    if (!slow) continue;
    query.square_power(count);
    const Term power = query.power_of(2, count);
    query.order_products(count + 1, power, power, power);
  }
}

using Hint = std::function<void(Query&)>;

// What compares each count with each root: one alternative after the other.
std::vector<Hint> comparisons(const Query& query) {
  std::vector<Hint> hints;
  const auto order = [&](const Term& a, const Term& b, int degree) {
    hints.push_back([=](Query& to) { order_powers(to, a, b, degree); });
  };
  for (const auto& [root, degree] : query.roots()) {
    for (const auto& [count, progression] : query.counts()) {
      const Term last = count - 1, above = root + 1;
      for (const int more : {1, 2}) order(root + more, last, degree);
      for (const int more : {1, 2}) order(count + more, root, degree);
      for (const auto& [a, b] : query.factors()) {
        hints.push_back([=, a = a, b = b, root = root, degree = degree](Query& to) {
          order_powers(to, above, last, degree);
          to.order_products(a, root - 1, b, above);
        });
      }
    }
  }
  return hints;
}

bool is_a_sum(const Obligation& step) {
  return !find_evidence(step, Products::kOfTheScript).empty();
}

}  // namespace

Attempt prove_steadily(Query& query, const std::string& name, const std::string& statement,
                       const Term& goal) {
  const std::vector<Hint> hints = comparisons(query);
  if (hints.empty() || query.refused()) return query.prove(name, statement, goal);
  const Attempt plain = Query(query).prove(name, statement, goal);
  if (plain.proved() && !is_a_sum(plain.obligation)) {
    for (const Hint& hint : hints) {
      Query trial = query;
      hint(trial);
      if (!is_a_sum(trial.step(name, statement, goal))) continue;
      hint(query);
      break;
    }
  }
  Attempt steady = query.prove(name, statement, goal);
  return steady.proved() ? steady : plain;
}

bool hint_at_counts(Query& query, const GrowthClass& growth, const Term& g, const Integer& c,
                    Direction direction) {
  if (growth.power_numerator == 1 && growth.power_denominator > 1 && growth.log_power == 0) {
    hint_at_root(query, growth.power_denominator, g, c, direction);
  } else if (growth.power_numerator == 0 && growth.log_power == 1 &&
             direction == Direction::kAtLeast) {
    hint_at_logarithm(query);
  }
  return query.lemmas().count("products") > 0;
}

}  // namespace heddle::proof
