// SPDX-License-Identifier: Apache-2.0
// The meaning of terms against the evaluator: for random expressions and arguments the solver must
// prove no other value than evaluation gives, that one in most cases, and nothing at all of an
// expression that has no value. Then the algebra of Points against plain sets.
#include <random>

#include "analyzer/proof/knowledge.hpp"
#include "analyzer/proof/points.hpp"
#include "analyzer/proof/query.hpp"
#include "patterns/ast_print.hpp"
#include "tests/unit/analyzer/measured_pattern.hpp"

using namespace heddle;
using namespace heddle::proof;
using heddle::testing::pattern_of;

namespace {

class RandomExpression {
 public:
  explicit RandomExpression(unsigned seed) : random_(seed) {}

  std::string expression(int depth) {
    if (depth == 0) return below(2) == 0 ? "i" : std::to_string(below(9) - 2);
    const std::string x = expression(depth - 1), y = expression(depth - 1);
    switch (below(13)) {
      case 0:
        return "(" + x + " + " + y + ")";
      case 1:
        return "(" + x + " - " + y + ")";
      case 2:
        return "(" + x + " * " + y + ")";
      case 3:
        return "floor((" + x + ") / (" + y + "))";
      case 4:
        return "ceil((" + x + ") / " + std::to_string(1 + below(5)) + ")";
      case 5:
        return "(" + x + " mod " + std::to_string(1 + below(6)) + ")";
      case 6:
        return "sqrt(" + x + ")";
      case 7:
        return "log2(" + x + ")";
      case 8:
        return "min(" + x + ", " + y + ", 5)";
      case 9:
        return "max(" + x + ", " + y + ")";
      case 10:
        return "abs(" + x + ")";
      case 11:
        return "f(min(" + x + ", 20))";
      default:
        return "2^min(" + x + ", 20)";
    }
  }
  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

 private:
  std::mt19937 random_;
};

}  // namespace

