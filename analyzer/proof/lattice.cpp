// SPDX-License-Identifier: Apache-2.0
// a_0 = 1, a_{k+1} = a_k ceil(g_{k+1} / a_k), p_k(i) = a_k ceil((i - f(k)) / a_k) for f(k) < i. The
// positions satisfy i - f(k) <= p_k(i) < i - f(k) + a_k, hence p_m(i) < p_k(i) for m > k as soon as
// a_m <= f(m) - f(k).
#include "analyzer/proof/lattice.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/proof/query.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

constexpr int kWidestSpread = 4;
constexpr std::int64_t kLatestStart = 12;
constexpr std::int64_t kFirstValues = 48;

class Finder {
 public:
  Finder(const Knowledge& knowledge, const std::string& name)
      : knowledge_(knowledge), name_(name), function_(*knowledge.pattern->function(name)) {
    const Evaluator evaluator(*knowledge.pattern);
    for (std::int64_t k = 0; k < kFirstValues; ++k) {
      const Result<Integer> value = evaluator.call(name, k);
      if (!value.ok() || value.value().bit_length() > 2048) break;
      samples_.push_back(value.value());
    }
  }

  LatticeFacts find() {
    if (samples_.size() < 4) return facts_;
    find_ratio();
    if (facts_.distinct) return facts_;
    find_convexity();
    if (facts_.convex) find_spread();
    return facts_;
  }

 private:
  Integer gap(std::size_t k) const { return samples_[k] - samples_[k - 1]; }

  bool keep(const Query& query, Attempt attempt) {
    if (!attempt.proved()) return false;
    facts_.obligations.push_back(std::move(attempt.obligation));
    facts_.lemmas.insert(query.lemmas().begin(), query.lemmas().end());
    return true;
  }

  // With a_k = g_k and g_{k+1} = c g_k the quotient is exact: a_{k+1} = g_{k+1}; a_1 = g_1 as
  // a_0 = 1. Then p_{k+1}(i) < i - f(k+1) + g_{k+1} = i - f(k) <= p_k(i).
  void find_ratio() {
    if (floor_mod(gap(2), gap(1)).sign() != 0) return;
    const Integer ratio = floor_div(gap(2), gap(1));
    for (std::size_t k = 2; k < samples_.size(); ++k) {
      if (gap(k) != ratio * gap(k - 1)) return;
    }
    Query query(knowledge_, knowledge_.resource_limit);
    const Term k = query.variable("k");
    query.assume(k >= 0, "k is natural");
    const Term f0 = query.apply(function_, k), f1 = query.apply(function_, k + 1),
               f2 = query.apply(function_, k + 2);
    const std::string statement =
        fmt::format("{0}(k+2) - {0}(k+1) = {1} ({0}(k+1) - {0}(k))", name_, ratio.to_string());
    facts_.distinct = keep(query, query.prove("lattice ratio: " + name_, statement,
                                              equal(f2 - f1, Term(ratio) * (f1 - f0))));
    if (!facts_.distinct) return;
    facts_.convex = true;  // the ratio is at least 1, as gaps are
    facts_.rules.push_back(
        "lattice strides: gaps in a constant ratio are the strides, and positions are distinct");
  }

  // g_{k+2} >= g_{k+1} + rise
  bool gaps_rise(int rise) {
    for (std::size_t k = 2; k < samples_.size(); ++k) {
      if (gap(k) < gap(k - 1) + Integer(rise)) return false;
    }
    Query query(knowledge_, knowledge_.resource_limit);
    const Term k = query.variable("k");
    query.assume(k >= 0, "k is natural");
    const Term f0 = query.apply(function_, k), f1 = query.apply(function_, k + 1),
               f2 = query.apply(function_, k + 2);
    return keep(query, query.prove("lattice convex: " + name_,
                                   fmt::format("{0}(k+2) - {0}(k+1) >= {0}(k+1) - {0}(k) + {1}",
                                               name_, rise),
                                   f1 - f0 + Term(rise) <= f2 - f1));
  }

  // Induction: a' = a when a >= g', else a' <= g' + a - 1; either way a <= 2 g - 1 and g <= g' give
  // a' <= 2 g' - 1; a_1 = g_1. When gaps rise, g + 1 <= g' gives a' <= 2 g' - 2.
  void find_convexity() {
    const bool rises = gaps_rise(1);
    if (!rises && !gaps_rise(0)) return;
    slack_ = rises ? 2 : 1;
    Query step(knowledge_, knowledge_.resource_limit);
    const Term a = step.variable("a"), next = step.variable("b"), g = step.variable("g"),
               h = step.variable("h");
    step.assume(conjunction({a >= 1, g >= 1, g + Term(slack_ - 1) <= h}), "gaps do not fall");
    step.assume(implies(h <= a, equal(next, a)), "the quotient of the gap by the stride is 1");
    step.assume(conjunction({h <= next, next < h + a}), "the least multiple of a from h on");
    step.assume(a <= Term(2) * g - 1, "induction hypothesis");
    facts_.convex = keep(step, step.prove("lattice stride.step",
                                          fmt::format("a <= 2 g - 1 gives b <= 2 h - {}", slack_),
                                          next <= Term(2) * h - Term(slack_)));
    if (facts_.convex) {
      facts_.rules.push_back(
          "lattice strides: when gaps do not fall, a_k <= 2 (f(k) - f(k-1)) - 1");
    }
  }

  // a_{k+w} <= 2 g_{k+w} - slack <= f(k+w) - f(k) for k >= from; k + w >= 2
  void find_spread() {
    for (int w = 2; w <= kWidestSpread; ++w) {
      const std::size_t last = samples_.size() - static_cast<std::size_t>(w) - 1;
      std::int64_t from = 0;
      for (std::size_t k = 0; k <= last; ++k) {
        const std::size_t m = k + static_cast<std::size_t>(w);
        if (samples_[m] - samples_[k] < Integer(2) * gap(m) - Integer(slack_)) {
          from = static_cast<std::int64_t>(k) + 1;
        }
      }
      if (from > kLatestStart) continue;
      Query query(knowledge_, knowledge_.resource_limit);
      const Term k = query.variable("k");
      query.assume(k >= Term(from), "from here on");
      const Term f0 = query.apply(function_, k), before = query.apply(function_, k + Term(w - 1)),
                 after = query.apply(function_, k + Term(w));
      const std::string statement =
          fmt::format("2 ({0}(k+{1}) - {0}(k+{2})) - {4} <= {0}(k+{1}) - {0}(k) for k >= {3}",
                      name_, w, w - 1, from, slack_);
      if (!keep(query, query.prove("lattice spread: " + name_, statement,
                                   Term(2) * (after - before) - Term(slack_) <= after - f0))) {
        continue;
      }
      facts_.spread = w;
      facts_.from = from;
      facts_.rules.push_back(fmt::format(
          "lattice spread: p_(k+{0})(i) < p_k(i) for k >= {1}, as a_(k+{0}) <= f(k+{0}) - f(k)", w,
          from));
      return;
    }
  }

  const Knowledge& knowledge_;
  std::string name_;
  const FunctionDefinition& function_;
  std::vector<Integer> samples_;
  int slack_ = 1;
  LatticeFacts facts_;
};

}  // namespace

LatticeFacts lattice_facts(const Knowledge& knowledge, const std::string& function) {
  return Finder(knowledge, function).find();
}

}  // namespace heddle::proof
