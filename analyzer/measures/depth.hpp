// SPDX-License-Identifier: Apache-2.0
// depth(n): edges of the longest dependency chain among tokens 1..n. An output that is read counts
// one edge, an input x_j read by row j none and by a later row one, as in hops.
#pragma once

#include <cstdint>
#include <vector>

#include "patterns/materialize.hpp"

namespace heddle {

// Entry i - 1 is depth(i), for i = 1..n.
std::vector<std::int64_t> depth_by_row(const Rows& rows);

}  // namespace heddle
