// SPDX-License-Identifier: Apache-2.0
// What rows of backward read where B is a lattice, looked up side by side, so that who goes through
// a row does not divide: a block lists the terms that its last row has, once, or part by part where
// they are more than there is room for; and finds for some rows at a time where each term leads
// them. The terms of a row are the first ones of the list, and lead to what it reads, the newest
// first, the same position several times, perhaps.
#pragma once

#include "codegen/schedule/gradient_frame.hpp"

namespace heddle::schedule {

class LatticeTable {
 public:
  static constexpr int kTerms = 32;  // that are at hand
  static constexpr int kRows = 32;   // likewise: a lane has one to look up

  // Of blocks of so many warps.
  LatticeTable(GradientFrame& frame, int warps);

  // Whether the terms that are listed are those of all rows of any launch.
  bool complete() const { return complete_; }
  // Lists the terms of row `last`, and all that earlier rows have; ends with a barrier.
  void open(ir::Ex last);
  ir::Ex terms() const { return terms_; }
  // Of the terms from number `window` on: where they lead the rows from token `begin` on. Lies
  // between barriers, the first of which is the caller's where positions have been read before.
  void look_up(ir::Ex window, ir::Ex begin);
  // Where term `number` of those leads row r of these, some position of the launch: nothing that it
  // reads, unless that lies before what an earlier term led to, and before the row.
  ir::Ex position(ir::Ex number, ir::Ex r);

 private:
  void list(ir::Ex from, ir::Var count);
  void lead(ir::Ex number, ir::Ex i, ir::Var p);

  GradientFrame& frame_;
  ir::Builder& builder_;
  int warps_;
  bool complete_;           // the terms of all rows of any launch are listed at once
  ir::MemoryId f_, a_;      // of the terms
  ir::MemoryId positions_;  // by term and row
  ir::Ex last_, terms_;
};

}  // namespace heddle::schedule
