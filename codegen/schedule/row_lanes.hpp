// SPDX-License-Identifier: Apache-2.0
// How the lanes of a warp share rows: all 32 lanes one row, channel by channel, or groups of some
// lanes a row each, every lane with runs of neighbouring channels that are moved as vectors. In
// groups a score takes three steps of exchange instead of five, and a warp has several of them
// under way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "codegen/ir/builder.hpp"
#include "patterns/pattern.hpp"

namespace heddle::schedule {

class RowLanes {
 public:
  static constexpr int kWarp = 32;

  // Rows of `dim` channels by whole warps, of which `lane` is the place in all that share a row.
  RowLanes(ir::Builder& builder, ir::Ex lane, int dim, int sharing = kWarp);
  // The same by groups of lanes, with channels in runs of as many `element`s as sixteen bytes have;
  // by whole warps where a group would be one.
  RowLanes(ir::Builder& builder, ir::Ex lane, int dim, int sharing, ElementType element);

  // Which products of two rows are summed before others: lanes sum those of vectors of so many
  // neighbouring channels in turn, and then, half and half, what they have.
  struct Order {
    int lanes = kWarp;
    int vector = 1;
  };
  // That of groups with rows of so many elements: of eight lanes, or all where rows cannot be cut
  // so.
  static Order order_for(int dim, ElementType element);
  // Lanes of such a group.
  static int sharing_for(int dim, ElementType element) { return order_for(dim, element).lanes; }

  // From row to row in shared memory, in elements of so many bytes: what groups of so many lanes
  // ask for together of neighbouring rows, a vector each, lies in banks of its own.
  static std::int64_t stride_apart(int dim, int lanes, std::size_t element);

  // Whether vectors are of eight channels, which in reals are two.
  bool has_halves() const { return vector_ == 2 * kRealsOfVector; }

  // Its place in all that share the row.
  ir::Ex lane() const { return lane_; }
  int sharing() const { return sharing_; }
  // body(channel, index) for each channel this lane owns; `index` counts in a private array of
  // `owned` elements.
  void each_channel(const std::function<void(ir::Ex, ir::Ex)>& body) const;
  int owned() const;
  int dim() const { return dim_; }
  ir::MemoryId array(const std::string& name) const;
  // body(value, index) of what `memory` has of this lane's channels, channel 0 at `at`.
  void each_value(const std::string& name, ir::MemoryId memory, ir::Ex at,
                  const std::function<void(ir::Ex, ir::Ex)>& body) const;
  // The same into a private array, or from one.
  void load(ir::MemoryId array, ir::MemoryId memory, ir::Ex at) const;
  void store(ir::MemoryId memory, ir::Ex at, ir::MemoryId array) const;
  // In groups: a copy of this lane's channels from memory to shared memory is under way.
  void start_copy(ir::MemoryId to, ir::Ex to_at, ir::MemoryId from, ir::Ex from_at) const;
  // As load, of a row in two parts: the first halves of all vectors, and so many elements behind
  // their beginning the second ones.
  void load_halves(ir::MemoryId array, ir::MemoryId memory, ir::Ex at, std::int64_t behind) const;
  void store_halves(ir::MemoryId memory, ir::Ex at, ir::MemoryId array, std::int64_t behind) const;
  // The same of rows of reals as they are, where lanes that are `turned` have the second half of a
  // vector first: those whose first halves lie in the banks of others' first halves. `turned` is
  // turn_of a lane of the warp, 0 or 1.
  static ir::Ex turn_of(ir::Builder& builder, ir::Ex lane);
  void load_turned(ir::MemoryId array, ir::MemoryId memory, ir::Ex at, ir::Ex turned) const;
  void store_turned(ir::MemoryId memory, ir::Ex at, ir::MemoryId array, ir::Ex turned) const;
  // The product of two rows, of which private arrays have this lane's channels, one's from place
  // `one_at` on: in every lane that shares the row. Groups of half as many lanes as usual come to
  // the same bit by bit, and so does RowProducts: other launches score the same rows, and what they
  // find differently is off by as much as logits are large.
  ir::Ex dot(ir::MemoryId one, ir::Ex one_at, ir::MemoryId other, bool together) const;
  // In every lane that shares the row; `together`: all groups of the warp are here.
  ir::Ex sum(ir::Ex value, bool together) const;
  // The same of what the first of them has, the others 0.
  ir::Ex from_first(ir::Ex value) const;

 private:
  static constexpr int kRealsOfVector = 4;

  bool in_groups() const { return sharing_ < kWarp; }
  int stride() const { return sharing_ * vector_; }  // channels between two runs of a lane
  void each_run(const std::function<void(int first, ir::Ex channel)>& body) const;
  void turn_halves(ir::MemoryId to, int to_at, ir::MemoryId from, int from_at, ir::Ex turned) const;
  // body(first, place) likewise, where first halves of vectors lie together.
  void each_half(ir::Ex at, const std::function<void(int first, ir::Ex place)>& body) const;
  // body(sum, index): which of a lane's partial sums each of its channels belongs to. Added up and
  // then exchanged they are what as many lanes as usual come to.
  void each_summand(const std::function<void(int, ir::Ex)>& body) const;
  int partial_sums() const;

  ir::Builder& builder_;
  ir::Ex lane_;
  int dim_;
  int sharing_ = kWarp;
  int vector_ = 1;
};

}  // namespace heddle::schedule
