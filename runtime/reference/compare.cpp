// SPDX-License-Identifier: Apache-2.0
#include "runtime/reference/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace heddle {

Tolerance tolerance_for(ElementType type, double largest_logit) {
  // float32 sums of up to some thousand terms of one sign lose a few units of 2^-24 = 6e-8 each
  // time the partial sum doubles, dot products and a device exp a few more: about 1e-6 in all, and
  // feeding y back with weights summing to 1 does not amplify it. 2e-5 leaves room for cancellation
  // among signed coefficients; a dropped term, a wrong weight or a stale value is far above.
  const double logits = 8.0 * largest_logit * 0x1p-23;
  switch (type) {
    case ElementType::kF32:
      return {2e-5 + logits, 1e-4 + 4.0 * logits};
    // 8 significant bits: each stored y is off by up to 2^-9 = 0.2% and is read again by later
    // rows. Rounding errors average out as y does, so the sum stays near twice that; an element of
    // a few times its row's root mean square is off by as many times more.
    case ElementType::kBF16:
      return {1e-2 + logits, 5e-2 + 4.0 * logits};
    // 11 significant bits: an eighth of that, and less than what one rounding to 8 bits leaves.
    case ElementType::kF16:
      return {1e-3 + logits, 6e-3 + 4.0 * logits};
    case ElementType::kI32:
      return {0.0, 0.0};
  }
  unreachable("element type");
}

bool Agreement::within(const Tolerance& tolerance) const {
  // Written so that a NaN error fails.
  return not_finite == 0 && unwritten == 0 && relative_error <= tolerance.relative &&
         max_element_error <= tolerance.element;
}

std::string Agreement::describe(std::int64_t row_length) const {
  const std::int64_t row = worst_element < 0 ? 0 : worst_element / row_length;
  const std::int64_t column = worst_element < 0 ? 0 : worst_element % row_length;
  if (unwritten > 0) {
    return fmt::format("{} elements unwritten, the first in row {}, column {}", unwritten, row,
                       column);
  }
  if (not_finite > 0) {
    return fmt::format("{} elements not finite, the first in row {}, column {}", not_finite, row,
                       column);
  }
  return fmt::format("relative error {:.2e}, largest element error {:.2e} in row {}, column {}",
                     relative_error, max_element_error, row, column);
}

namespace {

// What is left at the end of float's range where the reference has zero: a weight of e^-87, as far
// as exponentials on the cpu go, times a large input.
constexpr double kNothing = 0x1p-100;

double square_of(const std::vector<double>& values) {
  double square = 0.0;
  for (const double value : values) square += value * value;
  return square;
}

}  // namespace

Agreement compare(const HostBuffer& result, const std::vector<double>& reference,
                  std::int64_t row_length, const std::vector<double>& magnitude, double share) {
  assert_that(magnitude.empty() || magnitude.size() == reference.size(),
              "a magnitude for every element");
  assert_that(result.count() == static_cast<std::int64_t>(reference.size()) && row_length >= 1 &&
                  result.count() % row_length == 0,
              "result and reference have the same extents");
  Agreement agreement;
  const std::int64_t count = result.count();
  const double reference_square = square_of(reference);
  const double overall_scale =
      std::sqrt(reference_square / static_cast<double>(std::max<std::int64_t>(count, 1)));

  double difference_square = 0.0;
  for (std::int64_t first = 0; first < count; first += row_length) {
    double row_square = 0.0;
    for (std::int64_t c = 0; c < row_length; ++c) {
      row_square += std::pow(reference[static_cast<std::size_t>(first + c)], 2);
    }
    // A row may be small by cancellation; what was cancelled is of the size of the others.
    const double row_scale =
        std::max(std::sqrt(row_square / static_cast<double>(row_length)), 0.1 * overall_scale);
    for (std::int64_t e = first; e < first + row_length; ++e) {
      const double value = result.get(e);
      if (!std::isfinite(value)) {
        if (agreement.not_finite++ == 0) agreement.worst_element = e;
        if (result.poisoned(e)) ++agreement.unwritten;
        continue;
      }
      const double difference = std::fabs(value - reference[static_cast<std::size_t>(e)]);
      const double error = difference <= kNothing ? 0.0 : difference;
      difference_square += error * error;
      agreement.max_absolute_error = std::max(agreement.max_absolute_error, error);
      // An all-zero reference allows no other error at all.
      const double scale = magnitude.empty()
                               ? row_scale
                               : std::max(row_scale, 0.25 * magnitude[static_cast<std::size_t>(e)]);
      const double scaled = error == 0.0 ? 0.0 : error / scale;
      if (scaled > agreement.max_element_error || agreement.worst_element < 0) {
        agreement.max_element_error = scaled;
        if (agreement.not_finite == 0) agreement.worst_element = e;
      }
    }
  }
  agreement.relative_error =
      difference_square == 0.0
          ? 0.0
          : std::sqrt(difference_square /
                      std::max(reference_square, share * share * square_of(magnitude)));
  return agreement;
}

}  // namespace heddle
