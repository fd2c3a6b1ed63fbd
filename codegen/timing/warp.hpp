// SPDX-License-Identifier: Apache-2.0
// A warp of a block: its registers, its clock, and what expressions come to in each of its lanes,
// with when they are there.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "codegen/timing/helper_cost.hpp"
#include "codegen/timing/memory.hpp"
#include "codegen/timing/names.hpp"
#include "codegen/timing/number.hpp"
#include "codegen/timing/statements.hpp"
#include "codegen/timing/warp_clock.hpp"
#include "codegen/verify/lift.hpp"

namespace heddle::timing {

// What ends an estimate; it never leaves this folder.
struct Unfit {
  std::string sentence;
};

// What the warps of a block share.
struct BlockState {
  const verify::Lifted& lifted;
  std::vector<Memory> buffers;  // by BufferId
  std::vector<Memory> shared;   // by ArrayId; of private ones nothing
  Caches caches;
  std::int64_t block = 0;
  std::int64_t requests = 0;  // wavefronts and lines since the last barrier
  std::int64_t work = 0;      // that is left
  std::uint32_t seed = 1;

  float random() {
    seed = seed * 1664525u + 1013904223u;
    return static_cast<float>(seed >> 8) / 8388608.0f - 1.0f;
  }
};

class Warp {
 public:
  Warp(BlockState& block, int number);

  WarpClock clock;

  Number evaluate(ir::ValueId id, Mask mask, bool as_place = false);
  Name fresh_name() { return {names_.fresh(), 0}; }
  // Of a variable or a register that some lanes may have changed on one of two ways.
  void forget(const Changed& changed);

  void set(ir::VariableId variable, Number value, Mask mask, bool predicated);
  const Number& of(ir::VariableId variable) const;
  void choose(ir::ViewId view, Mask mask);
  void declare(ir::ArrayId array);
  void store(const ir::Store& node, Mask mask);
  void await(std::size_t left);
  void close_batch();
  std::int64_t take_products() { return std::exchange(products_, 0); }  // since the last call

  // Statements that a helper on products of matrices stands for: of this one until the next call.
  void enter(const verify::HelperOf& helper);
  void look_at(ir::ValueId id, Mask mask);
  void change(const ir::Store& node, Mask mask);

  // Operations after this wait for the predicate under which they are.
  Cycle guard = 0;
  // The vector that is being moved has so many elements, and this is the turn of one of them: all
  // are loaded with the first one and stored with the last one.
  int vector = 1;
  int element = 0;

 private:
  Cycle issue(Cycle ready, Cost cost);
  // As `result`, with its name and cost.
  void name(Number& result, const Names::Operation& operation, Cycle ready, Cost cost);
  bool whole(ir::ValueId id) const;

  Number unary(ir::ValueId id, const ir::Unary& node, Mask mask, bool as_place);
  Number binary(ir::ValueId id, const ir::Binary& node, Mask mask, bool as_place);
  Number real(ir::ValueId id, const ir::Binary& node, Mask mask);
  Number logical(const ir::Binary& node, Mask mask);
  Number select(ir::ValueId id, const ir::Select& node, Mask mask, bool as_place);
  Number call(ir::ValueId id, const ir::Call& node, Mask mask);
  Number reduce(ir::ValueId id, const ir::Reduce& node, Mask mask);
  Number pick(const ir::Pick& node, Mask mask);
  void meet(Mask mask, int lanes) const;
  Number load(ir::ValueId id, const ir::Load& node, Mask mask);
  void name_of_whole(Number& result, ir::BinaryOperator op, const Number& left, const Number& right,
                     bool as_place);

  const ir::Kernel& kernel() const { return block_.lifted.kernel; }
  bool is_private(ir::MemoryId memory) const;
  // In this lane, and a number for all buffers and arrays.
  Memory& memory(ir::MemoryId id, std::size_t lane);
  int number_of(ir::MemoryId id) const;
  Request request(ir::MemoryId id, const Number& index, Mask mask) const;
  // When the place is known to those who ask for memory there.
  Cycle address(ir::MemoryId id, const Number& index);
  Number& own_element(std::int32_t array, std::int64_t index);
  Number load_register(const ir::Load& node, const Number& index, Mask mask);
  void store_register(ir::ArrayId array, const Number& index, const Number& value, Mask mask);
  void narrow(Number& value, ElementType type);
  void start_copy(const ir::Store& node, const ir::Load& from, Mask mask);
  Cycle product(Cycle ready);
  Cycle agree_in_row(Cycle ready);

  BlockState& block_;
  int number_;
  Names names_;
  std::vector<Number> variables_;
  std::vector<std::vector<Number>> registers_;  // by ArrayId, of private arrays
  std::vector<Number> views_;
  std::vector<Cycle> stored_;  // by memory, when this warp's last store to it was issued
  bool moves_as_is_ = false;   // what the next load brings is stored as it is
  Number vector_at_;           // the place of the first element that is stored
  Cycle vector_ready_ = 0;     // of what was loaded
  Cycle vector_last_ = 0;      // of what is stored
  Cycle open_batch_ = 0;
  std::vector<Cycle> batches_;

  HelperCost helper_;          // of the call that it is in
  int call_ = -1;              // its number
  Cycle looked_at_ = 0;        // when all is there that it has read
  bool multiplied_ = false;    // since then
  Cycle product_ready_ = 0;    // of the tile whose first sum was changed
  Cycle next_product_ = 0;     // when the tensor core takes one
  std::int64_t products_ = 0;  // that it was given
};

}  // namespace heddle::timing
