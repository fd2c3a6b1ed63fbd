// SPDX-License-Identifier: Apache-2.0
// The text of scripts, and what the solver makes of texts, good and bad.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

#include "analyzer/smt/apart.hpp"
#include "analyzer/smt/plain_solver.hpp"
#include "analyzer/smt/script.hpp"
#include "analyzer/smt/solver.hpp"
#include "analyzer/smt/watch.hpp"
#include "tests/catch.hpp"

using namespace heddle;
using namespace heddle::smt;

TEST_CASE("terms print as SMT-LIB") {
  const Term x = Term::variable("x");
  CHECK((x * Term(-3) + Term(2)).text() == "(+ (* x (- 3)) 2)");
  CHECK((Term(2) * Term(-3)).text() == "(- 6)");
  CHECK(implies(x >= 0, negation(equal(Term::apply("f", x), 1))).text() ==
        "(=> (<= 0 x) (not (= (f x) 1)))");
  CHECK(conjunction({}).text() == "true");
  CHECK(disjunction({}).text() == "false");
}

TEST_CASE("a script declares what it uses and names the smallest logic") {
  const Term x = Term::variable("x"), y = Term::variable("y");
  Script script;
  script.assume(x >= 1, "x is positive");
  CHECK(script.refutation_text("x > 0", x > 0) ==
        "; x > 0\n(set-logic QF_LIA)\n(declare-fun x () Int)\n; x is positive\n(assert (<= 1 x))\n"
        "; the goal, negated\n(assert (not (< 0 x)))\n(check-sat)\n");
  CHECK(script.hypotheses_text("x > 0").find("goal") == std::string::npos);
  script.assume(equal(Term::apply("f", x), x * y), "a product");
  CHECK(script.hypotheses_text("s").find("(set-logic QF_UFNIA)") != std::string::npos);
}

