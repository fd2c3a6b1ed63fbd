// SPDX-License-Identifier: Apache-2.0
// hops(i, j) <= E(i - j) by descent: beyond the distances that are searched, some reads lead to a
// smaller distance r with E(r) + steps <= E(d). What the rows read and how far was searched is
// derived here; the certificate says which E, and which of the ways it took, by its steps.
#include <fmt/format.h>

#include <algorithm>

#include "analyzer/audit/derivation.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/parser.hpp"

namespace heddle::auditing {
namespace {

constexpr std::int64_t kSearched = 1024, kSearchedLattice = 128, kLongestPeriod = 512;
constexpr int kMostReads = 6;

// Every word `from` of the text becomes `to`.
std::string with_word(const std::string& text, const std::string& from, const std::string& to) {
  const auto in_word = [&](std::size_t at) {
    return at < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || text[at] == '_');
  };
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const bool alone = (at == 0 || !in_word(at - 1)) && !in_word(at + from.size());
    const bool found = alone && text.compare(at, from.size(), from) == 0;
    result += found ? to : text.substr(at, 1);
    at += found ? from.size() : 1;
  }
  return result;
}

}  // namespace

// The rows of B, or of a part of a union, and one way to descend by them.
struct Derivation::Descent {
  enum class Ruler { kEverything, kFinite, kProgression, kLattice };
  enum class Grip { kExact, kHalving, kRoot };
  Ruler ruler = Ruler::kFinite;
  Points points;            // all but kLattice
  Progression progression;  // kProgression, and f(k), k >= 0, of a lattice
  std::string function;     // kLattice
  std::string text;         // E(i - j)
  ExpressionPtr bound;      // E(d)
  Grip grip = Grip::kExact;
  int level = 0;            // reads of one g(k) at most, or e of r^2 <= 4^e g(k)
  std::int64_t start = 0;   // distances up to here are searched
  std::int64_t period = 1;  // of the rows, for a lattice
};

bool Derivation::told_any(const std::string& prefix) const {
  const auto at = told_.lower_bound(prefix);
  return at != told_.end() && at->compare(0, prefix.size(), prefix) == 0;
}

// The steps of the claim with this beginning, without it and without a number behind.
std::vector<std::string> Derivation::listed(const std::string& prefix) const {
  std::vector<std::string> found;
  for (const std::string& name : listed_) {
    if (name.compare(0, prefix.size(), prefix) == 0) found.push_back(name.substr(prefix.size()));
  }
  return found;
}

std::optional<ExpressionPtr> Derivation::parsed(const std::string& expression) const {
  const std::string& whole = pattern_.canonical_text();
  Diagnostics diagnostics;
  const std::vector<PatternSyntax> syntax =
      parse({"bound", whole.substr(0, whole.rfind('}')) + "\n  claim 0 <= " + expression + "\n}\n"},
            diagnostics);
  if (diagnostics.has_errors() || syntax.size() != 1 ||
      syntax[0].claims.size() != pattern_.claims().size() + 1) {
    return std::nullopt;
  }
  const auto* bound = std::get_if<BoundClaim>(&syntax[0].claims.back().node);
  if (bound == nullptr || syntax[0].claims.back().where) return std::nullopt;
  return bound->right;
}

// E(d) for the text of E(i - j), in which i and j stand nowhere else: putting i - j back for d has
// to give the same expression.
std::optional<ExpressionPtr> Derivation::bound_at_distance(const std::string& text) const {
  std::string spaced = text;
  for (std::size_t at = 0; (at = spaced.find("i - j", at)) != std::string::npos;) {
    spaced.replace(at, 5, "d");
  }
  const auto whole = parsed(text), inner = parsed(spaced);
  const auto back = parsed(with_word(spaced, "d", "(i - j)"));
  if (!whole || !inner || !back || print(**whole) != text || print(**back) != text ||
      with_word(text, "d", "") != text) {
    return std::nullopt;
  }
  return inner;
}

