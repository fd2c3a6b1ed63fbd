// SPDX-License-Identifier: Apache-2.0
// What rows look like, from the syntax of their sets and the steps "increasing" and "clipped" of
// the certificate; and that they are causal.
#include <algorithm>
#include <utility>

#include "analyzer/audit/derivation.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::auditing {
namespace {

using Kind = Shape::Kind;

constexpr int kMostListed = 4096;
constexpr std::size_t kMostChoices = 256;  // of a set's variables
constexpr std::int64_t kFar = std::int64_t{1} << 40;
constexpr std::int64_t kFarthest = std::int64_t{1} << 60;  // that is listed

ExpressionPtr value_at_k(const std::string& function) {
  return make_expression(Apply{function, make_expression(Name{"k"})});
}

Shape interval(std::int64_t low, std::int64_t high) {
  Shape shape{Kind::kDistances, {normalized({{low, high}}), 0, false, {}}, false, {}, {}, {}};
  if (low <= high) shape.points.split = high;
  return shape;
}

bool mentions_row(const Expression& expression) {
  const auto any = [](const std::vector<ExpressionPtr>& parts) {
    return std::any_of(parts.begin(), parts.end(),
                       [](const ExpressionPtr& part) { return mentions_row(*part); });
  };
  return match(
      expression.node, [](const Literal&) { return false; },
      [](const Name& node) { return node.name == "i"; },
      [](const Apply& node) { return mentions_row(*node.argument); },
      [](const Negate& node) { return mentions_row(*node.operand); },
      [](const Arithmetic& node) { return mentions_row(*node.left) || mentions_row(*node.right); },
      [&](const auto& node) { return any(node.arguments); });
}

// Adds the expression to a sum that is kept as i - distance.
bool subtract_from_row(const ExpressionPtr& part, bool negative, int& rows,
                       ExpressionPtr& distance) {
  if (const auto* node = std::get_if<Arithmetic>(&part->node)) {
    const bool minus = node->op == ArithmeticOperator::kSubtract;
    if (minus || node->op == ArithmeticOperator::kAdd) {
      return subtract_from_row(node->left, negative, rows, distance) &&
             subtract_from_row(node->right, negative != minus, rows, distance);
    }
  }
  if (const auto* node = std::get_if<Negate>(&part->node)) {
    return subtract_from_row(node->operand, !negative, rows, distance);
  }
  const auto* name = std::get_if<Name>(&part->node);
  if (name != nullptr && name->name == "i" && !negative && rows == 0) return ++rows > 0;
  if (mentions_row(*part)) return false;
  if (!distance) {
    distance = negative ? part : make_expression(Negate{part});
  } else {
    distance = make_expression(Arithmetic{
        negative ? ArithmeticOperator::kAdd : ArithmeticOperator::kSubtract, distance, part});
  }
  return true;
}

bool starts_at(const Points& points, std::int64_t low) {
  if (!points.start.empty()) return points.start.front().low >= low;
  return !points.infinite() || points.split + 1 >= low;
}

}  // namespace

std::optional<std::int64_t> Derivation::constant(const Expression& expression,
                                                 const Bindings& bindings) const {
  const Result<Integer> value = evaluator_.evaluate(expression, bindings);
  return value.ok() ? value->to_int64() : std::nullopt;
}

const Shape& Derivation::shape(Side side) {
  lemma(side == Side::kA ? "the rows of A" : "the rows of B", [&] {
    shapes_[side] = recognize(pattern_.set(side), side);
    return true;
  });
  return shapes_.at(side);
}

bool Derivation::reads_neighbour(Side side) {
  const bool inputs = side == Side::kA;
  return lemma(inputs ? "every row of A reads i" : "every row of B reads i - 1",
               [&] { return reads(shape(side), inputs ? 0 : 1); });
}

