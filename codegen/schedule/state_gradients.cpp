// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/state_gradients.hpp"

namespace heddle::schedule {

using ir::Builder;
using ir::Ex;
using ir::MemoryId;

StateGradients declare_state_gradients(Builder& builder, const KernelSpec& spec, Side side) {
  StateGradients state;
  if (!spec.state_gradients || spec.keep(side) == CacheRetention::kNone) return state;
  state.keep = spec.keep(side);
  const std::string letter = side == Side::kA ? "a" : "b";
  const std::string slots = "slots_" + letter;
  const bool by_position = state.keep == CacheRetention::kNextRow;
  const bool keyed = spec.weights == WeightKind::kSoftmax;
  const auto position = [&](const std::string& when) {
    return builder.buffer(when + letter + "_pos", ElementType::kI32, Access::kRead,
                          {"batch", "heads", slots});
  };
  const auto rows = [&](const std::string& name, ElementType type, Access access) {
    return builder.buffer(name, type, access,
                          {"batch", slots, "heads", std::to_string(spec.head_dim)});
  };
  const std::string key = letter + "_key", val = letter + "_val";
  if (by_position) state.pos = position("initial_");
  if (keyed) state.key = rows("initial_" + key, spec.dtype, Access::kRead);
  state.val = rows("initial_" + val, spec.dtype, Access::kRead);
  if (by_position) state.final_pos = position("final_");
  if (keyed) state.dfinal_key = rows("dfinal_" + key, ElementType::kF32, Access::kRead);
  state.dfinal_val = rows("dfinal_" + val, ElementType::kF32, Access::kRead);
  if (keyed) state.dinitial_key = rows("dinitial_" + key, ElementType::kF32, Access::kWrite);
  state.dinitial_val = rows("dinitial_" + val, ElementType::kF32, Access::kWrite);
  return state;
}

namespace {

Ex position_of(Builder& builder, const StateGradients& state, MemoryId positions, Ex slot) {
  const bool all = state.keep == CacheRetention::kAll;
  return builder.let("p", all ? slot + 1 : builder.load(positions, state.pos_base + slot));
}

}  // namespace

void each_held(Builder& builder, const StateGradients& state, HeldWhen when, Ex last,
               const std::function<void(Ex slot, Ex p)>& held,
               const std::function<void(Ex slot)>& free) {
  const MemoryId positions = when == HeldWhen::kBefore ? state.pos : state.final_pos;
  builder.loop("slot", builder.i64(0), state.slots, [&](Ex slot) {
    const Ex p = position_of(builder, state, positions, slot);
    const std::function<void()> otherwise =
        free ? std::function<void()>([&] { free(slot); }) : std::function<void()>();
    builder.when(
        both(p >= 1, p <= last), [&] { held(slot, p); }, otherwise);
  });
}

}  // namespace heddle::schedule
