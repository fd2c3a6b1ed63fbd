// SPDX-License-Identifier: Apache-2.0
// Of each shape of bound the smallest that fits the short distances is tried, and proved by its
// step.
#include "analyzer/proof/descent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "analyzer/proof/rulers.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/expression.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

ExpressionPtr name(const std::string& text) { return make_expression(Name{text}); }
ExpressionPtr literal(std::int64_t value) { return make_expression(Literal{Integer(value)}); }
ExpressionPtr arithmetic(ArithmeticOperator op, ExpressionPtr left, ExpressionPtr right) {
  return make_expression(Arithmetic{op, std::move(left), std::move(right)});
}
ExpressionPtr log2_of(ExpressionPtr x) {
  return make_expression(BuiltinCall{BuiltinFunction::kLog2, {std::move(x)}});
}

class Descent {
 public:
  explicit Descent(const Structure& structure)
      : structure_(structure), evaluator_(*structure.knowledge.evaluator), rulers_(structure) {}

  std::optional<HopBound> prove(const ExpressionPtr& bound) const {
    for (const Ruler& ruler : rulers_.all()) {
      if (auto proved = prove_with(ruler, bound)) return proved;
    }
    return std::nullopt;
  }

  std::vector<HopBound> find() const {
    std::vector<HopBound> found;
    std::set<std::string> texts;  // a bound is shown once, whatever else would show it too
    for (const Ruler& ruler : rulers_.all()) {
      for (const std::vector<ExpressionPtr>& list : shapes(ruler)) {
        for (const ExpressionPtr& shape : list) {
          const std::optional<std::int64_t> spare = excess(ruler, shape);
          if (!spare) continue;
          const ExpressionPtr bound =
              *spare == 0 ? shape : arithmetic(ArithmeticOperator::kAdd, shape, literal(*spare));
          const std::string text = print(*bound);
          if (texts.count(text) > 0) break;
          if (auto proved = prove_with(ruler, bound)) {
            found.push_back(std::move(*proved));
            texts.insert(text);
            break;
          }
        }
      }
    }
    return found;
  }

 private:
  std::optional<std::int64_t> value_at(const ExpressionPtr& bound, std::int64_t d) const {
    const Result<Integer> value = evaluator_.evaluate(*bound, {{kDistance, Integer(d)}});
    return value.ok() ? value.value().to_int64() : std::nullopt;
  }

  // The least c with hops(d) <= shape(d) + c where it was searched.
  std::optional<std::int64_t> excess(const Ruler& ruler, const ExpressionPtr& shape) const {
    std::int64_t most = 0;
    for (std::size_t d = 1; d < ruler.hops.size(); ++d) {
      const std::optional<std::int64_t> value = value_at(shape, static_cast<std::int64_t>(d));
      if (!value) return std::nullopt;
      most = std::max(most, ruler.hops[d] - *value);
    }
    return most;
  }

  // log2(max(log2(d) - shift, 1))
  static ExpressionPtr double_log(std::int64_t shift) {
    const ExpressionPtr inner =
        arithmetic(ArithmeticOperator::kSubtract, log2_of(name(kDistance)), literal(shift));
    return log2_of(make_expression(BuiltinCall{BuiltinFunction::kMax, {inner, literal(1)}}));
  }

  // Of each list the first that can be proved is kept.
  std::vector<std::vector<ExpressionPtr>> shapes(const Ruler& ruler) const {
    const ExpressionPtr d = name(kDistance);
    switch (ruler.kind) {
      case Ruler::Kind::kEverything:
        return {{literal(0)}};
      case Ruler::Kind::kFinite:
        if (ruler.longest == 1) return {{d}};
        return {{arithmetic(ArithmeticOperator::kFloorDivide, d, literal(ruler.longest))}};
      case Ruler::Kind::kProgression:
      case Ruler::Kind::kLattice: {
        std::vector<ExpressionPtr> logs{log2_of(d)};
        for (std::int64_t factor = 2; factor <= kMostSteps; ++factor) {
          logs.push_back(arithmetic(ArithmeticOperator::kMultiply, literal(factor), log2_of(d)));
        }
        return {{double_log(2), double_log(4)}, std::move(logs)};
      }
    }
    unreachable("ruler");
  }

