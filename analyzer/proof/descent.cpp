// SPDX-License-Identifier: Apache-2.0
// The steps of a descent, by what a set of rows is sure to read:
//   distances g(k), k >= low: t reads of g(k) lead from d to d - t g(k), g(k) <= d < g(k+1)
//   distances 1..m and no others that matter: one read of m leads from d > m to d - m
//   every distance beyond s: one read is enough from there on
//   lattice(f): one read leads from f(k) <= d < f(k+1) to some r <= a_{k+1} - 1, r < d. Proof: let
//   j
//     be the target. If p_{k+1}(i) >= j, then r <= d - f(k+1) + a_{k+1} - 1 < a_{k+1}. Else
//     p_k(i) - p_{k+1}(i) <= f(k+1) - f(k) + a_k - 1 is a multiple of a_k, hence at most a_{k+1}.
#include "analyzer/proof/descent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "patterns/ast_print.hpp"
#include "patterns/expression.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

constexpr const char* kDistance = "i - j";  // no name of the language
constexpr std::int64_t kSearched = 1024;    // distances of translation-invariant rows
constexpr std::int64_t kSearchedLattice = 128;
constexpr std::int64_t kLongestPeriod = 512;
constexpr std::int64_t kMostSteps = 6;  // of one g(k)

ExpressionPtr name(const std::string& text) { return make_expression(Name{text}); }
ExpressionPtr literal(std::int64_t value) { return make_expression(Literal{Integer(value)}); }
ExpressionPtr arithmetic(ArithmeticOperator op, ExpressionPtr left, ExpressionPtr right) {
  return make_expression(Arithmetic{op, std::move(left), std::move(right)});
}
ExpressionPtr log2_of(ExpressionPtr x) {
  return make_expression(BuiltinCall{BuiltinFunction::kLog2, {std::move(x)}});
}

// Rebuilds an expression with `leaf` applied to every node first; it may return null to go on.
ExpressionPtr rebuilt(const ExpressionPtr& expression,
                      const std::function<ExpressionPtr(const ExpressionPtr&)>& leaf) {
  if (ExpressionPtr replaced = leaf(expression)) return replaced;
  const auto part = [&](const ExpressionPtr& each) { return rebuilt(each, leaf); };
  return match(
      expression->node, [&](const Literal&) { return expression; },
      [&](const Name&) { return expression; },
      [&](const Apply& node) {
        return make_expression(Apply{node.function, part(node.argument)});
      },
      [&](const Negate& node) { return make_expression(Negate{part(node.operand)}); },
      [&](const Arithmetic& node) {
        return arithmetic(node.op, part(node.left), part(node.right));
      },
      [&](const BuiltinCall& node) {
        BuiltinCall call{node.function, {}};
        for (const ExpressionPtr& argument : node.arguments) {
          call.arguments.push_back(part(argument));
        }
        return make_expression(std::move(call));
      },
      [&](const MeasureTerm&) { return expression; });
}

bool is_name(const ExpressionPtr& expression, const char* text) {
  const auto* node = std::get_if<Name>(&expression->node);
  return node != nullptr && node->name == text;
}

// What every row reads, as steps of a descent.
struct Ruler {
  enum class Kind { kProgression, kFinite, kEverything, kLattice };
  Kind kind = Kind::kFinite;
  const Points* points = nullptr;            // all but kLattice
  const Progression* progression = nullptr;  // kProgression
  std::int64_t longest = 0;                  // kFinite
  std::string function;                      // kLattice
  const LatticeFacts* lattice = nullptr;
  std::vector<int> hops;    // entry d: the most hops over distance d, over all rows
  std::int64_t period = 1;  // of rows, as far as distances below hops.size() are concerned
};

class Descent {
 public:
  explicit Descent(const Structure& structure)
      : structure_(structure), evaluator_(*structure.knowledge.pattern) {
    if (structure.reaches_all()) add_rulers(structure.b.model);
  }

  std::optional<HopBound> prove(const ExpressionPtr& bound) const {
    for (const Ruler& ruler : rulers_) {
      if (auto proved = prove_with(ruler, bound)) return proved;
    }
    return std::nullopt;
  }

  std::vector<HopBound> find() const {
    std::vector<HopBound> found;
    for (const Ruler& ruler : rulers_) {
      for (const std::vector<ExpressionPtr>& list : shapes(ruler)) {
        for (const ExpressionPtr& shape : list) {
          const std::optional<std::int64_t> spare = excess(ruler, shape);
          if (!spare) continue;
          const ExpressionPtr bound =
              *spare == 0 ? shape : arithmetic(ArithmeticOperator::kAdd, shape, literal(*spare));
          if (auto proved = prove_with(ruler, bound)) {
            found.push_back(std::move(*proved));
            break;
          }
        }
      }
    }
    return found;
  }

