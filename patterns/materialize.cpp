// SPDX-License-Identifier: Apache-2.0
#include "patterns/materialize.hpp"

#include <algorithm>

namespace heddle {

bool RowTable::contains(std::int64_t i, std::int64_t position) const {
  const auto intervals = row(i);
  const auto after = std::upper_bound(intervals.begin(), intervals.end(), position,
                                      [](std::int64_t p, const Interval& x) { return p < x.low; });
  return after != intervals.begin() && std::prev(after)->high >= position;
}

void RowTable::append_row(const IntervalList& positions) {
  intervals_.insert(intervals_.end(), positions.begin(), positions.end());
  start_.push_back(intervals_.size());
  size_.push_back(count_of(positions));
  total_ += size_.back();
}

MaterializeResult materialize(const Pattern& pattern, std::int64_t n) {
  const Evaluator evaluator(pattern);
  Rows rows;
  for (std::int64_t i = 1; i <= n; ++i) {
    for (const Side side : {Side::kA, Side::kB}) {
      Result<Row> row = evaluator.row(side, i);
      if (!row) return row.error();
      if (row->violation) return *row->violation;
      (side == Side::kA ? rows.a : rows.b).append_row(row->positions);
    }
  }
  return rows;
}

}  // namespace heddle
