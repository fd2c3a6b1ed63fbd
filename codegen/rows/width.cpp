// SPDX-License-Identifier: Apache-2.0
#include "codegen/rows/width.hpp"

#include <algorithm>
#include <array>

#include "codegen/rows/syntax.hpp"
#include "patterns/expression.hpp"

namespace heddle::rows {
namespace {

using Quadratic = std::array<Integer, 3>;
using Counts = std::optional<std::vector<EntryCount>>;

// Lists of more values than this are no bound that anybody could read.
constexpr std::size_t kListed = 64;

class Counting {
 public:
  Counting(const Pattern& pattern, Side side)
      : pattern_(pattern), evaluator_(pattern), side_(side) {}

  Counts of(const RowPlan& plan, const RowFormula& formula) const {
    if (formula.leaf >= 0) {
      const auto part = of(plan.leaves[static_cast<std::size_t>(formula.leaf)]);
      if (!part) return std::nullopt;
      return std::vector<EntryCount>{*part};
    }
    Counts left = of(plan, *formula.left);
    // An intersection or a difference has no more than its left side.
    if (formula.op != SetOperator::kUnion || !left) return left;
    const Counts right = of(plan, *formula.right);
    if (!right) return std::nullopt;
    left->insert(left->end(), right->begin(), right->end());
    return left;
  }

 private:
  std::optional<EntryCount> of(const Leaf& leaf) const {
    return match(
        leaf, [&](const SpanLeaf& span) { return of(span); },
        [&](const StreamLeaf& stream) { return of(stream); },
        [&](const LatticeLeaf& lattice) {
          // {a_k ceil((i - f(k)) / a_k) : f(k) < i}: no more than there are k.
          return ascending(*apply(lattice.function, name("k")), "k", 0);
        });
  }

  // high - low + 1 positions, fewer where clipped or under conditions.
  std::optional<EntryCount> of(const SpanLeaf& span) const {
    if (span.low == span.high) return at_most(Integer(1));
    const auto low = quadratic(*span.low, "i");
    const auto high = quadratic(*span.high, "i");
    if (!low || !high) return std::nullopt;
    const Quadratic length = {(*high)[0] - (*low)[0] + Integer(1), (*high)[1] - (*low)[1],
                              (*high)[2] - (*low)[2]};
    if (length[2] != Integer(0)) return std::nullopt;
    if (length[1] == Integer(0)) return at_most(length[0]);
    // i - c positions: those of k with k + c < i.
    if (length[1] == Integer(1) && length[0] <= Integer(0)) {
      return with({-length[0], Integer(1), Integer(0)});
    }
    return std::nullopt;
  }

  std::optional<EntryCount> of(const StreamLeaf& stream) const {
    const auto start = evaluator_.evaluate(*stream.start, {});
    if (!start) return std::nullopt;
    if (stream.last != nullptr) {
      const auto last = evaluator_.evaluate(*stream.last, {});
      if (!last) return std::nullopt;
      return at_most((stream.ascending ? *last - *start : *start - *last) + Integer(1));
    }
    // The element is i - x(k), taken while x(k) < i: the plan says so where nothing is clipped.
    const auto* element = as<Arithmetic>(stream.element);
    const auto first = start->to_int64();
    if (stream.clip || !stream.strict || element == nullptr || !first ||
        mentions(*element->right, "i")) {
      return std::nullopt;
    }
    return ascending(*element->right, stream.variable, *first);
  }

  std::optional<EntryCount> at_most(const Integer& count) const {
    const auto most = count.to_int64();
    if (!most || *most > kLongestSequence) return std::nullopt;
    EntryCount result;  // and never more than the row has positions, 1..i or 1..i-1
    result.polynomial[0] = side_ == Side::kA ? 0 : 1;
    result.most = std::max<std::int64_t>(*most, 1);
    return result;
  }

