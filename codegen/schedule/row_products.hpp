// SPDX-License-Identifier: Apache-2.0
// Products of rows in shared memory by lanes that have a row each, all channels of it: bit by bit
// what lanes come to that share a row (RowLanes::dot), whose sums these are in the same order.
#pragma once

#include <functional>

#include "codegen/schedule/row_lanes.hpp"

namespace heddle::schedule {

class RowProducts {
 public:
  static constexpr int kKeys = 4;  // at a time

  // Of rows of `dim` reals in `memory`, `stride` of them apart: a multiple of four, as is what rows
  // are filled up to with zeros.
  RowProducts(ir::Builder& builder, ir::MemoryId memory, int stride, int dim, RowLanes::Order order)
      : builder_(builder), memory_(memory), stride_(stride), dim_(dim), order_(order) {}

  // Row `query` times each of the rows key .. key + kKeys - 1.
  ir::MemoryId of(ir::Ex query, ir::Ex key);

 private:
  ir::MemoryId exchanged(ir::Ex query_at, ir::Ex key_at, int lane, int exchanges);
  ir::MemoryId of_lane(ir::Ex query_at, ir::Ex key_at, int lane);
  ir::MemoryId zeros();
  void add(ir::MemoryId to, ir::MemoryId more);
  void each_key(const std::function<void(ir::Ex)>& body);

  ir::Builder& builder_;
  ir::MemoryId memory_;
  int stride_;
  int dim_;
  RowLanes::Order order_;
};

}  // namespace heddle::schedule