TEST_CASE("the solver answers texts and nothing else passes") {
  // Linear scripts are asked of the core first.
  const std::string logic = GENERATE("QF_NIA", "QF_LIA", "QF_UFLIA");
  const auto answer = [&logic](const std::string& body) {
    return solve("(set-logic " + logic + ")\n(declare-fun x () Int)\n" + body + "(check-sat)\n",
                 100'000)
        .answer;
  };
  CHECK(answer("(assert (and (< 2 x) (< x 3)))\n") == Answer::kUnsat);
  CHECK(answer("(assert (= (+ x x) 48))\n") == Answer::kSat);
  CHECK(answer("(assert (= (foo x) 49))\n") == Answer::kUnknown);
  CHECK(answer("(assert (< x x))\n(assert (= (foo x) 49))\n") == Answer::kUnknown);
  CHECK(answer("(assert (= x \n") == Answer::kUnknown);
  CHECK(answer("(push)\n(assert (< x x))\n(pop)\n") == Answer::kSat);
  CHECK(solve("", 1000).answer == Answer::kUnknown);
  CHECK(solve("(set-logic QF_NOTHING)\n(assert false)\n(check-sat)\n", 1000).answer ==
        Answer::kUnknown);
  CHECK(solve("(check-sat)\n(check-sat)\n", 1000).answer == Answer::kUnknown);
  const std::string open = "(set-logic QF_LIA)\n(declare-fun x () Int)\n";
  CHECK(solve(open + "(check-sat)\n(assert (< x x))\n(check-sat)\n", 1000).answer ==
        Answer::kUnknown);
  CHECK(solve(open + "(check-sat)\n(assert (< x x))\n", 1000).answer == Answer::kUnknown);
}

TEST_CASE("questions of one context know nothing of each other") {
  PlainSolver solver;
  const std::string open = "(declare-fun x () Int)\n";
  const auto answer = [&](const std::string& text, std::uint64_t limit = 100'000) {
    return solver.solve(text, limit, false).answer;
  };
  CHECK(answer(open + "(assert (< x 3))\n(assert (< 5 x))\n") == Answer::kUnsat);
  CHECK(answer(open + "(assert (< x 3))\n") == Answer::kSat);
  CHECK(answer(open + "(assert (< 5 x))\n") == Answer::kSat);
  // Nothing is left of what was asserted before the reading failed, nor of names.
  CHECK(answer(open + "(assert (< x x))\n(assert (= (foo x) 49))\n") == Answer::kUnknown);
  CHECK(answer("(assert (< x 3))\n") == Answer::kUnknown);
  CHECK(answer("(declare-fun x () Bool)\n(assert x)\n") == Answer::kSat);
  CHECK(answer(open + "(assert (< 5 x))\n", 1) == Answer::kUnknown);
  const Reply reply = solver.solve(open + "(assert (= (+ x x) 48))\n", 100'000, true);
  REQUIRE(reply.answer == Answer::kSat);
  CHECK(reply.model.at("x") == Integer(24));
}

TEST_CASE("models come back exactly") {
  const Reply reply = solve(
      "(set-logic QF_LIA)\n(declare-fun x () Int)\n(declare-fun y () Int)\n"
      "(assert (= x 123456789012345678901234567890))\n(assert (= y (- 7)))\n(check-sat)\n",
      100'000, {"x", "y"});
  REQUIRE(reply.answer == Answer::kSat);
  CHECK(reply.model.at("x").to_string() == "123456789012345678901234567890");
  CHECK(reply.model.at("y") == Integer(-7));
  const Reply open = solve(
      "(set-logic QF_LIA)\n(declare-fun x () Int)\n(declare-fun y () Int)\n(assert (< x 3))\n"
      "(check-sat)\n",
      100'000, {"x", "y"});
  REQUIRE(open.answer == Answer::kSat);
  CHECK(open.model.at("x") < Integer(3));
  CHECK(open.model.contains("y"));
}

TEST_CASE("a resource limit ends hopeless questions") {
  const std::string fermat =
      "(set-logic QF_NIA)\n(declare-fun a () Int)\n(declare-fun b () Int)\n(declare-fun c () Int)\n"
      "(assert (and (> a 0) (> b 0) (> c 0) (= (+ (* a a a) (* b b b)) (* c c c))))\n(check-sat)\n";
  CHECK(solve(fermat, 50'000).answer == Answer::kUnknown);
}

TEST_CASE("a thread is interrupted by what it computes, not by what it waits for") {
  std::atomic<int> interrupted = 0;
  Watch watch([&] { ++interrupted; });
  const auto wait = [] { std::this_thread::sleep_for(std::chrono::milliseconds(500)); };
  watch.begin(std::chrono::milliseconds(100));
  wait();
  CHECK_FALSE(watch.end());
  watch.begin(std::chrono::milliseconds(100));
  while (interrupted == 0) {
  }
  CHECK(watch.end());
  // Nor behind the end, nor in the next round for what was computed in this one.
  watch.begin(std::chrono::milliseconds(100));
  wait();
  CHECK_FALSE(watch.end());
  CHECK(interrupted == 1);
}

TEST_CASE("work apart ends by the time that it takes, and half an answer is none") {
  int seen = 1;
  const std::string text = std::string("two\nlines and ") + std::string(100'000, 'x');
  CHECK(run_apart([&] { return seen = 2, text; }, 5) == text);
  CHECK(seen == 1);
  CHECK(run_apart([] { return std::string(); }, 5) == "");
  CHECK(run_apart([]() -> std::string { _exit(0); }, 5) == std::nullopt);
  CHECK(run_apart(
            []() -> std::string {
              std::raise(SIGKILL);
              return "never";
            },
            5) == std::nullopt);
  volatile std::uint64_t rounds = 1;
  CHECK(run_apart(
            [&]() -> std::string {
              while (rounds != 0) rounds = rounds + 2;
              return "never";
            },
            1) == std::nullopt);
}

TEST_CASE("what cannot be interrupted ends all the same") {
  std::ifstream file(std::string(HEDDLE_TESTS_DIR) + "/unit/analyzer/smt/endless.smt2");
  const std::string endless{std::istreambuf_iterator<char>(file), {}};
  REQUIRE(endless.ends_with("(check-sat)\n"));
  CHECK(solve(endless, 20'000).answer == Answer::kUnknown);
  CHECK(solve(endless, 20'000, {"i"}).answer == Answer::kUnknown);
}
