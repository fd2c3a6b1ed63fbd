// SPDX-License-Identifier: Apache-2.0
// The terms f(k), a_k of the lattice that B is, in shared memory, so that threads find side by side
// what a row reads, a term each, and how far behind a position its readers go on.
#pragma once

#include <optional>

#include "codegen/ir/builder.hpp"
#include "codegen/schedule/kernel_spec.hpp"

namespace heddle::schedule {

class LatticeTerms {
 public:
  // Each a_k is a multiple of the one before it: different ones at least double, so that no
  // position is divided by more of them. A power of two.
  static constexpr std::int64_t kDifferent = 32;

  LatticeTerms(ir::Builder& builder, const KernelSpec& spec, ir::Ex thread);

  // Lists the terms of the launch's last row, `length`. Ends with a barrier.
  void open(ir::Ex length);
  // Terms of that row.
  ir::Ex count() const { return terms_; }
  // Terms of row `row`, or more of them; rows come in descending order.
  ir::Ex count_for(ir::Ex row);
  // Before positions of terms `from`, from + 1, ... are asked for, kMostNested of them at most. Of
  // more terms than there is room for these are listed again, between two barriers.
  void show(ir::Ex from);
  // What row `row` reads for term `number`, which lies `behind` terms after the first one shown; 0
  // where it has no such term, or reads the position for an earlier one as well.
  // Where `repeated` is given, that gets the position for such a term as well.
  ir::Ex position(ir::Ex row, ir::Ex number, ir::Ex behind, std::optional<ir::Var> repeated = {});
  // How many rows behind position p read it: they are the next ones. At least as many as there are
  // in the launch where it is more than these; 0 of p = 0.
  ir::Ex reach(ir::Ex p);
  // The same in steps: of the different a, how many divide p, by kDifferent / 2 more of them, if so
  // many do, then half as many and so on; and what comes of it.
  void divide(ir::Ex p, ir::Var dividing, ir::Ex more);
  ir::Ex reach_by(ir::Var dividing);

 private:
  void list(ir::Ex from);

  ir::Builder& builder_;
  const KernelSpec& spec_;
  ir::Ex thread_, length_;
  ir::MemoryId f_, a_;                 // of the terms; f_[0] is of the one before them, or 0
  ir::MemoryId last_f_, different_a_;  // of each a_k, the last f(k) that has it
  ir::Ex terms_, different_;
  std::optional<ir::Ex> fits_;  // whether all are listed, where launches may have more
  ir::Var count_;
  ir::Ex shown_;  // place of the first term that is shown
};

}  // namespace heddle::schedule