// value(k+1) > value(k) for k >= low
std::optional<Shape> Derivation::progression(const Progression& values, Kind kind, Side side) {
  const std::optional<std::int64_t> first =
      constant(*values.value, {{values.variable, values.low}});
  const std::int64_t nearest = kind == Kind::kPositions || side == Side::kB ? 1 : 0;
  const bool grows = step("increasing: " + print(*values.value), [&](Step& step) {
    const Term k = step.variable(values.variable), next = fill("(+ ?k 1)", {{"?k", k}});
    step.allow("(<= ?l ?k)", {{"?l", numeral(values.low)}, {"?k", k}});
    const Term here = step.encode(*values.value, {{values.variable, k}});
    return fill("(< ?a ?b)",
                {{"?a", here}, {"?b", step.encode(*values.value, {{values.variable, next}})}});
  });
  if (!first || *first < nearest || !grows || values.low < -kFar || kFar < values.low) {
    return std::nullopt;
  }
  return Shape{kind, {{}, *first - 1, false, {values}}, false, {}, {}, {}};
}

std::optional<Shape> Derivation::lattice(const std::string& function) {
  const std::optional<std::int64_t> first = constant(*value_at_k(function), {{"k", 0}});
  if (first != 1 || !progression({"k", value_at_k(function), 0}, Kind::kDistances, Side::kB)) {
    return std::nullopt;
  }
  return Shape{Kind::kLattice, {}, false, function, {}, {}};
}

// { max(1, i - c)..i - d }: the distances d..c below i; { 1..i - d }: all from d on.
std::optional<Shape> Derivation::range(const RangeSet& set, std::int64_t nearest) const {
  const auto distance = [&](const ExpressionPtr& end) -> std::optional<std::int64_t> {
    int rows = 0;
    ExpressionPtr found;
    if (!subtract_from_row(end, false, rows, found) || rows != 1) return std::nullopt;
    return found ? constant(*found) : 0;
  };
  const std::optional<std::int64_t> d = distance(set.high);
  if (!d || *d < nearest || kFar < *d) return std::nullopt;
  if (constant(*set.low) == 1) {
    return Shape{Kind::kDistances, {{}, *d - 1, true, {}}, false, {}, {}, {}};
  }
  const auto* low = std::get_if<BuiltinCall>(&set.low->node);
  if (low == nullptr || low->function != BuiltinFunction::kMax || low->arguments.size() != 2 ||
      constant(*low->arguments[0]) != 1) {
    return std::nullopt;
  }
  const std::optional<std::int64_t> c = distance(low->arguments[1]);
  return c && *c <= kFar ? std::optional(interval(*d, *c)) : std::nullopt;
}

Shape Derivation::recognize(const SetPtr& set, Side side) {
  const std::int64_t nearest = side == Side::kA ? 0 : 1;
  std::optional<Shape> found = match(
      set->node, [&](const EmptySet&) { return std::optional(interval(1, 0)); },
      [&](const DiagonalSet&) { return std::optional(interval(0, 0)); },
      [&](const DenseSet&) {
        return std::optional(
            Shape{Kind::kDistances, {{}, nearest - 1, true, {}}, false, {}, {}, {}});
      },
      [&](const WindowSet& node) -> std::optional<Shape> {
        const std::optional<std::int64_t> width = constant(*node.width);
        if (!width || *width > kFar || *width < -kFar) return std::nullopt;
        return interval(nearest, nearest + *width - 1);
      },
      [&](const OffsetsSet& node) {
        return progression({"k", value_at_k(node.function), 0}, Kind::kDistances, side);
      },
      [&](const LatticeSet& node) { return lattice(node.function); },
      [&](const RangeSet& node) { return range(node, nearest); },
      [&](const Comprehension&) { return comprehension(set, side); },
      [&](const SetOperation& node) -> std::optional<Shape> {
        Shape shape;
        shape.kind = node.op == SetOperator::kUnion          ? Kind::kUnion
                     : node.op == SetOperator::kIntersection ? Kind::kIntersection
                                                             : Kind::kDifference;
        shape.parts = {recognize(node.left, side), recognize(node.right, side)};
        const Shape& x = shape.parts[0];
        const Shape& y = shape.parts[1];
        if (x.kind != y.kind || x.before != y.before ||
            (x.kind != Kind::kDistances && x.kind != Kind::kPositions)) {
          return shape;
        }
        const std::optional<Points> points = combined(node.op, x.points, y.points);
        return points ? Shape{x.kind, *points, x.before, {}, {}, {}} : shape;
      });
  if (found) return *found;
  return Shape{Kind::kOther, {}, false, {}, {}, set, farthest(set)};
}

