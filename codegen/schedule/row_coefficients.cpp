// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/row_coefficients.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::MemoryId;

RowCoefficients::RowCoefficients(ir::Builder& builder, const RowLanes& lanes, MemoryId memory,
                                 Ex first, Ex count)
    : builder_(builder), lanes_(lanes), memory_(memory), first_(first), count_(count) {
  coming_ = builder_.variable("coming", builder_.f32(0));
  ask(lanes_.lane());
  held_ = builder_.variable("held", builder_.f32(0));
}

void RowCoefficients::ask(Ex column) {
  builder_.when(column < count_,
                [&] { builder_.assign(coming_, builder_.load(memory_, first_ + column)); });
}

Ex RowCoefficients::of(Ex number) {
  const Ex place = builder_.let("place", number % lanes_.sharing());
  builder_.when(equal(place, builder_.i64(0)), [&] {
    builder_.assign(held_, coming_);
    ask(builder_.let("column", number + lanes_.sharing() + lanes_.lane()));
  });
  return builder_.pick(held_, place, lanes_.sharing());
}

}  // namespace heddle::schedule
