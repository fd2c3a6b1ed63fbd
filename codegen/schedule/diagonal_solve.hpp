// SPDX-License-Identifier: Apache-2.0
// The system that a chunk of rows on tensor cores leaves,
//   Y = F + N Y    with F what is summed so far and N strictly below the diagonal, a diagonal of it
// for each distance. Sixteen rows follow the other: their warp adds what they weigh rows of earlier
// sixteens with where distances are sixteen and more, a product each, and leaves its sums; then a
// thread has two channels and substitutes what is nearer, with outputs in registers.
#pragma once

#include <functional>
#include <vector>

#include "codegen/schedule/diagonal_rows.hpp"

namespace heddle::schedule {

// The sixteen rows of a warp, as a lane sees them: its own two, and its place on the diagonal of
// products with sixteen other ones.
struct DiagonalLane {
  ir::Ex warp_row;  // of the chunk, the first one
  ir::Ex rows[2];   // that it shares with the three lanes beside it
  ir::Ex sharer;    // which of them it is
  ir::Ex owner;     // which of them has the places of both rows on the diagonal
  ir::Ex owns, even;
};

class DiagonalSolve {
 public:
  DiagonalSolve(DiagonalRows& rows, Frame& frame, const DiagonalLane& lane);

  // The distances within a chunk, ascending.
  const std::vector<std::int64_t> distances;
  int columns() const;  // that a lane has: every fourth distance

  void open();
  // Of a row: what it weighs the row at distance number `column` with.
  void leave(ir::Ex column, ir::Ex row, ir::Ex weight);
  // Sums are those of the warp's rows; `weights` has room for a diagonal. Outputs take the place of
  // the chunk's inputs. `begin` comes before each sixteen rows.
  void solve(ir::Ex size, ir::Ex turn, ir::MemoryId sums, ir::MemoryId weights,
             const std::function<void(ir::Ex)>& begin);

 private:
  void add_earlier(ir::Ex part, ir::Ex turn, ir::MemoryId sums, ir::MemoryId weights);
  void substitute(ir::Ex part, ir::Ex turn);
  void keep(ir::Ex part, ir::Ex turn, ir::Ex d);

  DiagonalRows& rows_;
  Frame& frame_;
  ir::Builder& builder_;
  const DiagonalLane& lane_;
  int dim_;
  ir::MemoryId near_, sums_, solved_;
};

// What a lane has on the diagonal in each half of its rows, and zero around it.
void put_on_diagonal(ir::Builder& builder, const DiagonalLane& lane, ir::MemoryId weights, int half,
                     ir::Ex weight);

}  // namespace heddle::schedule
