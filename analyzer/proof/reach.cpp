// SPDX-License-Identifier: Apache-2.0
// Least members by residue: a shortest-path search over residues modulo the least generator, each
// edge one distance of B (Wilf; the members are the residue's least plus multiples of the modulus).
#include "analyzer/proof/reach.hpp"

#include <queue>

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

constexpr std::int64_t kLargestModulus = 64;
constexpr std::int64_t kMostGenerators = 4096;

// What rows are sure to read of distances: of a union, what its parts do. Nothing where no part is
// described by distances.
std::optional<Points> sure_distances(const RowModel& model) {
  if (model.kind == RowModel::Kind::kDistances) return model.points;
  if (model.kind != RowModel::Kind::kUnion) return std::nullopt;
  std::optional<Points> x = sure_distances(model.parts[0]), y = sure_distances(model.parts[1]);
  if (!x || !y) return x ? x : y;
  x->start = union_of(x->start, y->start);
  if (y->all_beyond && (!x->all_beyond || y->split < x->split)) x->split = y->split;
  x->all_beyond = x->all_beyond || y->all_beyond;
  x->beyond.clear();  // only what is listed is used
  return x;
}

// The listed points from `low` on, one by one.
std::vector<std::int64_t> listed(const Points& points, std::int64_t low) {
  std::vector<std::int64_t> values;
  for (const Interval& interval : points.start) {
    for (std::int64_t d = std::max(interval.low, low); d <= interval.high; ++d) {
      if (static_cast<std::int64_t>(values.size()) == kMostGenerators) return values;
      values.push_back(d);
    }
  }
  return values;
}

}  // namespace

std::optional<ReachableDistances> reachable_distances(const Structure& structure) {
  const std::optional<Points> a = sure_distances(structure.a.model);
  const Points b = sure_distances(structure.b.model).value_or(Points{});
  if (!a) return std::nullopt;
  ReachableDistances result;
  result.direct = a->start;
  if (a->all_beyond) result.all_beyond = a->split;
  const std::vector<std::int64_t> steps = listed(b, 1);
  if (steps.empty() || steps.front() > kLargestModulus) return result;
  result.modulus = steps.front();
  result.least.resize(static_cast<std::size_t>(result.modulus));
  using Entry = std::pair<std::int64_t, std::int64_t>;  // distance, residue
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
  for (const std::int64_t d : listed(*a, 0)) open.push({d, d % result.modulus});
  while (!open.empty()) {
    const auto [distance, residue] = open.top();
    open.pop();
    auto& least = result.least[static_cast<std::size_t>(residue)];
    if (least) continue;
    least = distance;
    for (const std::int64_t step : steps) {
      open.push({distance + step, (distance + step) % result.modulus});
    }
  }
  return result;
}

Term is_reachable(Query& query, const ReachableDistances& distances, const Term& distance) {
  std::vector<Term> cases;
  for (const Interval& interval : distances.direct) {
    cases.push_back(conjunction({Term(interval.low) <= distance, distance <= Term(interval.high)}));
  }
  if (distances.all_beyond) cases.push_back(distance > Term(*distances.all_beyond));
  if (distances.modulus > 0) {
    const ExpressionPtr remainder =
        make_expression(Arithmetic{ArithmeticOperator::kMod, make_expression(Name{"distance"}),
                                   make_expression(Literal{distances.modulus})});
    const Term residue =
        distances.modulus == 1 ? Term(0) : query.encode_known(*remainder, {{"distance", distance}});
    for (std::size_t r = 0; r < distances.least.size(); ++r) {
      if (!distances.least[r]) continue;
      cases.push_back(conjunction({equal(residue, Term(static_cast<std::int64_t>(r))),
                                   distance >= Term(*distances.least[r])}));
    }
  }
  return disjunction(cases);
}

}  // namespace heddle::proof