// A step says how far behind its row a range begins at most; any such number would do.
std::optional<std::int64_t> Derivation::farthest(const SetPtr& set) {
  const auto* ends = std::get_if<RangeSet>(&set->node);
  for (const auto& [name, script] : scripts_) {
    const std::size_t end = name.find(": ");
    if (ends == nullptr || name.compare(0, 7, "within ") != 0 || end == std::string::npos) continue;
    const auto most = Integer::parse(name.substr(7, end - 7));
    if (!most || most->sign() < 0 || Integer(kFar) < *most) continue;
    const std::string wanted = "within " + most->to_string() + ": " + print(*set);
    if (name.compare(0, wanted.size(), wanted) != 0) continue;
    if (step(wanted, [&](Step& step) {
          Holes holes{{"?i", step.variable("i")}, {"?m", numeral(*most)}};
          step.allow("(<= 1 ?i)", holes);
          holes["?l"] = step.encode(*ends->low, {{"i", holes["?i"]}});
          holes["?h"] = step.encode(*ends->high, {{"i", holes["?i"]}});
          return fill("(=> (<= ?l ?h) (<= (- ?i ?m) ?l))", holes);
        })) {
      return most->to_int64();
    }
  }
  return std::nullopt;
}

// The function f of { a(k) * ceil((i - f(k)) / a(k)) : k >= 0, f(k) < i } with the strides a of
// lattice(f).
std::optional<std::string> Derivation::lattice_written_out(const Comprehension& set) const {
  if (set.binders.size() != 1 || set.binders[0].high || set.conditions.size() != 1 ||
      constant(*set.binders[0].low) != 0) {
    return std::nullopt;
  }
  const std::string& k = set.binders[0].name;
  for (const FunctionDefinition& a : pattern_.syntax().functions) {
    for (const FunctionDefinition& f : pattern_.syntax().functions) {
      const auto stride = [&](const std::string& at, const std::string& distance) {
        return a.name + "(" + at + ") * ceil((" + distance + ") / " + a.name + "(" + at + "))";
      };
      const std::string& m = a.variable;
      if (a.base.size() == 1 && constant(*a.base[0]) == 1 &&
          print(*set.conditions[0]) == f.name + "(" + k + ") < i" &&
          print(*set.element) == stride(k, "i - " + f.name + "(" + k + ")") &&
          print(*a.step) == stride(m, f.name + "(" + m + " + 1) - " + f.name + "(" + m + ")")) {
        return f.name;
      }
    }
  }
  return std::nullopt;
}

