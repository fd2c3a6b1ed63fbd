// SPDX-License-Identifier: Apache-2.0
// What generated CPU kernels call. C++17, standard headers only.
#pragma once

#include <cmath>
#include <cstdint>

#define HEDDLE_FUNCTION inline

#include "codegen/prelude/scalars.hpp"

namespace heddle {

// sum of x[d] * y[d] over d < kLength. Sixteen partial sums that are added as a tree: the order is
// the same on every machine, and the compiler may vectorise without reassociating anything.
template <int kLength, typename X, typename Y>
inline float dot(const X* x, const Y* y) {
  constexpr int kLanes = 16;
  constexpr int kWhole = kLength / kLanes * kLanes;
  float partial[kLanes] = {};
  for (int d = 0; d < kWhole; d += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      partial[lane] += to_float(x[d + lane]) * to_float(y[d + lane]);
    }
  }
  for (int d = kWhole; d < kLength; ++d) partial[d - kWhole] += to_float(x[d]) * to_float(y[d]);
  for (int width = kLanes / 2; width > 0; width /= 2) {
    for (int lane = 0; lane < width; ++lane) partial[lane] += partial[lane + width];
  }
  return partial[0];
}

}  // namespace heddle
