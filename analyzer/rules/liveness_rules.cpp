// SPDX-License-Identifier: Apache-2.0
// The rule that describes live(i) for every i, found on the syntax of a set. Conditions and bounds
// are recognised by their canonical text; a set written in another way has no rule, never a wrong
// one.
#include <algorithm>
#include <functional>

#include "analyzer/rules/function_growth.hpp"
#include "analyzer/rules/liveness.hpp"
#include "analyzer/rules/retention_shape.hpp"
#include "patterns/ast_print.hpp"

namespace heddle {
namespace {

constexpr const char* kRow = "i";
constexpr std::size_t kMaxEnumerated = 100000;

void add_conjuncts(const ConditionPtr& condition, std::vector<ConditionPtr>& conjuncts) {
  if (const auto* both = std::get_if<Conjunction>(&condition->node)) {
    add_conjuncts(both->left, conjuncts);
    add_conjuncts(both->right, conjuncts);
  } else {
    conjuncts.push_back(condition);
  }
}

std::vector<ConditionPtr> conjuncts_of(const Comprehension& set) {
  std::vector<ConditionPtr> conjuncts;
  for (const ConditionPtr& condition : set.conditions) add_conjuncts(condition, conjuncts);
  return conjuncts;
}

// i - c (slope 1, shift -c) or a constant (slope 0).
struct Affine {
  int slope = 0;
  std::int64_t shift = 0;
};

class RuleFinder {
 public:
  explicit RuleFinder(const Pattern& pattern)
      : pattern_(pattern), evaluator_(pattern), growth_(pattern, evaluator_) {}

  RetentionShape of(const SetExpression& set, Side side) {
    return match(
        set.node, [&](const EmptySet&) { return finite_offsets_shape({}); },
        [&](const DiagonalSet&) {
          return finite_offsets_shape({{0, 0}});
        },
        [&](const DenseSet&) {
          RetentionShape shape = everything_shape("every later row reads every position");
          shape.nested = true;
          return shape;
        },
        [&](const WindowSet& window) { return of_window(window, side); },
        [&](const OffsetsSet& offsets) {
          if (!growth_.of_function(offsets.function).diverges) return unknown_shape();
          return everything_shape(offsets.function +
                                  " is unbounded: row p + f(k) reads p for every k");
        },
        [&](const LatticeSet& lattice) { return of_lattice(lattice.function); },
        [&](const RangeSet& range) { return of_range(range.low, range.high); },
        [&](const Comprehension& comprehension) { return of_comprehension(comprehension); },
        [&](const SetOperation& operation) {
          const RetentionShape x = of(*operation.left, side);
          const RetentionShape y = of(*operation.right, side);
          switch (operation.op) {
            case SetOperator::kUnion:
              return union_shape(x, y);
            case SetOperator::kIntersection:
              return intersection_shape(x, y);
            case SetOperator::kDifference:
              return difference_shape(x, y);
          }
          unreachable("set operator");
        });
  }

 private:
  std::optional<std::int64_t> constant(const Expression& expression) const {
    if (mentions(expression, kRow)) return std::nullopt;
    const auto value = evaluator_.evaluate(expression, {});
    return value.ok() ? value->to_int64() : std::nullopt;
  }

  RetentionShape of_window(const WindowSet& window, Side side) const {
    const auto width = constant(*window.width);
    if (!width || *width > kFar) return unknown_shape();
    const std::int64_t first = side == Side::kA ? 0 : 1;
    return finite_offsets_shape(normalized({{first, first + *width - 1}}));
  }

  // S_{i+1} is a subset of S_i and {i} when f(0) = 1 and f increases (theory, lattice patterns).
  RetentionShape of_lattice(const std::string& function) {
    const auto first = evaluator_.call(function, 0);
    if (!first.ok() || !(*first == Integer(1))) return unknown_shape();
    if (!growth_.of_function(function).strictly_increasing()) return unknown_shape();
    return nested_shape("lattice positions of an increasing " + function + " with " + function +
                        "(0) = 1 are nested");
  }

  std::optional<Affine> affine(const Expression& expression) const {
    if (const auto value = constant(expression)) {
      if (*value < -kFar || *value > kFar) return std::nullopt;
      return Affine{0, *value};
    }
    if (const auto* name = std::get_if<Name>(&expression.node)) {
      return name->name == kRow ? std::optional(Affine{1, 0}) : std::nullopt;
    }
    const auto* pair = std::get_if<Arithmetic>(&expression.node);
    if (!pair) return std::nullopt;
    const bool plus = pair->op == ArithmeticOperator::kAdd;
    if (!plus && pair->op != ArithmeticOperator::kSubtract) return std::nullopt;
    const auto base = affine(*pair->left);
    const auto shift = constant(*pair->right);
    if (!base || !shift || *shift < -kFar || *shift > kFar || std::abs(base->shift) > kFar) {
      return std::nullopt;
    }
    return Affine{base->slope, base->shift + (plus ? *shift : -*shift)};
  }

