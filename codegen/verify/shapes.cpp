// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/shapes.hpp"

#include <algorithm>
#include <optional>

#include "patterns/result.hpp"

namespace heddle::verify {
namespace {

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

// How many there are of a kind whose number no launch changes.
std::optional<std::int64_t> fixed_rows(const SharedRows& rows) {
  if (rows.multiple != rows.most || !rows.slots.empty()) return std::nullopt;
  return rows.most;
}

}  // namespace

bool is_cut(const Lifted& lifted) {
  return std::any_of(lifted.kernel.arrays.begin(), lifted.kernel.arrays.end(),
                     [](const ir::Array& array) { return array.from.has_value(); });
}

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

bool cut_fits(const Lifted& lifted, const KernelEntry& entry, const Launch& launch,
              const Facts& facts, Prover& prover) {
  if (!is_cut(lifted)) return true;
  const std::optional<Polynomial> cut = cut_of(lifted, launch);
  if (!cut) return false;
  const ir::Array& whole = whole_of(lifted);
  const Term goal = conjunction(
      {facts.term(*cut) >= 0, facts.term(bytes_behind(entry, launch, whole, *cut)) >= 0});
  const Division words = divide(*cut * Polynomial(bytes_of_element(whole)), Integer(4));
  return words.remainder.terms().empty() &&
         prover.proves(facts.context(nullptr, {goal}), goal, "the cut lies in the array");
}

std::vector<Stretch> choose_stretches(const Lifted& lifted, const KernelEntry& entry,
                                      const std::vector<Polynomial>& shape, ir::ArrayId array,
                                      const std::function<bool(const std::vector<Stretch>&)>& fit) {
  Polynomial count(1);
  for (const Polynomial& extent : shape) count = count * extent;
  const std::int64_t element = bytes_of_element(lifted.kernel[array]);
  const auto length_of = [&](const SharedRows& rows) { return rows.row_bytes / element; };
  std::vector<std::vector<Stretch>> ways;
  for (const SharedRows& rows : entry.shared_rows) {
    if (length_of(rows) < 2) continue;
    const Division parts = divide(count, Integer(length_of(rows)));
    if (!parts.remainder.terms().empty()) continue;
    ways.push_back({{Integer(0), {parts.quotient, Polynomial(length_of(rows))}}});
  }
  // Of each kind in its turn; two rows of the kernel may be one of the manifest.
  const std::optional<Integer> end = count.constant();
  for (const std::int64_t halves : {1, 2}) {
    std::vector<Stretch> each;
    Integer begin(0);
    for (const SharedRows& rows : entry.shared_rows) {
      const std::optional<std::int64_t> fixed = fixed_rows(rows);
      const std::int64_t parts = each.empty() ? halves : 1;
      if (!fixed || !end || length_of(rows) < 2 * parts) break;
      const std::int64_t number = *fixed * parts, length = length_of(rows) / parts;
      const Integer next = begin + Integer(number) * Integer(length);
      if (*end < next) break;  // the array ends before
      each.push_back({begin, {Polynomial(number), Polynomial(length)}});
      begin = next;
    }
    if (!each.empty()) ways.push_back(std::move(each));
  }
  for (const std::vector<Stretch>& way : ways) {
    if (fit(way)) return way;
  }
  return {{Integer(0), {count}}};
}

}  // namespace heddle::verify
