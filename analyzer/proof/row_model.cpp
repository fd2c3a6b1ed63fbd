// SPDX-License-Identifier: Apache-2.0
// Recognition of sets. A comprehension is taken for {i - g(k) : g(k) < i} only after two
// obligations: g is strictly increasing, and its conditions say g(k) < i, no more and no less.
// Where they say more, it is known to lie within that set: it is the intersection of the two.
#include "analyzer/proof/row_model.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/proof/points.hpp"
#include "analyzer/proof/query.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/expression.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

constexpr const char* kRow = "i";
constexpr std::size_t kMostEnumerated = 256;
constexpr std::int64_t kRowsSeen = 1024;
constexpr std::int64_t kFarthest = std::int64_t{1} << 60;  // ends and values that are listed
constexpr std::int64_t kFar = std::int64_t{1} << 40;       // ends of intervals

ExpressionPtr name(const std::string& text) { return make_expression(Name{text}); }
ExpressionPtr call(const std::string& function, ExpressionPtr argument) {
  return make_expression(Apply{function, std::move(argument)});
}
ExpressionPtr arithmetic(ArithmeticOperator op, ExpressionPtr left, ExpressionPtr right) {
  return make_expression(Arithmetic{op, std::move(left), std::move(right)});
}

bool mentions(const Expression& expression, const std::string& word) {
  const auto any = [&](const std::vector<ExpressionPtr>& parts) {
    for (const ExpressionPtr& part : parts) {
      if (mentions(*part, word)) return true;
    }
    return false;
  };
  return match(
      expression.node, [](const Literal&) { return false; },
      [&](const Name& node) { return node.name == word; },
      [&](const Apply& node) { return mentions(*node.argument, word); },
      [&](const Negate& node) { return mentions(*node.operand, word); },
      [&](const Arithmetic& node) {
        return mentions(*node.left, word) || mentions(*node.right, word);
      },
      [&](const BuiltinCall& node) { return any(node.arguments); },
      [&](const MeasureTerm& node) { return any(node.arguments); });
}

// The signed terms of a sum.
void flatten(const ExpressionPtr& expression, bool negative,
             std::vector<std::pair<bool, ExpressionPtr>>& terms) {
  if (const auto* node = std::get_if<Arithmetic>(&expression->node)) {
    if (node->op == ArithmeticOperator::kAdd || node->op == ArithmeticOperator::kSubtract) {
      flatten(node->left, negative, terms);
      flatten(node->right, negative != (node->op == ArithmeticOperator::kSubtract), terms);
      return;
    }
  }
  if (const auto* node = std::get_if<Negate>(&expression->node)) {
    flatten(node->operand, !negative, terms);
    return;
  }
  terms.emplace_back(negative, expression);
}

// d without i such that the expression is i - d, if its text shows one.
ExpressionPtr distance_of(const ExpressionPtr& expression) {
  std::vector<std::pair<bool, ExpressionPtr>> terms;
  flatten(expression, false, terms);
  bool has_row = false;
  ExpressionPtr distance;
  for (const auto& [negative, term] : terms) {
    const auto* as_name = std::get_if<Name>(&term->node);
    if (as_name != nullptr && as_name->name == kRow && !negative && !has_row) {
      has_row = true;
    } else if (mentions(*term, kRow)) {
      return nullptr;
    } else if (!distance) {
      distance = negative ? term : make_expression(Negate{term});
    } else {
      distance = arithmetic(negative ? ArithmeticOperator::kAdd : ArithmeticOperator::kSubtract,
                            distance, term);
    }
  }
  if (!has_row) return nullptr;
  return distance ? distance : make_expression(Literal{0});
}

class Recognizer {
 public:
  Recognizer(const Knowledge& knowledge, Side side)
      : knowledge_(knowledge), evaluator_(*knowledge.pattern), side_(side) {}

  RowModel recognize(const SetPtr& set) {
    const std::int64_t nearest = side_ == Side::kA ? 0 : 1;
    std::optional<RowModel> model = match(
        set->node, [&](const EmptySet&) { return distances(Points{}); },
        [&](const DiagonalSet&) { return distances(interval_points(0, 0)); },
        [&](const DenseSet&) { return distances(points_from(nearest)); },
        [&](const WindowSet& node) -> std::optional<RowModel> {
          const std::optional<std::int64_t> width = constant(*node.width);
          if (!width || *width > kFar) return std::nullopt;
          return distances(interval_points(nearest, nearest + *width - 1));
        },
        [&](const OffsetsSet& node) {
          return progression({"k", call(node.function, name("k")), 0}, RowModel::Kind::kDistances);
        },
        [&](const LatticeSet& node) { return lattice(node.function); },
        [&](const RangeSet& node) { return range(node); },
        [&](const Comprehension&) { return comprehension(set); },
        [&](const SetOperation& node) -> std::optional<RowModel> { return operation(node); });
    if (model) return *model;
    RowModel other;
    other.set = set;
    if (const auto* ends = std::get_if<RangeSet>(&set->node)) other.farthest = farthest(set, *ends);
    return other;
  }

