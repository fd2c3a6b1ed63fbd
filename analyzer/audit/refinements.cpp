// SPDX-License-Identifier: Apache-2.0
// Sizes that are known better: unions of progressions that lie within each other, apart, or meet
// regularly, and lattice rows whose places are distinct. A claim says by its laws whether it needs
// this; nothing else of it is believed.
#include <fmt/format.h>

#include <algorithm>

#include "analyzer/audit/derivation.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::auditing {
namespace {

constexpr std::int64_t kSamples = 12, kFarthestWitness = 400;
constexpr std::int64_t kLatestStart = 12;
constexpr int kWidestSpread = 4;

constexpr const char* kRatio =
    "lattice strides: gaps in a constant ratio are the strides, and positions are distinct";
constexpr const char* kBounded =
    "lattice strides: when gaps do not fall, a_k <= 2 (f(k) - f(k-1)) - 1";

Term linear(std::int64_t factor, const Term& k, std::int64_t offset) {
  return fill("(+ (* ?c ?k) ?e)", {{"?c", numeral(factor)}, {"?k", k}, {"?e", numeral(offset)}});
}

}  // namespace

std::optional<std::int64_t> Derivation::value(const Progression& values, std::int64_t k) const {
  return constant(*values.value, {{values.variable, k}});
}

// The k with value(k) = wanted, if it is not too far.
std::optional<std::int64_t> Derivation::index_of(const Progression& values,
                                                 std::int64_t wanted) const {
  for (std::int64_t k = values.low; k < values.low + kFarthestWitness; ++k) {
    const std::optional<std::int64_t> here = value(values, k);
    if (!here || *here > wanted) return std::nullopt;
    if (*here == wanted) return k;
  }
  return std::nullopt;
}

std::optional<Derivation::Overlap> Derivation::overlap(const std::vector<Progression>& all) {
  if (all.size() < 2 || !told_any("overlap: ")) return std::nullopt;
  const std::set<std::string> outer = rules_;
  const auto at = [](Step& step, const Progression& p, const Term& k) {
    return step.encode_known(*p.value, {{p.variable, k}});
  };
  // p(s) = q(c s + e)
  const auto within = [&](const Progression& p, const Progression& q) {
    const auto first = value(p, p.low), second = value(p, p.low + 1);
    const auto t0 = first ? index_of(q, *first) : std::nullopt;
    const auto t1 = second ? index_of(q, *second) : std::nullopt;
    if (!t0 || !t1) return false;
    const std::int64_t c = *t1 - *t0;
    return step("within: " + print(*p.value) + " and " + print(*q.value), [&](Step& step) {
      Holes holes{{"?s", step.variable("s")}, {"?p", numeral(p.low)}, {"?q", numeral(q.low)}};
      step.allow("(<= ?p ?s)", holes);
      holes["?t"] = linear(c, holes["?s"], *t0 - c * p.low);
      holes["?a"] = at(step, p, holes["?s"]);
      holes["?b"] = at(step, q, holes["?t"]);
      return fill("(and (<= ?q ?t) (= ?a ?b))", holes);
    });
  };
  const auto apart = [&](const Progression& p, const Progression& q) {
    return step("apart: " + print(*p.value) + " and " + print(*q.value), [&](Step& step) {
      Holes holes{{"?s", step.variable("s")},
                  {"?t", step.variable("t")},
                  {"?p", numeral(p.low)},
                  {"?q", numeral(q.low)}};
      step.allow("(and (<= ?p ?s) (<= ?q ?t))", holes);
      holes["?a"] = at(step, p, holes["?s"]);
      holes["?b"] = at(step, q, holes["?t"]);
      return fill("(not (= ?a ?b))", holes);
    });
  };
  Overlap result;
  std::vector<bool> covered(all.size(), false);
  for (std::size_t p = 0; p < all.size(); ++p) {
    std::string others;
    for (std::size_t q = 0; q < all.size(); ++q) {
      if (p == q) continue;
      others += (others.empty() ? "" : ", ") + print(*all[q].value);
      if (!covered[p] && !covered[q]) covered[p] = within(all[p], all[q]);
    }
    if (covered[p]) {
      rules_.insert(fmt::format("overlap: every {} is among the {}", print(*all[p].value), others));
    } else {
      result.kept.push_back(all[p]);
    }
  }
  for (std::size_t x = 0; x < result.kept.size(); ++x) {
    for (std::size_t y = x + 1; y < result.kept.size(); ++y) {
      const Progression& p = result.kept[x];
      const Progression& q = result.kept[y];
      if (apart(p, q)) {
        rules_.insert(
            fmt::format("overlap: no {} is among the {}", print(*p.value), print(*q.value)));
        continue;
      }
      const auto common = result.kept.size() == 2 ? meeting(p, q) : std::nullopt;
      if (!common) {
        rules_ = outer;
        return std::nullopt;
      }
      result.common.push_back(*common);
    }
  }
  return result;
}

