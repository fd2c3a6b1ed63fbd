// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/row_sums.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::MemoryId;

RowSums::RowSums(ir::Builder& builder, const RowLanes& lanes, int rows)
    : dim_(lanes.dim()),
      in_halves_(lanes.has_halves()),
      memory_(builder.array_of_vectors("sums", rows * lanes.dim())) {}

void RowSums::store(const RowLanes& lanes, Ex r, MemoryId array) {
  if (!in_halves_) return lanes.store(memory_, r * dim_, array);
  lanes.store_halves(memory_, r * dim_, array, dim_ / 2);
}

Ex RowSums::channel_of(Ex place) const {
  if (!in_halves_) return place;
  const std::int64_t half = dim_ / 2;
  return place % half / 4 * 8 + place / half * 4 + place % 4;
}

}  // namespace heddle::schedule
