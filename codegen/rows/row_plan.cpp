// SPDX-License-Identifier: Apache-2.0
#include "codegen/rows/row_plan.hpp"

#include <algorithm>
#include <map>

#include "codegen/rows/growth.hpp"
#include "codegen/rows/ranges.hpp"
#include "codegen/rows/syntax.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/monotone.hpp"

namespace heddle::rows {
namespace {

// Closed forms are written out where they are called; a kernel's text must stay readable.
constexpr int kWrittenCalls = 64;

class Planner {
 public:
  Planner(const Pattern& pattern, Side side)
      : pattern_(pattern),
        side_(side),
        evaluator_(pattern),
        prover_(pattern, evaluator_),
        growth_(pattern, evaluator_, prover_),
        monotone_(pattern.syntax().parameters, pattern.syntax().functions) {
    while (pattern.parameter(fresh_)) fresh_ += "k";
  }

  Result<RowPlan> plan() {
    plan_.side = side_;
    // First, since everything later writes closed forms out.
    for (const FunctionDefinition& function : pattern_.syntax().functions) {
      if (written_calls(*function.step) <= kWrittenCalls) continue;
      return Error{"the function " + function.name +
                   " calls others so often that a kernel cannot write them out"};
    }
    Result<std::unique_ptr<RowFormula>> formula = set(*pattern_.set(side_));
    if (!formula) return formula.error();
    plan_.formula = std::move(*formula);
    return std::move(plan_);
  }

 private:
  using FormulaResult = Result<std::unique_ptr<RowFormula>>;

  Error refuse(const SetExpression& set, const std::string& why) const {
    return Error{"no kernel can walk `" + print(set) + "` row by row: " + why};
  }

  FormulaResult leaf(Leaf leaf) {
    auto formula = std::make_unique<RowFormula>();
    formula->leaf = static_cast<int>(plan_.leaves.size());
    plan_.leaves.push_back(std::move(leaf));
    return FormulaResult(std::move(formula));
  }

  // The last position a row may read.
  ExpressionPtr top() const { return side_ == Side::kA ? name("i") : minus(name("i"), number(1)); }

  // A kernel knows a recursive function at constants, and along the variable that carries it;
  // closed forms are written out, so what they call must be known too.
  std::optional<Error> known_calls(const std::vector<const Apply*>& calls,
                                   const std::string& variable) const {
    for (const Apply* call : calls) {
      const FunctionDefinition& function = *pattern_.function(call->function);
      if (!function.recursive()) {
        if (const auto error = known_calls(calls_in(*function.step), "")) return error;
        continue;
      }
      if (is_constant(*call->argument)) continue;
      if (variable.empty() || !shift_of(*call->argument, variable)) {
        return Error{"no kernel can compute `" + call->function + "(" + print(*call->argument) +
                     ")`: the recursive " + call->function +
                     " is known at constants and along the variable of a set only"};
      }
    }
    return std::nullopt;
  }
  // Calls in the expression once closed forms are written out; more than kWrittenCalls saturate.
  int written_calls(const Expression& expression) {
    int total = 0;
    for (const Apply* call : calls_in(expression)) {
      const FunctionDefinition& function = *pattern_.function(call->function);
      if (!function.recursive() && written_calls_.count(call->function) == 0) {
        const int inner = written_calls(*function.step);
        written_calls_[call->function] = inner;
      }
      total += 1 + (function.recursive() ? 0 : written_calls_.at(call->function));
      if (total > kWrittenCalls) return kWrittenCalls + 1;
    }
    return total;
  }
  bool is_constant(const Expression& expression) const {
    return evaluator_.evaluate(expression, {}).ok();
  }
  std::optional<Error> known_calls(const std::vector<ExpressionPtr>& expressions,
                                   const std::vector<ConditionPtr>& conditions,
                                   const std::string& variable) {
    for (const ExpressionPtr& part : expressions) {
      if (const auto error = known_calls(calls_in(*part), variable)) return error;
    }
    for (const ConditionPtr& part : conditions) {
      if (const auto error = known_calls(calls_in(*part), variable)) return error;
    }
    return std::nullopt;
  }

