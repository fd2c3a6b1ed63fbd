// SPDX-License-Identifier: Apache-2.0
// Claims: which step decides each kind of claim, with which goal, and whether the certificate tells
// the derivation that was found.
#include <algorithm>
#include <queue>

#include "analyzer/audit/derivation.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::auditing {
namespace {

using Kind = Shape::Kind;

constexpr const char* kVacuous = "vacuous: the condition after `for` never holds";
constexpr const char* kBySums =
    "reaches: i - j is one distance of A plus a sum of distances of B, by residues";
constexpr std::int64_t kLargestModulus = 64;
constexpr std::size_t kMostGenerators = 4096;
constexpr std::int64_t kFarthestSum = std::int64_t{1} << 62;

std::string scope_of(const char* quantifier, const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? quantifier : ", ") + name;
  return text;
}

}  // namespace

// What rows are sure to read of distances: of a union, what its parts do. Only what is listed of
// them is used. Nothing where no part is described by distances.
std::optional<Points> Derivation::sure_distances(const Shape& shape) const {
  if (shape.kind == Kind::kDistances) return shape.points;
  if (shape.kind != Kind::kUnion) return std::nullopt;
  std::optional<Points> x = sure_distances(shape.parts[0]), y = sure_distances(shape.parts[1]);
  if (!x || !y) return x ? x : y;
  x->start = union_of(x->start, y->start);
  if (y->all && (!x->all || y->split < x->split)) x->split = y->split;
  x->all = x->all || y->all;
  x->beyond.clear();
  return x;
}

// For each residue modulo the least distance of B, the least sum of one distance of A and some of
// B; from there on every distance of the residue is one. Nothing where B has no small distance.
Derivation::LeastSums Derivation::least_sums(const Points& a, const Points& b) const {
  const auto listed = [](const Points& points, std::int64_t low) {
    std::vector<std::int64_t> values;
    for (const Interval& interval : points.start) {
      for (std::int64_t d = std::max(interval.low, low);
           d <= interval.high && values.size() < kMostGenerators; ++d) {
        values.push_back(d);
      }
    }
    return values;
  };
  const std::vector<std::int64_t> steps = listed(b, 1);
  LeastSums least;
  if (steps.empty() || steps.front() > kLargestModulus) return least;
  least.resize(static_cast<std::size_t>(steps.front()));
  std::priority_queue<std::int64_t, std::vector<std::int64_t>, std::greater<>> open;
  for (const std::int64_t d : listed(a, 0)) open.push(d);
  while (!open.empty()) {
    const std::int64_t sum = open.top();
    open.pop();
    auto& known = least[static_cast<std::size_t>(sum % steps.front())];
    if (known) continue;
    known = sum;
    for (const std::int64_t step : steps) {
      if (sum <= kFarthestSum - step) open.push(sum + step);
    }
  }
  return least;
}

// What says that a distance is a distance of A plus some of B.
Term Derivation::reachable(Step& step, const Term& distance) {
  const std::optional<Points> a = sure_distances(shape(Side::kA));
  if (!a) {
    step.fail("no row is sure to read a distance");
    return {"false", {}};
  }
  std::vector<Term> cases;
  Holes holes{{"?d", distance}};
  const auto add = [&](std::string_view shape) { cases.push_back(fill(shape, holes)); };
  for (const Interval& interval : a->start) {
    holes["?l"] = numeral(interval.low);
    holes["?h"] = numeral(interval.high);
    add("(and (<= ?l ?d) (<= ?d ?h))");
  }
  holes["?l"] = numeral(a->split);
  if (a->all) add("(< ?l ?d)");
  const LeastSums least = least_sums(*a, sure_distances(shape(Side::kB)).value_or(Points{}));
  if (!least.empty()) {
    const auto modulus = static_cast<std::int64_t>(least.size());
    holes["?r"] = modulus == 1
                      ? numeral(0)
                      : step.encode_known(*parsed("d mod " + std::to_string(modulus)).value(),
                                          {{"d", distance}});
    for (std::int64_t residue = 0; residue < modulus; ++residue) {
      const auto& from = least[static_cast<std::size_t>(residue)];
      if (!from) continue;
      holes["?n"] = numeral(residue);
      holes["?l"] = numeral(*from);
      add("(and (= ?r ?n) (<= ?l ?d))");
    }
  }
  if (cases.size() == 1) return cases[0];
  return cases.empty() ? Term{"false", {}} : Term{"or", std::move(cases)};
}

