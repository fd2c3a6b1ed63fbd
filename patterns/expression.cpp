// SPDX-License-Identifier: Apache-2.0
#include "patterns/expression.hpp"

#include <algorithm>
#include <unordered_map>

#include "patterns/ast_print.hpp"
#include "patterns/compiled_set.hpp"
#include "patterns/monotone.hpp"

namespace heddle {
namespace {

constexpr std::size_t kMaxBits = std::size_t{1} << 20;  // of a value
constexpr std::int64_t kMaxRemembered = 1'000'000;      // values of a recursive function
constexpr std::int64_t kMaxClosedRemembered = 1 << 17;  // values of one in closed form
constexpr std::size_t kMaxRememberedBits = 1 << 27;     // all values of one function

// Values of one function, f(0), f(1), ..., as far as they were asked for.
struct FunctionMemory {
  const FunctionDefinition* definition = nullptr;
  std::vector<std::optional<Integer>> values;  // closed form: gaps allowed
  std::size_t bits = 0;                        // of all values
  std::vector<std::int64_t> increasing;        // f(0) < f(1) < ..., as far as known
  std::vector<Integer> strides;                // a_0, a_1, ... of lattice(f)
};

struct KnownSet {
  // For each binder the condition that fails for good as it grows, or null.
  std::vector<ConditionPtr> ends;
  std::unique_ptr<CompiledSet> compiled;  // null where it holds what does not fit
};

}  // namespace

struct Evaluator::State {
  const Pattern* pattern;
  std::unordered_map<std::string, FunctionMemory> functions;
  std::unordered_map<const Comprehension*, KnownSet> sets;
  std::int64_t looked_at = 0;

  Result<Integer> evaluate(const Expression& expression, const Bindings& bindings,
                           const MeasureOracle& measures);
  Result<bool> holds(const Condition& condition, const Bindings& bindings,
                     const MeasureOracle& measures);
  Result<Integer> call(const std::string& name, const Integer& argument);
  Result<Integer> recall(FunctionMemory& memory, std::int64_t k);
  Result<Integer> arithmetic(const Arithmetic& node, const Bindings& bindings,
                             const MeasureOracle& measures);
  Result<Integer> builtin(const BuiltinCall& node, const Bindings& bindings,
                          const MeasureOracle& measures);

  Result<IntervalList> set(const SetExpression& set, Side side, std::int64_t i);
  Result<IntervalList> comprehension(const Comprehension& set, std::int64_t i);
  Result<IntervalList> exact_comprehension(const Comprehension& set,
                                           const std::vector<ConditionPtr>& conditions_that_end,
                                           std::int64_t i);
  // f(0), ..., f(c - 1): all values below i; needs f strictly increasing from f(0) >= 1.
  Result<std::size_t> increasing_below(FunctionMemory& memory, std::int64_t i);
  Result<IntervalList> offsets(const std::string& function, std::int64_t i);
  Result<IntervalList> lattice(const std::string& function, std::int64_t i);