  FormulaResult set(const SetExpression& expression) {
    return match(
        expression.node,
        [](const EmptySet&) -> FormulaResult { return std::unique_ptr<RowFormula>(); },
        [&](const DiagonalSet&) {
          const ExpressionPtr i = name("i");
          return leaf(SpanLeaf{i, i, {}, false, side_ == Side::kB});
        },
        [&](const DenseSet&) {
          return leaf(SpanLeaf{number(1), top(), {}, false, false});
        },
        [&](const WindowSet& node) -> FormulaResult {
          if (const auto error = known_calls({node.width}, {}, "")) return *error;
          // A: i-w+1..i, B: i-w..i-1
          const ExpressionPtr width = side_ == Side::kA ? minus(node.width, number(1)) : node.width;
          SpanLeaf span{minus(name("i"), width), top(), {}, true, false};
          if (const auto range = prover_.range_of(*span.low, rows()); !range) return range.error();
          return leaf(std::move(span));
        },
        [&](const OffsetsSet& node) {
          const ExpressionPtr value = apply(node.function, name(fresh_));
          const Comprehension offsets{
              minus(name("i"), value),
              {{fresh_, number(0), nullptr, {}}},
              {make_condition(Comparison{ComparisonOperator::kLess, value, name("i")})}};
          return comprehension(expression, offsets);
        },
        [&](const LatticeSet& node) { return lattice(expression, node.function); },
        [&](const RangeSet& node) -> FormulaResult {
          if (const auto error = known_calls({node.low, node.high}, {}, "")) return *error;
          for (const ExpressionPtr& end : {node.low, node.high}) {
            if (const auto range = prover_.range_of(*end, rows()); !range) return range.error();
          }
          return leaf(SpanLeaf{node.low, node.high, {}, true, true});
        },
        [&](const Comprehension& node) { return comprehension(expression, node); },
        [&](const SetOperation& node) -> FormulaResult {
          FormulaResult left = set(*node.left);
          if (!left) return left;
          FormulaResult right = set(*node.right);
          if (!right) return right;
          const bool union_like = node.op == SetOperator::kUnion;
          if (*right == nullptr) {
            return node.op == SetOperator::kIntersection ? std::move(right) : std::move(left);
          }
          if (*left == nullptr) return union_like ? std::move(right) : std::move(left);
          auto formula = std::make_unique<RowFormula>();
          formula->op = node.op;
          formula->left = std::move(*left);
          formula->right = std::move(*right);
          return FormulaResult(std::move(formula));
        });
  }

  static Ranges rows() { return {{"i", row_range()}}; }

  // ---- streams --------------------------------------------------------------------------------

  FormulaResult comprehension(const SetExpression& expression, const Comprehension& node) {
    if (node.binders.size() > 1) {
      return refuse(expression,
                    "it has more than one variable, and sorting its positions would "
                    "need a table");
    }
    if (node.binders.empty()) return point(node);
    if (const std::optional<std::string> function = lattice_by_hand(node)) {
      return lattice(expression, *function);
    }
    const Binder& binder = node.binders[0];
    std::vector<ExpressionPtr> ends = {binder.low};
    if (binder.high != nullptr) ends.push_back(binder.high);
    if (const auto error = known_calls(ends, {}, "")) return *error;
    if (const auto error = known_calls({node.element}, node.conditions, binder.name)) return *error;
    StreamLeaf stream;
    stream.variable = binder.name;
    stream.element = node.element;
    const Trend trend = trend_of(node);
    if (trend == Trend::kUnknown) {
      return refuse(expression, "it cannot be seen that `" + print(*node.element) +
                                    "` only falls or only rises as " + binder.name + " grows");
    }
    if (binder.high == nullptr) {
      if (trend == Trend::kUp) {
        return refuse(expression, "its positions ascend with the unbounded " + binder.name);
      }
      stream.start = binder.low;
      stream.end = monotone_.end_of(node, 0);
      if (stream.end == nullptr) {
        return refuse(expression, "no condition is seen to end the unbounded " + binder.name);
      }
    } else {
      stream.ascending = trend != Trend::kUp;
      stream.start = stream.ascending ? binder.low : binder.high;
      stream.last = stream.ascending ? binder.high : binder.low;
    }
    for (const ConditionPtr& condition : node.conditions) {
      if (condition != stream.end) stream.filters.push_back(condition);
    }
    const Result<Range> steps = steps_of(expression, binder, stream);
    if (!steps) return steps.error();
    if (const auto error = prove(stream, binder, *steps)) return *error;
    const Ranges names = {{"i", row_range()}, {binder.name, *steps}};
    stream.strict =
        growth_.direction(*stream.element, binder.name, names) == (stream.ascending ? -1 : 1);
    stream.clip = !stays_inside(stream, names);
    if (const auto error = carry(expression, stream, *steps)) return *error;
    return leaf(std::move(stream));
  }