  std::vector<Obligation> obligations;
  std::set<std::string> lemmas;

 private:
  std::optional<std::int64_t> constant(const Expression& expression) const {
    const Result<Integer> value = evaluator_.evaluate(expression, {});
    return value.ok() ? value.value().to_int64() : std::nullopt;
  }

  static std::optional<RowModel> distances(Points points) {
    RowModel model;
    model.kind = RowModel::Kind::kDistances;
    model.points = std::move(points);
    return model;
  }

  // { max(1, i - c)..i - d } = { i - t : d <= t <= c, t < i }, without an end for { 1..i - d }.
  std::optional<RowModel> range(const RangeSet& set) const {
    const auto distance = [&](const ExpressionPtr& end) -> std::optional<std::int64_t> {
      const ExpressionPtr found = distance_of(end);
      return found ? constant(*found) : std::nullopt;
    };
    const std::optional<std::int64_t> first = distance(set.high);
    if (!first || *first < (side_ == Side::kA ? 0 : 1) || *first > kFar) return std::nullopt;
    if (constant(*set.low) == 1) return distances(points_from(*first));
    const auto* larger = std::get_if<BuiltinCall>(&set.low->node);
    if (larger == nullptr || larger->function != BuiltinFunction::kMax ||
        larger->arguments.size() != 2 || constant(*larger->arguments[0]) != 1) {
      return std::nullopt;
    }
    const std::optional<std::int64_t> last = distance(larger->arguments[1]);
    if (!last || *last > kFar) return std::nullopt;
    return distances(interval_points(*first, *last));
  }

  // How far behind its row the low end of the first rows is, if that is so of every row.
  std::optional<std::int64_t> farthest(const SetPtr& set, const RangeSet& ends) {
    std::int64_t seen = 0;
    for (std::int64_t i = 1; i <= kRowsSeen; ++i) {
      const Result<Integer> low = evaluator_.evaluate(*ends.low, {{kRow, Integer(i)}});
      const std::optional<std::int64_t> position = low.ok() ? low->to_int64() : std::nullopt;
      if (!position) return std::nullopt;
      seen = std::max(seen, i - *position);
      if (kRowsSeen < 4 * seen) return std::nullopt;  // may grow for ever
    }
    Query query(knowledge_, knowledge_.resource_limit);
    const Term i = query.variable(kRow);
    query.assume(i >= 1, "rows count from 1");
    const Scope scope{{kRow, i}};
    const Term low = query.encode(*ends.low, scope), high = query.encode(*ends.high, scope);
    const std::string text = print(*set);
    if (!keep(query, query.prove(fmt::format("within {}: {}", seen, text),
                                 fmt::format("{} begins at i - {} or later", text, seen),
                                 implies(low <= high, i - Term(seen) <= low)))) {
      return std::nullopt;
    }
    return seen;
  }

  bool keep(const Query& query, const Attempt& attempt) {
    if (!attempt.proved()) return false;
    obligations.push_back(attempt.obligation);
    lemmas.insert(query.lemmas().begin(), query.lemmas().end());
    return true;
  }

  // value(k+1) > value(k) for k >= low
  bool prove_increasing(const Progression& progression) {
    Query query(knowledge_, knowledge_.resource_limit);
    const Term k = query.variable(progression.variable);
    query.assume(k >= Term(progression.low), "range of the variable");
    const Term here = query.encode(*progression.value, {{progression.variable, k}});
    const Term next = query.encode(*progression.value, {{progression.variable, k + 1}});
    const std::string text = print(*progression.value);
    return keep(query, query.prove("increasing: " + text,
                                   fmt::format("{} grows strictly in {} >= {}", text,
                                               progression.variable, progression.low),
                                   here < next));
  }

  std::optional<RowModel> progression(const Progression& progression, RowModel::Kind kind) {
    const std::optional<Points> points = progression_points(knowledge_, progression);
    const std::int64_t nearest = kind == RowModel::Kind::kPositions || side_ == Side::kB ? 1 : 0;
    if (!points || points->split < nearest - 1 || !prove_increasing(progression)) {
      return std::nullopt;
    }
    RowModel model;
    model.kind = kind;
    model.points = *points;
    return model;
  }

  // lattice(f): f(0) = 1 and f strictly increasing, so that rows are nested
  std::optional<RowModel> lattice(const std::string& function) {
    const Result<Integer> first = evaluator_.call(function, 0);
    if (!first.ok() || first.value() != Integer(1)) return std::nullopt;
    if (!prove_increasing({"k", call(function, name("k")), 0})) return std::nullopt;
    RowModel model;
    model.kind = RowModel::Kind::kLattice;
    model.function = function;
    return model;
  }