void Derivation::add_rulers(const Shape& shape, std::vector<Descent>& rulers) {
  Descent ruler;
  switch (shape.kind) {
    case Shape::Kind::kUnion:  // more reads never make a path longer
      for (const Shape& part : shape.parts) add_rulers(part, rulers);
      return;
    case Shape::Kind::kLattice:
      ruler.ruler = Descent::Ruler::kLattice;
      ruler.function = shape.function;
      ruler.progression = {"k", make_expression(Apply{shape.function, make_expression(Name{"k"})}),
                           0};
      rulers.push_back(std::move(ruler));
      return;
    case Shape::Kind::kDistances:
      ruler.points = shape.points;
      ruler.ruler = shape.points.all ? Descent::Ruler::kEverything : Descent::Ruler::kFinite;
      if (shape.points.all || shape.points.beyond.empty()) rulers.push_back(ruler);
      ruler.ruler = Descent::Ruler::kProgression;
      for (const Progression& values : shape.points.beyond) {
        ruler.progression = values;
        rulers.push_back(ruler);
      }
      return;
    default:
      return;
  }
}

bool Derivation::descent(const std::string& text) {
  problem_ = "no descent shows that hops(i, j) <= " + text;
  const auto bound = bound_at_distance(text);
  if (!bound || !reaches_all()) return false;
  std::vector<Descent> rulers;
  add_rulers(shape(Side::kB), rulers);
  using Ruler = Descent::Ruler;
  using Grip = Descent::Grip;
  for (Descent& each : rulers) {
    std::vector<std::pair<Grip, int>> grips{{Grip::kExact, 0}};
    if (each.ruler == Ruler::kLattice) grips.insert(grips.begin(), {Grip::kHalving, 0});
    if (each.ruler == Ruler::kProgression) {
      grips.clear();
      for (int reads = 1; reads <= kMostReads; ++reads) grips.emplace_back(Grip::kHalving, reads);
    }
    if (each.ruler == Ruler::kLattice || each.ruler == Ruler::kProgression) {
      grips.insert(grips.end(), {{Grip::kRoot, 1}, {Grip::kRoot, 2}});
    }
    each.text = text;
    each.bound = *bound;
    for (const auto& [grip, level] : grips) {
      each.grip = grip;
      each.level = level;
      const std::set<std::string> outer = rules_;
      if (descends(each)) return true;
      rules_ = outer;
    }
  }
  return false;
}

