// SPDX-License-Identifier: Apache-2.0
// Which positions later rows may still read, by the shape of a set: what cannot be told is kept. A
// window only loses its oldest position, and rows of a lattice are nested, so the next row has all
// that later ones read.
#include <algorithm>

#include "analyzer/audit/evaluate.hpp"

namespace heddle::auditing {
namespace {

constexpr std::int64_t kMostPlaces = 100'000;  // of a row of a lattice

}  // namespace

// p_k(row) = a_k ceil((row - f(k)) / a_k) for f(k) < row; nothing where f has no value.
std::optional<IntervalList> SmallRows::lattice_row(const std::string& function,
                                                   std::int64_t row) const {
  IntervalList positions;
  Integer stride = 1, previous = 0;
  for (std::int64_t k = 0; k < kMostPlaces; ++k) {
    const Result<Integer> value = evaluator_.call(function, k);
    if (!value.ok() || *value <= previous) return std::nullopt;
    if (Integer(row) <= *value) return normalized(std::move(positions));
    if (k > 0) stride = stride * ceil_div(*value - previous, stride);
    previous = *value;
    const auto position = (stride * ceil_div(Integer(row) - *value, stride)).to_int64();
    if (!position) return std::nullopt;
    positions.push_back({*position, *position});
  }
  return std::nullopt;
}

IntervalList SmallRows::may_stay(const SetExpression& set, Side side, std::int64_t i) const {
  const IntervalList all{{1, i}};
  return match(
      set.node, [](const EmptySet&) { return IntervalList{}; },
      [](const DiagonalSet&) { return IntervalList{}; }, [&](const DenseSet&) { return all; },
      [&](const WindowSet& window) {
        const Result<Integer> width = evaluator_.evaluate(*window.width, {});  // of every row
        const auto most = width.ok() ? width->to_int64() : std::nullopt;
        if (!most || *most < 0) return all;
        const std::int64_t left = side == Side::kA ? *most - 1 : *most;
        if (left <= 0) return IntervalList{};
        return left < i ? IntervalList{{i - left + 1, i}} : all;
      },
      [&](const OffsetsSet&) { return all; },
      [&](const LatticeSet& lattice) {
        if (nested_.count(lattice.function) == 0) return all;
        const auto next = lattice_row(lattice.function, i + 1);
        return next ? intersection_of(*next, all) : all;
      },
      [&](const RangeSet&) { return all; }, [&](const Comprehension&) { return all; },
      [&](const SetOperation& node) {
        const IntervalList left = may_stay(*node.left, side, i);
        if (node.op == SetOperator::kDifference) return left;
        const IntervalList right = may_stay(*node.right, side, i);
        return node.op == SetOperator::kUnion ? union_of(left, right)
                                              : intersection_of(left, right);
      });
}

std::optional<Integer> SmallRows::live_at_most(const Integer& i) const {
  const std::optional<std::int64_t> row = i.to_int64();
  if (!row || *row < 1 || kFarthestRow < *row) return std::nullopt;
  std::int64_t live = 0;
  for (const Side side : {Side::kA, Side::kB}) {
    live += count_of(may_stay(*pattern_->set(side), side, *row));
  }
  return Integer(live);
}

}  // namespace heddle::auditing
