// SPDX-License-Identifier: Apache-2.0
#include "runtime/bench/launch.hpp"

#include <utility>

namespace heddle {

LaunchValues launch_values(const LaunchRecipe& recipe) {
  const Sizes& s = recipe.sizes;
  LaunchValues values;
  values.sizes = {{"batch", s.batch},     {"tokens", s.tokens},   {"heads", s.heads},
                  {"start", s.start},     {"slots_a", s.slots_a}, {"slots_b", s.slots_b},
                  {"width_a", s.width_a}, {"width_b", s.width_b}, {"longest", s.longest}};
  values.scalars = {{"scale", recipe.scale}, {"gamma", recipe.gamma}};
  for (const Argument& argument : recipe.entry.arguments) {
    if (argument.kind != ArgumentKind::kBuffer) continue;
    const auto buffer = recipe.buffers.find(argument.name);
    BufferView view{nullptr, 0, argument.type};
    if (buffer != recipe.buffers.end()) {
      view = {buffer->second.data(), buffer->second.bytes(), buffer->second.type()};
    }
    values.buffers.emplace(argument.name, view);
  }
  return values;
}

LaunchFactory launches_of(std::shared_ptr<const KernelArtifact> artifact) {
  return [artifact = std::move(artifact)](const LaunchRecipe& recipe) -> Result<PreparedLaunch> {
    if (artifact->manifest().target != "cpu") {
      return Error{"only cpu kernels run on the host's buffers"};
    }
    Result<BoundKernel> bound = artifact->bind(recipe.entry.op, launch_values(recipe));
    if (!bound) return bound.error();
    auto kernel = std::make_shared<BoundKernel>(*std::move(bound));
    return PreparedLaunch{[artifact, kernel] { return kernel->run(); }};
  };
}

}  // namespace heddle
