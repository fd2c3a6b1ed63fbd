// SPDX-License-Identifier: Apache-2.0
// The laws that turn measures into arithmetic. Each law that is used is named as a rule, and the
// claim must name the very same ones.
#include <algorithm>

#include "analyzer/audit/derivation.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::auditing {
namespace {

using Kind = Shape::Kind;

constexpr const char* kRanges = "overlap: two ranges meet from the later start to the earlier end";
constexpr const char* kLagrange = "Lagrange: every natural number is a sum of four squares";

Term min_of(const Term& a, const Term& b) {
  return fill("(ite (<= ?a ?b) ?a ?b)", {{"?a", a}, {"?b", b}});
}
Term max_of(const Term& a, const Term& b) {
  return fill("(ite (<= ?b ?a) ?a ?b)", {{"?a", a}, {"?b", b}});
}
Term plus(const Term& a, const Term& b) { return fill("(+ ?a ?b)", {{"?a", a}, {"?b", b}}); }
Term minus(const Term& a, const Term& b) { return fill("(- ?a ?b)", {{"?a", a}, {"?b", b}}); }

const char* size_rule(const Shape& shape, bool live) {
  switch (shape.kind) {
    case Kind::kDistances:
      if (live) {
        return shape.points.infinite() ? "live set: unbounded distances keep everything"
                                       : "live set: the last m positions, m the largest distance";
      }
      return shape.points.beyond.empty()
                 ? "row size: distances below i"
                 : "row size: #{k : f(k) < i} is the c with f(c-1) < i <= f(c)";
    case Kind::kPositions:
      return live ? "live set: fixed positions are read for ever"
                  : "row size: fixed positions up to i";
    case Kind::kLattice:
      return live ? "live set: lattice rows are nested, live(i) = row(i+1)"
                  : "row size: a lattice row has at most #{k : f(k) < i}";
    case Kind::kUnion:
      return live ? "live set: of a union, the union" : "row size: a union has at most the sum";
    case Kind::kIntersection:
      return live ? "live set: of an intersection, within both"
                  : "row size: an intersection is in both parts";
    case Kind::kDifference:
      return live ? "live set: of a difference, within the left"
                  : "row size: a difference is in its left part";
    case Kind::kOther:
      if (live && shape.farthest) {
        return "live set: rows within their last m + 1 positions keep at most m";
      }
      return live ? "live set: at most every position"
                  : "row size: a range, or at most every position";
  }
  unreachable("shape");
}

}  // namespace

Derivation::Derivation(const Pattern& pattern, const Certificate& certificate)
    : pattern_(pattern), evaluator_(pattern) {
  for (const Obligation& obligation : certificate.obligations) {
    scripts_.emplace(obligation.name, read_script(obligation));
  }
}

// The c with value(low + c - 1) <= limit < value(low + c), which is #{k >= low : value(k) <= limit}
Term Derivation::count_progression(Step& step, const Progression& values, const Term& limit) {
  return step.choose("a count", [&](const Term& count) {
    const Term end = plus(count, numeral(values.low));
    const auto value = [&](const Term& k) {
      return step.encode_known(*values.value, {{values.variable, k}});
    };
    const Holes holes{{"?c", count},
                      {"?n", limit},
                      {"?last", value(minus(end, numeral(1)))},
                      {"?next", value(end)}};
    if (!step.allow("(<= 0 ?c)", holes) || !step.allow("(< ?n ?next)", holes) ||
        !step.allow("(=> (<= 1 ?c) (<= ?last ?n))", holes)) {
      step.fail("not this count");
    }
  });
}

// #{p in points : p <= limit}
Size Derivation::count(Step& step, const Points& points, const Term& limit) {
  Term sum = numeral(0);
  for (const Interval& interval : points.start) {
    const Term low = numeral(interval.low), high = numeral(interval.high), one = numeral(1);
    sum = plus(sum, {"ite",
                     {{"<=", {high, limit}},
                      plus(minus(high, low), one),
                      max_of(numeral(0), plus(minus(limit, low), one))}});
  }
  if (points.all) sum = plus(sum, max_of(numeral(0), minus(limit, numeral(points.split))));
  if (points.beyond.empty()) return {sum, sum};
  if (const std::optional<Overlap> parts = overlap(points.beyond)) {
    for (const Progression& values : parts->kept) {
      sum = plus(sum, count_progression(step, values, limit));
    }
    for (const Progression& values : parts->common) {
      sum = minus(sum, count_progression(step, values, limit));
    }
    return {sum, sum};
  }
  Size beyond;
  for (const Progression& values : points.beyond) {
    const Term next = count_progression(step, values, limit);
    const bool first = &values == &points.beyond[0];
    beyond = first ? Size{next, next} : Size{max_of(beyond.low, next), plus(beyond.high, next)};
  }
  return {plus(sum, beyond.low), plus(sum, beyond.high)};
}

