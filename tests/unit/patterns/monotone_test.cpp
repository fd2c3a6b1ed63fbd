// SPDX-License-Identifier: Apache-2.0
// What Monotone reads off the text of an expression must hold for its values.
#include "patterns/monotone.hpp"

#include <random>

#include "patterns/ast_print.hpp"
#include "tests/unit/patterns/support.hpp"

using namespace heddle;
using namespace heddle::test;

namespace {

class RandomExpression {
 public:
  explicit RandomExpression(std::uint64_t seed) : random_(seed) {}

  ExpressionPtr draw(int depth) {
    const auto sub = [&] { return draw(depth - 1); };
    switch (depth == 0 ? pick(4) : pick(16)) {
      case 0:
        return make_expression(Literal{static_cast<std::int64_t>(pick(7)) - 2});
      case 1:
        return make_expression(Name{"i"});
      case 2:
        return make_expression(Name{"w"});
      case 3:
        return make_expression(Name{"k"});
      case 4:
        return make_expression(Apply{pick(2) ? "f" : "g", sub()});
      case 5:
        return make_expression(Negate{sub()});
      case 6:
      case 7:
      case 8:
        return arithmetic(ArithmeticOperator::kAdd, sub(), sub());
      case 9:
        return arithmetic(ArithmeticOperator::kSubtract, sub(), sub());
      case 10:
      case 11:
        return arithmetic(ArithmeticOperator::kMultiply, sub(), sub());
      case 12:
        return arithmetic(
            pick(2) ? ArithmeticOperator::kFloorDivide : ArithmeticOperator::kCeilDivide, sub(),
            sub());
      case 13:
        return arithmetic(pick(3) ? ArithmeticOperator::kPower : ArithmeticOperator::kMod, sub(),
                          sub());
      default: {
        const auto function = static_cast<BuiltinFunction>(pick(7));
        std::vector<ExpressionPtr> arguments{sub()};
        if (function == BuiltinFunction::kMin || function == BuiltinFunction::kMax)
          arguments.push_back(sub());
        return make_expression(BuiltinCall{function, std::move(arguments)});
      }
    }
  }

 private:
  ExpressionPtr arithmetic(ArithmeticOperator op, ExpressionPtr left, ExpressionPtr right) {
    return make_expression(Arithmetic{op, std::move(left), std::move(right)});
  }
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  std::mt19937_64 random_;
};

}  // namespace

TEST_CASE("a trend that is claimed holds for values") {
  RandomExpression random(17);
  int up = 0, unbounded = 0;
  for (int w = -2; w <= 3; ++w) {
    const Pattern pattern = pattern_of("pattern p(w = " + std::to_string(w) +
                                       ") { f(k) = k^2 + w\n g(0) = 1; g(1) = 2; g(k + 2) = g(k + "
                                       "1) + 2 * g(k) + k\nA = none; B = none }");
    const Evaluator evaluator(pattern);
    const Monotone monotone(pattern.syntax().parameters, pattern.syntax().functions);
    const Binder binder{"k", make_expression(Literal{0}), nullptr, {}};
    for (int round = 0; round < 20000; ++round) {
      const ExpressionPtr expression = random.draw(3);
      const Shape shape = monotone.shape_of(*expression, "k", {binder});
      if (shape.trend == Trend::kUnknown && !shape.nonnegative) continue;
      for (const std::int64_t i : {1, 5}) {
        std::optional<Integer> previous;
        for (std::int64_t k = 0; k < 14; ++k) {
          const Result<Integer> value = evaluator.evaluate(*expression, {{"i", i}, {"k", k}});
          if (!value || value->bit_length() > 4000) break;  // no value: nothing is claimed there
          INFO(print(*expression) << " with w = " << w << ", i = " << i << ", k = " << k);
          if (shape.nonnegative) REQUIRE(value->sign() >= 0);
          if (shape.positive) REQUIRE(value->sign() > 0);
          if (previous && shape.trend == Trend::kUp) REQUIRE(*value >= *previous);
          if (previous && shape.trend == Trend::kDown) REQUIRE(*value <= *previous);
          if (previous && shape.trend == Trend::kConstant) REQUIRE(*value == *previous);
          previous = *value;
        }
        // An unbounded one must have left every small bound far out, where it can be evaluated;
        // logarithms of logarithms take longer than any number that fits here.
        if (!shape.unbounded || print(*expression).find("log2") != std::string::npos) continue;
        const Result<Integer> far =
            evaluator.evaluate(*expression, {{"i", i}, {"k", *power(2, 4000, 1 << 20)}});
        if (!far) continue;
        INFO(print(*expression) << " with w = " << w << ", i = " << i);
        if (shape.trend == Trend::kUp) REQUIRE(*far > Integer(10));
        if (shape.trend == Trend::kDown) REQUIRE(*far < Integer(-10));
        ++unbounded;
      }
      up += shape.trend == Trend::kUp;
    }
  }
  REQUIRE(up > 1000);
  REQUIRE(unbounded > 1000);
}