// What p and q have in common is r + L u, u >= 0, for two arithmetic progressions.
std::optional<Progression> Derivation::meeting(const Progression& p, const Progression& q) {
  std::vector<std::int64_t> at_p, at_q;
  for (std::int64_t s = p.low; s < p.low + kFarthestWitness && at_p.size() < 2; ++s) {
    const auto here = value(p, s);
    const auto t = here ? index_of(q, *here) : std::nullopt;
    if (!t) continue;
    at_p.push_back(s);
    at_q.push_back(*t);
  }
  if (at_p.size() < 2) return std::nullopt;
  const std::int64_t r = *value(p, at_p[0]), period = *value(p, at_p[1]) - r;
  const std::string name = "meet: " + print(*p.value) + " and " + print(*q.value);
  const bool only = step(name + " (only there)", [&](Step& step) {
    Holes holes{{"?s", step.variable("s")}, {"?t", step.variable("t")},
                {"?u", step.variable("u")}, {"?v", step.variable("rest")},
                {"?p", numeral(p.low)},     {"?q", numeral(q.low)},
                {"?r", numeral(r)},         {"?l", numeral(period)}};
    step.allow("(and (<= ?p ?s) (<= ?q ?t))", holes);
    holes["?x"] = step.encode_known(*p.value, {{p.variable, holes["?s"]}});
    holes["?y"] = step.encode_known(*q.value, {{q.variable, holes["?t"]}});
    step.allow("(= ?x (+ (+ ?r (* ?l ?u)) ?v))", holes);  // quotient and remainder, which exist
    step.allow("(and (<= 0 ?v) (< ?v ?l))", holes);
    return fill("(=> (= ?x ?y) (and (= ?v 0) (<= 0 ?u)))", holes);
  });
  const bool everywhere =
      only && step(name + " (everywhere there)", [&](Step& step) {
        Holes holes{{"?u", step.variable("u")},
                    {"?p", numeral(p.low)},
                    {"?q", numeral(q.low)},
                    {"?r", numeral(r)},
                    {"?l", numeral(period)}};
        const auto place = [&](const std::vector<std::int64_t>& at) {
          return fill(
              "(+ ?a (* ?b ?u))",
              {{"?a", numeral(at[0])}, {"?b", numeral(at[1] - at[0])}, {"?u", holes["?u"]}});
        };
        step.allow("(<= 0 ?u)", holes);
        holes["?s"] = place(at_p);
        holes["?t"] = place(at_q);
        holes["?x"] = step.encode_known(*p.value, {{p.variable, holes["?s"]}});
        holes["?y"] = step.encode_known(*q.value, {{q.variable, holes["?t"]}});
        return fill("(and (= ?x (+ ?r (* ?l ?u))) (= ?y (+ ?r (* ?l ?u))) (<= ?p ?s) (<= ?q ?t))",
                    holes);
      });
  if (!everywhere) return std::nullopt;
  rules_.insert(fmt::format("overlap: {} and {} meet at {} + {} u", print(*p.value),
                            print(*q.value), r, period));
  const auto product = make_expression(Arithmetic{ArithmeticOperator::kMultiply,
                                                  make_expression(Literal{Integer(period)}),
                                                  make_expression(Name{"u"})});
  return Progression{"u",
                     make_expression(Arithmetic{ArithmeticOperator::kAdd, product,
                                                make_expression(Literal{Integer(r)})}),
                     0};
}