bool Derivation::descends(const Descent& given) {
  using Ruler = Descent::Ruler;
  using Grip = Descent::Grip;
  Descent way = given;
  const bool lattice = way.ruler == Ruler::kLattice, progression = way.ruler == Ruler::kProgression;
  const Strides strides = lattice ? this->strides(way.function) : Strides{};
  if (lattice && !strides.bounded) return false;
  // g(k), g(k + 1), and what one read of g(k) leaves at most
  const auto reads = [&](Step& step) {
    Holes holes{{"?k", step.variable(way.progression.variable)},
                {"?l", numeral(way.progression.low)}};
    step.allow("(<= ?l ?k)", holes);
    const auto at = [&](const Term& k) {
      return lattice ? step.apply(*pattern_.function(way.function), k)
                     : step.encode_known(*way.progression.value, {{way.progression.variable, k}});
    };
    holes["?g"] = at(holes["?k"]);
    holes["?h"] = at(fill("(+ ?k 1)", holes));
    holes["?most"] = fill(
        lattice && !strides.distinct ? "(- (- (* 2 (- ?h ?g)) 1) 1)" : "(- (- ?h ?g) 1)", holes);
    return holes;
  };
  const auto main_step = [&](Step& step) {
    Holes holes{{"?d", step.variable("d")}};
    for (const Term& fact : step.script().hypotheses) {
      Holes found{{"?d", holes["?d"]}};
      const auto start = fits("(<= ?n ?d)", fact, found) ? value_of(found["?n"]) : std::nullopt;
      if (start && Integer(1) <= *start && *start <= Integer(kSearched)) {
        way.start = *start->to_int64() - 1;
        step.allow("(<= ?n ?d)", found);
      }
    }
    holes["?here"] = step.encode(*way.bound, {{"d", holes["?d"]}});
    std::vector<Term> goals = step.take_needs();
    const auto leads_to = [&](const Term& r, int count) {
      Holes there{{"?r", r}, {"?c", numeral(count)}, {"?here", holes["?here"]}};
      there["?there"] = step.encode(*way.bound, {{"d", r}});
      std::vector<Term> inner = step.take_needs();
      inner.push_back(fill("(<= (+ ?there ?c) ?here)", there));
      there["?inner"] = both(std::move(inner));
      goals.push_back(fill("(=> (and true (<= 1 ?r)) ?inner)", there));
      goals.push_back(fill("(=> (and true (= ?r 0)) (<= ?c ?here))", there));
    };
    // A number ?x that the reads leave
    const auto left = [&](const std::string& shape, const Holes& more) {
      return step.choose("what is left", [&](const Term& x) {
        Holes here = more;
        here["?x"] = x;
        here["?d"] = holes["?d"];
        if (!step.allow(shape, here)) step.fail("nothing says what is left");
      });
    };
    if (way.ruler == Ruler::kEverything) {
      goals.push_back(fill("(<= 1 ?here)", holes));
    } else if (way.ruler == Ruler::kFinite) {
      holes["?m"] = numeral(way.points.start.empty() ? 0 : way.points.start.back().high);
      leads_to(fill("(- ?d ?m)", holes), 1);
    } else if (way.grip == Grip::kExact) {
      Holes read = reads(step);
      read["?d"] = holes["?d"];
      step.allow("(and (<= ?g ?d) (< ?d ?h))", read);
      leads_to(left("(and (<= 0 ?x) (< ?x ?d) (<= ?x ?most))", read), 1);
    } else if (way.grip == Grip::kRoot) {
      Holes root{{"?x", left("(and (<= 0 ?x) (< ?x ?d))", {})}, {"?e", numeral(2 * way.level)}};
      const auto log2 = [&](const Term& x) {
        return step.encode_known(
            *make_expression(BuiltinCall{BuiltinFunction::kLog2, {make_expression(Name{"x"})}}),
            {{"x", x}});
      };
      root["?y"] = log2(root["?x"]);
      root["?z"] = log2(holes["?d"]);
      step.allow("(=> (<= 1 ?x) (<= (* 2 ?y) (+ ?z ?e)))", root);
      leads_to(root["?x"], 1);
    } else {
      for (int count = 1; count <= (lattice ? 1 : way.level); ++count) {
        leads_to(left("(and (<= 0 ?x) (<= (+ ?x ?c) ?d) (<= (+ (* ?t ?x) ?o) ?d))",
                      {{"?c", numeral(count)},
                       {"?t", numeral(count + 1)},
                       {"?o", numeral(lattice ? 0 : 1)}}),
                 count);
      }
    }
    return both(std::move(goals));
  };
  if (!step("descent: " + way.text, main_step)) return false;

  const auto gap = [&](const std::string& name, const std::string& goal, std::int64_t number) {
    return step(name + ": " + way.text, [&](Step& step) {
      Holes holes = reads(step);
      holes["?n"] = numeral(number);
      holes["?s"] = numeral(way.start + 2);
      step.allow("(<= ?s ?h)", holes);
      return fill(goal, holes);
    });
  };
  if (way.grip == Grip::kHalving && lattice && !gap("halving gap", "(<= (* 2 ?most) ?g)", 0)) {
    return false;
  }
  if (way.grip == Grip::kHalving && progression &&
      !gap("ratio", "(<= ?h (* ?n ?g))", way.level + 1)) {
    return false;
  }
  if (way.grip == Grip::kRoot) {
    const std::int64_t factor = std::int64_t{1} << 2 * way.level;
    Holes holes{{"?f", numeral(factor)}, {"?e", numeral(2 * way.level)}};
    if (!gap("root gap", "(<= (* ?most ?most) (* ?n ?g))", factor) || !squares() ||
        !fixed(fmt::format("root of a logarithm, 4^{}", way.level),
               {"(and (<= 1 r) (<= 1 d) (<= square.1 (* ?f d)))",
                "(and (<= 0 y) (<= (pow.2 y) r) (< r (* 2 (pow.2 y))))",
                "(and (<= 0 x) (<= (pow.2 x) d) (< d (* 2 (pow.2 x))))",
                "(= (pow.2 (+ y y)) square.2)", "(<= square.2 square.1)"},
               "(<= (* 2 y) (+ x ?e))", holes)) {
      return false;
    }
  }
  // The reads must exist at every distance beyond the start.
  const auto first = progression ? value(way.progression, way.progression.low) : std::optional(1L);
  const IntervalList& start = way.points.start;
  if ((progression && (!first || way.start + 1 < *first)) ||
      (way.ruler == Ruler::kEverything && way.start < way.points.split) ||
      (way.ruler == Ruler::kFinite &&
       (start.empty() || start.back().high < 1 || way.start < start.back().high))) {
    problem_ = "the descent does not start where its reads do";
    return false;
  }
  if (!searched(way)) {
    problem_ = "hops over short distances are more than " + way.text;
    return false;
  }
  static const std::map<Ruler, std::string> kRules = {
      {Ruler::kEverything, "hops: every distance beyond a bound is one read"},
      {Ruler::kFinite, "hops: descent by the longest distance"},
      {Ruler::kProgression, "hops: greedy descent over the distances "},
      {Ruler::kLattice,
       "hops: one read of a lattice leads from f(k) <= d < f(k+1) to less than a_(k+1)"}};
  rules_.insert(kRules.at(way.ruler) + (progression ? print(*way.progression.value) : ""));
  return true;
}