  // The parts of max(...) as the low end of a range, of min(...) as the high end.
  std::optional<std::vector<Affine>> affine_parts(const Expression& expression,
                                                  BuiltinFunction extreme) const {
    std::vector<Affine> parts;
    if (const auto* call = std::get_if<BuiltinCall>(&expression.node);
        call && call->function == extreme) {
      for (const ExpressionPtr& argument : call->arguments) {
        const auto inner = affine_parts(*argument, extreme);
        if (!inner) return std::nullopt;
        parts.insert(parts.end(), inner->begin(), inner->end());
      }
      return parts;
    }
    const auto part = affine(expression);
    if (!part) return std::nullopt;
    return std::vector{*part};
  }

  // {max(c.., i - w..) .. min(i - v..)} with c <= 1 is a window, or everything if there is no w.
  std::optional<RetentionShape> of_sliding_range(const std::vector<Affine>& lows,
                                                 const std::vector<Affine>& highs) const {
    std::int64_t farthest = INT64_MAX;
    for (const Affine& part : lows) {
      if (part.slope == 0 && part.shift > 1) return std::nullopt;
      if (part.slope == 1) farthest = std::min(farthest, -part.shift);
    }
    std::int64_t nearest = INT64_MIN;
    for (const Affine& part : highs) {
      if (part.slope == 0) return std::nullopt;
      nearest = std::max(nearest, -part.shift);
    }
    if (farthest != INT64_MAX) return finite_offsets_shape(normalized({{nearest, farthest}}));
    RetentionShape shape = everything_shape("every late row reads every position");
    shape.nested = nearest <= 1;
    return shape;
  }

  // A range is nested when its low end never falls and its high end is i, i - 1 or constant, or the
  // least of such.
  RetentionShape of_range(const ExpressionPtr& low, const ExpressionPtr& high) {
    const auto highs = affine_parts(*high, BuiltinFunction::kMin);
    if (!highs) return unknown_shape();
    if (const auto lows = affine_parts(*low, BuiltinFunction::kMax)) {
      if (const auto shape = of_sliding_range(*lows, *highs)) return *shape;
    }
    const bool nested = std::all_of(highs->begin(), highs->end(), [](const Affine& part) {
      return part.slope == 0 || part.shift == 0 || part.shift == -1;
    });
    if (!nested || !growth_.of(*low, kRow, 1).nondecreasing()) return unknown_shape();
    return nested_shape("a range whose low end never falls is nested");
  }

  RetentionShape of_comprehension(const Comprehension& set) {
    for (const Binder& binder : set.binders) {
      if (binder.name == kRow) return unknown_shape();
    }
    if (const auto* name = std::get_if<Name>(&set.element->node); name && name->name == kRow) {
      if (set.binders.empty() && set.conditions.empty()) return finite_offsets_shape({{0, 0}});
      return nothing_shape();
    }
    if (is_range(set)) return of_filtered_range(set);
    if (is_lattice_by_hand(set)) return of_lattice(lattice_function(set));
    if (!mentions(*set.element, kRow)) return of_columns(set);
    if (const ExpressionPtr offset = offset_of(set.element)) return of_offsets(set, offset);
    return unknown_shape();
  }

  static bool bounds_are_constant(const Comprehension& set) {
    return std::none_of(set.binders.begin(), set.binders.end(), [](const Binder& binder) {
      return mentions(*binder.low, kRow) || (binder.high && mentions(*binder.high, kRow));
    });
  }

  // { k : k in lo..hi, conditions }
  static bool is_range(const Comprehension& set) {
    const auto* name = std::get_if<Name>(&set.element->node);
    return name && set.binders.size() == 1 && set.binders[0].high &&
           set.binders[0].name == name->name;
  }

  // Conditions free of i keep or drop a position in all rows alike, so nested stays nested.
  RetentionShape of_filtered_range(const Comprehension& set) {
    const RetentionShape range = of_range(set.binders[0].low, set.binders[0].high);
    if (set.conditions.empty()) return range;
    const bool same_in_all_rows =
        std::none_of(set.conditions.begin(), set.conditions.end(),
                     [](const ConditionPtr& condition) { return mentions(*condition, kRow); });
    RetentionShape shape = range.nested && same_in_all_rows
                               ? nested_shape("the same positions of a nested range in every row")
                               : unknown_shape();
    shape.reach = range.reach;
    return shape;
  }