// The ends of rows, or of live sets, that are all positions between them; none where high < low.
std::optional<std::pair<Term, Term>> Derivation::range(Step& step, const Shape& shape, bool live,
                                                       const Term& i) {
  const Term one = numeral(1);
  const IntervalList& start = shape.points.start;
  const bool listed = !shape.points.infinite() && !start.empty();
  if (shape.kind == Kind::kDistances && listed && (live || start.size() == 1)) {
    const Term from = minus(i, numeral(start.back().high));
    if (live) return std::pair{max_of(one, plus(from, one)), i};
    return std::pair{max_of(one, from), minus(i, numeral(start.front().low))};
  }
  if (shape.kind == Kind::kPositions && listed && start.size() == 1) {
    const Term last = !live && shape.before ? minus(i, one) : i;
    return std::pair{numeral(start[0].low), min_of(numeral(start[0].high), last)};
  }
  const auto* ends = shape.kind == Kind::kOther ? std::get_if<RangeSet>(&shape.set->node) : nullptr;
  if (live || ends == nullptr) return std::nullopt;
  const Term low = step.encode_known(*ends->low, {{"i", i}});
  return std::pair{low, step.encode_known(*ends->high, {{"i", i}})};
}

// |row(i)|, or |live(i)|: the positions up to i that some later row reads
Size Derivation::size(Step& step, const Shape& shape, Side side, bool live, const Term& i) {
  const Term zero = numeral(0), capacity = live || side == Side::kA ? i : minus(i, numeral(1));
  switch (shape.kind) {
    case Kind::kDistances: {
      if (!live) return count(step, shape.points, minus(i, numeral(1)));
      const IntervalList& start = shape.points.start;
      const Term last = min_of(numeral(start.empty() ? 0 : start.back().high), i);
      return shape.points.infinite() ? Size{i, i} : Size{last, last};
    }
    case Kind::kPositions:
      return count(step, shape.points, !live && shape.before ? minus(i, numeral(1)) : i);
    case Kind::kLattice: {
      const ExpressionPtr f = make_expression(Apply{shape.function, make_expression(Name{"k"})});
      const Term row = live ? plus(i, numeral(1)) : i;
      const Term count = count_progression(step, {"k", f, 0}, minus(row, numeral(1)));
      const Strides strides = this->strides(shape.function);
      Term low = strides.distinct ? count : min_of(numeral(1), count);
      if (strides.spread > 0) {  // ceil((count - from) / spread) places are distinct
        low = max_of(
            low,
            step.define(
                "(and (<= (- ?c ?f) (* ?w ?x)) (< (* ?w ?x) (+ (- ?c ?f) ?w)))",
                {{"?c", count}, {"?f", numeral(strides.from)}, {"?w", numeral(strides.spread)}}));
      }
      return {low, count};
    }
    case Kind::kOther: {
      const auto* range = std::get_if<RangeSet>(&shape.set->node);
      if (live && shape.farthest) return {zero, min_of(numeral(*shape.farthest), i)};
      if (live || range == nullptr) return {zero, capacity};
      const Term low = step.encode_known(*range->low, {{"i", i}});
      const Term high = step.encode_known(*range->high, {{"i", i}});
      const Term size = max_of(zero, plus(minus(high, low), numeral(1)));
      return {size, size};
    }
    default:
      break;
  }
  if (shape.kind == Kind::kUnion && told(kRanges)) {
    const auto a = range(step, shape.parts[0], live, i);
    const auto b = a ? range(step, shape.parts[1], live, i) : std::nullopt;
    if (b) {
      rules_.insert(kRanges);
      const auto length = [&](const Term& low, const Term& high) {
        return max_of(zero, plus(minus(high, low), numeral(1)));
      };
      const Term common = length(max_of(a->first, b->first), min_of(a->second, b->second));
      const Term sum = plus(length(a->first, a->second), length(b->first, b->second));
      return {minus(sum, common), minus(sum, common)};
    }
  }
  const Size x = size(step, shape.parts[0], side, live, i);
  const Size y = size(step, shape.parts[1], side, live, i);
  if (shape.kind == Kind::kUnion) {
    return {max_of(x.low, y.low), min_of(plus(x.high, y.high), capacity)};
  }
  if (shape.kind == Kind::kIntersection) return {zero, min_of(min_of(x.high, y.high), capacity)};
  return {live ? zero : max_of(zero, minus(x.low, y.high)), min_of(x.high, capacity)};
}