  // { a(k) * ceil((i - f(k)) / a(k)) : k >= 0, f(k) < i } with the a of theory, "Lattice patterns"
  std::optional<std::string> lattice_written_out(const Comprehension& set) const {
    const auto* product = std::get_if<Arithmetic>(&set.element->node);
    const auto* stride = product ? std::get_if<Apply>(&product->left->node) : nullptr;
    const FunctionDefinition* a = stride ? knowledge_.pattern->function(stride->function) : nullptr;
    if (a == nullptr || a->base.size() != 1 || set.binders.size() != 1 ||
        set.conditions.size() != 1 || set.binders[0].high) {
      return std::nullopt;
    }
    const std::optional<std::int64_t> first = constant(*a->base[0]);
    const std::optional<std::int64_t> low = constant(*set.binders[0].low);
    if (first != 1 || low != 0) return std::nullopt;
    const std::string& k = set.binders[0].name;
    const auto multiple = [](const ExpressionPtr& step, const ExpressionPtr& distance) {
      return arithmetic(ArithmeticOperator::kMultiply, step,
                        arithmetic(ArithmeticOperator::kCeilDivide, distance, step));
    };
    for (const FunctionDefinition& f : knowledge_.pattern->syntax().functions) {
      const ExpressionPtr at_k = call(f.name, name(k));
      const ExpressionPtr element = multiple(
          call(a->name, name(k)), arithmetic(ArithmeticOperator::kSubtract, name(kRow), at_k));
      const ConditionPtr guard =
          make_condition(Comparison{ComparisonOperator::kLess, at_k, name(kRow)});
      const ExpressionPtr m = name(a->variable);
      const ExpressionPtr next =
          arithmetic(ArithmeticOperator::kAdd, m, make_expression(Literal{1}));
      const ExpressionPtr step =
          multiple(call(a->name, m),
                   arithmetic(ArithmeticOperator::kSubtract, call(f.name, next), call(f.name, m)));
      if (print(*set.element) == print(*element) && print(*set.conditions[0]) == print(*guard) &&
          print(*a->step) == print(*step)) {
        return f.name;
      }
    }
    return std::nullopt;
  }

  // Constant ends of the variables of a set. One variable alone may have no end, or one that is
  // not constant: then that it is kept to is a condition like others.
  struct Ranges {
    struct Range {
      std::string name;
      std::int64_t low = 0;
      std::optional<std::int64_t> high;
    };
    std::vector<Range> all;
    std::vector<ConditionPtr> conditions;  // of the set, and ends that are not constant

    bool unbounded() const { return all.size() == 1 && !all[0].high; }
  };

  std::optional<Ranges> ranges_of(const Comprehension& set) const {
    Ranges ranges;
    for (const Binder& binder : set.binders) {
      const std::optional<std::int64_t> low = constant(*binder.low);
      if (!low) return std::nullopt;
      ranges.all.push_back({binder.name, *low, {}});
      if (binder.high) ranges.all.back().high = constant(*binder.high);
      if (ranges.all.back().high) continue;
      if (set.binders.size() > 1) return std::nullopt;
      if (binder.high) {
        ranges.conditions.push_back(make_condition(
            Comparison{ComparisonOperator::kLessEqual, name(binder.name), binder.high}));
      }
    }
    ranges.conditions.insert(ranges.conditions.end(), set.conditions.begin(), set.conditions.end());
    return ranges;
  }

  // The conditions hold exactly when value < i (or <= i), for every i and all variables in their
  // ranges; or, of what is `guarded`, only then.
  bool prove_clipped(const SetPtr& set, const Ranges& ranges, const ExpressionPtr& value,
                     ComparisonOperator op, bool guarded) {
    Query query(knowledge_, knowledge_.resource_limit);
    const Term i = query.variable(kRow);
    query.assume(i >= 1, "rows count from 1");
    Scope scope{{kRow, i}};
    for (const Ranges::Range& range : ranges.all) {
      const Term k = query.variable(range.name);
      query.assume(k >= Term(range.low), "range of the variable");
      if (range.high) query.assume(k <= Term(*range.high), "range of the variable");
      scope.emplace_back(range.name, k);
    }
    std::vector<Term> guards;
    for (const ConditionPtr& condition : ranges.conditions) {
      guards.push_back(query.encode(*condition, scope));
    }
    const Term clip = query.encode(*make_condition(Comparison{op, value, name(kRow)}), scope);
    const Term guard = conjunction(guards);
    const std::string text = print(*value);
    if (guarded) {
      return keep(
          query, query.prove("guarded: " + print(*set),
                             fmt::format("the conditions imply {} {} i", text, heddle::name_of(op)),
                             implies(guard, clip)));
    }
    return keep(query,
                query.prove("clipped: " + text,
                            fmt::format("the conditions say {} {} i", text, heddle::name_of(op)),
                            conjunction({implies(guard, clip), implies(clip, guard)})));
  }

