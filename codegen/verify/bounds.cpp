// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/bounds.hpp"

#include <algorithm>

#include "patterns/result.hpp"

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

std::int64_t bytes_of_element(const ir::Array& array) {
  return static_cast<std::int64_t>(size_of(array.element.value_or(ElementType::kF32)));
}

// A sum of products of sizes and numbers, constants at the top of the kernel standing for what they
// are.
std::optional<Polynomial> of_launch(const ir::Kernel& kernel, const Launch& launch,
                                    ir::ValueId id) {
  const auto part = [&](ir::ValueId value) { return of_launch(kernel, launch, value); };
  const ir::Value& value = kernel[id];
  if (const auto* literal = std::get_if<ir::IntegerLiteral>(&value.node)) {
    return Polynomial(literal->value);
  }
  if (const auto* sum = std::get_if<ir::Binary>(&value.node)) {
    const auto left = part(sum->left);
    const auto right = part(sum->right);
    if (!left || !right) return std::nullopt;
    if (sum->op == ir::BinaryOperator::kAdd) return *left + *right;
    if (sum->op == ir::BinaryOperator::kMultiply) return *left * *right;
    return std::nullopt;
  }
  const auto* read = std::get_if<ir::Read>(&value.node);
  if (read == nullptr) return std::nullopt;
  const ir::Variable& variable = kernel[read->variable];
  if (variable.argument) return launch.extent(variable.name);
  for (const ir::Statement& each : kernel.body) {
    const auto* constant = std::get_if<ir::Define>(&each.node);
    if (constant == nullptr || constant->variable.index != read->variable.index) continue;
    return variable.changes ? std::nullopt : part(constant->value);
  }
  return std::nullopt;
}

// Where the end of the dynamic array is an array of its own, in elements of the whole.
std::optional<Polynomial> cut_of(const Lifted& lifted, const Launch& launch) {
  for (const ir::Array& array : lifted.kernel.arrays) {
    if (array.from) return of_launch(lifted.kernel, launch, *array.from);
  }
  return std::nullopt;
}
bool is_cut(const Lifted& lifted) {
  return std::any_of(lifted.kernel.arrays.begin(), lifted.kernel.arrays.end(),
                     [](const ir::Array& array) { return array.from.has_value(); });
}
const ir::Array& whole_of(const Lifted& lifted) {
  return *std::find_if(lifted.kernel.arrays.begin(), lifted.kernel.arrays.end(),
                       [](const ir::Array& array) { return array.dynamic && !array.from; });
}

// What is left behind the cut.
Polynomial bytes_behind(const KernelEntry& entry, const Launch& launch, const ir::Array& whole,
                        const Polynomial& cut) {
  Polynomial bytes = Polynomial(-bytes_of_element(whole)) * cut;
  for (const SharedRows& rows : entry.shared_rows) {
    const bool fixed = rows.multiple == rows.most && rows.slots.empty();
    const Polynomial count = fixed ? Polynomial(rows.most) : launch.extent(rows.size);
    bytes = bytes + count * Polynomial(rows.row_bytes);
  }
  return bytes;
}

// The parts on both sides of the cut, in rows where they come out even.
std::vector<Polynomial> cut_extents(const Lifted& lifted, const KernelEntry& entry,
                                    const Launch& launch, const ir::Array& array) {
  const std::optional<Polynomial> cut = cut_of(lifted, launch);
  if (!cut) return {Polynomial(0)};
  const ir::Array& whole = whole_of(lifted);
  Polynomial count = *cut;
  if (array.from) {
    const Division elements =
        divide(bytes_behind(entry, launch, whole, *cut), Integer(bytes_of_element(array)));
    if (!elements.remainder.terms().empty()) return {Polynomial(0)};
    count = elements.quotient;
  }
  const Integer row(entry.shared_rows.front().row_bytes / bytes_of_element(whole));
  const Division rows = divide(count, row);
  if (!rows.remainder.terms().empty()) return {count};
  return {rows.quotient, Polynomial(row)};
}

// Rows of all kinds one after another where they are equally long.
std::vector<Polynomial> dynamic_extents(const KernelEntry& entry, const Launch& launch,
                                        const ir::Array& array) {
  const std::int64_t element = bytes_of_element(array);
  const std::int64_t first = entry.shared_rows.front().row_bytes;
  const bool alike = std::all_of(entry.shared_rows.begin(), entry.shared_rows.end(),
                                 [&](const SharedRows& rows) { return rows.row_bytes == first; });
  Polynomial total;
  for (const SharedRows& rows : entry.shared_rows) {
    const Polynomial count = launch.extent(rows.size);
    total = total + (alike ? count : count * Polynomial(rows.row_bytes / element));
  }
  if (!alike) return {total};
  return {total, Polynomial(first / element)};
}

}  // namespace

std::string name_of(const Lifted& lifted, ir::MemoryId memory) {
  return match(memory, [&](auto id) { return lifted.kernel[id].name; });
}

std::vector<Polynomial> extents_of(const Lifted& lifted, const KernelEntry& entry,
                                   const Launch& launch, ir::MemoryId memory) {
  if (const ir::ArrayId* array = std::get_if<ir::ArrayId>(&memory)) {
    const ir::Array& of = lifted.kernel[*array];
    if (!of.dynamic) return {Polynomial(of.length)};
    return is_cut(lifted) ? cut_extents(lifted, entry, launch, of)
                          : dynamic_extents(entry, launch, of);
  }
  const std::string name = name_of(lifted, memory);
  const auto argument = std::find_if(entry.arguments.begin(), entry.arguments.end(),
                                     [&](const Argument& each) { return each.name == name; });
  assert_that(argument != entry.arguments.end(), "a buffer that is no argument");
  std::vector<Polynomial> extents;
  for (const std::string& extent : argument->shape) extents.push_back(launch.extent(extent));
  return extents;
}

BoundsResult check_bounds(const Lifted& lifted, const KernelEntry& entry, const Launch& launch,
                          const Facts& facts, Prover& prover, Trace& trace) {
  BoundsResult result;
  Bounds bounds(facts, prover);
  if (is_cut(lifted)) {
    const std::optional<Polynomial> cut = cut_of(lifted, launch);
    const ir::Array& whole = whole_of(lifted);
    bool fits = false;
    if (cut) {
      const Term goal = conjunction(
          {facts.term(*cut) >= 0, facts.term(bytes_behind(entry, launch, whole, *cut)) >= 0});
      const Division words = divide(*cut * Polynomial(bytes_of_element(whole)), Integer(4));
      fits = words.remainder.terms().empty() &&
             prover.proves(facts.context(nullptr, {goal}), goal, "the cut lies in the array");
    }
    if (!fits) {
      result.findings.push_back({"bounds",
                                 false,
                                 "it is not proved that the array can be cut where its end has "
                                 "another type",
                                 {}});
    }
  }
  for (Access& access : trace.accesses) {
    ++result.accesses;
    const auto digits = bounds.digits(access, extents_of(lifted, entry, launch, access.memory));
    const auto start = launch.sizes.find("start");
    if (name_of(lifted, access.memory).rfind("initial_", 0) == 0 && start != launch.sizes.end() &&
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