  // #{k >= 0 : x(start + k) < n} for a strictly rising x.
  std::optional<EntryCount> ascending(const Expression& x, const std::string& variable,
                                      std::int64_t start) const {
    if (const auto form = quadratic(x, variable)) {
      const auto& [c0, c1, c2] = *form;
      const Integer s(start);
      return with({c0 + c1 * s + c2 * s * s, c1 + Integer(2) * c2 * s, c2});
    }
    EntryCount result;
    while (result.listed.empty() || result.listed.back() < kLongestSequence) {
      if (result.listed.size() == kListed) return std::nullopt;
      const auto k = static_cast<std::int64_t>(result.listed.size()) + start;
      const auto value = evaluator_.evaluate(x, {{variable, Integer(k)}});
      if (!value) return std::nullopt;
      const std::int64_t next = std::min(*value, Integer(kLongestSequence)).to_int64().value_or(-1);
      if (next < 0 || (!result.listed.empty() && next <= result.listed.back())) {
        return std::nullopt;
      }
      result.listed.push_back(next);
    }
    return result;
  }

  static std::optional<EntryCount> with(const Quadratic& form) {
    EntryCount result;
    for (std::size_t power = 0; power < form.size(); ++power) {
      const auto coefficient = form[power].to_int64();
      if (!coefficient || *coefficient < 0 || *coefficient > kLongestSequence) return std::nullopt;
      result.polynomial[power] = *coefficient;
    }
    if (result.polynomial[1] + result.polynomial[2] < 1) return std::nullopt;
    return result;
  }

  // c0 + c1 v + c2 v^2 when the expression is that for every v.
  std::optional<Quadratic> quadratic(const Expression& expression, const std::string& v) const {
    if (!mentions(expression, v)) {
      const auto value = evaluator_.evaluate(expression, {});
      if (!value) return std::nullopt;
      return Quadratic{*value, Integer(0), Integer(0)};
    }
    if (std::holds_alternative<Name>(expression.node)) {
      return Quadratic{Integer(0), Integer(1), Integer(0)};
    }
    if (const Apply* call = std::get_if<Apply>(&expression.node)) {
      const FunctionDefinition& function = *pattern_.function(call->function);
      if (function.recursive()) return std::nullopt;
      const auto argument = quadratic(*call->argument, v);
      const auto body = quadratic(*function.step, function.variable);
      if (!argument || !body) return std::nullopt;
      const auto square = product(*argument, *argument);
      if (!square && (*body)[2] != Integer(0)) return std::nullopt;
      Quadratic result{(*body)[0], Integer(0), Integer(0)};
      for (std::size_t power = 0; power < result.size(); ++power) {
        result[power] = result[power] + (*body)[1] * (*argument)[power];
        if (square) result[power] = result[power] + (*body)[2] * (*square)[power];
      }
      return result;
    }
    const Arithmetic* node = std::get_if<Arithmetic>(&expression.node);
    if (node == nullptr) return std::nullopt;
    const auto left = quadratic(*node->left, v);
    const auto right = quadratic(*node->right, v);
    if (!left || !right) return std::nullopt;
    switch (node->op) {
      case ArithmeticOperator::kAdd:
      case ArithmeticOperator::kSubtract: {
        Quadratic result = *left;
        for (std::size_t power = 0; power < result.size(); ++power) {
          result[power] = node->op == ArithmeticOperator::kAdd ? result[power] + (*right)[power]
                                                               : result[power] - (*right)[power];
        }
        return result;
      }
      case ArithmeticOperator::kMultiply:
        return product(*left, *right);
      case ArithmeticOperator::kPower:
        if (!constant(*right) || (*right)[0] != Integer(2)) return std::nullopt;
        return product(*left, *left);
      default:
        return std::nullopt;
    }
  }

  static bool constant(const Quadratic& form) {
    return form[1] == Integer(0) && form[2] == Integer(0);
  }
  static std::optional<Quadratic> product(const Quadratic& a, const Quadratic& b) {
    Quadratic result{Integer(0), Integer(0), Integer(0)};
    for (std::size_t i = 0; i < a.size(); ++i) {
      for (std::size_t j = 0; j < b.size(); ++j) {
        const Integer coefficient = a[i] * b[j];
        if (coefficient == Integer(0)) continue;
        if (i + j >= result.size()) return std::nullopt;
        result[i + j] = result[i + j] + coefficient;
      }
    }
    return result;
  }

  const Pattern& pattern_;
  Evaluator evaluator_;
  Side side_;
};

}  // namespace

std::optional<std::vector<EntryCount>> entry_counts(const Pattern& pattern, const RowPlan& plan) {
  if (plan.empty()) return std::vector<EntryCount>{};
  return Counting(pattern, plan.side).of(plan, *plan.formula);
}

}  // namespace heddle::rows
