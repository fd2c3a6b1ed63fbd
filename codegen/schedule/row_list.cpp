// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/row_list.hpp"

#include "codegen/rows/emit_row.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Procedure;
using ir::Type;
using ir::Var;
using rows::RowShape;

void RowLists::list_itself(RowList& list) {
  list.steps = builder_.array("itself", Type::kI64, 1);
  builder_.store(list.steps, builder_.i64(0), builder_.i64(0));
}

void RowLists::list_shifted(RowList& list, const rows::RowPlan& plan, Ex last,
                            const std::string& letter) {
  builder_.comment(letter == "a" ? "how far back the inputs of a row lie"
                                 : "how far back the outputs lie that a row reads");
  list.steps = builder_.reserve("steps_" + letter, Type::kI64, last);
  const Var most = builder_.variable("most_" + letter, builder_.i64(0));
  rows::emit_walk(builder_, pattern_, plan, last, [&](Ex p) {
    builder_.store(list.steps, most, p - last);
    builder_.assign(most, Ex(most) + 1);
  });
  list.most = most;
}

void RowLists::open_lattice(RowList& list, const rows::RowPlan& plan, Ex last) {
  const Var terms = builder_.variable("terms", builder_.i64(0));
  rows::emit_lattice_terms(builder_, pattern_, plan, last,
                           [&](Ex, Ex) { builder_.assign(terms, Ex(terms) + 1); });
  list.terms = terms;
  list.room = builder_.let("room", list.terms + 1);
  const Ex extent = builder_.perform("extent", Procedure::kLatticeExtent, 0, {list.terms.id()});
  list.lattice = builder_.reserve("lattice", Type::kI64, extent);
  builder_.perform(Procedure::kLatticeOpen, 0, {builder_.at(list.lattice), list.terms.id()});
  rows::emit_lattice_terms(builder_, pattern_, plan, last, [&](Ex f, Ex a) {
    builder_.perform(Procedure::kLatticeTerm, 0, {builder_.at(list.lattice), f.id(), a.id()});
  });
}

void RowLists::walk(RowList& list, const rows::RowPlan& plan, Ex i, const std::string& letter) {
  list.size = builder_.variable("size_" + letter, builder_.i64(0));
  rows::emit_walk(builder_, pattern_, plan, i, [&](Ex p) {
    builder_.store(list.steps, list.size, p - i);
    builder_.assign(list.size, Ex(list.size) + 1);
  });
}

Ex RowLists::size_of(const RowList& list) {
  switch (list.shape) {
    case RowShape::kEmpty:
      return builder_.i64(0);
    case RowShape::kItself:
      return builder_.i64(1);
    case RowShape::kLattice:
      return lattice_size(list);
    case RowShape::kShifted:
    case RowShape::kWalked:
      return list.size;
  }
  unreachable("row shape");
}
ir::VectorPlace RowLists::steps_of(const RowList& list) {
  if (list.shape != RowShape::kLattice) return {list.steps, builder_.i64(0)};
  return {list.lattice, lattice_slots(list)};
}

Ex RowLists::lattice_fact(const RowList& list, const std::string& name, Procedure procedure) {
  return builder_.perform(name, procedure, 0, {builder_.at(list.lattice)});
}
Ex RowLists::lattice_size(const RowList& list) {
  return lattice_fact(list, "lattice_entries", Procedure::kLatticeSize);
}
Ex RowLists::lattice_positions(const RowList& list) {
  return lattice_fact(list, "positions_at", Procedure::kLatticePositions);
}
Ex RowLists::lattice_slots(const RowList& list) {
  return lattice_fact(list, "slots_at", Procedure::kLatticeSlots);
}

}  // namespace heddle::schedule
