// SPDX-License-Identifier: Apache-2.0
// Which rows of a chunk lanes have: those of a warp are cut into groups, each with a row of its
// own, as many as RowLanes::sharing_for says; or a warp is one group.
#pragma once

#include <functional>
#include <optional>

#include "codegen/schedule/frame.hpp"

namespace heddle::schedule {

class RowGroups {
 public:
  explicit RowGroups(Frame& frame, int sharing) : frame_(frame), sharing_(sharing) {}
  // Names a lane's group and its place there; once, within the block.
  void open();

  bool several() const { return sharing_ < RowLanes::kWarp; }  // in a warp
  int of_warp() const { return RowLanes::kWarp / sharing_; }
  int sharing() const { return sharing_; }
  ir::Ex group() const { return group_; }
  ir::Ex lane() const { return lane_; }  // of the group
  // How the group's lanes share rows of such elements.
  RowLanes cut(ElementType element) const;

  // body(r) for the rows from .. size - 1, by groups that need not come together.
  void each_row(const std::string& name, ir::Ex from, ir::Ex size,
                const std::function<void(ir::Ex)>& body);
  // body(first) for the rows that a warp has side by side, first .. first + of_warp() - 1.
  void each_turn(const std::string& name, ir::Ex size, const std::function<void(ir::Ex)>& body);

 private:
  void loop(const std::string& name, ir::Ex first, ir::Ex size,
            const std::function<void(ir::Ex)>& body);

  Frame& frame_;
  int sharing_;
  ir::Ex group_, lane_;
};

// What a row weighs the entries inside its own chunk with, each kept by one of the lanes that share
// it: `count` of them, a multiple of those lanes, by the entry's column or what else tells it
// apart.
class NearEntries {
 public:
  // Lanes have one column each, in turn. `none` stands for an entry that the row does not have.
  NearEntries(ir::Builder& builder, const RowGroups& groups, int count, ir::Ex none);
  // This lane's have the numbers that a private array says.
  NearEntries(ir::Builder& builder, const RowGroups& groups, int count, ir::Ex none,
              std::optional<ir::MemoryId> numbers);
  void keep(ir::Ex number, ir::Ex value);
  // body(place, value) for those of this lane; places are 0 .. count - 1, columns in order.
  void each(const std::function<void(ir::Ex, ir::Ex)>& body);

 private:
  void each_part(const std::function<void(ir::Ex, ir::Ex)>& body);

  ir::Builder& builder_;
  const RowGroups& groups_;
  int parts_;
  std::optional<ir::MemoryId> numbers_;
  ir::MemoryId near_;
};

}  // namespace heddle::schedule
