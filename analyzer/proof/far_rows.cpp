// SPDX-License-Identifier: Apache-2.0
// A row is a sorted list of disjoint intervals with big ends; a window is one of them.
#include "analyzer/proof/far_rows.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "analyzer/rules/liveness.hpp"
#include "patterns/expression.hpp"
#include "patterns/monotone.hpp"

namespace heddle::proof {
namespace {

using Span = std::pair<Integer, Integer>;  // low, high
using Spans = std::vector<Span>;

Spans normalized(Spans spans) {
  if (!std::is_sorted(spans.begin(), spans.end())) std::sort(spans.begin(), spans.end());
  Spans result;
  for (Span& span : spans) {
    if (span.second < span.first) continue;
    if (!result.empty() && span.first <= result.back().second + Integer(1)) {
      result.back().second = std::max(result.back().second, span.second);
    } else {
      result.push_back(std::move(span));
    }
  }
  return result;
}

Spans intersection(const Spans& x, const Spans& y) {
  Spans result;
  for (std::size_t a = 0, b = 0; a < x.size() && b < y.size();) {
    const Span common{std::max(x[a].first, y[b].first), std::min(x[a].second, y[b].second)};
    if (common.first <= common.second) result.push_back(common);
    (x[a].second < y[b].second ? a : b) += 1;
  }
  return result;
}

// 1..last without the spans, which lie within.
Spans complement(const Spans& spans, const Integer& last) {
  Spans result;
  Integer next = 1;
  for (const Span& span : spans) {
    result.push_back({next, span.first - Integer(1)});
    next = span.second + Integer(1);
  }
  result.push_back({next, last});
  return normalized(result);
}

class FarRow {
 public:
  FarRow(const Pattern& pattern, Side side, Integer i, std::int64_t longest = kLongestFarRow)
      : syntax_(pattern.syntax()),
        evaluator_(pattern),
        side_(side),
        i_(std::move(i)),
        longest_(longest) {}

  Result<Spans> of(const SetExpression& set) const {
    const Integer last = side_ == Side::kA ? i_ : i_ - Integer(1);
    return match(
        set.node, [](const EmptySet&) -> Result<Spans> { return Spans{}; },
        [&](const DiagonalSet&) -> Result<Spans> {
          return Spans{{i_, i_}};
        },
        [&](const DenseSet&) -> Result<Spans> {
          return normalized({{Integer(1), last}});
        },
        [&](const WindowSet& window) -> Result<Spans> {
          const Result<Integer> width = evaluator_.evaluate(*window.width, {{"i", i_}});
          if (!width.ok()) return width.error();
          return normalized({{std::max(Integer(1), last - width.value() + Integer(1)), last}});
        },
        [&](const OffsetsSet& offsets) { return of_function(offsets.function, false); },
        [&](const LatticeSet& lattice) { return of_function(lattice.function, true); },
        [&](const RangeSet& range) -> Result<Spans> {
          const Result<Integer> low = evaluator_.evaluate(*range.low, {{"i", i_}});
          if (!low.ok()) return low.error();
          const Result<Integer> high = evaluator_.evaluate(*range.high, {{"i", i_}});
          if (!high.ok()) return high.error();
          return normalized({{low.value(), high.value()}});
        },
        [&](const Comprehension& node) { return of_comprehension(node); },
        [&](const SetOperation& node) -> Result<Spans> {
          const Result<Spans> x = of(*node.left), y = of(*node.right);
          if (!x.ok()) return x.error();
          if (!y.ok()) return y.error();
          switch (node.op) {
            case SetOperator::kUnion: {
              Spans both = x.value();
              both.insert(both.end(), y.value().begin(), y.value().end());
              return normalized(std::move(both));
            }
            case SetOperator::kIntersection:
              return intersection(x.value(), y.value());
            case SetOperator::kDifference:
              return intersection(x.value(),
                                  complement(intersection(y.value(), {{Integer(1), i_}}), i_));
          }
          unreachable("set operator");
        });
  }

