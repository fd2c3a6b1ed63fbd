// SPDX-License-Identifier: Apache-2.0
// print and parse are inverse to each other, on the library and on random trees.
#include <random>

#include "patterns/ast_print.hpp"
#include "patterns/builtin_patterns.hpp"
#include "tests/unit/patterns/support.hpp"

using namespace heddle;
using namespace heddle::test;

namespace {

class RandomSyntax {
 public:
  explicit RandomSyntax(std::uint64_t seed) : random_(seed) {}

  ExpressionPtr expression(int depth) {
    switch (depth == 0 ? pick(2) : pick(8)) {
      case 0:
        return make_expression(Literal{static_cast<std::int64_t>(pick(100))});
      case 1:
        return make_expression(Name{pick(2) ? "i" : "w"});
      case 2:
        return make_expression(Apply{"f", expression(depth - 1)});
      case 3:
        return make_expression(Negate{expression(depth - 1)});
      case 4:
      case 5:
        return make_expression(Arithmetic{static_cast<ArithmeticOperator>(pick(7)),
                                          expression(depth - 1), expression(depth - 1)});
      case 6:
        return make_expression(BuiltinCall{BuiltinFunction::kSqrt, {expression(depth - 1)}});
      default:
        return make_expression(BuiltinCall{pick(2) ? BuiltinFunction::kMin : BuiltinFunction::kMax,
                                           {expression(depth - 1), expression(depth - 1)}});
    }
  }
  ConditionPtr condition(int depth) {
    switch (depth == 0 ? 0 : pick(4)) {
      case 0:
        return make_condition(
            Comparison{static_cast<ComparisonOperator>(pick(6)), expression(2), expression(1)});
      case 1:
        return make_condition(Conjunction{condition(depth - 1), condition(depth - 1)});
      case 2:
        return make_condition(Disjunction{condition(depth - 1), condition(depth - 1)});
      default:
        return make_condition(Negation{condition(depth - 1)});
    }
  }
  SetPtr set(int depth) {
    switch (depth == 0 ? pick(7) : 5 + pick(6)) {
      case 0:
        return make_set(EmptySet{});
      case 1:
        return make_set(DiagonalSet{});
      case 2:
        return make_set(DenseSet{});
      case 3:
        return make_set(WindowSet{make_expression(Name{"w"})});
      case 4:
        return make_set(OffsetsSet{"f"});
      case 5:
        return make_set(RangeSet{expression(1), expression(2)});
      case 6: {
        Comprehension node{expression(2), {}, {}};
        if (pick(2)) node.binders.push_back({"k", expression(1), expression(1), {}});
        if (pick(2)) node.conditions.push_back(condition(2));
        return make_set(std::move(node));
      }
      default:
        return make_set(
            SetOperation{static_cast<SetOperator>(pick(3)), set(depth - 1), set(depth - 1)});
    }
  }
  PatternSyntax pattern() {
    PatternSyntax result;
    result.name = "p";
    result.parameters = {{"w", static_cast<std::int64_t>(pick(9)) - 4, {}}};
    result.functions.push_back({"f", "k", {}, make_expression(Name{"k"}), {}});
    result.a = set(2);
    result.b = set(3);
    Claim claim{ReachClaim{expression(1), expression(1)}, nullptr, {}};
    if (pick(2)) claim.where = condition(2);
    result.claims.push_back(claim);
    return result;
  }

 private:
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  std::mt19937_64 random_;
};

}  // namespace

TEST_CASE("canonical text parses back to the same tree") {
  RandomSyntax random(11);
  for (int round = 0; round < 5000; ++round) {
    const std::string text = print(random.pattern());
    const Source source{"random.heddle", text};
    Diagnostics diagnostics;
    const auto again = parse(source, diagnostics);
    INFO(text << render(diagnostics, source));
    REQUIRE_FALSE(diagnostics.has_errors());
    REQUIRE(again.size() == 1);
    REQUIRE(print(again.front()) == text);
  }
}

TEST_CASE("every built-in pattern is readable, canonical and named after its file") {
  REQUIRE(builtin_patterns().size() == 16);
  for (const BuiltinPattern& builtin : builtin_patterns()) {
    const Pattern pattern = pattern_of(std::string(builtin.text));
    REQUIRE(pattern.name() == builtin.name);
    REQUIRE_FALSE(pattern.claims().empty());
    const Pattern again = pattern_of(pattern.canonical_text());
    REQUIRE(again.canonical_text() == pattern.canonical_text());
    REQUIRE(again.sha256() == pattern.sha256());
  }
}

