// SPDX-License-Identifier: Apache-2.0
// Two sets are first listed up to a common split; then the starts combine as lists of intervals
// and the parts beyond it by cases.
#include "analyzer/proof/points.hpp"

#include <algorithm>

#include "patterns/expression.hpp"

namespace heddle::proof {
namespace {

constexpr int kMostListed = 4096;
constexpr std::int64_t kFarthestSplit = std::int64_t{1} << 40;

std::optional<std::int64_t> value_at(const Evaluator& evaluator, const Progression& progression,
                                     std::int64_t k) {
  const Result<Integer> value =
      evaluator.evaluate(*progression.value, {{progression.variable, Integer(k)}});
  return value.ok() ? value.value().to_int64() : std::nullopt;
}

// The same set with its split moved up to `split`.
std::optional<Points> listed_to(const Knowledge& knowledge, Points points, std::int64_t split) {
  if (split <= points.split) return points;
  if (points.all_beyond) {
    points.start = union_of(points.start, {{points.split + 1, split}});
  }
  const Evaluator evaluator(*knowledge.pattern);
  IntervalList values;
  for (Progression& progression : points.beyond) {
    for (int step = 0;; ++step) {
      const std::optional<std::int64_t> value = value_at(evaluator, progression, progression.low);
      if (!value || step == kMostListed) return std::nullopt;
      if (*value > split) break;
      values.push_back({*value, *value});
      ++progression.low;
    }
  }
  points.start = union_of(points.start, normalized(values));
  points.split = split;
  return points;
}

}  // namespace

Points interval_points(std::int64_t low, std::int64_t high) {
  Points points;
  points.start = normalized({{low, high}});
  points.split = points.start.empty() ? 0 : high;
  return points;
}

Points points_from(std::int64_t low) {
  Points points;
  points.split = low - 1;
  points.all_beyond = true;
  return points;
}

std::optional<Points> progression_points(const Knowledge& knowledge, Progression progression) {
  const Evaluator evaluator(*knowledge.pattern);
  const std::optional<std::int64_t> first = value_at(evaluator, progression, progression.low);
  if (!first || *first < 0) return std::nullopt;
  Points points;
  points.split = *first - 1;
  points.beyond.push_back(std::move(progression));
  return points;
}

std::optional<Points> combine(const Knowledge& knowledge, SetOperator op, const Points& left,
                              const Points& right) {
  const std::int64_t split = std::max(left.split, right.split);
  if (split > kFarthestSplit) return std::nullopt;
  const std::optional<Points> x = listed_to(knowledge, left, split);
  const std::optional<Points> y = listed_to(knowledge, right, split);
  if (!x || !y) return std::nullopt;
  Points result;
  result.split = split;
  switch (op) {
    case SetOperator::kUnion:
      result.start = union_of(x->start, y->start);
      result.all_beyond = x->all_beyond || y->all_beyond;
      if (result.all_beyond) return result;
      result.beyond = x->beyond;
      result.beyond.insert(result.beyond.end(), y->beyond.begin(), y->beyond.end());
      return result;
    case SetOperator::kIntersection:
      result.start = intersection_of(x->start, y->start);
      if (!x->infinite() || !y->infinite()) return result;
      if (!x->all_beyond && !y->all_beyond) return std::nullopt;
      result.all_beyond = x->all_beyond && y->all_beyond;
      result.beyond = x->all_beyond ? y->beyond : x->beyond;
      return result;
    case SetOperator::kDifference:
      result.start = difference_of(x->start, y->start);
      if (!x->infinite() || y->all_beyond) return result;
      if (y->infinite()) return std::nullopt;
      result.all_beyond = x->all_beyond;
      result.beyond = x->beyond;
      return result;
  }
  unreachable("set operator");
}

}  // namespace heddle::proof
