// SPDX-License-Identifier: Apache-2.0
// Gated coefficients of a row, whose entries lie one behind the other with one of each channel:
// copies of the next ones are under way to shared memory while an entry is worked on. A lane copies
// what it will read itself, so that nobody waits for others.
#pragma once

#include <optional>

#include "codegen/schedule/row_lanes.hpp"

namespace heddle::schedule {

class RowGates {
 public:
  // Rows of shared memory for each group of lanes. One more than copies under way: it is what the
  // entry at hand is read from.
  static constexpr int kSlots = 4;

  static constexpr int kAhead = kSlots - 1;

  // Those of `memory` from element `first` on, of `count` entries, by way of the rows of `staged`
  // from element `at` on; asks for the first ones.
  RowGates(ir::Builder& builder, const RowLanes& lanes, ir::MemoryId memory, ir::Ex first,
           ir::Ex count, ir::MemoryId staged, ir::Ex at);
  // The same where nobody has counted entries: whoever finds them asks.
  RowGates(ir::Builder& builder, const RowLanes& lanes, ir::MemoryId memory, ir::Ex first,
           ir::MemoryId staged, ir::Ex at);

  // Those of entry `number`, if there is one; of the first kAhead, and then before each entry.
  void ask_first(int number, ir::Ex whether);
  void ask(ir::Ex number, ir::Ex whether) { ask(number, whether, slot_of(number)); }
  // Before entry `number`; numbers count up from 0, one by one, and may go beyond the last entry.
  void await(ir::Ex number);
  // This lane's channels of the entry that was awaited last, if there is one.
  ir::MemoryId of(ir::Ex number);

 private:
  void ask(ir::Ex number, ir::Ex whether, ir::Ex slot);
  ir::Ex slot_of(ir::Ex number) const { return at_ + number % kSlots * lanes_.dim(); }

  ir::Builder& builder_;
  RowLanes lanes_;
  ir::MemoryId memory_, staged_;
  ir::Ex first_;
  std::optional<ir::Ex> count_;
  ir::Ex at_;
};

}  // namespace heddle::schedule