  // ---- one proof

  std::optional<HopBound> prove_with(const Ruler& ruler, const ExpressionPtr& bound) const {
    std::vector<std::pair<Grip, int>> grips{{Grip::kExact, 0}};
    if (ruler.kind == Ruler::Kind::kProgression) {
      grips.clear();
      for (int reads = 1; reads <= kMostSteps; ++reads) grips.emplace_back(Grip::kHalving, reads);
    }
    if (ruler.kind == Ruler::Kind::kLattice) grips = {{Grip::kHalving, 0}, {Grip::kExact, 0}};
    if (ruler.kind == Ruler::Kind::kProgression || ruler.kind == Ruler::Kind::kLattice) {
      grips.insert(grips.end(), {{Grip::kRoot, 1}, {Grip::kRoot, 2}});
    }
    for (const auto& [grip, level] : grips) {
      if (auto proved = prove_with(ruler, bound, grip, level)) return proved;
    }
    return std::nullopt;
  }

  // The base where it must reach, which says whether the step can hold beyond; then the step.
  std::optional<HopBound> prove_with(const Ruler& ruler, const ExpressionPtr& bound, Grip grip,
                                     int level) const {
    const std::int64_t last = static_cast<std::int64_t>(ruler.hops.size()) - 1;
    std::vector<std::int64_t> values(ruler.hops.size(), 0), most(ruler.hops.size(), 0);
    std::int64_t start = 0;  // the step holds for every searched distance after this one
    for (std::int64_t d = 1; d <= last; ++d) {
      const auto at = static_cast<std::size_t>(d);
      const std::optional<std::int64_t> value = value_at(bound, d);
      if (!value) return std::nullopt;
      values[at] = *value;
      most[at] = std::max(most[at - 1], *value);
      const std::optional<Move> move = rulers_.move_from(ruler, d, grip, level);
      bool holds = move.has_value();
      if (move) {
        const auto far = static_cast<std::size_t>(move->most);
        const std::int64_t rest = move->any ? most[far] : values[far];
        holds = std::max<std::int64_t>(rest, 0) + move->steps <= *value;
      }
      if (!holds) start = d;
    }
    for (std::int64_t d = 1; d <= start; ++d) {
      const auto at = static_cast<std::size_t>(d);
      if (ruler.hops[at] > values[at]) return std::nullopt;
    }
    if (start > last / 2) return std::nullopt;
    return step(ruler, bound, grip, level, start, level);
  }

  // The obligations of one proof as they come; all must hold.
  struct Collected {
    HopBound result;
    bool failed = false;

    void prove(Query& query, const std::string& name, const std::string& statement,
               const Term& goal) {
      if (failed) return;
      Attempt attempt = query.prove(name, statement, goal);
      failed = !attempt.proved();
      if (failed) return;
      result.obligations.push_back(std::move(attempt.obligation));
      result.lemmas.insert(query.lemmas().begin(), query.lemmas().end());
    }
  };

  Query new_query() const {
    Query query(structure_.knowledge, structure_.knowledge.resource_limit / 2);
    query.refine();
    return query;
  }

  // g(k) and g(k+1) for a k of the ruler; returns g(k+1) - g(k) - 1 or what a lattice leaves.
  struct Reads {
    Term here, next, rest;
  };
  Reads reads(Query& query, const Ruler& ruler) const {
    if (ruler.kind == Ruler::Kind::kLattice) {
      const FunctionDefinition& function = *structure_.knowledge.pattern->function(ruler.function);
      const Term k = query.variable("k");
      query.assume(k >= 0, "k is natural");
      const Term here = query.apply(function, k), next = query.apply(function, k + 1);
      const Term gap = next - here;
      return {here, next, (ruler.lattice->distinct ? gap : Term(2) * gap - 1) - 1};
    }
    const Progression& progression = *ruler.progression;
    const Term k = query.variable(progression.variable);
    query.assume(k >= Term(progression.low), "range of the variable");
    const auto value = [&](const Term& at) {
      return query.encode_known(*progression.value, {{progression.variable, at}});
    };
    const Term here = value(k), next = value(k + 1);
    return {here, next, next - here - 1};
  }

