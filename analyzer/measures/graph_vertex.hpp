// SPDX-License-Identifier: Apache-2.0
// The vertices of the dependency graph: inputs x_j and outputs y_j.
#pragma once

#include <cstdint>

#include "patterns/pattern.hpp"

namespace heddle {

struct GraphVertex {
  Side side = Side::kB;  // kA: an input
  std::int64_t token = 0;
  friend bool operator==(const GraphVertex&, const GraphVertex&) = default;
};

}  // namespace heddle
