// SPDX-License-Identifier: Apache-2.0
#include "runtime/reference/by_channel.hpp"

namespace heddle {

Sizes by_channel(const Sizes& sizes) {
  Sizes channels = sizes;
  channels.heads = sizes.heads * sizes.head_dim;
  channels.head_dim = 1;
  return channels;
}

Problem by_channel(const Problem& problem) {
  if (problem.weights != WeightMode::kGated) return problem;
  const Sizes& s = problem.sizes;
  Problem channels = problem;
  channels.weights = WeightMode::kGiven;
  channels.sizes = by_channel(s);
  for (auto& [name, buffer] : channels.inputs) {
    const HostBuffer& whole = problem.inputs.at(name);
    const bool gates = whole.shape().size() == 5;
    const std::int64_t width = gates ? whole.shape()[3] : 1;
    std::vector<double> values(static_cast<std::size_t>(whole.count()));
    for (std::int64_t e = 0; e < whole.count(); ++e) {
      values[static_cast<std::size_t>(e)] = whole.get(e);
    }
    if (gates) values = to_channels(values, width, s.head_dim);
    buffer = HostBuffer(whole.type(), {s.batch, s.tokens, channels.sizes.heads, width});
    for (std::int64_t e = 0; e < buffer.count(); ++e) {
      buffer.set(e, values[static_cast<std::size_t>(e)]);
    }
  }
  return channels;
}

}  // namespace heddle
