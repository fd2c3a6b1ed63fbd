// SPDX-License-Identifier: Apache-2.0
// Is a stored result the float64 one? Errors are measured over the whole array and row by row, so
// that one wrong token among thousands is as visible as a wrong scale everywhere.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/reference/problem.hpp"

namespace heddle {

struct Tolerance {
  double relative = 0.0;  // of ||y - ref|| / ||ref||, or what cancelled where ref is small by that
  double element = 0.0;   // of |y - ref| / (root mean square of its row)
};
// What correctly rounded storage and float32 accumulation may cost; the reasons stand beside the
// numbers. `largest_logit` bounds |s_ij|: float32 knows a logit only to about |s| 2^-23, and exp
// turns that into a relative error of its weight.
Tolerance tolerance_for(ElementType type, double largest_logit = 0.0);

struct Agreement {
  double relative_error = 0.0;
  double max_element_error = 0.0;  // |y - ref| over its row's scale
  double max_absolute_error = 0.0;
  std::int64_t worst_element = -1;  // where max_element_error is, or the first bad value
  std::int64_t not_finite = 0;      // NaN or infinity where the reference is finite
  std::int64_t unwritten = 0;       // still poisoned, counted in not_finite too

  bool within(const Tolerance& tolerance) const;
  // "relative error 3e-07, worst element 12 (row 3) ..." or what is missing.
  std::string describe(std::int64_t row_length) const;
};
// Below this share of what was added up, a sum is what its rounding errors left of it. An output
// stored in fewer bits than f32 is off by up to 2^-8, and sums are read again.
constexpr double cancelled_share(ElementType type) {
  return type == ElementType::kF32 ? 0.05 : 0.25;
}

// `reference` has an entry per element; rows are runs of `row_length` elements. `magnitude`, empty
// or an entry per element, is the size an element would have had without cancellation: a quarter of
// it counts as the element's scale where the row itself is smaller, and `share` of its norm as the
// norm of the reference where that is smaller.
Agreement compare(const HostBuffer& result, const std::vector<double>& reference,
                  std::int64_t row_length, const std::vector<double>& magnitude = {},
                  double share = 0.0);

}  // namespace heddle
