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

NearColumns::NearColumns(ir::Builder& builder, const RowGroups& groups, int columns, Ex none)
    : builder_(builder),
      groups_(groups),
      parts_(columns / groups.sharing()),
      near_(builder.array("near", Type::kF32, parts_)) {
  each_part([&](Ex, Ex part) { builder_.store(near_, part, none); });
}

void NearColumns::each_part(const std::function<void(Ex, Ex)>& body) {
  builder_.loop("part", builder_.i64(0), builder_.i64(parts_), builder_.i64(1), LoopKind::kUnrolled,
                [&](Ex part) {
                  body(builder_.let("column", groups_.lane() + part * groups_.sharing()), part);
                });
}

void NearColumns::keep(Ex column, Ex value) {
  each_part([&](Ex own, Ex part) {
    builder_.when(equal(own, column), [&] { builder_.store(near_, part, value); });
  });
}

void NearColumns::each(const std::function<void(Ex, Ex)>& body) {
  each_part([&](Ex column, Ex part) { body(column, builder_.load(near_, part)); });
}

}  // namespace heddle::schedule
