// SPDX-License-Identifier: Apache-2.0
// What the rows of a chunk sum, as reals in shared memory, until the chunk is solved: of vectors of
// eight channels, as lanes of groups have them, the first halves before the second ones, so that no
// two lanes ask the same bank when they leave a row. Whoever solves has a place there each.
#pragma once

#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

class RowSums {
 public:
  // Declares room for `rows` rows that lanes cut as `lanes` says.
  RowSums(ir::Builder& builder, const RowLanes& lanes, int rows);

  // By all that share row r: what a private array has of it.
  void store(const RowLanes& lanes, ir::Ex r, ir::MemoryId array);
  // Of row r, by place; and which channel that is.
  ir::Ex at(ir::Ex r, ir::Ex place) const { return r * dim_ + place; }
  ir::Ex channel_of(ir::Ex place) const;
  bool in_halves() const { return in_halves_; }
  ir::MemoryId memory() const { return memory_; }

 private:
  std::int64_t dim_;
  bool in_halves_;
  ir::MemoryId memory_;
};

}  // namespace heddle::schedule