  // How the element moves with the variable. Beyond what the resolver needs to see: x / y falls
  // where x >= 0 stays and y >= 1 rises.
  Trend trend_of(const Comprehension& node) const {
    const std::string& variable = node.binders[0].name;
    const Trend trend = monotone_.shape_of(*node.element, variable, node.binders).trend;
    const Arithmetic* quotient = as<Arithmetic>(node.element);
    if (trend != Trend::kUnknown || quotient == nullptr ||
        (quotient->op != ArithmeticOperator::kFloorDivide &&
         quotient->op != ArithmeticOperator::kCeilDivide) ||
        mentions(*quotient->left, variable)) {
      return trend;
    }
    const Shape divisor = monotone_.shape_of(*quotient->right, variable, node.binders);
    const Result<Range> dividend = prover_.range_of(*quotient->left, rows());
    const bool falls =
        divisor.trend == Trend::kUp && divisor.positive && dividend && dividend->low >= Integer(0);
    return falls ? Trend::kDown : trend;
  }

  FormulaResult point(const Comprehension& node) {
    if (const auto error = known_calls({node.element}, node.conditions, "")) return *error;
    if (const auto range = prover_.range_of(*node.element, rows()); !range) return range.error();
    for (const ConditionPtr& condition : node.conditions) {
      if (const auto range = prover_.check(*condition, rows()); !range) return range.error();
    }
    const bool diagonal = print(*node.element) == "i" && side_ == Side::kA;
    return leaf(SpanLeaf{node.element, node.element, node.conditions, !diagonal, !diagonal});
  }

  // All values the variable takes, one step past its end included.
  Result<Range> steps_of(const SetExpression& expression, const Binder& binder,
                         const StreamLeaf& stream) {
    const Result<Range> low = prover_.range_of(*binder.low, rows());
    if (!low) return low.error();
    if (binder.high != nullptr) {
      const Result<Range> high = prover_.range_of(*binder.high, rows());
      if (!high) return high.error();
      return stream.ascending ? Range{low->low, std::max(high->high + Integer(1), low->high)}
                              : Range{std::min(low->low, high->low), high->high};
    }
    const Comparison& end = std::get<Comparison>(stream.end->node);
    const std::optional<std::int64_t> first = low->low.to_int64();
    if (!first) return refuse(expression, "its variable starts beyond 64 bits");
    // Whether no row below 2^31 goes on at k; unknown where a value leaves 64 bits.
    const auto ended = [&](std::int64_t k) -> std::optional<bool> {
      const Ranges names = {{"i", row_range()}, {binder.name, {Integer(k), Integer(k)}}};
      const Result<Range> left = prover_.range_of(*end.left, names);
      const Result<Range> right = prover_.range_of(*end.right, names);
      if (!left || !right) return std::nullopt;
      switch (end.op) {
        case ComparisonOperator::kLess:
          return left->low >= right->high;
        case ComparisonOperator::kLessEqual:
          return left->low > right->high;
        case ComparisonOperator::kGreater:
          return left->high <= right->low;
        case ComparisonOperator::kGreaterEqual:
          return left->high < right->low;
        default:
          return std::nullopt;
      }
    };
    // The end condition stays false once false, so doubling and halving find the first such k.
    std::int64_t going = *first - 1;
    std::int64_t gone = *first;
    for (std::int64_t stride = 1; ended(gone) == std::optional<bool>(false); stride *= 2) {
      going = gone;
      gone = *first + stride;
      if (stride > (std::int64_t{1} << 40)) {
        return refuse(expression, "it cannot be bounded how far " + binder.name + " runs");
      }
    }
    while (gone - going > 1) {
      const std::int64_t middle = going + (gone - going) / 2;
      (ended(middle) == std::optional<bool>(false) ? going : gone) = middle;
    }
    if (ended(gone) != std::optional<bool>(true)) {
      return refuse(expression, "its values leave 64 bits before row 2^31 ends");
    }
    return Range{Integer(*first), std::max(Integer(gone), low->high)};
  }

