// SPDX-License-Identifier: Apache-2.0
// Powers of a constant and the number of one bits as uninterpreted functions: the lemmas that give
// their ground instances, each by induction from the defining equations alone.
#include <fmt/format.h>

#include <algorithm>

#include "analyzer/proof/functions.hpp"
#include "analyzer/smt/script.hpp"
#include "analyzer/smt/solver.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

constexpr std::uint64_t kEnough = 2'000'000;  // resources; none of these steps needs many

// Builds one obligation and insists on it: these do not depend on the user's pattern.
class Step {
 public:
  Step(const Knowledge& knowledge, std::string name, std::string statement)
      : limit_(std::max(knowledge.resource_limit, kEnough)) {
    obligation_.name = std::move(name);
    obligation_.statement = std::move(statement);
  }
  Step& given(const Term& fact, std::string why) {
    script_.assume(fact, std::move(why));
    return *this;
  }
  Obligation conclude(const Term& goal) {
    obligation_.script = script_.refutation_text(obligation_.statement, goal);
    obligation_.companion = script_.hypotheses_text(obligation_.statement);
    assert_that(solve(obligation_.script, limit_).answer == Answer::kUnsat,
                "a step about powers or bits holds");
    return obligation_;
  }

 private:
  Script script_;
  Obligation obligation_;
  std::uint64_t limit_;
};

}  // namespace

Obligation pairs_obligation(const Knowledge& knowledge, const std::string& function) {
  const auto f = [&](const Term& t) { return Term::apply("fn." + function, t); };
  const Term s = Term::variable("s"), t = Term::variable("t");
  return Step(knowledge, fmt::format("increasing({}).pairs", function),
              fmt::format("{0}(s) + (t - s) <= {0}(t) gives the same for t + 1", function))
      .given(conjunction({s >= 0, s <= t}), "0 <= s <= t; it holds at t = s")
      .given(f(t) + 1 <= f(t + 1), fmt::format("increasing({})", function))
      .given(f(s) + (t - s) <= f(t), "induction hypothesis")
      .conclude(f(s) + (t + 1 - s) <= f(t + 1));
}

std::vector<Obligation> doubling_obligations(const Knowledge& knowledge,
                                             const std::string& function, int m) {
  const auto f = [&](const Term& t) { return Term::apply("fn." + function, t); };
  const auto power = [](const Term& t) { return Term::apply("pow.2", t); };
  const Term q = Term::variable("q"), r = Term::variable("r");
  const std::string name = fmt::format("doubling({})", function);
  const Term here = Term(m) * q + r;
  return {
      Step(knowledge, name + ".power.base", fmt::format("{}(r) >= 2^0", function))
          .given(conjunction({r >= 0, r < Term(m)}), "a remainder")
          .given(f(r) >= 1, fmt::format("positive({})", function))
          .given(equal(power(0), 1), "definition")
          .conclude(power(0) <= f(r)),
      Step(knowledge, name + ".power.step",
           fmt::format("{0}({1} q + r) >= 2^q gives {0}({1} (q + 1) + r) >= 2^(q+1)", function, m))
          .given(conjunction({q >= 0, r >= 0, r < Term(m)}), "quotient and remainder")
          .given(Term(2) * f(here) <= f(here + Term(m)), name)
          .given(equal(power(q + 1), Term(2) * power(q)), "definition")
          .given(power(q) <= f(here), "induction hypothesis")
          .conclude(power(q + 1) <= f(here + Term(m)))};
}

std::vector<Obligation> ratio_obligations(const Knowledge& knowledge, const std::string& function,
                                          const Integer& first, const Integer& ratio) {
  const auto f = [&](const Term& t) { return Term::apply("fn." + function, t); };
  const auto power = [&](const Term& t) { return Term::apply("pow." + ratio.to_string(), t); };
  const Term t = Term::variable("t");
  const std::string name = fmt::format("ratio({})", function);
  return {Step(knowledge, name + ".power.base", fmt::format("{0}(0) <= {0}(0) c^0", function))
              .given(equal(power(0), 1), "definition")
              .given(equal(f(0), Term(first)), "definition")
              .conclude(f(0) <= Term(first) * power(0)),
          Step(knowledge, name + ".power.step",
               fmt::format("{0}(t) <= {0}(0) c^t gives {0}(t+1) <= {0}(0) c^(t+1)", function))
              .given(t >= 0, "t is natural")
              .given(f(t + 1) <= Term(ratio) * f(t), name)
              .given(equal(power(t + 1), Term(ratio) * power(t)), "definition")
              .given(f(t) <= Term(first) * power(t), "induction hypothesis")
              .conclude(f(t + 1) <= Term(first) * power(t + 1))};
}