void Derivation::start(const CertifiedClaim& certified) {
  used_.clear(), rules_.clear(), assumes_.clear();
  told_ = certified.laws();
  listed_ = certified.obligations();
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
  start(certified);
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
  start(certified);
  const std::string text = print(claim);
  std::set<std::string> names;
  std::string suffix;
  const auto* bound = std::get_if<BoundClaim>(&claim.node);
  const auto* reach = std::get_if<ReachClaim>(&claim.node);
  const auto* grow = std::get_if<GrowthClaim>(&claim.node);
  const auto ready = [&](Step& step) {
    step.free_names = true;
    step.measure = [&](MeasureKind kind, const std::vector<Term>& arguments) {
      return measure(step, kind, arguments);
    };
  };
  const bool by_sums = reach && told(kBySums) && !reaches_all();
  const auto pointwise = [&](Step& step) {
    ready(step);
    const Term where = claim.where ? step.encode(*claim.where, {}) : Term{"true", {}};
    std::vector<Term> outer = step.take_needs();
    Holes holes{{"?a", step.encode(bound ? *bound->left : *reach->from_row, {})},
                {"?b", step.encode(bound ? *bound->right : *reach->to_row, {})}};
    if (by_sums) holes["?s"] = reachable(step, fill("(- ?a ?b)", holes));
    const char* goal = by_sums                                   ? "(and (<= 1 ?b) (<= ?b ?a) ?s)"
                       : reach                                   ? "(and (<= 1 ?b) (<= ?b ?a))"
                       : bound->op == ComparisonOperator::kEqual ? "(= ?a ?b)"
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
  // One side of a class: what the measure, or else g, is at most a constant times, from a row on.
  std::map<std::string, std::optional<Integer>> given;
  for (const auto& [key, value] : certified.witnesses()) given[key] = Integer::parse(value);
  Integer first = 1;
  std::size_t constants = 0;
  const auto side = [&](Step& step, GrowthBound part) {
    ready(step);
    const bool second = grow->bound == GrowthBound::kBoth && part == GrowthBound::kAtLeast;
    const std::optional<Integer>& c = given[second ? "d" : "c"];
    const std::optional<Integer>& from = given[second ? "j0" : "i0"];
    const auto* term = std::get_if<MeasureTerm>(&grow->measure->node);
    if (!c || !from || given.size() != constants || *from < Integer(1) || term == nullptr ||
        claim.where) {
      step.fail("a class needs its constants and a plain measure");
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
    Holes holes{{"?i", step.variable("i")}, {"?c", numeral(*c)}, {"?s", numeral(*from)}};
    step.allow("(<= ?s ?i)", holes);
    std::vector<Term> rows{holes["?i"]};
    if (pairs) {
      rows.push_back(step.variable("j"));
      step.allow("(and (<= 1 j) (< j i))");
    }
    first = std::max(first, *from);
    step.take_needs();
    holes["?v"] = measure(step, term->measure, rows);
    holes["?g"] = growth(step, grow->growth, holes["?i"]);
    return fill(part == GrowthBound::kAtMost ? "(<= ?v (* ?c ?g))" : "(<= ?g (* ?c ?v))", holes);
  };
  const auto asymptotic = [&] {
    const bool both = grow->bound == GrowthBound::kBoth;
    constants = both ? 4 : 2;
    for (const GrowthBound part : {GrowthBound::kAtMost, GrowthBound::kAtLeast}) {
      if (!both && grow->bound != part) continue;
      const auto* term = std::get_if<MeasureTerm>(&grow->measure->node);
      const std::string large =
          part == GrowthBound::kAtLeast || term == nullptr ? "g(i)" : name_of(term->measure);
      if (!step("growth: " + large + " <= ", [&](Step& step) { return side(step, part); })) {
        return false;
      }
    }
    if (first > Integer(1)) {
      suffix = std::string(names.size() > 1 ? " with i" : "") + " >= " + first.to_string();
    }
    return true;
  };
  const auto never = [&](Step& step) {
    ready(step);
    const Term where = step.encode(*claim.where, {});
    names = step.variables();
    if (names.count("i") + names.count("j") == 2) step.allow("(< j i)");
    return fill("(not ?w)", {{"?w", where}});
  };
  const bool vacuous = claim.where && told(kVacuous);
  // A descent is for all pairs, whichever of them the claim is about.
  const bool descends = bound && bound->op == ComparisonOperator::kLessEqual &&
                        print(*bound->left) == "hops(i, j)" && listed("claim: ").empty();
  if (descends) names = {"i", "j"};
  const bool proved = grow       ? asymptotic()
                      : vacuous  ? step("vacuous: " + print(*claim.where), never)
                      : descends ? descent(print(*bound->right))
                      : reach ? (by_sums || reaches_all()) && step("in range: " + text, pointwise)
                              : step("claim: " + text, pointwise);
  if (!proved) return problem_.empty() ? "no rule shows that tokens are reached" : problem_;
  if (vacuous) {
    rules_.insert(kVacuous);
  } else if (reach) {
    rules_.insert(
        by_sums ? kBySums
        : shape(Side::kA).points.all_from(0)
            ? "reaches: row i reads every x_j"
            : "reaches: x_j enters at row j, and every row i reads y_{i-1}, so j walks to i");
  }
  if (rules_.empty()) rules_.insert("arithmetic");
  needed_.insert(used_.begin(), used_.end());
  const std::string scope = scope_of(vacuous ? "no " : "all ", names) + suffix;
  if (certified.scope != scope) return "its scope is not " + scope;
  if (!grow && !certified.witnesses().empty()) return "it needs no parameters";
  return wrongly_told(certified);
}

}  // namespace heddle::auditing