  std::optional<HopBound> step(const Ruler& ruler, const ExpressionPtr& bound, Grip grip, int e,
                               std::int64_t start, std::int64_t most_steps) const {
    Collected collected;
    collected.result.bound = bound;
    const std::string text = print(*in_rows(bound));
    const Term factor(*power(4, static_cast<unsigned>(e), 64));
    const bool lattice = ruler.kind == Ruler::Kind::kLattice;

    // What the reads are sure to leave, for every k.
    if (grip != Grip::kExact) {
      Query query = new_query();
      const Reads read = reads(query, ruler);
      query.assume(read.next >= Term(start + 2), "where distances beyond the searched ones fall");
      if (grip == Grip::kRoot) {
        collected.prove(query, "root gap: " + text,
                        fmt::format("r^2 <= 4^{} g(k) for the remainder r of one read", e),
                        read.rest * read.rest <= factor * read.here);
      } else if (lattice) {
        collected.prove(query, "halving gap: " + text,
                        "2 r <= g(k) for the remainder r of one read",
                        Term(2) * read.rest <= read.here);
      } else {
        collected.prove(query, "ratio: " + text,
                        fmt::format("g(k+1) <= {} g(k), so at most {} reads of g(k) leave less",
                                    most_steps + 1, most_steps),
                        read.next <= Term(most_steps + 1) * read.here);
      }
    }
    if (grip == Grip::kRoot) prove_root_lemma(collected, factor, e);
    if (collected.failed) return std::nullopt;

    Query query = new_query();
    const Term d = query.variable("d");
    query.assume(d >= Term(start + 1), "distances beyond those that were searched");
    std::vector<Term> goals;
    const Term here = query.encode(*bound, {{kDistance, d}});
    for (const Term& fact : query.take_needs()) goals.push_back(fact);
    // E(r) + steps <= E(d), or steps <= E(d) when nothing remains.
    const auto leads_to = [&](const Term& r, const Term& guard, std::int64_t count) {
      const Term there = query.encode(*bound, {{kDistance, r}});
      std::vector<Term> inner = query.take_needs();
      inner.push_back(there + Term(count) <= here);
      goals.push_back(implies(conjunction({guard, r >= 1}), conjunction(inner)));
      goals.push_back(implies(conjunction({guard, equal(r, 0)}), Term(count) <= here));
    };
    if (ruler.kind == Ruler::Kind::kEverything) {
      goals.push_back(Term(1) <= here);
    } else if (ruler.kind == Ruler::Kind::kFinite) {
      leads_to(d - Term(ruler.longest), conjunction({}), 1);
    } else if (grip == Grip::kExact) {
      const Reads read = reads(query, ruler);
      query.assume(conjunction({read.here <= d, d < read.next}), "the greedy read");
      const Term r = query.fresh("rest");
      query.assume(conjunction({r >= 0, r < d, r <= read.rest}), "what it leaves");
      leads_to(r, conjunction({}), 1);
    } else if (grip == Grip::kRoot) {
      const Term r = query.fresh("rest");
      query.assume(conjunction({r >= 0, r < d}), "what one read leaves");
      const auto log2_term = [&](const Term& x) {
        return query.encode_known(*log2_of(name("x")), {{"x", x}});
      };
      const Term y = log2_term(r), x = log2_term(d);
      query.assume(implies(r >= 1, Term(2) * y <= x + Term(2 * e)), "root of a logarithm");
      leads_to(r, conjunction({}), 1);
    } else {
      for (std::int64_t count = 1; count <= (lattice ? 1 : most_steps); ++count) {
        const Term r = query.fresh("rest");
        query.assume(conjunction({r >= 0, r + Term(count) <= d,
                                  Term(count + 1) * r + Term(lattice ? 0 : 1) <= d}),
                     "what the reads leave");
        leads_to(r, conjunction({}), count);
      }
    }
    collected.prove(query, "descent: " + text,
                    fmt::format("hops <= {} by descent for i - j > {}", text, start),
                    conjunction(goals));
    if (collected.failed) return std::nullopt;
    finish(ruler, start, collected.result);
    return std::move(collected.result);
  }

