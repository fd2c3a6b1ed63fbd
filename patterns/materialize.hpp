// SPDX-License-Identifier: Apache-2.0
// All rows 1..n of a pattern in compressed form: per row a list of intervals, ascending. This is
// the only form in which measures, pictures and kernel checks see a pattern at a fixed n. Rows that
// are translates of each other by the pattern's syntax are kept once, whatever n.
#pragma once

#include <cstdint>
#include <variant>
#include <vector>

#include "patterns/expression.hpp"
#include "patterns/row_view.hpp"

namespace heddle {

class RowTable {
 public:
  RowTable() = default;
  // Rows 1..n, row i = {i - c : c in distances, c < i}; the distances are ascending and disjoint.
  static RowTable of_translates(std::int64_t n, IntervalList distances);

  std::int64_t rows() const { return static_cast<std::int64_t>(size_.size()); }
  // The intervals of row i, 1 <= i <= rows(), ascending and disjoint.
  RowView row(std::int64_t i) const {
    if (translated_) return RowView::translated(intervals_.data(), start_[i], i);
    return {intervals_.data() + start_[i - 1], start_[i] - start_[i - 1]};
  }
  // The distances of of_translates; null for a table that was made row by row.
  const IntervalList* distances() const { return translated_ ? &intervals_ : nullptr; }
  // |row(i)|.
  std::int64_t size(std::int64_t i) const { return size_[i - 1]; }
  std::int64_t total() const { return total_; }
  // Kept in memory: of all rows, or of the last one where rows are translates.
  std::int64_t intervals() const { return static_cast<std::int64_t>(intervals_.size()); }
  bool contains(std::int64_t i, std::int64_t position) const;

  void append_row(const IntervalList& positions);

 private:
  bool translated_ = false;
  // Row i is intervals start_[i - 1] .. start_[i] - 1, or the first start_[i] distances.
  std::vector<std::size_t> start_{0};
  std::vector<Interval> intervals_;
  std::vector<std::int64_t> size_;
  std::int64_t total_ = 0;
};

// visit(position) for each position of row i, ascending.
template <typename Visit>
void for_each_position(const RowTable& table, std::int64_t i, Visit&& visit) {
  for (const Interval& interval : table.row(i)) {
    for (std::int64_t p = interval.low; p <= interval.high; ++p) visit(p);
  }
}

struct Rows {
  RowTable a;
  RowTable b;
  std::int64_t looked_at = 0;  // see Evaluator
  std::int64_t n() const { return b.rows(); }
};

// Rows 1..n, or the first violation (smallest row; A before B), or why a row has no value or all of
// them are too many to be kept.
using MaterializeResult = std::variant<Rows, RowViolation, Error>;
MaterializeResult materialize(const Pattern& pattern, std::int64_t n);

}  // namespace heddle