// Several variables need constant ends; one alone may have none, or one that is a condition.
std::optional<Shape> Derivation::comprehension(const SetPtr& whole, Side side) {
  const auto& set = std::get<Comprehension>(whole->node);
  if (const std::optional<std::string> f = lattice_written_out(set)) return lattice(*f);
  int rows = 0;
  ExpressionPtr value;
  const bool fixed = !mentions_row(*set.element);
  if (fixed) {
    value = set.element;
  } else if (!subtract_from_row(set.element, false, rows, value) || rows == 0) {
    return std::nullopt;
  }
  if (!value) value = make_expression(Literal{0});
  struct Range {
    std::int64_t low = 0;
    std::optional<std::int64_t> high;
  };
  std::vector<Range> ranges;
  for (const Binder& binder : set.binders) {
    const std::optional<std::int64_t> low = constant(*binder.low);
    ranges.push_back({low.value_or(0), binder.high ? constant(*binder.high) : std::nullopt});
    const bool ends = ranges.back().high || set.binders.size() == 1;
    if (!low || !ends || binder.name == "i") return std::nullopt;
  }
  if (std::any_of(ranges.begin(), ranges.end(), [](const Range& range) {
        return range.high && *range.high < range.low;  // no values of the variable, no positions
      })) {
    return interval(1, 0);
  }
  const bool unbounded = ranges.size() == 1 && !ranges[0].high;
  // The conditions say value < i, or value <= i; or, and more, they imply it.
  const auto clipped = [&](const std::string& name, const char* below, const char* goal) {
    return step(name, [&](Step& step) {
      Holes holes{{"?i", step.variable("i")}};
      step.allow("(<= 1 ?i)", holes);
      Scope scope{{"i", holes["?i"]}};
      for (std::size_t at = 0; at < ranges.size(); ++at) {
        const std::string& k = set.binders[at].name;
        if (step.variables().count(k) > 0) step.fail("two variables have one name");
        scope.emplace_back(k, holes["?k"] = step.variable(k));
        step.allow("(<= ?l ?k)", {{"?l", numeral(ranges[at].low)}, {"?k", holes["?k"]}});
        if (!ranges[at].high) continue;
        step.allow("(<= ?k ?h)", {{"?h", numeral(*ranges[at].high)}, {"?k", holes["?k"]}});
      }
      std::vector<Term> guards;
      if (unbounded && set.binders[0].high) {
        guards.push_back({"<=", {holes["?k"], step.encode(*set.binders[0].high, scope)}});
      }
      for (const ConditionPtr& condition : set.conditions) {
        guards.push_back(step.encode(*condition, scope));
      }
      holes["?g"] = both(guards);
      holes["?v"] = step.encode(*value, scope);
      holes["?c"] = fill(below, holes);
      return fill(goal, holes);
    });
  };
  const Kind kind = fixed ? Kind::kPositions : Kind::kDistances;
  const std::pair<std::string, const char*> ways[] = {
      {"clipped: " + print(*value), "(and (=> ?g ?c) (=> ?c ?g))"},
      {"guarded: " + print(*whole), "(=> ?g ?c)"}};
  bool known = false, before = false, guarded = false;
  for (const auto& [name, goal] : ways) {
    if (known) break;
    before = clipped(name, "(< ?v ?i)", goal);
    known = before || (fixed && clipped(name, "(<= ?v ?i)", goal));
    guarded = name != ways[0].first;
  }
  if (!known) return std::nullopt;
  std::optional<Shape> shape = Shape{kind, {}, false, {}, {}, {}};
  if (unbounded) {
    shape = progression({set.binders[0].name, value, ranges[0].low}, kind, side);
    if (!shape) return std::nullopt;
  } else {
    std::vector<Bindings> all{{}};
    for (std::size_t at = 0; at < ranges.size(); ++at) {
      if (ranges[at].low < -kFarthest || kFarthest < *ranges[at].high) return std::nullopt;
      for (const Bindings& chosen : std::exchange(all, {})) {
        for (std::int64_t k = ranges[at].low; k <= *ranges[at].high; ++k) {
          if (all.size() == kMostChoices) return std::nullopt;
          all.push_back(chosen);
          all.back().emplace_back(set.binders[at].name, k);
        }
      }
    }
    for (const Bindings& bindings : all) {
      const std::optional<std::int64_t> d = constant(*value, bindings);
      if (!d || *d < 0 || kFarthest < *d) return std::nullopt;
      shape->points.start = union_of(shape->points.start, {{*d, *d}});
    }
    if (!shape->points.start.empty()) shape->points.split = shape->points.start.back().high;
  }
  shape->before = fixed && before;
  if (!guarded) return shape;
  Shape other{Kind::kOther, {}, false, {}, {}, whole};
  return Shape{Kind::kIntersection, {}, false, {}, {*std::move(shape), std::move(other)}, {}};
}

bool Derivation::list_to(Points& points, std::int64_t split) const {
  if (split <= points.split) return true;
  if (points.all) points.start = union_of(points.start, {{points.split + 1, split}});
  for (Progression& values : points.beyond) {
    for (int listed = 0;; ++listed, ++values.low) {
      const auto value = constant(*values.value, {{values.variable, values.low}});
      if (!value || listed == kMostListed) return false;
      if (*value > split) break;
      points.start = union_of(points.start, {{*value, *value}});
    }
  }
  points.split = split;
  return true;
}

