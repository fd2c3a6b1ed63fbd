// SPDX-License-Identifier: Apache-2.0
// Random patterns, and claims about them that are nearly true: a shape that fits the counted rows
// with the constant that makes it sharp, one less and one more.
#pragma once

#include <functional>
#include <random>
#include <string>
#include <vector>

#include "patterns/ast.hpp"
#include "tests/studies/counted.hpp"

namespace heddle::study {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::int64_t number(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  std::string digits(std::int64_t low, std::int64_t high) {
    return std::to_string(number(low, high));
  }
  template <typename T>
  const T& pick(const std::vector<T>& from) {
    return from[engine_() % from.size()];
  }

 private:
  std::mt19937_64 engine_;
};

// A pattern without claims.
struct RandomPattern {
  std::string parameters;  // "(w = 3)" or nothing
  std::string body;        // what stands between the braces
};
RandomPattern random_pattern(Random& random);

enum class Relation { kAtMost, kAtLeast, kEqual };

// measure <relation> right(v) for every v that applies: v is i, n or m, or i - j for hops.
struct Statement {
  std::string text;
  MeasureKind measure = MeasureKind::kTime;
  Relation relation = Relation::kAtMost;
  std::function<std::int64_t(std::int64_t)> right;
  std::function<bool(std::int64_t)> applies;
};
std::vector<Statement> near_truths(Random& random, const Counted& counted, int count);

// The first i (then j) at which the statement is known to fail.
struct Failure {
  std::int64_t i = 0;
  std::int64_t j = 0;  // hops only
};
std::optional<Failure> first_failure(const Counted& counted, const Statement& statement);
// Does it hold there? Nothing where that is not known.
std::optional<bool> holds_at(const Counted& counted, const Statement& statement, std::int64_t i,
                             std::int64_t j);

}  // namespace heddle::study
