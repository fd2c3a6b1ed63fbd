// SPDX-License-Identifier: Apache-2.0
// Rows on cpu as lists of steps, positions minus the row's number, descending, which most patterns
// do not have to walk for: shifted rows are beginnings of one list, and a lattice row changes in
// few places from its neighbours.
#pragma once

#include <string>

#include "codegen/ir/builder.hpp"
#include "codegen/rows/row_shape.hpp"

namespace heddle::schedule {

// How one side's rows are gone through.
struct RowList {
  rows::RowShape shape = rows::RowShape::kEmpty;
  ir::MemoryId steps;  // kItself, kShifted, kWalked
  ir::Ex most;         // kShifted: steps of the longest row
  ir::Var size;        // kShifted, kWalked: steps of this row
  ir::MemoryId lattice;
  ir::Ex room;   // of the lattice: slots that its rows need
  ir::Ex terms;  // of the lattice

  bool empty() const { return shape == rows::RowShape::kEmpty; }
  bool by_position() const {
    return shape == rows::RowShape::kShifted || shape == rows::RowShape::kWalked;
  }
};

class RowLists {
 public:
  RowLists(ir::Builder& builder, const Pattern& pattern) : builder_(builder), pattern_(pattern) {}

  // Once per launch, as the shape asks for, for rows up to `last`; `letter` names the side.
  void list_itself(RowList& list);
  void list_shifted(RowList& list, const rows::RowPlan& plan, ir::Ex last,
                    const std::string& letter);
  void open_lattice(RowList& list, const rows::RowPlan& plan, ir::Ex last);
  // The steps of row i, where rows are walked.
  void walk(RowList& list, const rows::RowPlan& plan, ir::Ex i, const std::string& letter);

  // Of the row at hand.
  ir::Ex size_of(const RowList& list);
  ir::VectorPlace steps_of(const RowList& list);
  ir::Ex lattice_size(const RowList& list);
  ir::Ex lattice_positions(const RowList& list);
  ir::Ex lattice_slots(const RowList& list);

 private:
  ir::Ex lattice_fact(const RowList& list, const std::string& name, ir::Procedure procedure);

  ir::Builder& builder_;
  const Pattern& pattern_;
};

}  // namespace heddle::schedule