Term Derivation::total_size(Step& step, bool live, const Term& i) {
  Term total = numeral(0);
  for (const Side side : {Side::kA, Side::kB}) {
    if (!std::holds_alternative<EmptySet>(pattern_.set(side)->node)) {
      rules_.insert(size_rule(shape(side), live));
    }
    const Size size = this->size(step, shape(side), side, live, i);
    refine(shape(side));
    const auto between = [&](const Term& x) {
      const Holes holes{{"?i", i}, {"?low", size.low}, {"?high", size.high}, {"?x", x}};
      if (!step.allow("(=> (<= 1 ?i) (and (<= ?low ?x) (<= ?x ?high)))", holes)) step.fail("no");
    };
    total = plus(total, size.exact() ? size.low : step.choose("a size", between));
  }
  return total;
}

bool Derivation::reaches_all() {
  return shape(Side::kA).points.all_from(0) ||
         (reads_neighbour(Side::kA) && reads_neighbour(Side::kB));
}

bool Derivation::only_self() {
  const Shape& a = shape(Side::kA);
  return a.kind == Kind::kDistances && !a.points.infinite() &&
         a.points.start == IntervalList{{0, 0}};
}

// Every value(k), k >= 0, is a distance of B: listed up to the split, and a progression from there.
bool Derivation::reads_all(const std::string& values,
                           const std::function<std::int64_t(std::int64_t)>& value) {
  const Points& points = shape(Side::kB).points;
  for (std::int64_t k = 0; k < 40 && value(k) <= points.split; ++k) {
    if (!contains(points.start, value(k))) return false;
  }
  for (const Progression& found : points.beyond) {
    if (found.low > 40 || (found.low > 0 && value(found.low - 1) > points.split)) continue;
    const std::string name = "same values: " + print(*found.value) + " and " + values;
    if (step(name, [&](Step& step) {
          const Term k = step.variable(found.variable), two = numeral(2);
          step.allow("(<= ?l ?k)", {{"?l", numeral(found.low)}, {"?k", k}});
          const Term here = step.encode_known(*found.value, {{found.variable, k}});
          return Term{
              "=",
              {here, values == "2^k" ? step.power(two, k) : fill("(+ (* ?k ?k) 1)", {{"?k", k}})}};
        })) {
      return true;
    }
  }
  return false;
}

Term Derivation::hops(Step& step, const Term& i, const Term& j) {
  const Shape& b = shape(Side::kB);
  if (one_edge()) {
    rules_.insert("hops: every row reads every position, so one edge is enough");
    return numeral(1);
  }
  Holes holes{{"?i", i}, {"?j", j}, {"?d", minus(i, j)}};
  const auto know = [&](const std::string& fact, const char* rule) {
    if (step.allow("(=> (and (<= 1 ?j) (< ?j ?i)) " + fact + ")", holes)) rules_.insert(rule);
  };
  holes["?h"] = step.define("(=> (and (<= 1 ?j) (< ?j ?i)) (<= 1 ?x))", holes);
  know("(<= ?h ?d)", "hops: row i reads i - 1, so i - j steps are enough");
  for (const std::string& text : listed("descent: ")) {
    const std::optional<ExpressionPtr> bound = parsed(text);
    if (!bound) continue;
    holes["?e"] = step.encode_known(**bound, {{"i", i}, {"j", j}});
    if (step.allow("(=> (and (<= 1 ?j) (< ?j ?i)) (<= ?h ?e))", holes) && !descent(text)) {
      step.fail(problem_);
    }
  }
  if (b.kind != Kind::kDistances) return holes["?h"];
  const IntervalList& start = b.points.start;
  const std::int64_t window = start.empty() || start.front().low > 1 ? 0 : start.front().high;
  if (window > 1) {
    holes["?w"] = numeral(window);
    know("(< (* ?w (- ?h 1)) ?d)", "hops: a window of w is crossed in ceil((i - j) / w) steps");
  }
  if (only_self() && !b.points.infinite() && !start.empty()) {
    holes["?m"] = numeral(start.back().high);
    know("(<= ?d (* ?m ?h))", "hops: h steps of at most m cross at most h m");
  }
  if (b.points.beyond.empty()) return holes["?h"];
  if (reads_all("2^k", [](std::int64_t k) { return std::int64_t{1} << k; })) {
    const ExpressionPtr d = make_expression(Name{"d"});
    holes["?p"] = step.encode_known(*make_expression(BuiltinCall{BuiltinFunction::kPopcount, {d}}),
                                    {{"d", holes["?d"]}});
    know("(<= ?h ?p)", "hops: i - j is a sum of popcount(i - j) powers of two");
    const bool only_powers = b.points.beyond.size() == 1 &&
                             std::all_of(start.begin(), start.end(), [](const Interval& each) {
                               const std::int64_t low = each.low;
                               return low >= 1 && (low & (low - 1)) == 0 &&
                                      (each.high == low || (low == 1 && each.high == 2));
                             });
    if (only_self() && only_powers) {
      know("(<= ?p ?h)", "hops: a sum of h powers of two has at most h one bits");
    }
  }
  if (reads_all("k * k + 1", [](std::int64_t k) { return k * k + 1; })) {
    assumes_.insert(kLagrange);
    know("(<= ?h 4)", "hops: i - j - 4 is a sum of four squares when i - j >= 4");
  }
  return holes["?h"];
}