  std::optional<Error> prove(const StreamLeaf& stream, const Binder& binder, const Range& steps) {
    const Ranges names = {{"i", row_range()}, {binder.name, steps}};
    std::vector<ConditionPtr> conditions = stream.filters;
    if (stream.end != nullptr) conditions.push_back(stream.end);
    for (const ConditionPtr& condition : conditions) {
      if (const auto range = prover_.check(*condition, names); !range) return range.error();
    }
    if (const auto range = prover_.range_of(*stream.element, names); !range) return range.error();
    return std::nullopt;
  }

  // The element is i - x and the stream goes on only while x < i, with x >= 1: inside 1..i-1.
  bool stays_inside(const StreamLeaf& stream, const Ranges& names) const {
    const Arithmetic* element = as<Arithmetic>(stream.element);
    if (element == nullptr || element->op != ArithmeticOperator::kSubtract ||
        stream.end == nullptr || print(*element->left) != "i") {
      return false;
    }
    const Comparison& end = std::get<Comparison>(stream.end->node);
    const Result<Range> offset = prover_.range_of(*element->right, names);
    return end.op == ComparisonOperator::kLess && print(*end.right) == "i" &&
           print(*end.left) == print(*element->right) && offset && offset->low >= Integer(1);
  }

  // Decides which functions of the variable live in variables of their own.
  std::optional<Error> carry(const SetExpression& expression, StreamLeaf& stream,
                             const Range& steps) {
    std::vector<const Apply*> calls = calls_in(*stream.element);
    std::vector<ConditionPtr> conditions = stream.filters;
    if (stream.end != nullptr) conditions.push_back(stream.end);
    for (const ConditionPtr& condition : conditions) {
      const std::vector<const Apply*> more = calls_in(*condition);
      calls.insert(calls.end(), more.begin(), more.end());
    }
    const bool constant_start =
        prover_.range_of(*stream.start, {}).ok() && !mentions(*stream.start, "i");
    for (const Apply* call : calls) {
      const FunctionDefinition& function = *pattern_.function(call->function);
      const std::optional<int> shift = shift_of(*call->argument, stream.variable);
      if (!function.recursive()) {
        // Closed forms are carried where they are called with k itself, and inlined elsewhere.
        if (shift == std::optional<int>(0) && stream.ascending) carry(stream.carried, function, 0);
        continue;
      }
      if (is_constant(*call->argument)) continue;
      if (!shift || !stream.ascending || !constant_start) {
        return refuse(expression, "the recursive " + call->function +
                                      " is not called with a variable that counts up from a "
                                      "constant");
      }
      carry(stream.carried, function, *shift);
    }
    return carry_steps(expression, stream.carried, steps);
  }

  // Asks for f(k) .. f(k + shift); whether that is more than was asked for before.
  static bool carry(std::vector<CarriedFunction>& carried, const FunctionDefinition& function,
                    int shift) {
    const int values =
        function.recursive() ? std::max<int>(shift + 1, static_cast<int>(function.base.size())) : 1;
    for (CarriedFunction& known : carried) {
      if (known.function != function.name) continue;
      const bool more = values > known.values;
      known.values = std::max(known.values, values);
      return more;
    }
    carried.push_back({function.name, values});
    return true;
  }

  // The steps of carried recursions may call further recursive functions: carry those too, until
  // nothing is missing, and prove each step's arithmetic over the whole run.
  std::optional<Error> carry_steps(const SetExpression& expression,
                                   std::vector<CarriedFunction>& carried, const Range& steps) {
    for (bool more = true; more;) {
      more = false;
      for (std::size_t index = 0; index < carried.size(); ++index) {
        const FunctionDefinition& function = *pattern_.function(carried[index].function);
        if (!function.recursive()) continue;
        if (const auto error = known_calls(calls_in(*function.step), function.variable)) {
          return error;
        }
        for (const Apply* call : calls_in(*function.step)) {
          const FunctionDefinition& callee = *pattern_.function(call->function);
          if (!callee.recursive() || is_constant(*call->argument)) continue;
          const std::optional<int> shift = shift_of(*call->argument, function.variable);
          if (!shift) {
            return refuse(expression, function.name + " calls " + callee.name +
                                          " at a place that moves with more than its own step");
          }
          more = carry(carried, callee, ahead_of(carried[index]) + *shift) || more;
        }
        if (carried.size() > 8 || carried[index].values > 32) {
          return refuse(expression, "its functions depend on each other in too many ways");
        }
      }
    }
    for (const CarriedFunction& entry : carried) {
      const FunctionDefinition& function = *pattern_.function(entry.function);
      if (!function.recursive()) continue;
      const Integer ahead(ahead_of(entry));
      const auto range = prover_.range_of(
          *function.step, {{function.variable, {steps.low + ahead, steps.high + ahead}}});
      if (!range) return range.error();
    }
    return std::nullopt;
  }

