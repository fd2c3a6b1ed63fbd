// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/row_groups.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::LoopKind;
using ir::Type;

void RowGroups::open() {
  ir::Builder& builder = frame_.builder;
  group_ = builder.i64(0);
  lane_ = frame_.lane;
  if (!several()) return;
  group_ = builder.let("group", frame_.lane / sharing_);
  lane_ = builder.let("lane_of_row", frame_.lane % sharing_);
}

RowLanes RowGroups::cut(ElementType element) const {
  if (!several()) return frame_.row_lanes();
  return {frame_.builder, lane_, frame_.spec.head_dim, sharing_, element};
}

void RowGroups::loop(const std::string& name, Ex first, Ex size,
                     const std::function<void(Ex)>& body) {
  frame_.sharing = sharing_;
  frame_.lane_of_row = lane_;
  frame_.builder.loop(name, first, size, frame_.builder.i64(frame_.warps * of_warp()),
                      LoopKind::kSerial, body);
  frame_.sharing = RowLanes::kWarp;
}

void RowGroups::each_row(const std::string& name, Ex from, Ex size,
                         const std::function<void(Ex)>& body) {
  loop(name, from + frame_.warp * of_warp() + group_, size, body);
}

void RowGroups::each_turn(const std::string& name, Ex size, const std::function<void(Ex)>& body) {
  loop(name, frame_.warp * of_warp(), size, body);
}

NearEntries::NearEntries(ir::Builder& builder, const RowGroups& groups, int count, Ex none)
    : NearEntries(builder, groups, count, none, std::nullopt) {}

NearEntries::NearEntries(ir::Builder& builder, const RowGroups& groups, int count, Ex none,
                         std::optional<ir::MemoryId> numbers)
    : builder_(builder),
      groups_(groups),
      parts_(count / groups.sharing()),
      numbers_(numbers),
      near_(builder.array("near", Type::kF32, parts_)) {
  each_part([&](Ex, Ex part) { builder_.store(near_, part, none); });
}

void NearEntries::each_part(const std::function<void(Ex, Ex)>& body) {
  builder_.loop("part", builder_.i64(0), builder_.i64(parts_), builder_.i64(1), LoopKind::kUnrolled,
                [&](Ex part) {
                  body(builder_.let("column", groups_.lane() + part * groups_.sharing()), part);
                });
}

void NearEntries::keep(Ex number, Ex value) {
  each_part([&](Ex place, Ex part) {
    const Ex own = numbers_ ? builder_.load(*numbers_, part) : place;
    builder_.when(equal(own, number), [&] { builder_.store(near_, part, value); });
  });
}

void NearEntries::each(const std::function<void(Ex, Ex)>& body) {
  each_part([&](Ex place, Ex part) { body(place, builder_.load(near_, part)); });
}

}  // namespace heddle::schedule
