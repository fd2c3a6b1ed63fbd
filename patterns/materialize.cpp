// SPDX-License-Identifier: Apache-2.0
#include "patterns/materialize.hpp"

#include <algorithm>

#include "patterns/translation.hpp"

namespace heddle {

RowTable RowTable::of_translates(std::int64_t n, IntervalList distances) {
  RowTable table;
  table.translated_ = true;
  table.intervals_ = std::move(distances);
  table.start_.reserve(static_cast<std::size_t>(n) + 1);
  table.size_.reserve(static_cast<std::size_t>(n));
  std::size_t begun = 0;  // distances whose low end is below i
  std::int64_t size = 0;
  for (std::int64_t i = 1; i <= n; ++i) {
    // Each row adds the distance i - 1, if it is one.
    if (begun < table.intervals_.size() && table.intervals_[begun].low < i) ++begun;
    size += begun > 0 && table.intervals_[begun - 1].high >= i - 1;
    table.start_.push_back(begun);
    table.size_.push_back(size);
    table.total_ += size;
  }
  return table;
}

bool RowTable::contains(std::int64_t i, std::int64_t position) const {
  const auto intervals = row(i);
  const auto after = std::upper_bound(intervals.begin(), intervals.end(), position,
                                      [](std::int64_t p, const Interval& x) { return p < x.low; });
  return after != intervals.begin() && (after - 1)->high >= position;
}

void RowTable::append_row(const IntervalList& positions) {
  assert_that(!translated_, "a table of translates has all its rows");
  intervals_.insert(intervals_.end(), positions.begin(), positions.end());
  start_.push_back(intervals_.size());
  size_.push_back(count_of(positions));
  total_ += size_.back();
}

namespace {

// 16 bytes each, and as many again while the list grows.
constexpr std::int64_t kMostIntervals = 100'000'000;

// Rows whose translation the syntax shows follow from the last one. Nothing where they do not, or
// where the last row is at fault: then the first such row is to be found.
std::optional<RowTable> translates(const Pattern& pattern, const Evaluator& evaluator, Side side,
                                   std::int64_t n) {
  if (n < 1 || !reads_translates(pattern, side)) return std::nullopt;
  const Result<Row> last = evaluator.row(side, n);
  if (!last || last->violation) return std::nullopt;
  IntervalList distances;
  for (auto read = last->positions.rbegin(); read != last->positions.rend(); ++read) {
    distances.push_back({n - read->high, n - read->low});
  }
  return RowTable::of_translates(n, std::move(distances));
}

}  // namespace

MaterializeResult materialize(const Pattern& pattern, std::int64_t n) {
  const Evaluator evaluator(pattern);
  Rows rows;
  bool given[2] = {false, false};
  for (const Side side : {Side::kA, Side::kB}) {
    if (auto table = translates(pattern, evaluator, side, n)) {
      (side == Side::kA ? rows.a : rows.b) = std::move(*table);
      given[side == Side::kB] = true;
    }
  }
  for (std::int64_t i = 1; i <= n && !(given[0] && given[1]); ++i) {
    for (const Side side : {Side::kA, Side::kB}) {
      if (given[side == Side::kB]) continue;
      Result<Row> row = evaluator.row(side, i);
      if (!row) return row.error();
      if (row->violation) return *row->violation;
      (side == Side::kA ? rows.a : rows.b).append_row(row->positions);
    }
    if (rows.a.intervals() + rows.b.intervals() > kMostIntervals) {
      return Error{"rows 1.." + std::to_string(i) + " of " + std::to_string(n) +
                   " already hold more than the " + std::to_string(kMostIntervals) +
                   " intervals that are kept"};
    }
  }
  rows.looked_at = evaluator.looked_at();
  return rows;
}

}  // namespace heddle