TEST_CASE("layout, comments, chains and binding strength") {
  const Pattern pattern = pattern_of(
      "\xEF\xBB\xBF# mark\r\npattern p(w=4,s=-16)\n{\n f(0)=1,f(1)=2,f(k+2)=f(k+1)+f(k)\r\n"
      "A=diagonal;B=window(w)|{i\n-w*t:t>=1\n,1<=w*t<i}-none&dense\n"
      "claim (i+1)*2<=2^3^2-i mod 5 for not (i<2 or j=3) and i!=7 # end\n}");
  REQUIRE(pattern.canonical_text() ==
          "pattern p(w = 4, s = -16) {\n  f(0) = 1\n  f(1) = 2\n  f(k + 2) = f(k + 1) + f(k)\n"
          "  A = diagonal\n"
          "  B = window(w) | { i - w * t : t >= 1, 1 <= w * t and w * t < i } - none & dense\n\n"
          "  claim (i + 1) * 2 <= 2^3^2 - i mod 5 for not (i < 2 or j = 3) and i != 7\n}\n");
}

TEST_CASE("a condition that ends a variable for every row makes a range of it") {
  const std::pair<const char*, const char*> cases[] = {
      {"{ i - 3 * t : t >= 1, t <= w, 3 * t < i }", "{ i - 3 * t : t in 1..w, 3 * t < i }"},
      {"{ i - t : t >= 1, t < 9, t < i }", "{ i - t : t in 1..8, t < i }"},
      {"{ i - t : t >= 1, t < i and w >= t }", "{ i - t : t in 1..w, t < i }"},
      {"{ i - t : t >= 1, 2 * w > t, t < i }", "{ i - t : t in 1..2 * w - 1, t < i }"},
      {"{ i - t - u : t >= 1, u >= 1, u <= 4, t + u < i and t < 6 }",
       "{ i - t - u : t in 1..5, u in 1..4, t + u < i }"},
      // Of two ends the first is taken, the other stays; an end that moves stays.
      {"{ i - t : t >= 1, t <= w, t <= 5, t < i }", "{ i - t : t in 1..w, t <= 5, t < i }"},
      {"{ i - t : t >= 1, 2 * t < i and t <= i - 3 }",
       "{ i - t : t >= 1, 2 * t < i and t <= i - 3 }"},
      {"{ i - t : t >= 1, t < i or t < 5, t < i }", "{ i - t : t >= 1, t < i or t < 5, t < i }"},
  };
  for (const auto& [written, canonical] : cases) {
    const std::string head = "pattern p(w = 4) {\n  A = diagonal\n  B = ";
    const Pattern pattern = pattern_of(head + written + "\n}");
    CHECK(pattern.canonical_text() == head + canonical + "\n}\n");
    const Pattern again = pattern_of(pattern.canonical_text());
    CHECK(again.canonical_text() == pattern.canonical_text());
  }
}

TEST_CASE("a range is walked no further than its conditions allow") {
  const Pattern pattern =
      pattern_of("pattern p { A = diagonal; B = { i - t : t in 1..10^15, t < i } }");
  REQUIRE(rows_of(pattern, 50).b.size(50) == 49);
}

TEST_CASE("classes are read and written") {
  for (const char* growth : {"O(1)", "O(n)", "O(sqrt n)", "O(log n)", "O(n log n)", "O(n^(2/3))",
                             "O(n^2)", "O(sqrt n log(n)^2)", "Omega(log n)", "Theta(n^(1/3))"}) {
    const Pattern pattern = pattern_of(
        std::string("pattern p { A = diagonal; B = none; claim time(i) in ") + growth + " }");
    REQUIRE(print(pattern.claims().front()) == std::string("time(i) in ") + growth);
  }
}

TEST_CASE("a parameter override changes the meaning and the hash") {
  const std::string text = "pattern p(w = 4) { A = diagonal; B = window(w) }";
  const Pattern four = pattern_of(text);
  const Pattern nine = pattern_of(text, {{"w", 9}});
  REQUIRE(rows_of(four, 20).b.size(20) == 4);
  REQUIRE(rows_of(nine, 20).b.size(20) == 9);
  REQUIRE(four.sha256() != nine.sha256());
}