std::optional<Points> Derivation::combined(SetOperator op, Points x, Points y) const {
  const std::int64_t split = std::max(x.split, y.split);
  if (split > kFar || !list_to(x, split) || !list_to(y, split)) return std::nullopt;
  Points result{{}, split, false, {}};
  switch (op) {
    case SetOperator::kUnion:
      result.start = union_of(x.start, y.start);
      result.all = x.all || y.all;
      if (result.all) return result;
      result.beyond = std::move(x.beyond);
      result.beyond.insert(result.beyond.end(), y.beyond.begin(), y.beyond.end());
      return result;
    case SetOperator::kIntersection:
      result.start = intersection_of(x.start, y.start);
      if (!x.infinite() || !y.infinite()) return result;
      if (!x.all && !y.all) return std::nullopt;
      result.all = x.all && y.all;
      result.beyond = x.all ? y.beyond : x.beyond;
      return result;
    case SetOperator::kDifference:
      result.start = difference_of(x.start, y.start);
      if (!x.infinite() || y.all) return result;
      if (y.infinite()) return std::nullopt;
      result.all = x.all;
      result.beyond = std::move(x.beyond);
      return result;
  }
  unreachable("set operator");
}

std::optional<bool> Derivation::has_point(const Points& points, std::int64_t point) const {
  const auto hit = combined(SetOperator::kIntersection, points, interval(point, point).points);
  return hit ? std::optional(!hit->start.empty()) : std::nullopt;
}

// i - distance is in row(i) for every i > distance.
bool Derivation::reads(const Shape& shape, std::int64_t distance) {
  switch (shape.kind) {
    case Kind::kDistances:
      return has_point(shape.points, distance) == true;
    case Kind::kLattice:
      return distance == 1;  // p_0(i) = i - f(0)
    case Kind::kPositions:
      return distance == (shape.before ? 1 : 0) && shape.points.all_from(1);
    case Kind::kUnion:
      return reads(shape.parts[0], distance) || reads(shape.parts[1], distance);
    case Kind::kIntersection:
      return reads(shape.parts[0], distance) && reads(shape.parts[1], distance);
    case Kind::kDifference:
      return shape.parts[1].kind == Kind::kDistances &&
             has_point(shape.parts[1].points, distance) == false && reads(shape.parts[0], distance);
    case Kind::kOther:
      break;
  }
  const std::string name = "reads i - " + std::to_string(distance) + ": " + print(*shape.set);
  return step(name, [&](Step& step) {
    Holes holes{{"?i", step.variable("i")}, {"?d", numeral(distance)}};
    holes["?from"] = numeral(distance + 1);
    step.allow("(<= ?from ?i)", holes);
    Scope scope{{"i", holes["?i"]}};
    const Term position = fill("(- ?i ?d)", holes);
    std::vector<Term> goals;
    if (const auto* range = std::get_if<RangeSet>(&shape.set->node)) {
      goals.push_back({"<=", {step.encode(*range->low, scope), position}});
      goals.push_back({"<=", {position, step.encode(*range->high, scope)}});
    } else if (const auto* listed = std::get_if<Comprehension>(&shape.set->node)) {
      for (const Binder& binder : listed->binders) {
        const Term low = step.encode(*binder.low, scope);
        if (binder.high) goals.push_back({"<=", {low, step.encode(*binder.high, scope)}});
        scope.emplace_back(binder.name, low);
      }
      for (const auto& condition : listed->conditions) {
        goals.push_back(step.encode(*condition, scope));
      }
      goals.push_back({"=", {step.encode(*listed->element, scope), position}});
    } else {
      step.fail("the set has no witness");
    }
    return both(std::move(goals));
  });
}