  // The value that enters as k moves on is f(k + values), the recursion's step at k + this.
  int ahead_of(const CarriedFunction& entry) const {
    return entry.values - static_cast<int>(pattern_.function(entry.function)->base.size());
  }

  // ---- lattices -------------------------------------------------------------------------------

  FormulaResult lattice(const SetExpression& expression, const std::string& function) {
    const FunctionDefinition& definition = *pattern_.function(function);
    if (!definition.recursive()) {
      if (const auto error = known_calls(calls_in(*definition.step), "")) return *error;
    }
    const Result<Integer> first = evaluator_.call(function, 0);
    if (!first || *first != Integer(1)) {
      return refuse(expression, function + "(0) must be 1 for a lattice");
    }
    const ExpressionPtr value = apply(function, name(fresh_));
    StreamLeaf shape;
    shape.variable = fresh_;
    shape.start = number(0);
    shape.end = make_condition(Comparison{ComparisonOperator::kLess, value, name("i")});
    shape.element = minus(name("i"), value);
    const Binder binder{fresh_, number(0), nullptr, {}};
    const Result<Range> steps = steps_of(expression, binder, shape);
    if (!steps) return steps.error();
    if (const auto error = prove(shape, binder, *steps)) return *error;
    if (!growth_.ascends(function, *steps)) {
      return refuse(expression, "it cannot be seen that " + function + " strictly ascends");
    }
    // a_{k+1} < a_k + f(k+1) - f(k), so a_k <= f(k), and every intermediate value of
    // a ceil(x / a) lies below x + a. With f within 2^61 all of it fits.
    const Result<Range> values = prover_.range_of(*value, {{fresh_, *steps}});
    if (!values) return values.error();
    if (values->high > *power(Integer(2), 61, 64)) {
      return refuse(expression, "its values leave 64 bits before row 2^31 ends");
    }
    LatticeLeaf lattice{function, {}};
    carry(lattice.carried, definition, 0);
    if (const auto error = carry_steps(expression, lattice.carried, *steps)) return *error;
    return leaf(std::move(lattice));
  }

  // f when the set is { a(k) * ceil((i - f(k)) / a(k)) : k >= 0, f(k) < i } with a the lattice
  // steps of f starting from 1.
  std::optional<std::string> lattice_by_hand(const Comprehension& node) const {
    const Binder& binder = node.binders[0];
    if (binder.high != nullptr || print(*binder.low) != "0" || node.conditions.size() != 1) {
      return std::nullopt;
    }
    const Arithmetic* product = as<Arithmetic>(node.element);
    if (product == nullptr || product->op != ArithmeticOperator::kMultiply) return std::nullopt;
    const Apply* a = as<Apply>(product->left);
    if (a == nullptr) return std::nullopt;
    const FunctionDefinition& spacing = *pattern_.function(a->function);
    if (spacing.base.size() != 1) return std::nullopt;
    const Result<Range> first = prover_.range_of(*spacing.base[0], {});
    if (!first || first->low != Integer(1) || first->high != Integer(1)) return std::nullopt;
    const std::string k = binder.name;
    const std::string j = spacing.variable;
    for (const FunctionDefinition& candidate : pattern_.syntax().functions) {
      const std::string& f = candidate.name;
      const std::string& g = spacing.name;
      if (print(*node.element) ==
              g + "(" + k + ") * ceil((i - " + f + "(" + k + ")) / " + g + "(" + k + "))" &&
          print(*node.conditions[0]) == f + "(" + k + ") < i" &&
          print(*spacing.step) == g + "(" + j + ") * ceil((" + f + "(" + j + " + 1) - " + f + "(" +
                                      j + ")) / " + g + "(" + j + "))") {
        return f;
      }
    }
    return std::nullopt;
  }

  const Pattern& pattern_;
  Side side_;
  Evaluator evaluator_;
  RangeProver prover_;
  Growth growth_;
  Monotone monotone_;
  RowPlan plan_;
  std::map<std::string, int> written_calls_;
  std::string fresh_ = "k";  // the variable of offsets and lattices; no parameter has its name
};

}  // namespace

Result<RowPlan> plan_row(const Pattern& pattern, Side side) {
  return Planner(pattern, side).plan();
}

}  // namespace heddle::rows