Term Derivation::depth(Step& step, const Term& n) {
  const char* ascends = "depth: each edge leads to a later token, so a chain has at most n - 1";
  if (told(ascends)) {
    rules_.insert(ascends);
    return step.define("(=> (<= 1 ?n) (and (<= 0 ?x) (<= ?x (- ?n 1))))", {{"?n", n}});
  }
  if (reads_neighbour(Side::kB)) {
    rules_.insert("depth: row i reads row i - 1, so the chain 1, ..., n is the longest");
    return minus(n, numeral(1));
  }
  const Shape& a = shape(Side::kA);
  const Shape& b = shape(Side::kB);
  // The least distance >= 1: in the list, or the first beyond it.
  const auto nearest = [this](const Points& points) -> std::optional<std::int64_t> {
    for (const Interval& interval : points.start) {
      if (interval.high >= 1) return std::max<std::int64_t>(interval.low, 1);
    }
    if (points.all) return std::max<std::int64_t>(points.split + 1, 1);
    std::optional<std::int64_t> least;
    for (const Progression& values : points.beyond) {
      const auto first = constant(*values.value, {{values.variable, values.low}});
      if (!first || *first < 1) return std::nullopt;  // then more may lie in between
      least = std::min(least.value_or(*first), *first);
    }
    return least;
  };
  const auto input = nearest(a.points), output = nearest(b.points);
  const char* one_input = "depth: without output edges a chain is one input edge";
  if (b.kind == Kind::kDistances && !b.points.infinite() && b.points.start.empty() &&
      (a.kind != Kind::kDistances || (!input && a.points.infinite()))) {
    rules_.insert(one_input);
    return step.define("(=> (<= 1 ?n) (and (<= 0 ?x) (<= ?x 1) (<= ?x (- ?n 1))))", {{"?n", n}});
  }
  if (a.kind != Kind::kDistances || b.kind != Kind::kDistances ||
      (!output && b.points.infinite()) || (!input && a.points.infinite()) ||
      (output && (input || a.points.start.empty()))) {
    step.fail("no rule gives depth");
    return numeral(0);
  }
  if (!output) {
    rules_.insert(one_input);
    if (!input) return numeral(0);
    return fill("(ite (< ?d ?n) 1 0)", {{"?d", numeral(*input)}, {"?n", n}});
  }
  rules_.insert("depth: a chain of edges of at least m has at most (n - 1) / m of them");
  return step.encode_known(*parsed("floor((n - 1) / " + std::to_string(*output) + ")").value(),
                           {{"n", n}});
}

Term Derivation::live(Step& step, const Term& n) {
  const auto [at, fresh] = measured_.emplace("cache " + text_of(n), Term{});
  if (!fresh) return at->second;
  const Term size = total_size(step, true, n);
  return measured_["cache " + text_of(n)] = size;
}

