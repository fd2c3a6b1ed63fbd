// SPDX-License-Identifier: Apache-2.0
// Given coefficients of a row, which lie side by side: the lanes that share the row ask for as many
// of them at a time as they are, one each, and for the next ones before an entry needs them.
#pragma once

#include "codegen/schedule/row_lanes.hpp"

namespace heddle::schedule {

class RowCoefficients {
 public:
  // Those of `memory` from element `first` on, `count` of them; asks for the first ones.
  RowCoefficients(ir::Builder& builder, const RowLanes& lanes, ir::MemoryId memory, ir::Ex first,
                  ir::Ex count);

  // Of entry `number`, in every lane that shares the row; numbers count up from 0, one by one.
  ir::Ex of(ir::Ex number);

 private:
  void ask(ir::Ex column);

  ir::Builder& builder_;
  RowLanes lanes_;
  ir::MemoryId memory_;
  ir::Ex first_, count_;
  ir::Var coming_, held_;  // of the lane: among the next entries, and among those at hand
};

}  // namespace heddle::schedule
