// SPDX-License-Identifier: Apache-2.0
// The terms f(k), a_k of the lattice that B is, in shared memory, so that threads find side by side
// what a row reads, a term each, and how far behind a position its readers go on.
#pragma once

#include "codegen/schedule/gradient_frame.hpp"

namespace heddle::schedule {

class LatticeTerms {
 public:
  explicit LatticeTerms(GradientFrame& frame);

  // Lists the terms of the launch's last row. Ends with a barrier.
  void open();
  // Terms of row `row`, or more of them; rows come in descending order.
  ir::Ex count_for(ir::Ex row);
  // Before positions of terms `from`, from + 1, ... are asked for, kMostNested of them at most. Of
  // more terms than there is room for these are listed again, between two barriers.
  void show(ir::Ex from);
  // What row `row` reads for term `number`, which lies `behind` terms after the first one shown; 0
  // where it has no such term, or reads the position for an earlier one as well.
  ir::Ex position(ir::Ex row, ir::Ex number, ir::Ex behind);
  // How many rows behind position p read it: they are the next ones. At least as many as there are
  // in the launch where it is more than these; 0 of p = 0.
  ir::Ex reach(ir::Ex p);

 private:
  void list(ir::Ex from);

  GradientFrame& frame_;
  ir::Builder& builder_;
  ir::MemoryId f_, a_;                 // of the terms; f_[0] is of the one before them, or 0
  ir::MemoryId last_f_, different_a_;  // of each a_k, the last f(k) that has it
  ir::Ex terms_, fits_, different_;
  ir::Var count_;
  ir::Ex shown_;  // place of the first term that is shown
};

}  // namespace heddle::schedule