Derivation::Strides Derivation::strides(const std::string& name) {
  Strides result;
  const FunctionDefinition& f = *pattern_.function(name);
  // f(k), f(k + 1), ... as ?0, ?1, ...
  const auto values = [&](Step& step, std::int64_t low, const std::vector<int>& offsets) {
    Holes holes{{"?k", step.variable("k")}, {"?low", numeral(low)}};
    step.allow("(<= ?low ?k)", holes);
    for (const int offset : offsets) {
      const Term at = offset == 0
                          ? holes["?k"]
                          : fill("(+ ?k ?o)", {{"?k", holes["?k"]}, {"?o", numeral(offset)}});
      holes["?" + std::to_string(offset)] = step.apply(f, at);
    }
    return holes;
  };
  const auto call = [&](std::int64_t k) { return evaluator_.call(name, k); };
  if (told(kRatio) && lemma("ratio of the gaps of " + name, [&] {
        const auto f0 = call(0), f1 = call(1), f2 = call(2);
        if (!f0.ok() || !f1.ok() || !f2.ok() || *f1 <= *f0) return false;
        const Term ratio = numeral(floor_div(*f2 - *f1, *f1 - *f0));
        return step("lattice ratio: " + name, [&](Step& step) {
          Holes holes = values(step, 0, {0, 1, 2});
          holes["?c"] = ratio;
          return fill("(= (- ?2 ?1) (* ?c (- ?1 ?0)))", holes);
        });
      })) {
    rules_.insert(kRatio);
    result.distinct = result.bounded = true;
    return result;
  }
  if (!told(kBounded)) return result;
  for (const int slack : {2, 1}) {
    const Holes slacks{{"?s", numeral(slack)}, {"?r", numeral(slack - 1)}};
    if (!lemma("gaps of " + name + " rise by " + std::to_string(slack - 1), [&] {
          return step("lattice convex: " + name,
                      [&](Step& step) {
                        Holes holes = values(step, 0, {0, 1, 2});
                        holes.insert(slacks.begin(), slacks.end());
                        return fill("(<= (+ (- ?1 ?0) ?r) (- ?2 ?1))", holes);
                      }) &&
                 fixed("lattice stride.step",
                       {"(and (<= 1 a) (<= 1 g) (<= (+ g ?r) h))", "(=> (<= h a) (= b a))",
                        "(and (<= h b) (< b (+ h a)))", "(<= a (- (* 2 g) 1))"},
                       "(<= b (- (* 2 h) ?s))", slacks);
        })) {
      continue;
    }
    rules_.insert(kBounded);
    result.bounded = true;
    for (int w = 2; w <= kWidestSpread; ++w) {
      for (std::int64_t from = 0; from <= kLatestStart; ++from) {
        const std::string law = fmt::format(
            "lattice spread: p_(k+{0})(i) < p_k(i) for k >= {1}, as a_(k+{0}) <= f(k+{0}) - f(k)",
            w, from);
        if (!told(law) || !lemma(name + ": " + law, [&] {
              return step("lattice spread: " + name, [&](Step& step) {
                Holes holes = values(step, from, {0, w - 1, w});
                holes.insert(slacks.begin(), slacks.end());
                holes["?before"] = holes["?" + std::to_string(w - 1)];
                holes["?after"] = holes["?" + std::to_string(w)];
                return fill("(<= (- (* 2 (- ?after ?before)) ?s) (- ?after ?0))", holes);
              });
            })) {
          continue;
        }
        rules_.insert(law);
        result.spread = w;
        result.from = from;
        return result;
      }
    }
    return result;
  }
  return result;
}

void Derivation::refine(const Shape& shape) {
  for (const Shape& part : shape.parts) refine(part);
  if (shape.kind == Shape::Kind::kLattice) strides(shape.function);
  overlap(shape.points.beyond);
}

}  // namespace heddle::auditing