// Are hops over 1..start within the bound, in every row?
bool Derivation::searched(const Descent& way) {
  if (way.start == 0) return true;
  const bool lattice = way.ruler == Descent::Ruler::kLattice;
  std::vector<std::pair<std::int64_t, std::int64_t>> slots;  // distances; strides of a lattice
  std::int64_t period = 1;
  if (lattice) {
    // Slot k of row i + a_k is slot k of row i, a_k further on.
    Integer stride = 1, previous = 1;
    for (std::int64_t k = 0;; ++k) {
      const Result<Integer> here = evaluator_.call(way.function, k);
      if (!here.ok()) return false;
      if (k > 0) stride = stride * ceil_div(*here - previous, stride);
      previous = *here;
      if (Integer(kSearchedLattice) < previous - stride + Integer(1)) break;
      if (Integer(kLongestPeriod) < stride) return false;
      slots.emplace_back(*previous.to_int64(), *stride.to_int64());
    }
    period = slots.back().second;
    if (way.start > kSearchedLattice) return false;
  } else {
    for (std::int64_t d = 1; d <= way.start; ++d) {
      if (has_point(way.points, d) == true) slots.emplace_back(d, 1);
    }
  }
  constexpr int kNone = 1 << 20;
  std::vector<int> most(static_cast<std::size_t>(way.start) + 1, 0), hops = most;
  for (std::int64_t j = 0; j < period; ++j) {
    for (std::int64_t d = 1; d <= way.start; ++d) {
      int fewest = kNone;
      for (const auto& [distance, stride] : slots) {
        const std::int64_t behind = j + d - distance;
        // Row 0 stands for rows that are multiples of the period: there, behind > -stride is in the
        // row, at the multiple itself.
        const std::int64_t left =
            (behind >= 0 ? (behind + stride - 1) / stride : -(-behind / stride)) * stride - j;
        if (left >= 0) fewest = std::min(fewest, hops[static_cast<std::size_t>(left)] + 1);
      }
      hops[static_cast<std::size_t>(d)] = fewest;
      most[static_cast<std::size_t>(d)] = std::max(most[static_cast<std::size_t>(d)], fewest);
    }
  }
  for (std::int64_t d = 1; d <= way.start; ++d) {
    const auto value = constant(*way.bound, {{"d", d}});
    if (!value || *value < most[static_cast<std::size_t>(d)]) return false;
  }
  const std::string rule = fmt::format("hops: distances up to {} searched", way.start);
  rules_.insert(lattice ? rule + fmt::format(" in all rows modulo {}", period) : rule);
  return true;
}

}  // namespace heddle::auditing