 private:
  void add_rulers(const RowModel& model) {
    if (model.kind == RowModel::Kind::kUnion) {  // more reads never make a path longer
      for (const RowModel& part : model.parts) add_rulers(part);
    } else if (model.kind == RowModel::Kind::kDistances) {
      add_points(model.points);
    } else if (model.kind == RowModel::Kind::kLattice) {
      add_lattice(model.function);
    }
  }

  void add_points(const Points& points) {
    const auto add = [&](Ruler ruler) {
      ruler.points = &points;
      ruler.hops = hops_of(points);
      if (!ruler.hops.empty()) rulers_.push_back(std::move(ruler));
    };
    if (points.all_beyond) {
      add({Ruler::Kind::kEverything, nullptr, nullptr, 0, {}, nullptr, {}, 1});
    } else if (points.beyond.empty()) {
      if (points.start.empty() || points.start.back().high < 1) return;
      add({Ruler::Kind::kFinite, nullptr, nullptr, points.start.back().high, {}, nullptr, {}, 1});
    }
    for (const Progression& progression : points.beyond) {
      add({Ruler::Kind::kProgression, nullptr, &progression, 0, {}, nullptr, {}, 1});
    }
  }

  // Fewest terms from the points that sum to d; empty unless 1 is among them.
  std::vector<int> hops_of(const Points& points) const {
    std::vector<std::int64_t> steps;
    for (const Interval& interval : points.start) {
      for (std::int64_t d = std::max<std::int64_t>(interval.low, 1);
           d <= std::min(interval.high, kSearched); ++d) {
        steps.push_back(d);
      }
    }
    for (std::int64_t d = points.split + 1; points.all_beyond && d <= kSearched; ++d) {
      steps.push_back(d);
    }
    for (const Progression& progression : points.beyond) {
      for (std::int64_t k = progression.low;; ++k) {
        const Result<Integer> value =
            evaluator_.evaluate(*progression.value, {{progression.variable, Integer(k)}});
        if (!value.ok()) return {};
        if (Integer(kSearched) < value.value()) break;
        steps.push_back(*value.value().to_int64());
      }
    }
    if (std::find(steps.begin(), steps.end(), 1) == steps.end()) return {};
    std::vector<int> hops(static_cast<std::size_t>(kSearched) + 1, 0);
    for (std::int64_t d = 1; d <= kSearched; ++d) {
      int fewest = static_cast<int>(d);
      for (const std::int64_t step : steps) {
        if (step <= d) fewest = std::min(fewest, hops[static_cast<std::size_t>(d - step)] + 1);
      }
      hops[static_cast<std::size_t>(d)] = fewest;
    }
    return hops;
  }

  // Slot k of row i + a_k is slot k of row i, a_k further on; slots whose function value exceeds
  // the row lie before token 1 and are never read. So residues modulo the last stride are all there
  // is.
  void add_lattice(const std::string& function) {
    const auto known = structure_.refined.lattices.find(function);
    if (known == structure_.refined.lattices.end() || !known->second.convex) return;
    Ruler ruler;
    ruler.kind = Ruler::Kind::kLattice;
    ruler.function = function;
    ruler.lattice = &known->second;
    std::vector<std::pair<std::int64_t, std::int64_t>> slots;  // f(k), a_k
    Integer stride = 1, previous = 1;
    for (std::int64_t k = 0;; ++k) {
      const Result<Integer> value = evaluator_.call(function, k);
      if (!value.ok()) return;
      if (k > 0) stride = stride * ceil_div(value.value() - previous, stride);
      previous = value.value();
      if (Integer(kSearchedLattice) < previous - stride + Integer(1)) break;
      if (Integer(kLongestPeriod) < stride) return;
      slots.emplace_back(*previous.to_int64(), *stride.to_int64());
    }
    ruler.period = slots.back().second;
    ruler.hops.assign(static_cast<std::size_t>(kSearchedLattice) + 1, 0);
    std::vector<int> here(ruler.hops.size(), 0);
    for (std::int64_t j = 0; j < ruler.period; ++j) {
      for (std::int64_t d = 1; d <= kSearchedLattice; ++d) {
        int fewest = static_cast<int>(d);
        for (const auto& [value, a] : slots) {
          const std::int64_t behind = j + d - value;  // may be negative
          const std::int64_t position = behind >= 0 ? (behind + a - 1) / a * a : -(-behind / a * a);
          if (position < j) continue;
          fewest = std::min(fewest, here[static_cast<std::size_t>(position - j)] + 1);
        }
        here[static_cast<std::size_t>(d)] = fewest;
        int& most = ruler.hops[static_cast<std::size_t>(d)];
        most = std::max(most, fewest);
      }
    }
    rulers_.push_back(std::move(ruler));
  }

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

