// SPDX-License-Identifier: Apache-2.0
// Claims: the laws that turn measures into arithmetic, and the step that decides it. Each law that
// is used is named as a rule, and the claim must name the very same ones.
#include <algorithm>

#include "analyzer/audit/derivation.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::auditing {
namespace {

using Kind = Shape::Kind;

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
      return live ? "live set: at most every position"
                  : "row size: a range, or at most every position";
  }
  unreachable("shape");
}

std::string scope_of(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "all " : ", ") + name;
  return text;
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
  Size beyond;
  for (const Progression& values : points.beyond) {
    const Term next = count_progression(step, values, limit);
    const bool first = &values == &points.beyond[0];
    beyond = first ? Size{next, next} : Size{max_of(beyond.low, next), plus(beyond.high, next)};
  }
  return {plus(sum, beyond.low), plus(sum, beyond.high)};
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
      return {min_of(numeral(1), count), count};
    }
    case Kind::kOther: {
      const auto* range = std::get_if<RangeSet>(&shape.set->node);
      if (live || range == nullptr) return {zero, capacity};
      const Term low = step.encode_known(*range->low, {{"i", i}});
      const Term high = step.encode_known(*range->high, {{"i", i}});
      const Term size = max_of(zero, plus(minus(high, low), numeral(1)));
      return {size, size};
    }
    default:
      break;
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
  const Shape& a = shape(Side::kA);
  const Shape& b = shape(Side::kB);
  if (a.points.all_from(0) || (reads_neighbour(Side::kA) && b.points.all_from(1))) {
    rules_.insert("hops: every row reads every position, so one edge is enough");
    return numeral(1);
  }
  Holes holes{{"?i", i}, {"?j", j}, {"?d", minus(i, j)}};
  const auto know = [&](const std::string& fact, const char* rule) {
    if (step.allow("(=> (and (<= 1 ?j) (< ?j ?i)) " + fact + ")", holes)) rules_.insert(rule);
  };
  holes["?h"] = step.define("(=> (and (<= 1 ?j) (< ?j ?i)) (<= 1 ?x))", holes);
  know("(<= ?h ?d)", "hops: row i reads i - 1, so i - j steps are enough");
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
  }
  if (reads_all("k * k + 1", [](std::int64_t k) { return k * k + 1; })) {
    assumes_.insert(kLagrange);
    know("(<= ?h 4)", "hops: i - j - 4 is a sum of four squares when i - j >= 4");
  }
  return holes["?h"];
}

Term Derivation::measure(Step& step, MeasureKind kind, const std::vector<Term>& arguments) {
  const bool hops = kind == MeasureKind::kHops;
  Holes holes{{"?n", arguments[0]}, {"?j", arguments.back()}};
  step.need(fill(hops ? "(and (<= 1 ?j) (< ?j ?n))" : "(<= 1 ?n)", holes));
  const auto once = [&](MeasureKind what, const std::function<Term()>& make) {
    std::string key = heddle::name_of(what);
    for (const Term& argument : arguments) key += " " + text_of(argument);
    const auto known = measured_.find(key);
    return known != measured_.end() ? known->second : measured_[key] = make();
  };
  return once(kind, [&]() -> Term {
    if (kind == MeasureKind::kTime) return total_size(step, false, arguments[0]);
    if (kind == MeasureKind::kCache) return total_size(step, true, arguments[0]);
    if (hops && reaches_all()) return this->hops(step, arguments[0], arguments[1]);
    if (kind == MeasureKind::kDepth && reads_neighbour(Side::kB)) {
      rules_.insert("depth: row i reads row i - 1, so the chain 1, ..., n is the longest");
      return fill("(- ?n 1)", holes);
    }
    const bool rank = kind == MeasureKind::kRank;
    if (hops || kind == MeasureKind::kDepth || !only_self() || !reaches_all()) {
      step.fail(std::string("no rule gives ") + heddle::name_of(kind));
      return numeral(0);
    }
    holes["?live"] =
        once(MeasureKind::kCache, [&] { return total_size(step, true, arguments[0]); });
    rules_.insert(rank ? "capacity law: rank(m) <= cache(m) when A is diagonal"
                       : "capacity law: congestion(n) * cache(n) >= n when A is diagonal");
    return step.define(rank ? "(=> (<= 1 ?n) (and (<= 0 ?x) (<= ?x ?n) (<= ?x ?live)))"
                            : "(=> (<= 1 ?n) (and (<= 1 ?x) (<= ?x ?n) (<= ?n (* ?x ?live))))",
                       holes);
  });
}

// g(i) of the class, from floors of roots and logarithms
Term Derivation::growth(Step& step, const GrowthClass& growth, const Term& i) {
  Term value = numeral(1);
  const auto multiply = [&](const Term& factor) {
    value = value_of(value) ? factor : fill("(* ?v ?f)", {{"?v", value}, {"?f", factor}});
  };
  if (growth.power_numerator > 0) {
    std::string below = "?x", above = "(+ ?x 1)";
    for (int factor = 1; factor < growth.power_denominator; ++factor) {
      below = "(* " + below + " ?x)";
      above = "(* " + above + " (+ ?x 1))";
    }
    const Term root = growth.power_denominator == 1
                          ? i
                          : step.define("(=> (<= 1 ?i) (and (<= 1 ?x) (<= " + below +
                                            " ?i) (< ?i " + above + ")))",
                                        {{"?i", i}});
    for (int p = 0; p < growth.power_numerator; ++p) multiply(root);
  }
  const ExpressionPtr name = make_expression(Name{"i"});
  const ExpressionPtr log2 = make_expression(BuiltinCall{BuiltinFunction::kLog2, {name}});
  for (int p = 0; p < growth.log_power; ++p) multiply(step.encode_known(*log2, {{"i", i}}));
  return value;
}