Lemma power_lemma(const Knowledge& knowledge, const Integer& base) {
  const std::string b = base.to_string();
  const std::string name = fmt::format("power({})", b);
  const auto power = [&](const Term& t) { return Term::apply("pow." + b, t); };
  const Term s = Term::variable("s"), t = Term::variable("t");
  const Term unit = equal(power(0), 1);
  const Term step = equal(power(t + 1), Term(base) * power(t));
  Lemma lemma{name, {}};
  lemma.obligations.push_back(Step(knowledge, name + ".above.base", b + "^0 >= 0 + 1")
                                  .given(unit, "definition")
                                  .conclude(power(0) >= 1));
  lemma.obligations.push_back(
      Step(knowledge, name + ".above.step", b + "^t >= t + 1 gives " + b + "^(t+1) >= t + 2")
          .given(t >= 0, "t is natural")
          .given(step, "definition")
          .given(power(t) >= t + 1, "induction hypothesis")
          .conclude(power(t + 1) >= t + 2));
  lemma.obligations.push_back(
      Step(knowledge, name + ".growth.base", fmt::format("{0} * {0}^s <= {0}^(s+1)", b))
          .given(s >= 0, "s is natural")
          .given(equal(power(s + 1), Term(base) * power(s)), "definition")
          .conclude(Term(base) * power(s) <= power(s + 1)));
  lemma.obligations.push_back(
      Step(knowledge, name + ".growth.step",
           fmt::format("{0} * {0}^s <= {0}^t gives {0} * {0}^s <= {0}^(t+1)", b))
          .given(conjunction({s >= 0, s < t}), "0 <= s < t")
          .given(step, "definition")
          .given(power(t) >= t + 1, name + ".above")
          .given(Term(base) * power(s) <= power(t), "induction hypothesis")
          .conclude(Term(base) * power(s) <= power(t + 1)));
  return lemma;
}

Lemma powers_lemma(const Knowledge& knowledge, const Integer& base, const Integer& larger) {
  const std::string b = base.to_string(), c = larger.to_string();
  const std::string name = fmt::format("powers({},{})", b, c);
  const auto small = [&](const Term& t) { return Term::apply("pow." + b, t); };
  const auto large = [&](const Term& t) { return Term::apply("pow." + c, t); };
  const Term s = Term::variable("s"), t = Term::variable("t");
  Lemma lemma{name, power_lemma(knowledge, larger).obligations};
  lemma.obligations.push_back(Step(knowledge, name + ".base", b + "^0 <= " + c + "^0")
                                  .given(equal(small(0), 1), "definition")
                                  .given(equal(large(0), 1), "definition")
                                  .conclude(small(0) <= large(0)));
  lemma.obligations.push_back(Step(knowledge, name + ".step",
                                   fmt::format("{0}^s <= {1}^s gives {0}^(s+1) <= {1}^(s+1)", b, c))
                                  .given(s >= 0, "s is natural")
                                  .given(large(s) >= s + 1, fmt::format("power({}).above", c))
                                  .given(equal(small(s + 1), Term(base) * small(s)), "definition")
                                  .given(equal(large(s + 1), Term(larger) * large(s)), "definition")
                                  .given(small(s) <= large(s), "induction hypothesis")
                                  .conclude(small(s + 1) <= large(s + 1)));
  lemma.obligations.push_back(
      Step(knowledge, name + ".later",
           fmt::format("{0}^s <= {1}^t for s <= t, and {0} * {0}^s <= {1}^t for s < t", b, c))
          .given(conjunction({s >= 0, s <= t}), "0 <= s <= t")
          .given(large(s) >= s + 1, fmt::format("power({}).above", c))
          .given(implies(s < t, Term(larger) * large(s) <= large(t)),
                 fmt::format("power({}).growth", c))
          .given(small(s) <= large(s), name + ".step")
          .conclude(conjunction(
              {small(s) <= large(t), implies(s < t, Term(base) * small(s) <= large(t))})));
  return lemma;
}

int steps_within(const Integer& base, const Integer& larger) {
  int steps = 1;
  for (Integer reached = base; reached < larger; reached = reached * base) ++steps;
  return steps;
}

Lemma within_lemma(const Knowledge& knowledge, const Integer& base, const Integer& larger) {
  const std::string b = base.to_string(), c = larger.to_string();
  const std::string name = fmt::format("within({},{})", b, c);
  const int e = steps_within(base, larger);
  const auto small = [&](const Term& t) { return Term::apply("pow." + b, t); };
  const auto large = [&](const Term& t) { return Term::apply("pow." + c, t); };
  const Term t = Term::variable("t"), here = Term(e) * t;
  Lemma lemma{name, {}};
  lemma.obligations.push_back(Step(knowledge, name + ".base", fmt::format("{}^0 <= {}^0", c, b))
                                  .given(equal(small(0), 1), "definition")
                                  .given(equal(large(0), 1), "definition")
                                  .conclude(large(0) <= small(0)));
  Step step(knowledge, name + ".step",
            fmt::format("{0}^t <= {1}^({2} t) gives {0}^(t+1) <= {1}^({2} t + {2})", c, b, e));
  step.given(t >= 0, "t is natural")
      .given(equal(large(t + 1), Term(larger) * large(t)), "definition")
      .given(small(here) >= 1, fmt::format("power({}).above", b));
  for (int further = 0; further < e; ++further) {
    const Term before = further == 0 ? here : here + Term(further);
    step.given(equal(small(here + Term(further + 1)), Term(base) * small(before)), "definition");
  }
  step.given(large(t) <= small(here), "induction hypothesis");
  lemma.obligations.push_back(step.conclude(large(t + 1) <= small(here + Term(e))));
  return lemma;
}

