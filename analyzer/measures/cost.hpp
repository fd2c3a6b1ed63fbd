// SPDX-License-Identifier: Apache-2.0
// time(i) = |rowA(i)| + |rowB(i)|: multiply-adds per channel of token i.
#pragma once

#include <cstdint>
#include <vector>

#include "patterns/materialize.hpp"

namespace heddle {

// Entry i - 1 is time(i), for i = 1..n.
std::vector<std::int64_t> time_by_row(const Rows& rows);

}  // namespace heddle