  // { e : ... } with e free of i: a position, once passed, is read by every row or by none.
  RetentionShape of_columns(const Comprehension& set) const {
    if (!bounds_are_constant(set)) return unknown_shape();
    const std::string e = print(*set.element);
    for (const ConditionPtr& condition : conjuncts_of(set)) {
      if (mentions(*condition, kRow) && !is_upper_bound(*condition, e)) return unknown_shape();
    }
    return nested_shape("the same positions are read by every later row");
  }

  // e < i or e <= i in one of their spellings.
  static bool is_upper_bound(const Condition& condition, const std::string& e) {
    const std::string text = print(condition);
    return text == e + " < i" || text == "i > " + e || text == e + " <= i - 1" ||
           text == "i - 1 >= " + e || text == e + " <= i" || text == "i >= " + e;
  }

  // g with e = i - g and g free of i; null if e is nothing of the kind.
  static ExpressionPtr offset_of(const ExpressionPtr& e) {
    const auto* pair = std::get_if<Arithmetic>(&e->node);
    if (!pair || pair->op != ArithmeticOperator::kSubtract || mentions(*pair->right, kRow)) {
      return nullptr;
    }
    if (const auto* name = std::get_if<Name>(&pair->left->node); name && name->name == kRow) {
      return pair->right;
    }
    const ExpressionPtr inner = offset_of(pair->left);
    if (!inner) return nullptr;
    return make_expression(Arithmetic{ArithmeticOperator::kAdd, inner, pair->right}, e->span);
  }

  // g < i, which is e = i - g >= 1, in one of their spellings.
  bool is_guard(const Condition& condition, const std::string& e, const std::string& g,
                const std::optional<std::int64_t>& value) const {
    const std::string text = print(condition);
    if (text == g + " < i" || text == "i > " + g || text == g + " <= i - 1" ||
        text == "i - 1 >= " + g || text == e + " >= 1" || text == "1 <= " + e ||
        text == e + " > 0" || text == "0 < " + e) {
      return true;
    }
    const auto* comparison = std::get_if<Comparison>(&condition.node);
    if (!value || !comparison || print(*comparison->left) != kRow) return false;
    const auto bound = constant(*comparison->right);
    return bound && ((comparison->op == ComparisonOperator::kGreaterEqual &&
                      Integer(*bound) == Integer(*value) + Integer(1)) ||
                     (comparison->op == ComparisonOperator::kGreater && *bound == *value));
  }

  // { i - g(k..) : binders, g < i, conditions free of i }
  RetentionShape of_offsets(const Comprehension& set, const ExpressionPtr& offset) {
    if (!bounds_are_constant(set)) return unknown_shape();
    const std::string e = print(*set.element);
    const std::string g = print(*offset);
    std::vector<ConditionPtr> filters;
    bool guarded = false;
    bool other_use_of_row = false;
    for (const ConditionPtr& condition : conjuncts_of(set)) {
      if (is_guard(*condition, e, g, constant(*offset))) {
        guarded = true;
      } else if (mentions(*condition, kRow)) {
        other_use_of_row = true;
      } else {
        filters.push_back(condition);
      }
    }
    if (const auto values = enumerate(set, *offset, filters)) {
      RetentionShape shape = finite_offsets_shape(*values);
      if (other_use_of_row) {  // rows read subsets of {i - c}; those of {i - 1} are nested
        shape.offsets.reset();
        shape.nested = shape.nothing || shape.reach == 1;
      }
      return shape;
    }
    if (set.binders.size() != 1 || set.binders[0].high || !filters.empty() || other_use_of_row ||
        !guarded) {
      return unknown_shape();
    }
    const auto start = constant(*set.binders[0].low);
    if (!start || !growth_.of(*offset, set.binders[0].name, *start).diverges) {
      return unknown_shape();
    }
    return everything_shape("the offsets " + g + " are unbounded: row p + " + g + " reads p");
  }

  // The last value of an unbounded variable that a condition `k <= c` or `k < c` lets through.
  std::optional<std::int64_t> last_value(const Binder& binder,
                                         const std::vector<ConditionPtr>& filters) const {
    if (binder.high) return constant(*binder.high);
    for (const ConditionPtr& filter : filters) {
      const auto* comparison = std::get_if<Comparison>(&filter->node);
      if (!comparison) continue;
      const auto* name = std::get_if<Name>(&comparison->left->node);
      const auto bound = constant(*comparison->right);
      if (!name || name->name != binder.name || !bound) continue;
      if (comparison->op == ComparisonOperator::kLessEqual) return bound;
      if (comparison->op == ComparisonOperator::kLess && *bound > -kFar) return *bound - 1;
    }
    return std::nullopt;
  }