  // What the step of an induction knows about the remainder r of d > start after some reads.
  enum class Grip {
    kExact,    // the definition of the reads, k included
    kHalving,  // t reads leave (t + 1) r < d; one read of a lattice 2 r <= d
    kRoot,     // one read leaves r^2 <= 4^e d
  };

  // r <= most after `steps` reads.
  struct Move {
    std::int64_t most = 0;
    std::int64_t steps = 1;
    bool any = false;  // every r from 0 to `most` is possible, not only `most`
  };
  std::optional<Integer> ruler_value(const Ruler& ruler, std::int64_t k) const {
    const Result<Integer> value =
        ruler.kind == Ruler::Kind::kLattice
            ? evaluator_.call(ruler.function, k)
            : evaluator_.evaluate(*ruler.progression->value,
                                  {{ruler.progression->variable, Integer(k)}});
    return value.ok() ? std::optional(value.value()) : std::nullopt;
  }

  // r < room after one read, where `gap` = g(k+1) - g(k).
  static Integer room_of(const Ruler& ruler, const Integer& gap) {
    const bool doubled = ruler.kind == Ruler::Kind::kLattice && !ruler.lattice->distinct;
    return doubled ? Integer(2) * gap - Integer(1) : gap;
  }

  // `level` is e for kRoot, and the largest number of reads of one g(k) for kHalving.
  std::optional<Move> move_from(const Ruler& ruler, std::int64_t d, Grip grip, int level) const {
    if (ruler.kind == Ruler::Kind::kEverything) {
      return d <= ruler.points->split ? std::nullopt : std::optional(Move{0, 1, false});
    }
    if (ruler.kind == Ruler::Kind::kFinite) {
      return d <= ruler.longest ? std::nullopt : std::optional(Move{d - ruler.longest, 1, false});
    }
    std::int64_t k = ruler.kind == Ruler::Kind::kLattice ? 0 : ruler.progression->low;
    std::optional<Integer> here = ruler_value(ruler, k);
    if (!here || Integer(d) < *here) return std::nullopt;
    std::optional<Integer> next = ruler_value(ruler, k + 1);
    while (next && *next <= Integer(d)) {
      here = next;
      next = ruler_value(ruler, ++k + 1);
    }
    if (!next) return std::nullopt;
    const Integer room = room_of(ruler, *next - *here);
    if (grip == Grip::kRoot) {
      const Integer rest = room - Integer(1), factor = *power(4, static_cast<unsigned>(level), 64);
      if (factor * *here < rest * rest) return std::nullopt;
      const Integer most = std::min(integer_sqrt(factor * Integer(d)), Integer(d - 1));
      return Move{*most.to_int64(), 1, true};
    }
    if (ruler.kind == Ruler::Kind::kProgression) {
      const Integer steps = floor_div(Integer(d), *here);
      const Integer ratio = ceil_div(*next, *here);
      if (Integer(level + 1) < ratio) return std::nullopt;
      const std::int64_t count = *steps.to_int64();
      if (grip == Grip::kHalving) return Move{(d - 1) / (count + 1), count, true};
      return Move{*(Integer(d) - steps * *here).to_int64(), count, false};
    }
    if (grip == Grip::kHalving) {
      if (*here < Integer(2) * (room - Integer(1))) return std::nullopt;
      return Move{d / 2, 1, true};
    }
    return Move{*std::min(Integer(d), room).to_int64() - 1, 1, true};
  }

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
      const std::optional<Move> move = move_from(ruler, d, grip, level);
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
  Evaluator evaluator_;
  std::vector<Ruler> rulers_;
};

}  // namespace

ExpressionPtr in_distance(const ExpressionPtr& expression) {
  bool only_distances = true;
  ExpressionPtr result = rebuilt(expression, [&](const ExpressionPtr& node) -> ExpressionPtr {
    const auto* pair = std::get_if<Arithmetic>(&node->node);
    if (pair != nullptr && pair->op == ArithmeticOperator::kSubtract && is_name(pair->left, "i") &&
        is_name(pair->right, "j")) {
      return name(kDistance);
    }
    only_distances = only_distances && !is_name(node, "i") && !is_name(node, "j") &&
                     !std::holds_alternative<MeasureTerm>(node->node);
    return nullptr;
  });
  return only_distances ? result : nullptr;
}

ExpressionPtr at_distance(const ExpressionPtr& bound, const ExpressionPtr& distance) {
  return rebuilt(bound, [&](const ExpressionPtr& node) -> ExpressionPtr {
    return is_name(node, kDistance) ? distance : nullptr;
  });
}

ExpressionPtr in_rows(const ExpressionPtr& bound) {
  return at_distance(bound, arithmetic(ArithmeticOperator::kSubtract, name("i"), name("j")));
}

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