bool Derivation::causal(const Shape& shape, Side side) {
  switch (shape.kind) {
    case Kind::kDistances:
      rules_.insert("distances between the nearest allowed one and i - 1");
      return starts_at(shape.points, side == Side::kA ? 0 : 1);
    case Kind::kPositions:
      rules_.insert("fixed positions that the conditions clip at the row");
      return starts_at(shape.points, 1) &&
             (side == Side::kA || shape.before ||
              (shape.points.start.empty() && !shape.points.infinite()));
    case Kind::kLattice:
      rules_.insert("lattice positions of a strictly increasing f with f(0) = 1 lie in 1..i-1");
      return true;
    case Kind::kUnion:
      return causal(shape.parts[0], side) && causal(shape.parts[1], side);
    case Kind::kIntersection: {
      const std::set<std::string> rules = rules_;
      if (causal(shape.parts[0], side)) return has_value(shape.parts[1], side);
      rules_ = rules;
      return causal(shape.parts[1], side) && has_value(shape.parts[0], side);
    }
    case Kind::kDifference:
      return causal(shape.parts[0], side) && has_value(shape.parts[1], side);
    case Kind::kOther:
      rules_.insert("every position is in range under the conditions");
      return causal_step("causal: ", *shape.set, side, true);
  }
  unreachable("shape");
}

// Every row of the set has a value, though perhaps positions out of range.
bool Derivation::has_value(const Shape& shape, Side side) {
  const bool other = shape.kind == Kind::kOther;
  rules_.insert(other ? "every expression has a value" : "built-in sets have values");
  if (other) return causal_step("has a value: ", *shape.set, side, false);
  return std::all_of(shape.parts.begin(), shape.parts.end(),
                     [&](const Shape& part) { return has_value(part, side); });
}

bool Derivation::causal_step(const std::string& name, const SetExpression& set, Side side,
                             bool in_range) {
  return step(name + print(set), [&](Step& step) {
    Holes holes{{"?i", step.variable("i")}};
    step.allow("(<= 1 ?i)", holes);
    Scope scope{{"i", holes["?i"]}};
    holes["?last"] = side == Side::kA ? holes["?i"] : fill("(- ?i 1)", holes);
    if (const auto* range = std::get_if<RangeSet>(&set.node)) {
      holes["?l"] = step.encode(*range->low, scope);
      holes["?h"] = step.encode(*range->high, scope);
      return in_range ? fill("(=> (<= ?l ?h) (and (<= 1 ?l) (<= ?h ?last)))", holes)
                      : Term{"true", {}};
    }
    const auto* listed = std::get_if<Comprehension>(&set.node);
    if (listed == nullptr) {
      step.fail("no rule for the set");
      return Term{"true", {}};
    }
    // An end without a value is a row without one, so it must not count as an empty range.
    const auto allow_end = [&](const std::string& fact) {
      std::vector<Term> needs = step.take_needs();
      const bool always = needs.empty();
      for (const Term& need : needs) step.need(need);
      holes["?n"] = both(std::move(needs));
      step.allow(always ? fact : "(=> ?n " + fact + ")", holes);
    };
    for (const Binder& binder : listed->binders) {
      holes["?l"] = step.encode(*binder.low, scope);
      if (step.variables().count(binder.name) > 0) step.fail("two variables have one name");
      holes["?k"] = step.variable(binder.name);
      allow_end("(<= ?l ?k)");
      if (binder.high) {
        holes["?h"] = step.encode(*binder.high, scope);
        allow_end("(<= ?k ?h)");
      }
      scope.emplace_back(binder.name, holes["?k"]);
    }
    std::vector<Term> guards;
    for (const auto& condition : listed->conditions) {
      guards.push_back(step.encode(*condition, scope));
    }
    std::vector<Term> outer = step.take_needs();
    holes["?e"] = step.encode(*listed->element, scope);
    std::vector<Term> inside = step.take_needs();
    for (Term& fact : outer) step.need(std::move(fact));
    if (in_range) {
      inside.push_back(fill("(<= 1 ?e)", holes));
      inside.push_back(fill("(<= ?e ?last)", holes));
    }
    return Term{"=>", {both(std::move(guards)), both(std::move(inside))}};
  });
}

}  // namespace heddle::auditing