  KnownSet& known(const Comprehension& set) {
    const auto known = sets.find(&set);
    if (known != sets.end()) return known->second;
    const Monotone monotone(pattern->syntax().parameters, pattern->syntax().functions);
    KnownSet found;
    for (std::size_t index = 0; index < set.binders.size(); ++index) {
      found.ends.push_back(monotone.end_of(set, index));
    }
    const auto value = [this](const std::string& function, std::int64_t k) {
      const Result<Integer> exact = call(function, k);
      return exact ? exact->to_int64() : std::nullopt;
    };
    found.compiled = CompiledSet::of(*pattern, set, found.ends, value);
    return sets.emplace(&set, std::move(found)).first->second;
  }
};

// ---- expressions ------------------------------------------------------------------------------

Result<Integer> Evaluator::State::evaluate(const Expression& expression, const Bindings& bindings,
                                           const MeasureOracle& measures) {
  return match(
      expression.node, [](const Literal& node) -> Result<Integer> { return node.value; },
      [&](const Name& node) -> Result<Integer> {
        for (auto binding = bindings.rbegin(); binding != bindings.rend(); ++binding) {
          if (binding->first == node.name) return binding->second;
        }
        if (auto value = pattern->parameter(node.name)) return *value;
        return Error{"`" + node.name + "` has no value"};
      },
      [&](const Apply& node) -> Result<Integer> {
        const Result<Integer> argument = evaluate(*node.argument, bindings, measures);
        if (!argument) return argument;
        return call(node.function, *argument);
      },
      [&](const Negate& node) -> Result<Integer> {
        const Result<Integer> operand = evaluate(*node.operand, bindings, measures);
        if (!operand) return operand;
        return -*operand;
      },
      [&](const Arithmetic& node) { return arithmetic(node, bindings, measures); },
      [&](const BuiltinCall& node) { return builtin(node, bindings, measures); },
      [&](const MeasureTerm& node) -> Result<Integer> {
        std::vector<Integer> arguments;
        for (const ExpressionPtr& argument : node.arguments) {
          Result<Integer> value = evaluate(*argument, bindings, measures);
          if (!value) return value;
          arguments.push_back(std::move(*value));
        }
        if (!measures) return Error{"a measure has no value here"};
        return measures(node.measure, arguments);
      });
}

Result<Integer> Evaluator::State::arithmetic(const Arithmetic& node, const Bindings& bindings,
                                             const MeasureOracle& measures) {
  const Result<Integer> left = evaluate(*node.left, bindings, measures);
  if (!left) return left;
  const Result<Integer> right = evaluate(*node.right, bindings, measures);
  if (!right) return right;
  const auto too_large = [] { return Error{"a value grows beyond 2^1048576"}; };
  switch (node.op) {
    case ArithmeticOperator::kAdd:
      return *left + *right;
    case ArithmeticOperator::kSubtract:
      return *left - *right;
    case ArithmeticOperator::kMultiply:
      if (left->bit_length() + right->bit_length() > kMaxBits) return too_large();
      return *left * *right;
    case ArithmeticOperator::kPower: {
      if (right->sign() < 0)
        return Error{"a power has the negative exponent " + right->to_string()};
      const auto exponent = right->to_int64();
      if (!exponent) {
        if (abs(*left) <= Integer(1)) return *power(*left, floor_mod(*right, 2) == 0 ? 2 : 1, 64);
        return too_large();
      }
      const auto value = power(*left, static_cast<std::uint64_t>(*exponent), kMaxBits);
      if (!value) return too_large();
      return *value;
    }
    case ArithmeticOperator::kMod:
    case ArithmeticOperator::kFloorDivide:
    case ArithmeticOperator::kCeilDivide:
      break;
  }
  if (right->sign() == 0) return Error{"division by zero"};
  if (node.op == ArithmeticOperator::kMod) return floor_mod(*left, *right);
  return node.op == ArithmeticOperator::kFloorDivide ? floor_div(*left, *right)
                                                     : ceil_div(*left, *right);
}

Result<Integer> Evaluator::State::builtin(const BuiltinCall& node, const Bindings& bindings,
                                          const MeasureOracle& measures) {
  std::vector<Integer> values;
  for (const ExpressionPtr& argument : node.arguments) {
    Result<Integer> value = evaluate(*argument, bindings, measures);
    if (!value) return value;
    values.push_back(std::move(*value));
  }
  const Integer& x = values.front();
  switch (node.function) {
    case BuiltinFunction::kSqrt:
      if (x.sign() < 0) return Error{"sqrt of the negative number " + x.to_string()};
      return integer_sqrt(x);
    case BuiltinFunction::kLog2:
      if (x.sign() <= 0) return Error{"log2 of " + x.to_string()};
      return integer_log2(x);
    case BuiltinFunction::kPopcount:
      if (x.sign() < 0) return Error{"popcount of the negative number " + x.to_string()};
      return popcount(x);
    case BuiltinFunction::kLowbit:
      if (x.sign() == 0) return Error{"lowbit of 0"};
      return lowbit(x);
    case BuiltinFunction::kAbs:
      return abs(x);
    case BuiltinFunction::kMin:
      return *std::min_element(values.begin(), values.end());
    case BuiltinFunction::kMax:
      return *std::max_element(values.begin(), values.end());
  }
  unreachable("built-in function");
}

Result<bool> Evaluator::State::holds(const Condition& condition, const Bindings& bindings,
                                     const MeasureOracle& measures) {
  return match(
      condition.node,
      [&](const Comparison& node) -> Result<bool> {
        const Result<Integer> left = evaluate(*node.left, bindings, measures);
        if (!left) return left.error();
        const Result<Integer> right = evaluate(*node.right, bindings, measures);
        if (!right) return right.error();
        const auto order = *left <=> *right;
        switch (node.op) {
          case ComparisonOperator::kLess:
            return order < 0;
          case ComparisonOperator::kLessEqual:
            return order <= 0;
          case ComparisonOperator::kGreater:
            return order > 0;
          case ComparisonOperator::kGreaterEqual:
            return order >= 0;
          case ComparisonOperator::kEqual:
            return order == 0;
          case ComparisonOperator::kNotEqual:
            return order != 0;
        }
        unreachable("comparison operator");
      },
      [&](const Conjunction& node) -> Result<bool> {
        const Result<bool> left = holds(*node.left, bindings, measures);
        if (!left || !*left) return left;
        return holds(*node.right, bindings, measures);
      },
      [&](const Disjunction& node) -> Result<bool> {
        const Result<bool> left = holds(*node.left, bindings, measures);
        if (!left || *left) return left;
        return holds(*node.right, bindings, measures);
      },
      [&](const Negation& node) -> Result<bool> {
        const Result<bool> operand = holds(*node.operand, bindings, measures);
        if (!operand) return operand;
        return !*operand;
      });
}

// ---- functions --------------------------------------------------------------------------------

Result<Integer> Evaluator::State::call(const std::string& name, const Integer& argument) {
  const auto memory = functions.find(name);
  if (memory == functions.end()) return Error{"there is no function `" + name + "`"};
  if (argument.sign() < 0) {
    return Error{"`" + name + "` is called at the negative number " + argument.to_string()};
  }
  const FunctionDefinition& definition = *memory->second.definition;
  const auto k = argument.to_int64();
  const bool recursive = definition.recursive();
  if (k && *k < (recursive ? kMaxRemembered : kMaxClosedRemembered)) {
    return recall(memory->second, *k);
  }
  if (recursive) {
    return Error{"`" + name + "` is called beyond its 1000000th value"};
  }
  return evaluate(*definition.step, {{definition.variable, argument}}, {});
}

Result<Integer> Evaluator::State::recall(FunctionMemory& memory, std::int64_t k) {
  const auto index = static_cast<std::size_t>(k);
  if (index < memory.values.size() && memory.values[index]) return *memory.values[index];
  const FunctionDefinition& definition = *memory.definition;
  if (!definition.recursive()) {
    Result<Integer> value = evaluate(*definition.step, {{definition.variable, k}}, {});
    if (!value) return value;
    if (memory.bits + value->bit_length() > kMaxRememberedBits) return value;
    memory.bits += value->bit_length();
    if (memory.values.size() <= index) memory.values.resize(index + 1);
    memory.values[index] = *value;
    return value;
  }
  const std::size_t order = definition.base.size();
  while (memory.values.size() <= index) {
    const std::size_t next = memory.values.size();
    Result<Integer> value =
        next < order
            ? evaluate(*definition.base[next], {}, {})
            : evaluate(*definition.step,
                       {{definition.variable, static_cast<std::int64_t>(next - order)}}, {});
    if (!value) return value;
    memory.bits += value->bit_length();
    if (memory.bits > kMaxRememberedBits) {
      return Error{"the values of `" + definition.name + "` grow too large to reach " +
                   definition.name + "(" + std::to_string(k) + ")"};
    }
    memory.values.push_back(std::move(*value));
  }
  return *memory.values[index];
}

Result<std::size_t> Evaluator::State::increasing_below(FunctionMemory& memory, std::int64_t i) {
  std::vector<std::int64_t>& known = memory.increasing;
  while (known.empty() || known.back() < i) {
    const auto k = static_cast<std::int64_t>(known.size());
    const Result<Integer> value = call(memory.definition->name, k);
    if (!value) return value.error();
    const std::string& name = memory.definition->name;
    if (known.empty() && value->sign() <= 0) {
      return Error{"`" + name + "(0)` is " + value->to_string() + ", below 1"};
    }
    if (!known.empty() && *value <= Integer(known.back())) {
      return Error{"`" + name + "` does not increase: " + name + "(" + std::to_string(k - 1) +
                   ") = " + std::to_string(known.back()) + ", " + name + "(" + std::to_string(k) +
                   ") = " + value->to_string()};
    }
    known.push_back(std::min(value->to_int64().value_or(kFarthestPosition), kFarthestPosition));
  }
  return static_cast<std::size_t>(std::lower_bound(known.begin(), known.end(), i) - known.begin());
}

// ---- sets -------------------------------------------------------------------------------------

Result<IntervalList> Evaluator::State::offsets(const std::string& function, std::int64_t i) {
  FunctionMemory& memory = functions.at(function);
  const Result<std::size_t> count = increasing_below(memory, i);
  if (!count) return count.error();
  IntervalList positions;
  positions.reserve(*count);
  for (std::size_t k = *count; k-- > 0;) {
    const std::int64_t p = i - memory.increasing[k];
    positions.push_back({p, p});
  }
  return normalized(std::move(positions));
}

// p_k(i) = a_k ceil((i - f(k)) / a_k), with a_0 = 1, a_{k+1} = a_k ceil((f(k+1) - f(k)) / a_k)
Result<IntervalList> Evaluator::State::lattice(const std::string& function, std::int64_t i) {
  FunctionMemory& memory = functions.at(function);
  const Result<std::size_t> count = increasing_below(memory, i);
  if (!count) return count.error();
  while (memory.strides.size() < *count) {
    const std::size_t k = memory.strides.size();
    if (k == 0) {
      memory.strides.emplace_back(1);
      continue;
    }
    const Integer step = Integer(memory.increasing[k]) - Integer(memory.increasing[k - 1]);
    const Integer& last = memory.strides.back();
    memory.strides.push_back(last * ceil_div(step, last));
  }
  IntervalList positions;
  positions.reserve(*count);
  for (std::size_t k = *count; k-- > 0;) {
    const Integer& stride = memory.strides[k];
    const auto p = (stride * ceil_div(Integer(i - memory.increasing[k]), stride)).to_int64();
    const std::int64_t position = std::min(p.value_or(kFarthestPosition), kFarthestPosition);
    positions.push_back({position, position});
  }
  return normalized(std::move(positions));
}

namespace {

std::int64_t clamped(const Integer& value) {
  const auto small = value.to_int64();
  if (!small) return value.sign() < 0 ? -kFarthestPosition : kFarthestPosition;
  return std::clamp(*small, -kFarthestPosition, kFarthestPosition);
}

// Most sets are walked upwards or downwards.
IntervalList ordered(IntervalList positions) {
  if (positions.size() > 1 && positions.front().low > positions.back().low) {
    std::reverse(positions.begin(), positions.end());
  }
  return normalized(std::move(positions));
}

}  // namespace

Result<IntervalList> Evaluator::State::comprehension(const Comprehension& set, std::int64_t i) {
  KnownSet& known_set = known(set);
  if (known_set.compiled) {
    auto positions = known_set.compiled->row(i);
    looked_at += known_set.compiled->steps();
    if (positions) return ordered(std::move(*positions));
  }
  return exact_comprehension(set, known_set.ends, i);
}

Result<IntervalList> Evaluator::State::exact_comprehension(
    const Comprehension& set, const std::vector<ConditionPtr>& conditions_that_end,
    std::int64_t i) {
  Bindings bindings{{"i", i}};
  IntervalList positions;
  std::int64_t steps = 0;

  // Does the condition that ends the binder `index` hold, with the later binders at their low ends?
  const auto may_hold = [&](std::size_t index) -> Result<bool> {
    for (std::size_t later = index + 1; later < set.binders.size(); ++later) {
      const Result<Integer> start = evaluate(*set.binders[later].low, bindings, {});
      if (!start) return start.error();
      bindings.emplace_back(set.binders[later].name, *start);
    }
    return holds(*conditions_that_end[index], bindings, {});
  };

  // Walks the values of the binder `index`; bindings holds i and the binders before it.
  const auto walk = [&](const auto& self, std::size_t index) -> std::optional<Error> {
    if (index == set.binders.size()) {
      for (const ConditionPtr& condition : set.conditions) {
        const Result<bool> value = holds(*condition, bindings, {});
        if (!value) return value.error();
        if (!*value) return std::nullopt;
      }
      const Result<Integer> element = evaluate(*set.element, bindings, {});
      if (!element) return element.error();
      const std::int64_t p = clamped(*element);
      positions.push_back({p, p});
      return std::nullopt;
    }
    const Binder& binder = set.binders[index];
    const Result<Integer> low = evaluate(*binder.low, bindings, {});
    if (!low) return low.error();
    Integer high;
    if (binder.high) {
      const Result<Integer> value = evaluate(*binder.high, bindings, {});
      if (!value) return value.error();
      high = *value;
    }
    const std::size_t depth = bindings.size();
    bindings.emplace_back(binder.name, *low);
    for (Integer value = *low; !binder.high || value <= high; value = value + Integer(1)) {
      ++looked_at;
      if (++steps > kMostElements) return Error{"the row looks at more than 5000000 elements"};
      bindings.resize(depth + 1);
      bindings[depth].second = value;
      if (conditions_that_end[index]) {
        // A range has an end of its own: where its conditions have no value here, it goes on.
        const Result<bool> goes_on = may_hold(index);
        if (!goes_on && !binder.high) return goes_on.error();
        if (goes_on && !*goes_on) break;
        bindings.resize(depth + 1);
      }
      if (auto error = self(self, index + 1)) return error;
    }
    bindings.resize(depth);
    return std::nullopt;
  };
  if (auto error = walk(walk, 0)) return *error;
  return ordered(std::move(positions));
}

Result<IntervalList> Evaluator::State::set(const SetExpression& expression, Side side,
                                           std::int64_t i) {
  const std::int64_t last = side == Side::kA ? i : i - 1;
  using Positions = Result<IntervalList>;
  return match(
      expression.node, [](const EmptySet&) -> Positions { return IntervalList{}; },
      [&](const DiagonalSet&) -> Positions {
        return IntervalList{{i, i}};
      },
      [&](const DenseSet&) -> Positions {
        return normalized({{1, last}});
      },
      [&](const WindowSet& node) -> Positions {
        const Result<Integer> width = evaluate(*node.width, {}, {});
        if (!width) return width.error();
        const std::int64_t w = clamped(*width);
        return normalized({{std::max<std::int64_t>(1, last - w + 1), last}});
      },
      [&](const OffsetsSet& node) -> Positions { return offsets(node.function, i); },
      [&](const LatticeSet& node) -> Positions { return lattice(node.function, i); },
      [&](const RangeSet& node) -> Positions {
        const Result<Integer> low = evaluate(*node.low, {{"i", i}}, {});
        if (!low) return low.error();
        const Result<Integer> high = evaluate(*node.high, {{"i", i}}, {});
        if (!high) return high.error();
        if (*high < *low) return IntervalList{};
        return IntervalList{{clamped(*low), clamped(*high)}};
      },
      [&](const Comprehension& node) -> Positions { return comprehension(node, i); },
      [&](const SetOperation& node) -> Positions {
        const Positions left = set(*node.left, side, i);
        if (!left) return left;
        const Positions right = set(*node.right, side, i);
        if (!right) return right;
        switch (node.op) {
          case SetOperator::kUnion:
            return union_of(*left, *right);
          case SetOperator::kIntersection:
            return intersection_of(*left, *right);
          case SetOperator::kDifference:
            return difference_of(*left, *right);
        }
        unreachable("set operator");
      });
}

// ---- the interface ----------------------------------------------------------------------------

Evaluator::Evaluator(const Pattern& pattern) : state_(std::make_unique<State>()) {
  state_->pattern = &pattern;
  for (const FunctionDefinition& function : pattern.syntax().functions) {
    state_->functions[function.name].definition = &function;
  }
}
Evaluator::~Evaluator() = default;
Evaluator::Evaluator(Evaluator&&) noexcept = default;

Result<Integer> Evaluator::evaluate(const Expression& expression, const Bindings& bindings,
                                    const MeasureOracle& measures) const {
  return state_->evaluate(expression, bindings, measures);
}

Result<bool> Evaluator::holds(const Condition& condition, const Bindings& bindings,
                              const MeasureOracle& measures) const {
  return state_->holds(condition, bindings, measures);
}

Result<Integer> Evaluator::call(const std::string& function, std::int64_t k) const {
  return state_->call(function, k);
}

std::int64_t Evaluator::looked_at() const { return state_->looked_at; }

Result<Row> Evaluator::row(Side side, std::int64_t i) const {
  assert_that(i >= 1, "rows count from 1");
  // Positions are told apart up to there, and what lies beyond a nearer row lies outside of it.
  if (i >= kFarthestPosition) {
    return Error{"row " + std::to_string(i) + " is too far out to be listed"};
  }
  Result<IntervalList> positions = state_->set(*state_->pattern->set(side), side, i);
  if (!positions) {
    return Error{"row " + std::to_string(i) + " of " + (side == Side::kA ? "A" : "B") +
                 " has no value: " + positions.error().message};
  }
  Row row{std::move(*positions), std::nullopt};
  const std::int64_t last = side == Side::kA ? i : i - 1;
  if (!row.positions.empty()) {
    if (row.positions.front().low < 1) {
      row.violation = RowViolation{side, i, Integer(row.positions.front().low)};
    } else if (row.positions.back().high > last) {
      row.violation = RowViolation{side, i, Integer(row.positions.back().high)};
    }
  }
  return row;
}

}  // namespace heddle