std::optional<std::string> Derivation::causality(const CertifiedClaim& certified) {
  used_.clear(), rules_.clear(), assumes_.clear();
  if (!causal(shape(Side::kA), Side::kA) || !causal(shape(Side::kB), Side::kB)) {
    return problem_.empty() ? "the rows are not shown to be causal" : problem_;
  }
  needed_.insert(used_.begin(), used_.end());
  return wrongly_told(certified);
}

// Does the certificate tell the derivation that was found?
std::optional<std::string> Derivation::wrongly_told(const CertifiedClaim& certified) const {
  if (certified.laws() != rules_) return "its rules are not those by which it holds";
  const std::set<std::string> assumed(certified.assumes.begin(), certified.assumes.end());
  if (assumed != assumes_) return "its assumptions are not those that it needs";
  std::set<std::string> missing = used_;
  for (const std::string& name : certified.obligations()) {
    missing.erase(name);
    if (scripts_.count(name) == 0) return "the step " + name + " is missing";
  }
  if (!missing.empty()) return "it does not list the step " + *missing.begin();
  return std::nullopt;
}

std::optional<std::string> Derivation::claim(const Claim& claim, const CertifiedClaim& certified) {
  reads_neighbour(Side::kA), reads_neighbour(Side::kB);  // may be listed with any claim
  needed_.insert(used_.begin(), used_.end());
  used_.clear(), rules_.clear(), assumes_.clear();
  const std::string text = print(claim);
  std::set<std::string> names;
  std::string suffix;
  const auto* bound = std::get_if<BoundClaim>(&claim.node);
  const auto* reach = std::get_if<ReachClaim>(&claim.node);
  const auto* grow = std::get_if<GrowthClaim>(&claim.node);
  const auto start = [&](Step& step) {
    step.free_names = true;
    step.measure = [&](MeasureKind kind, const std::vector<Term>& arguments) {
      return measure(step, kind, arguments);
    };
  };
  const auto pointwise = [&](Step& step) {
    start(step);
    const Term where = claim.where ? step.encode(*claim.where, {}) : Term{"true", {}};
    std::vector<Term> outer = step.take_needs();
    Holes holes{{"?a", step.encode(bound ? *bound->left : *reach->from_row, {})},
                {"?b", step.encode(bound ? *bound->right : *reach->to_row, {})}};
    const char* goal = reach                                         ? "(and (<= 1 ?b) (<= ?b ?a))"
                       : bound->op == ComparisonOperator::kEqual     ? "(= ?a ?b)"
                       : bound->op == ComparisonOperator::kLessEqual ? "(<= ?a ?b)"
                                                                     : "(<= ?b ?a)";
    std::vector<Term> inner = step.take_needs();
    inner.push_back(fill(goal, holes));
    names = step.variables();
    if (names.count("i") + names.count("j") == 2) step.allow("(< j i)");
    outer.push_back(claim.where ? Term{"=>", {where, both(std::move(inner))}}
                                : both(std::move(inner)));
    return both(std::move(outer));
  };
  const auto asymptotic = [&](Step& step) {
    start(step);
    std::map<std::string, std::optional<Integer>> given;
    for (const auto& [key, value] : certified.witnesses()) given[key] = Integer::parse(value);
    const auto* term = std::get_if<MeasureTerm>(&grow->measure->node);
    if (!given["c"] || !given["i0"] || given.size() != 2 || *given["i0"] < Integer(1) ||
        term == nullptr || claim.where) {
      step.fail("a class needs constants c and i0 and a plain measure");
      return numeral(0);
    }
    const bool pairs = term->measure == MeasureKind::kHops;
    std::vector<Term> arguments;
    for (const ExpressionPtr& argument : term->arguments) {
      arguments.push_back(step.encode(*argument, {}));
    }
    names = step.variables();
    if (arguments.size() != names.size() || (pairs && (names.count("i") + names.count("j") != 2 ||
                                                       print(*term->arguments[0]) != "i"))) {
      step.fail("a class needs a measure of plain variables");
      return numeral(0);
    }
    // The step speaks of i and j, whatever the claim calls them.
    Holes holes{
        {"?i", step.variable("i")}, {"?c", numeral(*given["c"])}, {"?s", numeral(*given["i0"])}};
    step.allow("(<= ?s ?i)", holes);
    std::vector<Term> rows{holes["?i"]};
    if (pairs) {
      rows.push_back(step.variable("j"));
      step.allow("(and (<= 1 j) (< j i))");
    }
    suffix = *given["i0"] == Integer(1) ? "" : " >= " + given["i0"]->to_string();
    step.take_needs();
    holes["?v"] = measure(step, term->measure, rows);
    holes["?g"] = growth(step, grow->growth, holes["?i"]);
    return fill("(<= ?v (* ?c ?g))", holes);
  };
  const bool proved = grow    ? step("growth: ", asymptotic)
                      : reach ? reaches_all() && step("in range: " + text, pointwise)
                              : step("claim: " + text, pointwise);
  if (!proved) return problem_.empty() ? "no rule shows that tokens are reached" : problem_;
  if (reach) {
    rules_.insert(
        shape(Side::kA).points.all_from(0)
            ? "reaches: row i reads every x_j"
            : "reaches: x_j enters at row j, and every row i reads y_{i-1}, so j walks to i");
  }
  if (rules_.empty()) rules_.insert("arithmetic");
  needed_.insert(used_.begin(), used_.end());
  const std::string scope = scope_of(names) + suffix;
  if (certified.scope != scope) return "its scope is not " + scope;
  if (!grow && !certified.witnesses().empty()) return "it needs no parameters";
  return wrongly_told(certified);
}

}  // namespace heddle::auditing
