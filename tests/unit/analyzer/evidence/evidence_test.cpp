// SPDX-License-Identifier: Apache-2.0
// Arithmetic evidence: what is found is accepted, what is no proof is not, and nothing is found or
// accepted of a script that has a model.
#include "analyzer/evidence/evidence.hpp"

#include <random>
#include <vector>

#include "analyzer/audit/arithmetic.hpp"
#include "analyzer/proof/certify.hpp"
#include "tests/unit/analyzer/measured_pattern.hpp"

using namespace heddle;
using auditing::Script;
using auditing::Term;

namespace {

Script script_of(const std::vector<std::string>& hypotheses, const std::string& goal) {
  Script script;
  for (const std::string& fact : hypotheses) {
    const auto term = auditing::parse_term(fact);
    REQUIRE(term);
    script.hypotheses.push_back(*term);
  }
  const auto term = auditing::parse_term(goal);
  REQUIRE(term);
  script.goal = *term;
  return script;
}

std::string found(const Script& script, Products products = Products::kOfFacts) {
  Obligation step;
  step.script = script.text(true);
  step.companion = script.text(false);
  return find_evidence(step, products);
}

bool accepted(const Script& script, const std::string& proof) {
  return !auditing::check_evidence(script, proof).has_value();
}

}  // namespace

TEST_CASE("sums, cases, cuts and equal arguments are checked as they are meant") {
  const Script plain = script_of({"(<= 3 x)"}, "(<= 2 x)");  // x >= 3 and x <= 1
  CHECK(accepted(plain, "(sum (1 0) (1 1))"));
  CHECK(accepted(plain, "(sum (5 0) (5 1))\n"));
  CHECK_FALSE(accepted(plain, "(sum (1 0))"));              // x - 3 is no number
  CHECK_FALSE(accepted(plain, "(sum (2 0) (1 1))"));        // nor is x - 5
  CHECK_FALSE(accepted(plain, "(sum (-1 0) (-1 1))"));      // facts are not negated
  CHECK_FALSE(accepted(plain, "(sum (1 0) (1 2))"));        // there is no third
  CHECK_FALSE(accepted(plain, "(sum (1/2 0) (1/2 1))"));    // whole multipliers only
  CHECK_FALSE(accepted(plain, "(sum (times 1 0) (1 1))"));  // an inequality times a term
  CHECK_FALSE(accepted(plain, "(same x x (sum (1 0) (1 1)) (sum (1 0) (1 1)) (sum (1 0) (1 1)))"));
  CHECK_FALSE(accepted(plain, "(case 0 (sum (1 0) (1 1)))"));
  CHECK_FALSE(accepted(plain, "(trust)"));
  CHECK_FALSE(accepted(plain, "trust"));
  CHECK_FALSE(accepted(plain, ""));
  CHECK(accepted(plain, "(cut x (sum (1 0) (1 1)) (sum (1 0) (1 1)))"));
  CHECK_FALSE(accepted(plain, "(cut x (sum (1 0) (1 1)))"));
  CHECK_FALSE(accepted(plain, "(cut y (sum (1 0) (1 1)) (sum (1 0) (1 1)))"));  // y is not there

  const Script either = script_of({"(or (<= 3 x) (<= x (- 3)))"}, "(<= 5 (* x x))");
  // x x <= 4, and (x - 3) (x - 3) + 6 (x - 3) = x x - 9
  CHECK(accepted(either, "(case 0 (sum (1 0) (1 1 1) (6 1)) (sum (1 0) (1 1 1) (6 1)))"));
  CHECK_FALSE(accepted(either, "(case 0 (sum (1 0) (1 1 1) (6 1)))"));
  CHECK_FALSE(accepted(either, "(sum (1 0) (1 1 1) (6 1))"));  // outside of its case

  const Script equation = script_of({"(= x (+ y 1))"}, "(= (* x y) (+ (* y y) y))");
  CHECK(accepted(equation, "(case 0 (sum (times y 0) (1 1)) (sum (times (- 0 y) 0) (1 1)))") !=
        accepted(equation, "(case 0 (sum (times (- 0 y) 0) (1 1)) (sum (times y 0) (1 1)))"));

  const Script function = script_of({"(= x y)"}, "(= (g x) (g y))");
  CHECK_FALSE(found(function).empty());
  CHECK(accepted(function, found(function)));
  CHECK_FALSE(accepted(function, "(case 0 (sum (1 1)) (sum (1 1)))"));
}

TEST_CASE("integers lie on one side of a fraction") {
  CHECK_FALSE(found(script_of({"(= (* 2 x) (+ (* 2 y) 1))"}, "false")).empty());
  CHECK_FALSE(found(script_of({"(<= 1 (* 3 x))", "(<= (* 3 x) 2)"}, "false")).empty());
  CHECK_FALSE(found(script_of({"(<= (* 3 q) n)", "(< n (+ (* 3 q) 3))", "(= n (+ (* 3 p) r))",
                               "(<= 0 r)", "(<= r 2)"},
                              "(= p q)"))
                  .empty());
}

TEST_CASE("products are compared by monotonicity") {
  CHECK_FALSE(
      found(script_of({"(<= 1 a)", "(<= (* a q) n)", "(< n (+ (* a q) a))", "(<= (* a p) n)"},
                      "(<= p q)"))
          .empty());
  CHECK_FALSE(
      found(script_of({"(<= 0 s)", "(<= (* s s) n)", "(<= 0 t)", "(< n (* (+ t 1) (+ t 1)))"},
                      "(<= s t)"))
          .empty());
}