  // r^2 <= 4^e d, 2^y <= r and d < 2^(x+1) give 2 y <= x + 2 e, through 2^(2y) = (2^y)^2.
  void prove_root_lemma(Collected& collected, const Term& factor, int e) const {
    Query query = new_query();
    const Term r = query.variable("r"), d = query.variable("d"), x = query.variable("x"),
               y = query.variable("y");
    const Term s = query.fresh("square"), q = query.fresh("square");
    query.assume(conjunction({r >= 1, d >= 1, s <= factor * d}),
                 "s = r^2 for one read's remainder");
    const Term low = query.power_of(2, y), high = query.power_of(2, x);
    query.assume(conjunction({y >= 0, low <= r, r < Term(2) * low}), "y is log2(r)");
    query.assume(conjunction({x >= 0, high <= d, d < Term(2) * high}), "x is log2(d)");
    query.assume(equal(query.power_of(2, y + y), q), "squares: q = (2^y)^2");
    query.assume(q <= s, "squares keep the order of naturals");
    for (int more = 1; more <= 2 * e; ++more) query.power_of(2, x + Term(more));
    collected.prove(query, fmt::format("root of a logarithm, 4^{}", e),
                    fmt::format("r^2 <= 4^{0} d gives 2 log2(r) <= log2(d) + {1}", e, 2 * e),
                    Term(2) * y <= x + Term(2 * e));
    collected.result.lemmas.insert("squares");
  }

  void finish(const Ruler& ruler, std::int64_t start, HopBound& result) const {
    switch (ruler.kind) {
      case Ruler::Kind::kEverything:
        result.rules.push_back("hops: every distance beyond a bound is one read");
        break;
      case Ruler::Kind::kFinite:
        result.rules.push_back("hops: descent by the longest distance");
        break;
      case Ruler::Kind::kProgression:
        result.rules.push_back("hops: greedy descent over the distances " +
                               print(*ruler.progression->value));
        break;
      case Ruler::Kind::kLattice:
        result.rules.push_back(
            "hops: one read of a lattice leads from f(k) <= d < f(k+1) to less than a_(k+1)");
        break;
    }
    if (start > 0) {
      result.rules.push_back(
          ruler.kind == Ruler::Kind::kLattice
              ? fmt::format("hops: distances up to {} searched in all rows modulo {}", start,
                            ruler.period)
              : fmt::format("hops: distances up to {} searched", start));
    }
    if (ruler.lattice == nullptr) return;
    const LatticeFacts& facts = *ruler.lattice;
    result.rules.insert(result.rules.end(), facts.rules.begin(), facts.rules.end());
    result.obligations.insert(result.obligations.end(), facts.obligations.begin(),
                              facts.obligations.end());
    result.lemmas.insert(facts.lemmas.begin(), facts.lemmas.end());
  }

  const Structure& structure_;
  const Evaluator& evaluator_;
  Rulers rulers_;
};

}  // namespace

std::optional<HopBound> prove_hop_bound(const Structure& structure, const ExpressionPtr& bound) {
  return Descent(structure).prove(bound);
}

std::vector<HopBound> find_hop_bounds(const Structure& structure) {
  return Descent(structure).find();
}

Term hop_bound_term(Query& query, const HopBound& bound, const Term& distance) {
  return query.encode_known(*bound.bound, {{kDistance, distance}});
}

}  // namespace heddle::proof