Lemma products_lemma(const Knowledge& knowledge) {
  const Term a = Term::variable("a"), b = Term::variable("b"), c = Term::variable("c"),
             d = Term::variable("d");
  return {"products",
          {Step(knowledge, "products", "a c <= b d for 0 <= a <= b and 0 <= c <= d")
               .given(conjunction({a >= 0, a <= b, c >= 0, c <= d}), "in order")
               .conclude(a * c <= b * d)}};
}

Lemma squares_lemma(const Knowledge& knowledge) {
  const auto power = [](const Term& t) { return Term::apply("pow.2", t); };
  const Term t = Term::variable("t"), x = Term::variable("x"), y = Term::variable("y");
  Lemma lemma{"squares", {}};
  lemma.obligations.push_back(Step(knowledge, "squares.base", "2^(2 * 0) = (2^0)^2")
                                  .given(equal(power(0), 1), "definition")
                                  .conclude(equal(power(0), power(0) * power(0))));
  lemma.obligations.push_back(
      Step(knowledge, "squares.step", "2^(2t) = (2^t)^2 gives 2^(2t+2) = (2^(t+1))^2")
          .given(t >= 0, "t is natural")
          .given(equal(power(t + t + 1), Term(2) * power(t + t)), "definition")
          .given(equal(power(t + t + 2), Term(2) * power(t + t + 1)), "definition")
          .given(equal(x, power(t)), "a name")
          .given(equal(y, power(t + 1)), "a name")
          .given(equal(y, Term(2) * x), "definition")
          .given(equal(power(t + t), x * x), "induction hypothesis")
          .conclude(equal(power(t + t + 2), y * y)));
  return lemma;
}

// Induction on the number l of further bits, through popcount(2 y + z) = popcount(y) + z.
Lemma popcount_lemma(const Knowledge& knowledge) {
  const auto ones = [](const Term& x) { return Term::apply("bit.popcount", x); };
  const Term x = Term::variable("x"), y = Term::variable("y"), z = Term::variable("z"),
             l = Term::variable("l");
  const auto power = [](const Term& t) { return Term::apply("pow.2", t); };
  Lemma lemma{"popcount", power_lemma(knowledge, 2).obligations};
  lemma.obligations.push_back(Step(knowledge, "popcount.base", "popcount(x) = 1 for 1 <= x < 2")
                                  .given(equal(ones(1), 1), "definition")
                                  .given(conjunction({x >= 1, x < 2}), "l = 0")
                                  .conclude(conjunction({ones(x) >= 1, ones(x) <= 1})));
  lemma.obligations.push_back(
      Step(knowledge, "popcount.step",
           "1 <= popcount(y) <= l + 1 gives 1 <= popcount(2y+z) <= l + 2, where 2^l <= y < 2^(l+1)")
          .given(conjunction({l >= 0, z >= 0, z <= 1}), "z is the lowest bit")
          .given(equal(x, Term(2) * y + z), "y is the rest")
          .given(equal(power(l + 1), Term(2) * power(l)), "definition")
          .given(conjunction({power(l + 1) <= x, x < Term(2) * power(l + 1)}), "l + 1 is log2(x)")
          .given(equal(ones(x), ones(y) + z), "definition")
          .given(implies(conjunction({power(l) <= y, y < Term(2) * power(l)}),
                         conjunction({ones(y) >= 1, ones(y) <= l + 1})),
                 "induction hypothesis")
          .conclude(conjunction({ones(x) >= 1, ones(x) <= l + 2})));
  return lemma;
}

// Induction on the binary digits of x = 2 y + z, from 2^popcount(0) = 1.
Lemma bits_lemma(const Knowledge& knowledge) {
  const auto ones = [](const Term& x) { return Term::apply("bit.popcount", x); };
  const auto power = [](const Term& t) { return Term::apply("pow.2", t); };
  const Term x = Term::variable("x"), y = Term::variable("y"), z = Term::variable("z");
  return {
      "bits",
      {Step(knowledge, "bits.base", "2^popcount(0) <= 1")
           .given(equal(ones(0), 0), "definition")
           .given(equal(power(0), 1), "definition")
           .conclude(power(ones(0)) <= 1),
       Step(knowledge, "bits.step", "2^popcount(y) <= y + 1 gives 2^popcount(2y+z) <= 2y + z + 1")
           .given(conjunction({y >= 0, z >= 0, z <= 1}), "z is the lowest bit")
           .given(equal(x, Term(2) * y + z), "y is the rest")
           .given(equal(ones(x), ones(y) + z), "definition")
           .given(equal(power(ones(y) + 1), Term(2) * power(ones(y))), "definition")
           .given(power(ones(y)) <= y + 1, "induction hypothesis")
           .conclude(power(ones(x)) <= x + 1)}};
}

}  // namespace heddle::proof