 private:
  // i - f(k), or rounded up to multiples of a_k, for f(k) < i; f grows strictly.
  Result<Spans> of_function(const std::string& function, bool lattice) const {
    Spans spans;
    Integer stride = 1, previous = 0;
    for (std::int64_t k = 0; k <= longest_; ++k) {
      const Result<Integer> value = evaluator_.call(function, k);
      if (!value.ok()) return value.error();
      if (i_ <= value.value()) {
        std::reverse(spans.begin(), spans.end());
        return normalized(std::move(spans));
      }
      if (lattice && k > 0) stride = stride * ceil_div(value.value() - previous, stride);
      previous = value.value();
      const Integer position = stride * ceil_div(i_ - previous, stride);
      spans.push_back({position, position});
    }
    return Error{"the row is too long"};
  }

  // One variable, ended by its bound or by a condition that stays false once it is.
  Result<Spans> of_comprehension(const Comprehension& set) const {
    if (set.binders.size() != 1) return Error{"no short row"};
    const Binder& binder = set.binders[0];
    const ConditionPtr end =
        binder.high ? nullptr : Monotone(syntax_.parameters, syntax_.functions).end_of(set, 0);
    if (!binder.high && !end) return Error{"no short row"};
    const Result<Integer> low = evaluator_.evaluate(*binder.low, {{"i", i_}});
    if (!low.ok()) return low.error();
    Result<Integer> high = Integer(0);
    if (binder.high) high = evaluator_.evaluate(*binder.high, {{"i", i_}});
    if (!high.ok()) return high.error();
    Spans spans;
    Integer k = low.value();
    for (std::int64_t step = 0; step <= longest_; ++step, k = k + Integer(1)) {
      if (binder.high && high.value() < k) return normalized(std::move(spans));
      const Bindings bindings{{"i", i_}, {binder.name, k}};
      if (end) {
        const Result<bool> goes_on = evaluator_.holds(*end, bindings);
        if (!goes_on.ok()) return goes_on.error();
        if (!goes_on.value()) return normalized(std::move(spans));
      }
      bool kept = true;
      for (const ConditionPtr& condition : set.conditions) {
        const Result<bool> holds = evaluator_.holds(*condition, bindings);
        if (!holds.ok()) return holds.error();
        kept = kept && holds.value();
      }
      if (!kept) continue;
      const Result<Integer> value = evaluator_.evaluate(*set.element, bindings);
      if (!value.ok()) return value.error();
      spans.push_back({value.value(), value.value()});
    }
    return Error{"the row is too long"};
  }

  const PatternSyntax& syntax_;
  Evaluator evaluator_;
  Side side_;
  Integer i_;
  std::int64_t longest_;
};

Integer size_of(const Spans& spans) {
  Integer size = 0;
  for (const Span& span : spans) size = size + span.second - span.first + Integer(1);
  return size;
}

}  // namespace

Result<Integer> far_time(const Pattern& pattern, const Integer& i, std::int64_t longest) {
  Integer total = 0;
  for (const Side side : {Side::kA, Side::kB}) {
    const Result<Spans> row = FarRow(pattern, side, i, longest).of(*pattern.set(side));
    if (!row.ok()) return row.error();
    total = total + size_of(row.value());
  }
  return total;
}

Result<Integer> far_cache(const Pattern& pattern, const Integer& i) {
  Integer total = 0;
  for (const Side side : {Side::kA, Side::kB}) {
    switch (liveness(pattern, side).retention) {
      case Retention::kNothing:
        break;
      case Retention::kEverything:
        total = total + i;
        break;
      case Retention::kNextRow: {
        const Result<Spans> row = FarRow(pattern, side, i + Integer(1)).of(*pattern.set(side));
        if (!row.ok()) return row.error();
        total = total + size_of(intersection(row.value(), {{Integer(1), i}}));
        break;
      }
      case Retention::kHorizon:
        return Error{"the live set has no rule"};
    }
  }
  return total;
}

}  // namespace heddle::proof