Term Derivation::congestion(Step& step, const Term& n) {
  const char* direct = "congestion: every token reads every earlier one, so each path is one edge";
  const char* translated = "translation law: congestion(n) <= hops over distance n";
  if (told(direct) && one_edge()) {
    rules_.insert(direct);
    return numeral(1);
  }
  const char* window =
      "congestion: row i reads x_{i - n} for each n of a window, so each path is one edge";
  const Shape& a = shape(Side::kA);
  if (told(window) && !reaches_all() && a.kind == Kind::kDistances && !a.points.start.empty() &&
      a.points.start.front().low <= 1 && a.points.start.front().high >= 1) {
    rules_.insert(window);
    step.need(fill("(<= ?n ?w)", {{"?n", n}, {"?w", numeral(a.points.start.front().high)}}));
    return numeral(1);
  }
  if (!only_self() || !reaches_all()) {
    step.fail("no rule gives congestion");
    return numeral(0);
  }
  rules_.insert("capacity law: congestion(n) * cache(n) >= n when A is diagonal");
  Holes holes{{"?n", n}, {"?live", live(step, n)}};
  holes["?x"] =
      step.define("(=> (<= 1 ?n) (and (<= 1 ?x) (<= ?x ?n) (<= ?n (* ?x ?live))))", holes);
  if (told(translated) && shape(Side::kB).kind == Kind::kDistances) {
    holes["?h"] = hops(step, plus(n, numeral(1)), numeral(1));
    if (step.allow("(=> (<= 1 ?n) (<= ?x ?h))", holes)) rules_.insert(translated);
  }
  return holes["?x"];
}

Term Derivation::rank(Step& step, const Term& m) {
  rules_.insert(only_self()
                    ? "capacity law: rank(m) <= cache(m) when A is diagonal"
                    : "capacity law: rank(m) <= cache(m), as every path passes a live x or y");
  Holes holes{{"?m", m}, {"?live", live(step, m)}};
  holes["?x"] = step.define("(=> (<= 1 ?m) (and (<= 0 ?x) (<= ?x ?m) (<= ?x ?live)))", holes);
  // One read of the same distance c >= 1 for each of the last min(c, m) tokens: disjoint edges.
  for (const Side side : {Side::kA, Side::kB}) {
    const Shape& rows = shape(side);
    const IntervalList& start = rows.points.start;
    if (rows.kind != Kind::kDistances || (side == Side::kB && !reads_neighbour(Side::kA))) continue;
    if (rows.points.infinite()) {
      if (step.allow("(=> (<= 1 ?m) (<= ?m ?x))", holes)) {
        rules_.insert(
            "rank: one distance of at least m carries every token up to m across the cut");
      }
    } else if (!start.empty() && start.back().high >= 1) {
      holes["?c"] = numeral(start.back().high);
      if (step.allow("(=> (<= 1 ?m) (<= (ite (<= ?c ?m) ?c ?m) ?x))", holes)) {
        rules_.insert(
            "rank: the longest distance c carries the last min(c, m) tokens across the cut");
      }
    }
  }
  return holes["?x"];
}

bool Derivation::one_edge() {
  return shape(Side::kA).points.all_from(0) ||
         (reads_neighbour(Side::kA) && shape(Side::kB).points.all_from(1));
}

// Claims about i and j are of j < i; others may come to a token and itself, which are no step apart
// where a row reads its own input.
bool Derivation::may_be_itself(const Term& i, const Term& j) {
  return (text_of(i) != "i" || text_of(j) != "j") && reaches_all() && !one_edge() &&
         reads_neighbour(Side::kA);
}

Term Derivation::measure(Step& step, MeasureKind kind, const std::vector<Term>& arguments) {
  const Term& n = arguments[0];
  const Holes holes{{"?n", n}, {"?j", arguments.back()}};
  const bool itself = kind == MeasureKind::kHops && may_be_itself(n, arguments.back());
  step.need(fill(kind != MeasureKind::kHops ? "(<= 1 ?n)"
                 : itself                   ? "(and (<= 1 ?j) (<= ?j ?n))"
                                            : "(and (<= 1 ?j) (< ?j ?n))",
                 holes));
  if (kind == MeasureKind::kCache) return live(step, n);
  std::string key = heddle::name_of(kind);
  for (const Term& argument : arguments) key += " " + text_of(argument);
  if (const auto known = measured_.find(key); known != measured_.end()) return known->second;
  const auto value = [&]() -> Term {
    if (kind == MeasureKind::kTime) return total_size(step, false, n);
    if (kind == MeasureKind::kDepth) return depth(step, n);
    if (kind == MeasureKind::kCongestion) return congestion(step, n);
    if (kind == MeasureKind::kRank) return rank(step, n);
    if (reaches_all()) return hops(step, n, arguments[1]);
    step.fail("no rule gives hops");
    return numeral(0);
  };
  Term& found = measured_[key] = value();
  if (itself) {
    rules_.insert("hops: row i reads x_i, so a token reaches itself in no step");
    step.allow("(=> (and (<= 1 ?j) (= ?n ?j)) (= ?h 0))",
               {{"?n", n}, {"?j", arguments.back()}, {"?h", found}});
  }
  return found;
}

}  // namespace heddle::auditing
