// SPDX-License-Identifier: Apache-2.0
// Sizes are kept by the row table; nothing is counted twice.
#include "analyzer/measures/cost.hpp"

namespace heddle {

std::vector<std::int64_t> time_by_row(const Rows& rows) {
  std::vector<std::int64_t> time;
  time.reserve(static_cast<std::size_t>(rows.n()));
  for (std::int64_t i = 1; i <= rows.n(); ++i) time.push_back(rows.a.size(i) + rows.b.size(i));
  return time;
}

}  // namespace heddle
