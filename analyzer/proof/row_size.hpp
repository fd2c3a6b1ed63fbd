// SPDX-License-Identifier: Apache-2.0
// The number of positions that row i reads, and that stay live after row i, as terms of a query.
// For a pattern that is proved causal.
#pragma once

#include <map>
#include <string>

#include "analyzer/proof/lattice.hpp"
#include "analyzer/proof/overlap.hpp"
#include "analyzer/proof/query.hpp"
#include "analyzer/proof/row_model.hpp"

namespace heddle::proof {

// low <= size <= high; `exact` when the two are the same term.
struct SizeBounds {
  Term low;
  Term high;
  bool exact = false;
};

// What is known of the lattices and of the unions of progressions in a pattern.
struct Refined {
  std::map<std::string, LatticeFacts> lattices;  // by function
  std::map<std::string, Overlap> overlaps;       // by key_of the progressions
};

// #{p in points : p <= limit}. A progression is counted by a fresh c with
// value(low + c - 1) <= limit < value(low + c), which is its number as it is strictly increasing.
SizeBounds count_up_to(Query& query, const Points& points, const Term& limit,
                       const Refined* refined = nullptr);

// Are rows (live sets) the union of two ranges of positions, so that its size is known exactly?
bool is_union_of_ranges(const RowModel& model, bool live);

// |row(i)| and |live(i)| for i >= 1. With what is known of lattices and overlaps they are sharper.
SizeBounds row_size(Query& query, const RowModel& model, Side side, const Term& i,
                    const Refined* refined = nullptr);
SizeBounds live_size(Query& query, const RowModel& model, Side side, const Term& i,
                     const Refined* refined = nullptr);

}  // namespace heddle::proof
