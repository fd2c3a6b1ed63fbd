// SPDX-License-Identifier: Apache-2.0
// Membership of a fixed distance in every row, by the shape of the set; for sets known by their
// syntax only, with the first value of each variable as the witness.
#include "analyzer/proof/structure.hpp"

#include <fmt/format.h>

#include "analyzer/proof/points.hpp"
#include "analyzer/proof/query.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

// Nothing when it cannot be told: neither answer may then be built on.
std::optional<bool> has_point(const Knowledge& knowledge, const Points& points,
                              std::int64_t point) {
  const std::optional<Points> hit =
      combine(knowledge, SetOperator::kIntersection, points, interval_points(point, point));
  if (!hit) return std::nullopt;
  if (!hit->start.empty()) return true;
  if (hit->all_beyond || !hit->beyond.empty()) return std::nullopt;
  return false;
}

// The points are exactly low, low + 1, ...
bool is_everything_from(const Points& points, std::int64_t low) {
  if (!points.all_beyond) return false;
  return points.start == normalized({{low, points.split}});
}

bool by_witness(const Knowledge& knowledge, const SetExpression& set, std::int64_t distance,
                std::vector<Obligation>& obligations, std::set<std::string>& lemmas) {
  Query query(knowledge, knowledge.resource_limit);
  const Term i = query.variable("i");
  query.assume(i >= Term(distance + 1), "rows that have such a position");
  Scope scope{{"i", i}};
  const Term position = i - Term(distance);
  std::vector<Term> goals;
  if (const auto* range = std::get_if<RangeSet>(&set.node)) {
    goals.push_back(query.encode(*range->low, scope) <= position);
    goals.push_back(position <= query.encode(*range->high, scope));
  } else if (const auto* comprehension = std::get_if<Comprehension>(&set.node)) {
    for (const Binder& binder : comprehension->binders) {
      const Term low = query.encode(*binder.low, scope);
      if (binder.high) goals.push_back(low <= query.encode(*binder.high, scope));
      scope.emplace_back(binder.name, low);
    }
    for (const ConditionPtr& condition : comprehension->conditions) {
      goals.push_back(query.encode(*condition, scope));
    }
    goals.push_back(equal(query.encode(*comprehension->element, scope), position));
  } else {
    return false;
  }
  const std::string text = print(set);
  const Attempt attempt = query.prove(
      fmt::format("reads i - {}: {}", distance, text),
      fmt::format("i - {} is in {} for i > {}", distance, text, distance), conjunction(goals));
  if (!attempt.proved()) return false;
  obligations.push_back(attempt.obligation);
  lemmas.insert(query.lemmas().begin(), query.lemmas().end());
  return true;
}

bool reads_distance(const Knowledge& knowledge, const RowModel& model, std::int64_t distance,
                    std::vector<Obligation>& obligations, std::set<std::string>& lemmas);

bool reads_by_parts(const Knowledge& knowledge, const RowModel& model, std::int64_t distance,
                    std::vector<Obligation>& obligations, std::set<std::string>& lemmas) {
  const auto part = [&](std::size_t at) {
    return reads_distance(knowledge, model.parts[at], distance, obligations, lemmas);
  };
  switch (model.kind) {
    case RowModel::Kind::kDistances:
      return has_point(knowledge, model.points, distance) == true;
    case RowModel::Kind::kLattice:
      return distance == 1;  // p_0(i) = i - f(0)
    case RowModel::Kind::kPositions:
      return distance == (model.before_row ? 1 : 0) && is_everything_from(model.points, 1);
    case RowModel::Kind::kUnion:
      return part(0) || part(1);
    case RowModel::Kind::kIntersection:
      return part(0) && part(1);
    case RowModel::Kind::kDifference: {
      const RowModel& taken = model.parts[1];
      return taken.kind == RowModel::Kind::kDistances &&
             has_point(knowledge, taken.points, distance) == false && part(0);
    }
    case RowModel::Kind::kOther:
      return by_witness(knowledge, *model.set, distance, obligations, lemmas);
  }
  unreachable("row model");
}

// i - distance is in row(i) for every i > distance. Steps are only added where it is.
bool reads_distance(const Knowledge& knowledge, const RowModel& model, std::int64_t distance,
                    std::vector<Obligation>& obligations, std::set<std::string>& lemmas) {
  std::vector<Obligation> steps;
  std::set<std::string> instances;
  if (!reads_by_parts(knowledge, model, distance, steps, instances)) return false;
  obligations.insert(obligations.end(), steps.begin(), steps.end());
  lemmas.insert(instances.begin(), instances.end());
  return true;
}

}  // namespace

namespace {

void refine(Structure& structure, const RowModel& model) {
  const Knowledge& knowledge = structure.knowledge;
  Refined& refined = structure.refined;
  if (model.kind == RowModel::Kind::kLattice && refined.lattices.count(model.function) == 0) {
    refined.lattices.emplace(model.function, lattice_facts(knowledge, model.function));
  }
  if (const std::vector<Progression>& beyond = model.points.beyond; beyond.size() > 1) {
    refined.overlaps.emplace(key_of(beyond), overlap_of(knowledge, beyond));
  }
  for (const RowModel& part : model.parts) refine(structure, part);
}

}  // namespace

Structure structure_of(const Pattern& pattern, std::uint64_t resource_limit) {
  Structure structure;
  structure.knowledge = learn(pattern, resource_limit);
  structure.a = model_of(structure.knowledge, pattern.set(Side::kA), Side::kA);
  structure.b = model_of(structure.knowledge, pattern.set(Side::kB), Side::kB);
  ProvedModel& a = structure.a;
  ProvedModel& b = structure.b;
  structure.a_reads_self = reads_distance(structure.knowledge, a.model, 0, a.obligations, a.lemmas);
  structure.b_reads_previous =
      reads_distance(structure.knowledge, b.model, 1, b.obligations, b.lemmas);
  refine(structure, a.model);
  refine(structure, b.model);
  if (a.model.kind == RowModel::Kind::kDistances) {
    const Points& points = a.model.points;
    structure.a_only_self = !points.infinite() && points.start == IntervalList{{0, 0}};
    structure.a_reads_all = is_everything_from(points, 0);
  }
  if (b.model.kind == RowModel::Kind::kDistances) {
    structure.b_reads_all = is_everything_from(b.model.points, 1);
  }
  return structure;
}

}  // namespace heddle::proof
