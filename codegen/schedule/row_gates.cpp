// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/row_gates.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::MemoryId;

RowGates::RowGates(ir::Builder& builder, const RowLanes& lanes, MemoryId memory, Ex first, Ex count,
                   MemoryId staged, Ex at)
    : builder_(builder),
      lanes_(lanes),
      memory_(memory),
      staged_(staged),
      first_(first),
      count_(count),
      at_(at) {
  for (int number = 0; number < kAhead; ++number) {
    ask_first(number, builder_.i64(number) < count);
  }
}

RowGates::RowGates(ir::Builder& builder, const RowLanes& lanes, MemoryId memory, Ex first,
                   MemoryId staged, Ex at)
    : builder_(builder), lanes_(lanes), memory_(memory), staged_(staged), first_(first), at_(at) {}

void RowGates::ask_first(int number, Ex whether) {
  ask(builder_.i64(number), whether, at_ + std::int64_t{number} * lanes_.dim());
}

// Always a batch, so that as many are under way whether or not there are so many entries.
void RowGates::ask(Ex number, Ex whether, Ex slot) {
  builder_.when(whether,
                [&] { lanes_.start_copy(staged_, slot, memory_, first_ + number * lanes_.dim()); });
  builder_.invoke("close_batch", {});
}

void RowGates::await(Ex number) {
  if (count_) {
    const Ex asked = builder_.let("asked", number + kAhead);
    ask(asked, asked < *count_);
  }
  builder_.invoke("await_batches<" + std::to_string(kAhead) + ">", {});
}

MemoryId RowGates::of(Ex number) {
  const MemoryId gates = lanes_.array("gates");
  lanes_.load(gates, staged_, slot_of(number));
  return gates;
}

}  // namespace heddle::schedule
