// SPDX-License-Identifier: Apache-2.0
// What the rows of a chunk read where B is a lattice, looked up before the chunk by all threads
// side by side, so that who goes through a row neither divides nor searches: of each row, and of
// the one behind the chunk, the position of every term and a place that is found for it. In
// launches whose rows have more terms than the table has room for they are walked instead.
#pragma once

#include <functional>
#include <optional>

#include "codegen/schedule/row_groups.hpp"

namespace heddle::schedule {

// Places that a cell tells apart.
constexpr std::int64_t kCellPlaces = 512;
// Shared memory for each term, with those of a chunk's rows and of the next one.
constexpr std::int64_t bytes_of_term(std::int64_t chunk_rows) { return 8 * (chunk_rows + 1 + 2); }

// The terms of the lattice that B is for rows of any launch, where they are few.
constexpr int kFewTerms = 32;
std::optional<int> terms_of_all_rows(const KernelSpec& spec, int most = kFewTerms);

class ChunkEntries {
 public:
  // Of up to `terms` terms.
  ChunkEntries(Frame& frame, const SideFrame& side, int terms);

  // Lists the terms. Every thread counts them, one writes; a barrier behind it is the caller's.
  void open();
  // Of the rows behind position `before`, by all that share one; the place of a position is what
  // `find` gives for it, from -1 on and below kCellPlaces - 1.
  void look_up(RowGroups& groups, ir::Ex before, const std::function<ir::Ex(ir::Ex)>& find);
  // take(position, place) for each position of row r of the table, which is row `row`, in
  // descending order, or, in a launch that the table is too small for, walk(). Nothing is promised
  // of a place.
  void each(ir::Ex r, ir::Ex row, const std::function<void(ir::Ex, ir::Ex)>& take,
            const std::function<void()>& walk);
  // The same where who takes a position has been told of it before, `most` positions earlier:
  // whether there is one of that number, of the first ones, and before each that is taken.
  struct Ahead {
    int most;
    std::function<void(int, ir::Ex)> first;
    std::function<void(ir::Ex, ir::Ex)> next;
  };
  void each_ahead(const Ahead& ahead, ir::Ex r, ir::Ex row,
                  const std::function<void(ir::Ex, ir::Ex)>& take,
                  const std::function<void()>& walk);

 private:
  void each_cell(ir::Ex r, ir::Ex row, const std::function<void(ir::Ex, ir::Ex)>& take);
  void each_cell_ahead(const Ahead& ahead, ir::Ex r, ir::Ex row,
                       const std::function<void(ir::Ex, ir::Ex)>& take);
  ir::Ex cell(ir::Ex r, ir::Ex number) const { return r * terms_ + number; }

  Frame& frame_;
  ir::Builder& builder_;
  const SideFrame& side_;
  std::int64_t terms_;
  int rows_;            // of the table
  ir::MemoryId f_, a_;  // of the terms
  ir::MemoryId cells_;
  bool complete_;  // for every launch
  ir::Ex fits_;    // whether for this one
  ir::Ex listed_;  // terms
};

}  // namespace heddle::schedule