  // All values of `offset` when every variable has a constant range and there are few of them.
  std::optional<IntervalList> enumerate(const Comprehension& set, const Expression& offset,
                                        const std::vector<ConditionPtr>& filters) const {
    std::size_t count = 1;
    std::vector<std::pair<std::int64_t, std::int64_t>> ranges;
    for (const Binder& binder : set.binders) {
      const auto low = constant(*binder.low);
      const auto high = last_value(binder, filters);
      if (!low || !high) return std::nullopt;
      if (*low > *high) return IntervalList{};
      if (*low < -kFar || *high > kFar) return std::nullopt;
      const auto width = static_cast<std::size_t>(*high - *low) + 1;
      if (width > kMaxEnumerated / count) return std::nullopt;
      count *= width;
      ranges.emplace_back(*low, *high);
    }
    IntervalList values;
    Bindings bindings;
    bool complete = true;
    const std::function<void(std::size_t)> visit = [&](std::size_t depth) {
      if (depth < ranges.size()) {
        for (std::int64_t v = ranges[depth].first; v <= ranges[depth].second && complete; ++v) {
          bindings.emplace_back(set.binders[depth].name, Integer(v));
          visit(depth + 1);
          bindings.pop_back();
        }
        return;
      }
      for (const ConditionPtr& filter : filters) {
        const auto holds = evaluator_.holds(*filter, bindings);
        if (!holds.ok()) complete = false;
        if (!holds.ok() || !*holds) return;
      }
      const auto value = evaluator_.evaluate(offset, bindings);
      const auto small = value.ok() ? value->to_int64() : std::nullopt;
      if (small && *small <= kFar) {  // beyond it, p + offset need not be a number of 64 bits
        values.push_back({*small, *small});
      } else {
        complete = false;
      }
    };
    visit(0);
    if (!complete) return std::nullopt;
    return normalized(std::move(values));
  }

  // { a(k) * ceil((i - f(k)) / a(k)) : k >= 0, f(k) < i } with a(0) = 1 and
  // a(k+1) = a(k) * ceil((f(k+1) - f(k)) / a(k)) is lattice(f), written out.
  bool is_lattice_by_hand(const Comprehension& set) const {
    const std::string f = lattice_function(set);
    const auto* product = std::get_if<Arithmetic>(&set.element->node);
    if (f.empty() || !product || product->op != ArithmeticOperator::kMultiply) return false;
    const auto* multiple = std::get_if<Apply>(&product->left->node);
    const FunctionDefinition* a = multiple ? pattern_.function(multiple->function) : nullptr;
    if (!a || a->base.size() != 1) return false;
    const auto first = evaluator_.call(a->name, 0);
    const auto low = constant(*set.binders[0].low);
    if (!first.ok() || !(*first == Integer(1)) || !low || *low != 0) return false;

    const auto apply = [](const std::string& function, const std::string& argument) {
      return function + "(" + argument + ")";
    };
    const auto lattice_text = [](const std::string& step, const std::string& distance) {
      return step + " * ceil((" + distance + ") / " + step + ")";
    };
    const std::string k = set.binders[0].name;
    const std::string m = a->variable;
    return print(*set.element) == lattice_text(apply(a->name, k), "i - " + apply(f, k)) &&
           print(*a->step) ==
               lattice_text(apply(a->name, m), apply(f, m + " + 1") + " - " + apply(f, m));
  }

  // f of the single condition f(k) < i on the single unbounded variable k, or "".
  static std::string lattice_function(const Comprehension& set) {
    if (set.binders.size() != 1 || set.binders[0].high || set.conditions.size() != 1) return "";
    const auto* comparison = std::get_if<Comparison>(&set.conditions[0]->node);
    if (!comparison || comparison->op != ComparisonOperator::kLess) return "";
    const auto* call = std::get_if<Apply>(&comparison->left->node);
    if (!call || print(*comparison->right) != kRow) return "";
    return print(*call->argument) == set.binders[0].name ? call->function : "";
  }

  static constexpr std::int64_t kFar = std::int64_t{1} << 40;

  const Pattern& pattern_;
  Evaluator evaluator_;
  GrowthAnalysis growth_;
};

}  // namespace

const char* name_of(Retention retention) {
  switch (retention) {
    case Retention::kNothing:
      return "nothing";
    case Retention::kEverything:
      return "everything";
    case Retention::kNextRow:
      return "next row";
    case Retention::kHorizon:
      return "horizon";
  }
  unreachable("retention");
}

Liveness liveness(const Pattern& pattern, Side side) {
  const SetPtr& set = pattern.set(side);
  const RetentionShape shape = set ? RuleFinder(pattern).of(*set, side) : finite_offsets_shape({});
  Liveness result;
  result.retention = shape.nothing      ? Retention::kNothing
                     : shape.everything ? Retention::kEverything
                     : shape.nested     ? Retention::kNextRow
                                        : Retention::kHorizon;
  result.rule = shape.rule;
  result.reach = shape.reach;
  result.offsets = shape.offsets;
  return result;
}

}  // namespace heddle