TEST_CASE("evidence of the script's own products does without any other") {
  const std::string order = "(=> (and (<= 0 a) (<= a b) (<= 0 a) (<= a b)) (<= (* a a) (* b b)))";
  const std::vector<std::string> facts = {"(<= 0 a)", "(<= (+ (* b b) 1) n)", "(<= n (* a a))"};
  std::vector<std::string> with_order = facts;
  with_order.push_back(order);
  CHECK_FALSE(found(script_of(facts, "(< b a)")).empty());
  CHECK(found(script_of(facts, "(< b a)"), Products::kOfTheScript).empty());
  CHECK_FALSE(found(script_of(with_order, "(< b a)"), Products::kOfTheScript).empty());
}

TEST_CASE("conditionals are what they choose") {
  CHECK_FALSE(found(script_of({"(= x (ite (<= a b) a b))"}, "(and (<= x a) (<= x b))")).empty());
  CHECK(found(script_of({"(= x (ite (<= a b) a b))"}, "(and (<= x a) (< x b))")).empty());
}

// Each random script that some small numbers satisfy must be left without evidence.
TEST_CASE("no evidence is found where there is a model") {
  std::mt19937 random(7);
  const auto pick = [&](int size) {
    return static_cast<int>(random() % static_cast<unsigned>(size));
  };
  const std::vector<std::string> names = {"x", "y", "z"};
  const std::function<std::pair<std::string, std::function<int(const int*)>>(int)> term =
      [&](int depth) -> std::pair<std::string, std::function<int(const int*)>> {
    if (depth == 0 || pick(3) == 0) {
      if (pick(3) == 0) {
        const int value = pick(5);
        return {std::to_string(value), [value](const int*) { return value; }};
      }
      const int which = pick(3);
      return {names[static_cast<std::size_t>(which)], [which](const int* at) { return at[which]; }};
    }
    const auto a = term(depth - 1), b = term(depth - 1), c = term(depth - 1);
    const auto f = a.second, g = b.second, h = c.second;
    switch (pick(4)) {
      case 0:
        return {"(+ " + a.first + " " + b.first + ")",
                [=](const int* at) { return f(at) + g(at); }};
      case 1:
        return {"(- " + a.first + " " + b.first + ")",
                [=](const int* at) { return f(at) - g(at); }};
      case 2:
        return {"(* " + a.first + " " + b.first + ")",
                [=](const int* at) { return f(at) * g(at); }};
      default:
        return {"(ite (<= " + a.first + " " + b.first + ") " + c.first + " " + a.first + ")",
                [=](const int* at) { return f(at) <= g(at) ? h(at) : f(at); }};
    }
  };
  const std::function<std::pair<std::string, std::function<bool(const int*)>>(int)> formula =
      [&](int depth) -> std::pair<std::string, std::function<bool(const int*)>> {
    if (depth == 0) {
      const auto a = term(1), b = term(1);
      const auto f = a.second, g = b.second;
      switch (pick(3)) {
        case 0:
          return {"(<= " + a.first + " " + b.first + ")",
                  [=](const int* at) { return f(at) <= g(at); }};
        case 1:
          return {"(< " + a.first + " " + b.first + ")",
                  [=](const int* at) { return f(at) < g(at); }};
        default:
          return {"(= " + a.first + " " + b.first + ")",
                  [=](const int* at) { return f(at) == g(at); }};
      }
    }
    const auto a = formula(depth - 1), b = formula(depth - 1);
    const auto f = a.second, g = b.second;
    switch (pick(4)) {
      case 0:
        return {"(and " + a.first + " " + b.first + ")",
                [=](const int* at) { return f(at) && g(at); }};
      case 1:
        return {"(or " + a.first + " " + b.first + ")",
                [=](const int* at) { return f(at) || g(at); }};
      case 2:
        return {"(=> " + a.first + " " + b.first + ")",
                [=](const int* at) { return !f(at) || g(at); }};
      default:
        return {"(not " + a.first + ")", [=](const int* at) { return !f(at); }};
    }
  };
  int with_model = 0, refuted = 0;
  for (int round = 0; round < 200; ++round) {
    const auto first = formula(1), second = formula(1), goal = formula(1);
    const Script script = script_of({first.first, second.first}, goal.first);
    bool model = false;
    for (int number = 0; number < 9 * 9 * 9 && !model; ++number) {
      const int at[] = {number % 9 - 4, number / 9 % 9 - 4, number / 81 - 4};
      model = first.second(at) && second.second(at) && !goal.second(at);
    }
    const std::string proof = found(script);
    INFO(script.text(true) << proof);
    if (model) CHECK(proof.empty());
    if (!proof.empty()) CHECK(accepted(script, proof));
    with_model += model ? 1 : 0;
    refuted += proof.empty() ? 0 : 1;
  }
  CHECK(with_model > 40);
  CHECK(refuted > 10);
}

TEST_CASE("every step of every built-in pattern carries evidence that holds") {
  for (const BuiltinPattern& each : builtin_patterns()) {
    const Pattern pattern = heddle::testing::builtin(std::string(each.name));
    for (const Obligation& step : certify(pattern, prove_and_derive(pattern)).obligations) {
      INFO(each.name << ": " << step.name);
      CHECK_FALSE(step.evidence.empty());
      const Result<Script> script = auditing::read_script(step);
      REQUIRE(script.ok());
      CHECK(accepted(*script, step.evidence));
    }
  }
}
