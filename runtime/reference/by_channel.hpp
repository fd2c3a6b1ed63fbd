// SPDX-License-Identifier: Apache-2.0
// What gated weights mean: every channel of a head is a head of one channel with given weights. The
// oracles and the baselines solve that problem, so that none of them has gates of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/reference/problem.hpp"

namespace heddle {

// heads * head_dim heads of one channel. x, y and their gradients keep their places in memory.
Sizes by_channel(const Sizes& sizes);

// Coefficients of the heads of `sizes` from [.., heads, width, head_dim] to
// [.., heads * head_dim, width], and their gradients back.
template <typename T>
std::vector<T> to_channels(const std::vector<T>& gates, std::int64_t width, std::int64_t channels) {
  std::vector<T> coefficients(gates.size());
  for (std::size_t at = 0; at < gates.size(); ++at) {
    const auto place = static_cast<std::int64_t>(at);
    const std::int64_t channel = place % channels, entry = place / channels % width;
    const std::int64_t row = place / (channels * width);
    coefficients[static_cast<std::size_t>((row * channels + channel) * width + entry)] = gates[at];
  }
  return coefficients;
}
template <typename T>
std::vector<T> from_channels(const std::vector<T>& coefficients, std::int64_t width,
                             std::int64_t channels) {
  // The same with entries and channels exchanged.
  return to_channels(coefficients, channels, width);
}

// Any other problem is returned as it is. Inputs that are like y (y itself, dy) become so, too.
Problem by_channel(const Problem& problem);

}  // namespace heddle
