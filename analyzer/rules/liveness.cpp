// SPDX-License-Identifier: Apache-2.0
// Counting live positions, by the rule of liveness_rules.cpp where there is one.
#include "analyzer/rules/liveness.hpp"

#include <algorithm>
#include <numeric>

namespace heddle {
namespace {

const RowTable& table_of(const Rows& rows, Side side) { return side == Side::kA ? rows.a : rows.b; }

// |positions restricted to 1..last|
std::int64_t count_up_to(RowView positions, std::int64_t last) {
  std::int64_t count = 0;
  for (const Interval interval : positions) {
    count += std::max<std::int64_t>(0, std::min(interval.high, last) - interval.low + 1);
  }
  return count;
}

// One side's rows for every i, the first n of them from the table.
class RowReader {
 public:
  RowReader(const Pattern& pattern, const Rows& rows, Side side)
      : evaluator_(pattern), table_(table_of(rows, side)), side_(side) {}

  // The intervals of row i, valid until the next call.
  Result<RowView> row(std::int64_t i) {
    if (i <= table_.rows()) return table_.row(i);
    auto row = evaluator_.row(side_, i);
    if (!row.ok()) return row.error();
    if (row->violation) {
      return Error{"row " + std::to_string(i) + " reads position " +
                   row->violation->position.to_string() + ", which is outside its range"};
    }
    beyond_ = std::move(row->positions);
    return RowView(beyond_);
  }

 private:
  Evaluator evaluator_;
  const RowTable& table_;
  Side side_;
  IntervalList beyond_;
};

// Under kNextRow the readers of 1..n end with the first row after n that reads none of them; the
// last row of 1..limit that still reads one.
Result<std::int64_t> last_reader(RowReader& reader, std::int64_t n, std::int64_t limit) {
  std::int64_t low = n;           // rows up to here may read
  std::int64_t high = limit + 1;  // rows from here on do not, or are beyond the limit
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    const auto row = reader.row(middle);
    if (!row.ok()) return row.error();
    (count_up_to(*row, n) > 0 ? low : high) = middle;
  }
  return low;
}

// Scans rows limit, limit - 1, .. and gives each position the first row met that reads it. `next`
// skips positions already settled, so that dense rows cost nothing twice.
Result<std::vector<std::int64_t>> scan(RowReader& reader, std::int64_t n, std::int64_t limit) {
  std::vector<std::int64_t> last(static_cast<std::size_t>(n), 0);
  std::vector<std::int64_t> next(static_cast<std::size_t>(n) + 2);
  std::iota(next.begin(), next.end(), 0);
  const auto settle = [&](std::int64_t p) {
    std::int64_t root = p;
    while (next[root] != root) root = next[root];
    while (next[p] != root) p = std::exchange(next[p], root);
    return root;
  };
  for (std::int64_t r = limit; r >= 2; --r) {
    const auto row = reader.row(r);
    if (!row.ok()) return row.error();
    for (const Interval& interval : *row) {
      const std::int64_t high = std::min({interval.high, n, r - 1});
      for (std::int64_t p = interval.low <= high ? settle(interval.low) : high + 1; p <= high;
           p = settle(p + 1)) {
        last[p - 1] = r;
        next[p] = p + 1;
      }
    }
  }
  return last;
}

}  // namespace

Result<LastReads> last_reads(const Pattern& pattern, const Rows& rows, Side side,
                             std::int64_t horizon) {
  const std::int64_t n = rows.n();
  const Liveness live = liveness(pattern, side);
  LastReads result;
  if (live.retention == Retention::kNothing || live.retention == Retention::kEverything) {
    const bool for_ever = live.retention == Retention::kEverything;
    result.row.assign(static_cast<std::size_t>(n), for_ever ? kReadForEver : 0);
    return result;
  }
  if (live.offsets) {
    for (std::int64_t p = 1; p <= n; ++p) result.row.push_back(p + live.offsets->back().high);
    return result;
  }
  RowReader reader(pattern, rows, side);
  const std::int64_t bound = std::max(horizon, 4 * n);
  std::int64_t limit = bound;
  if (live.reach && *live.reach <= bound - n) {
    limit = n + *live.reach;
  } else if (live.retention == Retention::kNextRow) {
    const auto last = last_reader(reader, n, bound);
    if (!last.ok()) return last.error();
    limit = *last;
    if (limit == bound) result.horizon = bound;
  } else {
    result.horizon = bound;
  }
  auto scanned = scan(reader, n, limit);
  if (!scanned.ok()) return scanned.error();
  result.row = std::move(*scanned);
  return result;
}

Result<CacheSizes> cache_by_row(const Pattern& pattern, const Rows& rows, Side side,
                                std::int64_t horizon) {
  const std::int64_t n = rows.n();
  CacheSizes result;
  result.size.assign(static_cast<std::size_t>(n), 0);
  switch (liveness(pattern, side).retention) {
    case Retention::kNothing:
      return result;
    case Retention::kEverything:
      std::iota(result.size.begin(), result.size.end(), 1);
      return result;
    case Retention::kNextRow: {
      RowReader reader(pattern, rows, side);
      for (std::int64_t i = 1; i <= n; ++i) {
        const auto row = reader.row(i + 1);
        if (!row.ok()) return row.error();
        result.size[i - 1] = count_up_to(*row, i);
      }
      return result;
    }
    case Retention::kHorizon: {
      const auto last = last_reads(pattern, rows, side, horizon);
      if (!last.ok()) return last.error();
      result.horizon = last->horizon;
      // p is live after rows p .. last(p) - 1.
      for (std::int64_t p = 1; p <= n; ++p) {
        const std::int64_t end = last->row[p - 1];
        if (end <= p) continue;
        ++result.size[p - 1];
        if (end <= n) --result.size[end - 1];
      }
      std::partial_sum(result.size.begin(), result.size.end(), result.size.begin());
      return result;
    }
  }
  unreachable("retention");
}

Result<CacheSizes> cache_by_row(const Pattern& pattern, const Rows& rows, std::int64_t horizon) {
  auto sizes = cache_by_row(pattern, rows, Side::kA, horizon);
  if (!sizes.ok()) return sizes;
  const auto outputs = cache_by_row(pattern, rows, Side::kB, horizon);
  if (!outputs.ok()) return outputs;
  for (std::size_t e = 0; e < sizes->size.size(); ++e) sizes->size[e] += outputs->size[e];
  if (outputs->horizon) sizes->horizon = outputs->horizon;
  return sizes;
}

}  // namespace heddle
