// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/bounds.hpp"

#include <algorithm>
#include <map>

#include "codegen/verify/free_slots.hpp"
#include "codegen/verify/instances.hpp"
#include "codegen/verify/shapes.hpp"

namespace heddle::verify {
namespace {

Division split(const Polynomial& index, const Polynomial& extent, bool backwards) {
  if (const auto constant = extent.constant()) {
    if (!backwards) return divide(index, *constant);
    // Towards zero, coefficient by coefficient.
    Division result;
    for (const auto& [monomial, coefficient] : index.terms()) {
      const bool negative = coefficient.sign() < 0;
      const Integer size = negative ? -coefficient : coefficient;
      const Integer whole = floor_div(size, *constant);
      const Integer quotient = negative ? -whole : whole;
      result.quotient = result.quotient + Polynomial::term(quotient, monomial);
      result.remainder =
          result.remainder + Polynomial::term(coefficient - quotient * *constant, monomial);
    }
    return result;
  }
  return divide(index, extent.terms().begin()->first[0]);
}

class Bounds {
 public:
  Bounds(const Facts& facts, Prover& prover) : facts_(facts), prover_(prover) {}

  // The digits of the index, or nothing where they are not proved to fit.
  std::optional<std::vector<Polynomial>> digits(const Access& access,
                                                const std::vector<Polynomial>& extents) {
    std::vector<Polynomial> result(extents.size());
    std::vector<Term> goals;
    // Where numbers run backwards, -1 belongs to this axis, not to one step back on the next.
    for (const bool backwards : {true, false}) {
      Polynomial rest = without_zeros(access, extents.back());
      for (std::size_t axis = extents.size(); axis-- > 1;) {
        const Division parts = split(rest, extents[axis], backwards);
        result[axis] = parts.remainder;
        rest = parts.quotient;
      }
      result[0] = rest;
      goals.clear();
      for (std::size_t axis = 0; axis < extents.size(); ++axis) {
        goals.push_back(fits(result[axis], extents[axis]));
      }
      if (holds(access, conjunction(goals))) return result;
    }
    // A digit such as E - 1 - d was split apart: put an extent back, taken from the next axis.
    for (std::size_t axis = extents.size(); axis-- > 1;) {
      if (holds(access, fits(result[axis], extents[axis]))) continue;
      for (const int shift : {1, -1}) {
        const Polynomial moved = result[axis] + Polynomial(shift) * extents[axis];
        if (!holds(access, fits(moved, extents[axis]))) continue;
        result[axis] = moved;
        result[axis - 1] = result[axis - 1] - Polynomial(shift);
        break;
      }
    }
    goals.clear();
    for (std::size_t axis = 0; axis < extents.size(); ++axis) {
      goals.push_back(fits(result[axis], extents[axis]));
    }
    if (holds(access, conjunction(goals))) return result;
    return std::nullopt;
  }

  // The same within a stretch of the array: its number, row and place in the row.
  std::optional<std::vector<Polynomial>> digits(const Access& access,
                                                const std::vector<Stretch>& stretches) {
    const std::optional<Facts::Interval> range = facts_.close_interval(access.index);
    for (std::size_t number = 0; number < stretches.size(); ++number) {
      const Stretch& stretch = stretches[number];
      if (stretches.size() > 1 && (!range || range->low < stretch.begin)) return std::nullopt;
      const bool later = number + 1 < stretches.size() && stretches[number + 1].begin <= range->low;
      if (later) continue;
      Access within = access;
      within.index = access.index - Polynomial(stretch.begin);
      std::optional<std::vector<Polynomial>> result = digits(within, stretch.extents);
      if (result) result->insert(result->begin(), Polynomial(static_cast<std::int64_t>(number)));
      return result;
    }
    return std::nullopt;
  }

  bool shown(const Access& access, const Term& goal) { return holds(access, goal); }

 private:
  // A stride as long as the innermost axis leaves it only where it is taken no times at all: then
  // it must not be counted as a step along the next axis.
  Polynomial without_zeros(const Access& access, const Polynomial& extent) {
    Polynomial index = access.index;
    const std::optional<Integer> length = extent.constant();
    if (!length) return index;
    for (const AtomId atom : access.index.atoms()) {
      const Nature nature = facts_[atom].nature;
      const bool ours = nature == Nature::kCounter ||
                        (nature == Nature::kGiven && facts_[atom].sharing == Sharing::kThread);
      if (!ours || index.coefficient(atom) < *length) continue;
      const Term value = facts_.term(Polynomial::atom(atom));
      if (holds(access, equal(value, 0))) index = index.with(atom, Polynomial());
    }
    return index;
  }
  Term fits(const Polynomial& digit, const Polynomial& extent) const {
    const Term value = facts_.term(digit);
    return conjunction({value >= 0, value < facts_.term(extent)});
  }
  bool holds(const Access& access, const Term& goal) {
    return prover_.proves(facts_.context(access.path, {goal}), goal, "an index is in bounds");
  }

  const Facts& facts_;
  Prover& prover_;
};

}  // namespace

BoundsResult check_bounds(const Lifted& lifted, const KernelEntry& entry, const Launch& launch,
                          const Facts& facts, Prover& prover, Trace& trace) {
  BoundsResult result;
  Bounds bounds(facts, prover);
  if (!cut_fits(lifted, entry, launch, facts, prover)) {
    result.findings.push_back({"bounds",
                               false,
                               "it is not proved that the array can be cut where its end has "
                               "another type",
                               {}});
  }
  std::map<std::int32_t, std::vector<Stretch>> stretches;  // of arrays
  const auto digits_of = [&](const Access& access) -> std::optional<std::vector<Polynomial>> {
    const std::vector<Polynomial> shape = extents_of(lifted, entry, launch, access.memory);
    const ir::ArrayId* array = std::get_if<ir::ArrayId>(&access.memory);
    const bool of_several = array != nullptr && lifted.kernel[*array].dynamic &&
                            (lifted.prelude >= Prelude::kTensor || is_cut(lifted));
    if (!of_several) return bounds.digits(access, shape);
    if (stretches.count(array->index) == 0) {
      const auto in_stretches = [&](const std::vector<Stretch>& all) {
        return std::all_of(trace.accesses.begin(), trace.accesses.end(), [&](const Access& each) {
          return !same_memory(each.memory, access.memory) || bounds.digits(each, all).has_value();
        });
      };
      stretches[array->index] = choose_stretches(lifted, entry, shape, *array, in_stretches);
    }
    return bounds.digits(access, stretches.at(array->index));
  };
  for (Access& access : trace.accesses) {
    ++result.accesses;
    const auto digits = digits_of(access);
    const auto start = launch.sizes.find("start");
    if (is_of_state_before(name_of(lifted, access.memory)) && start != launch.sizes.end() &&
        !bounds.shown(access, facts.term(Polynomial::atom(start->second)) >= 1)) {
      result.findings.push_back({"bounds", false,
                                 "it is not proved that this state before the first token, which "
                                 "need not be given, is left alone",
                                 access.at});
      continue;
    }
    if (digits) {
      access.digits = *digits;
      continue;
    }
    result.findings.push_back({"bounds", false,
                               "it is not proved that this index of " +
                                   name_of(lifted, access.memory) + " stays in bounds",
                               access.at});
  }
  return result;
}

}  // namespace heddle::verify