TEST_CASE("encoded expressions have the values that evaluation gives") {
  RandomExpression random(11);
  int decided = 0, without_value = 0;
  for (int round = 0; round < 60; ++round) {
    const std::string text = random.expression(1 + random.below(2));
    const Pattern pattern =
        pattern_of("f(0) = 1\nf(1) = 2\nf(k+2) = f(k+1) + f(k)\nA = { i : " + text +
                   " = 0 } | diagonal\nB = none");
    const auto& set = std::get<SetOperation>(pattern.set(Side::kA)->node);
    const auto& comprehension = std::get<Comprehension>(set.left->node);
    const ExpressionPtr expression =
        std::get<Comparison>(comprehension.conditions.at(0)->node).left;
    const Knowledge knowledge = learn(pattern, 200'000);
    const std::int64_t i = 1 + random.below(12);
    const Result<Integer> value = Evaluator(pattern).evaluate(*expression, {{"i", i}});
    INFO(text << " at i = " << i);
    const auto attempt = [&](const Integer& claimed) {
      Query query(knowledge, 30'000);
      const Term row = query.variable("i");
      query.assume(smt::equal(row, Term(i)), "the row");
      const Term term = query.encode(*expression, {{"i", row}});
      return query.prove("value", "value", smt::equal(term, Term(claimed)));
    };
    if (!value.ok()) {
      ++without_value;
      CHECK_FALSE(attempt(0).proved());
      CHECK_FALSE(attempt(1).proved());
      continue;
    }
    decided += attempt(value.value()).proved() ? 1 : 0;
    CHECK_FALSE(attempt(value.value() + Integer(1)).proved());
    CHECK_FALSE(attempt(value.value() - Integer(1)).proved());
  }
  CHECK(decided > 30);
  CHECK(without_value > 3);
}

// Consistency of hypotheses rests on such models, so none may be found where there is none.
TEST_CASE("a small model is found where there is one and nowhere else") {
  using namespace smt;  // NOLINT: terms and their operators
  const Pattern pattern = pattern_of("f(0) = 1\nf(k+1) = 2 * f(k) + 1\nA = diagonal\nB = none");
  const Evaluator evaluator(pattern);
  const Term x = Term::variable("x"), y = Term::variable("y"), never = disjunction({});
  const auto model = [&](const std::vector<Term>& hypotheses, const Term& goal) {
    return counter_model(evaluator, {{"x", "y"}, {}, hypotheses, goal});
  };
  const auto found = model({x >= 3, equal(y, x + 4)}, x * y <= Term(40));
  REQUIRE(found);
  CHECK(found->at("y") == found->at("x") + Integer(4));
  CHECK(Integer(40) < found->at("x") * found->at("y"));
  CHECK(model({equal(Term::apply("pow.2", x), 8), equal(Term::apply("fn.f", y), 15)}, never)
            ->at("y") == Integer(3));
  CHECK(
      model({equal(Term::apply("bit.popcount", x), 2), equal(Term::apply("bit.low", x), 8)}, never)
          ->at("x") == Integer(24));
  CHECK_FALSE(model({x >= 1, x <= 0}, never));
  CHECK_FALSE(model({equal(Term::apply("fn.f", x), 5)}, never));
  CHECK_FALSE(model({equal(Term::apply("pow.3", x), 8)}, never));
  CHECK_FALSE(model({x >= 0}, x >= 0));
  CHECK_FALSE(model({implies(x >= 0, x >= 9), implies(x >= 1, x <= 8), equal(x, 5)}, never));
  CHECK_FALSE(model({disjunction({equal(x, 5), equal(x, 6)}), negation(x >= 5)}, never));
  CHECK_FALSE(model({equal(if_then_else(x >= 2, x, 9), 1)}, never));
  // What has no value, or is not known, is no part of a model.
  CHECK_FALSE(model({equal(Term::variable("z"), 1)}, never));
  CHECK_FALSE(model({equal(Term::apply("fn.g", x), 1)}, never));
  CHECK_FALSE(counter_model(evaluator, {{"x"}, {{"y", nullptr}}, {}, never}));
}

TEST_CASE("numbers that a query defines are computed for a model") {
  const Pattern pattern = pattern_of("A = diagonal\nB = none");
  const Knowledge knowledge = learn(pattern, 200'000);
  const auto attempt = [&](const std::string& left, const std::string& right) {
    const Pattern claimed = pattern_of("A = diagonal\nB = none\nclaim " + left + " <= " + right);
    const auto& claim = std::get<BoundClaim>(claimed.claims().at(0).node);
    Query query(knowledge, 200'000);
    const Term i = query.variable("i");
    query.assume(i >= Term(1), "rows");
    const Term x = query.encode(*claim.left, {{"i", i}}),
               y = query.encode(*claim.right, {{"i", i}});
    return query.prove("order", "order", x <= y);
  };
  const auto first_failure = [&](const std::string& left, const std::string& right) {
    const Attempt found = attempt(left, right);
    return found.answer == smt::Answer::kSat ? found.model.at("i") : Integer(0);
  };
  CHECK(first_failure("sqrt(i)", "6") == Integer(49));
  CHECK(first_failure("log2(i)", "4") == Integer(32));
  CHECK(first_failure("floor((i + 1) / 3)", "10") == Integer(32));
  CHECK(first_failure("i mod 7", "5") == Integer(6));
  CHECK(attempt("sqrt(i)", "i").proved());
}

TEST_CASE("points combine like sets") {
  const Pattern pattern = pattern_of("f(k) = k^2 + 1\nA = diagonal\nB = none");
  const Knowledge knowledge = learn(pattern, 200'000);
  const ExpressionPtr square = make_expression(Apply{"f", make_expression(Name{"k"})});
  const std::vector<Points> points = {interval_points(1, 7), interval_points(20, 25),
                                      points_from(12), Points{},
                                      *progression_points(knowledge, {"k", square, 0})};
  const auto members = [&](const Points& set) {
    std::vector<bool> in(200, false);
    for (const Interval& interval : set.start) {
      for (std::int64_t p = interval.low; p <= interval.high && p < 200; ++p) {
        in[static_cast<std::size_t>(p)] = true;
      }
    }
    for (std::int64_t p = 0; p < 200; ++p) {
      if (set.all_beyond && p > set.split) in[static_cast<std::size_t>(p)] = true;
    }
    for (const Progression& progression : set.beyond) {
      for (std::int64_t k = progression.low; k * k + 1 < 200; ++k) {
        CHECK(k * k + 1 > set.split);
        in[static_cast<std::size_t>(k * k + 1)] = true;
      }
    }
    return in;
  };
  int combined = 0;
  for (const SetOperator op :
       {SetOperator::kUnion, SetOperator::kIntersection, SetOperator::kDifference}) {
    for (const Points& left : points) {
      for (const Points& right : points) {
        const std::optional<Points> result = combine(knowledge, op, left, right);
        if (!result) continue;
        ++combined;
        const std::vector<bool> x = members(left), y = members(right), z = members(*result);
        for (std::size_t p = 0; p < z.size(); ++p) {
          const bool expected = op == SetOperator::kUnion          ? x[p] || y[p]
                                : op == SetOperator::kIntersection ? x[p] && y[p]
                                                                   : x[p] && !y[p];
          CHECK(z[p] == expected);
        }
      }
    }
  }
  CHECK(combined > 60);
}
