// SPDX-License-Identifier: Apache-2.0
#include "analyzer/proof/rulers.hpp"

#include <algorithm>

namespace heddle::proof {
namespace {

constexpr std::int64_t kSearched = 1024;  // distances of translation-invariant rows
constexpr std::int64_t kSearchedLattice = 128;
constexpr std::int64_t kLongestPeriod = 512;

// r < room after one read, where `gap` = g(k+1) - g(k).
Integer room_of(const Ruler& ruler, const Integer& gap) {
  const bool doubled = ruler.kind == Ruler::Kind::kLattice && !ruler.lattice->distinct;
  return doubled ? Integer(2) * gap - Integer(1) : gap;
}

}  // namespace

Rulers::Rulers(const Structure& structure)
    : structure_(structure), evaluator_(*structure.knowledge.evaluator) {
  if (structure.reaches_all()) add_rulers(structure.b.model);
}

void Rulers::add_rulers(const RowModel& model) {
  if (model.kind == RowModel::Kind::kUnion) {  // more reads never make a path longer
    for (const RowModel& part : model.parts) add_rulers(part);
  } else if (model.kind == RowModel::Kind::kDistances) {
    add_points(model.points);
  } else if (model.kind == RowModel::Kind::kLattice) {
    add_lattice(model.function);
  }
}

void Rulers::add_points(const Points& points) {
  const auto add = [&](Ruler ruler) {
    ruler.points = &points;
    ruler.hops = hops_of(points);
    if (!ruler.hops.empty()) rulers_.push_back(std::move(ruler));
  };
  if (points.all_beyond) {
    add({Ruler::Kind::kEverything, nullptr, nullptr, 0, {}, nullptr, {}, 1});
  } else if (points.beyond.empty()) {
    if (points.start.empty() || points.start.back().high < 1) return;
    add({Ruler::Kind::kFinite, nullptr, nullptr, points.start.back().high, {}, nullptr, {}, 1});
  }
  for (const Progression& progression : points.beyond) {
    add({Ruler::Kind::kProgression, nullptr, &progression, 0, {}, nullptr, {}, 1});
  }
}

// Fewest terms from the points that sum to d; empty unless 1 is among them.
std::vector<int> Rulers::hops_of(const Points& points) const {
  std::vector<std::int64_t> steps;
  for (const Interval& interval : points.start) {
    for (std::int64_t d = std::max<std::int64_t>(interval.low, 1);
         d <= std::min(interval.high, kSearched); ++d) {
      steps.push_back(d);
    }
  }
  for (std::int64_t d = points.split + 1; points.all_beyond && d <= kSearched; ++d) {
    steps.push_back(d);
  }
  for (const Progression& progression : points.beyond) {
    for (std::int64_t k = progression.low;; ++k) {
      const Result<Integer> value =
          evaluator_.evaluate(*progression.value, {{progression.variable, Integer(k)}});
      if (!value.ok()) return {};
      if (Integer(kSearched) < value.value()) break;
      steps.push_back(*value.value().to_int64());
    }
  }
  if (std::find(steps.begin(), steps.end(), 1) == steps.end()) return {};
  std::vector<int> hops(static_cast<std::size_t>(kSearched) + 1, 0);
  for (std::int64_t d = 1; d <= kSearched; ++d) {
    int fewest = static_cast<int>(d);
    for (const std::int64_t step : steps) {
      if (step <= d) fewest = std::min(fewest, hops[static_cast<std::size_t>(d - step)] + 1);
    }
    hops[static_cast<std::size_t>(d)] = fewest;
  }
  return hops;
}

// Slot k of row i + a_k is slot k of row i, a_k further on; slots whose function value exceeds
// the row lie before token 1 and are never read. So residues modulo the last stride are all there
// is.
void Rulers::add_lattice(const std::string& function) {
  const auto known = structure_.refined.lattices.find(function);
  if (known == structure_.refined.lattices.end() || !known->second.convex) return;
  Ruler ruler;
  ruler.kind = Ruler::Kind::kLattice;
  ruler.function = function;
  ruler.lattice = &known->second;
  std::vector<std::pair<std::int64_t, std::int64_t>> slots;  // f(k), a_k
  Integer stride = 1, previous = 1;
  for (std::int64_t k = 0;; ++k) {
    const Result<Integer> value = evaluator_.call(function, k);
    if (!value.ok()) return;
    if (k > 0) stride = stride * ceil_div(value.value() - previous, stride);
    previous = value.value();
    if (Integer(kSearchedLattice) < previous - stride + Integer(1)) break;
    if (Integer(kLongestPeriod) < stride) return;
    slots.emplace_back(*previous.to_int64(), *stride.to_int64());
  }
  ruler.period = slots.back().second;
  ruler.hops.assign(static_cast<std::size_t>(kSearchedLattice) + 1, 0);
  std::vector<int> here(ruler.hops.size(), 0);
  for (std::int64_t j = 0; j < ruler.period; ++j) {
    for (std::int64_t d = 1; d <= kSearchedLattice; ++d) {
      int fewest = static_cast<int>(d);
      for (const auto& [value, a] : slots) {
        const std::int64_t behind = j + d - value;  // may be negative
        const std::int64_t position = behind >= 0 ? (behind + a - 1) / a * a : -(-behind / a * a);
        if (position < j) continue;
        fewest = std::min(fewest, here[static_cast<std::size_t>(position - j)] + 1);
      }
      here[static_cast<std::size_t>(d)] = fewest;
      int& most = ruler.hops[static_cast<std::size_t>(d)];
      most = std::max(most, fewest);
    }
  }
  rulers_.push_back(std::move(ruler));
}

std::optional<Integer> Rulers::ruler_value(const Ruler& ruler, std::int64_t k) const {
  const Result<Integer> value =
      ruler.kind == Ruler::Kind::kLattice
          ? evaluator_.call(ruler.function, k)
          : evaluator_.evaluate(*ruler.progression->value,
                                {{ruler.progression->variable, Integer(k)}});
  return value.ok() ? std::optional(value.value()) : std::nullopt;
}

// `level` is e for kRoot, and the largest number of reads of one g(k) for kHalving.
std::optional<Move> Rulers::move_from(const Ruler& ruler, std::int64_t d, Grip grip,
                                      int level) const {
  if (ruler.kind == Ruler::Kind::kEverything) {
    return d <= ruler.points->split ? std::nullopt : std::optional(Move{0, 1, false});
  }
  if (ruler.kind == Ruler::Kind::kFinite) {
    return d <= ruler.longest ? std::nullopt : std::optional(Move{d - ruler.longest, 1, false});
  }
  std::int64_t k = ruler.kind == Ruler::Kind::kLattice ? 0 : ruler.progression->low;
  std::optional<Integer> here = ruler_value(ruler, k);
  if (!here || Integer(d) < *here) return std::nullopt;
  std::optional<Integer> next = ruler_value(ruler, k + 1);
  while (next && *next <= Integer(d)) {
    here = next;
    next = ruler_value(ruler, ++k + 1);
  }
  if (!next) return std::nullopt;
  const Integer room = room_of(ruler, *next - *here);
  if (grip == Grip::kRoot) {
    const Integer rest = room - Integer(1), factor = *power(4, static_cast<unsigned>(level), 64);
    if (factor * *here < rest * rest) return std::nullopt;
    const Integer most = std::min(integer_sqrt(factor * Integer(d)), Integer(d - 1));
    return Move{*most.to_int64(), 1, true};
  }
  if (ruler.kind == Ruler::Kind::kProgression) {
    const Integer steps = floor_div(Integer(d), *here);
    const Integer ratio = ceil_div(*next, *here);
    if (Integer(level + 1) < ratio) return std::nullopt;
    const std::int64_t count = *steps.to_int64();
    if (grip == Grip::kHalving) return Move{(d - 1) / (count + 1), count, true};
    return Move{*(Integer(d) - steps * *here).to_int64(), count, false};
  }
  if (grip == Grip::kHalving) {
    if (*here < Integer(2) * (room - Integer(1))) return std::nullopt;
    return Move{d / 2, 1, true};
  }
  return Move{*std::min(Integer(d), room).to_int64() - 1, 1, true};
}

}  // namespace heddle::proof
