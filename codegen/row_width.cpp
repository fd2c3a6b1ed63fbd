// SPDX-License-Identifier: Apache-2.0
#include "codegen/row_width.hpp"

#include <algorithm>
#include <string>

namespace heddle {

std::int64_t EntryCount::at(std::int64_t k) const {
  if (!listed.empty()) {
    const auto last = static_cast<std::int64_t>(listed.size()) - 1;
    return listed[static_cast<std::size_t>(std::min(k, last))];
  }
  // Beyond every sequence is far enough: no product below leaves 64 bits.
  const auto sum = [](std::int64_t a, std::int64_t b) { return std::min(a + b, kLongestSequence); };
  const auto product = [](std::int64_t a, std::int64_t b) {
    return std::min(a * b, kLongestSequence);
  };
  const std::int64_t square = product(k, k);
  return sum(polynomial[0], sum(product(polynomial[1], k), product(polynomial[2], square)));
}

std::int64_t EntryCount::upto(std::int64_t tokens) const {
  std::int64_t low = 0;  // the least k with at(k) >= tokens lies in low..high
  std::int64_t high = std::max<std::int64_t>(tokens, 0);
  if (!listed.empty()) high = std::min(high, static_cast<std::int64_t>(listed.size()) - 1);
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (at(middle) >= tokens) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return most > 0 ? std::min(low, most) : low;
}

Result<std::int64_t> RowWidth::columns(std::int64_t tokens) const {
  if (tokens < 0 || tokens > kLongestSequence) {
    return Error{"a sequence has 0 to " + std::to_string(kLongestSequence) + " tokens"};
  }
  std::int64_t columns = 0;
  if (exact_to == 0) {
    for (const EntryCount& part : parts) columns += part.upto(tokens);
    return columns;
  }
  if (tokens > exact_to) {
    return Error{"row widths are known for sequences of up to " + std::to_string(exact_to) +
                 " tokens, not for " + std::to_string(tokens) +
                 "; generate with a larger maximum length"};
  }
  for (const auto& [from, entries] : steps) {
    if (from <= tokens) columns = entries;
  }
  return columns;
}

std::int64_t padded_columns(std::int64_t columns) {
  constexpr std::int64_t kFloatsOfSector = 8;
  std::int64_t power = 1;
  while (power < columns && power < kFloatsOfSector) power *= 2;
  if (columns <= power) return columns == 0 ? 0 : power;
  return (columns + kFloatsOfSector - 1) / kFloatsOfSector * kFloatsOfSector;
}

}  // namespace heddle