  std::optional<RowModel> comprehension(const SetPtr& whole) {
    const auto& set = std::get<Comprehension>(whole->node);
    if (const std::optional<std::string> function = lattice_written_out(set)) {
      return lattice(*function);
    }
    const ExpressionPtr distance = distance_of(set.element);
    const bool fixed = !mentions(*set.element, kRow);
    if (!distance && !fixed) return std::nullopt;
    const ExpressionPtr value = fixed ? set.element : distance;
    const std::optional<Ranges> ranges = ranges_of(set);
    if (!ranges) return std::nullopt;

    // Where a variable has no values, hypotheses about it would contradict each other.
    if (std::any_of(ranges->all.begin(), ranges->all.end(), [](const Ranges::Range& range) {
          return range.high && *range.high < range.low;
        })) {
      return distances(Points{});
    }

    std::optional<ComparisonOperator> op;
    bool guarded = false;
    for (const bool only_then : {false, true}) {
      for (const auto each : {ComparisonOperator::kLess, ComparisonOperator::kLessEqual}) {
        if (op || (each == ComparisonOperator::kLessEqual && !fixed)) continue;
        if (!prove_clipped(whole, *ranges, value, each, only_then)) continue;
        op = each;
        guarded = only_then;
      }
    }
    if (!op) return std::nullopt;
    std::optional<RowModel> model =
        ranges->unbounded()
            ? progression({ranges->all[0].name, value, ranges->all[0].low},
                          fixed ? RowModel::Kind::kPositions : RowModel::Kind::kDistances)
            : listed(*ranges, value);
    if (!model) return std::nullopt;
    model->kind = fixed ? RowModel::Kind::kPositions : RowModel::Kind::kDistances;
    model->before_row = fixed && op == ComparisonOperator::kLess;
    if (!guarded) return model;
    RowModel within, other;
    other.set = whole;
    within.kind = RowModel::Kind::kIntersection;
    within.parts = {*std::move(model), std::move(other)};
    return within;
  }

  std::optional<RowModel> listed(const Ranges& ranges, const ExpressionPtr& value) const {
    std::vector<Bindings> all{{}};
    for (const Ranges::Range& range : ranges.all) {
      if (range.low < -kFarthest || *range.high > kFarthest) return std::nullopt;
      std::vector<Bindings> longer;
      for (const Bindings& known : all) {
        for (std::int64_t k = range.low; k <= *range.high; ++k) {
          if (longer.size() == kMostEnumerated) return std::nullopt;
          longer.push_back(known);
          longer.back().emplace_back(range.name, Integer(k));
        }
      }
      all = std::move(longer);
    }
    IntervalList values;
    for (const Bindings& bindings : all) {
      const Result<Integer> exact = evaluator_.evaluate(*value, bindings);
      const std::optional<std::int64_t> d = exact.ok() ? exact.value().to_int64() : std::nullopt;
      if (!d || *d < 0 || *d > kFarthest) return std::nullopt;
      values.push_back({*d, *d});
    }
    RowModel model;
    model.points.start = normalized(values);
    if (!model.points.start.empty()) model.points.split = model.points.start.back().high;
    return model;
  }

  RowModel operation(const SetOperation& node) {
    RowModel model;
    model.kind = node.op == SetOperator::kUnion          ? RowModel::Kind::kUnion
                 : node.op == SetOperator::kIntersection ? RowModel::Kind::kIntersection
                                                         : RowModel::Kind::kDifference;
    model.parts = {recognize(node.left), recognize(node.right)};
    const RowModel& left = model.parts[0];
    const RowModel& right = model.parts[1];
    const bool alike = left.kind == right.kind && left.before_row == right.before_row;
    if (!alike ||
        (left.kind != RowModel::Kind::kDistances && left.kind != RowModel::Kind::kPositions)) {
      return model;
    }
    const std::optional<Points> points = combine(knowledge_, node.op, left.points, right.points);
    if (!points) return model;
    RowModel merged = left;
    merged.points = *points;
    return merged;
  }

  const Knowledge& knowledge_;
  Evaluator evaluator_;
  Side side_;
};

}  // namespace

ProvedModel model_of(const Knowledge& knowledge, const SetPtr& set, Side side) {
  Recognizer recognizer(knowledge, side);
  RowModel model = recognizer.recognize(set);
  return {std::move(model), std::move(recognizer.obligations), std::move(recognizer.lemmas)};
}

}  // namespace heddle::proof
