// SPDX-License-Identifier: Apache-2.0
// How many hops information needs from token j to token i: a map of all pairs j < i with a legend
// of the hop counts that occur; pairs without a path are set apart from all counts.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "patterns/result.hpp"

namespace heddle {

inline constexpr std::int64_t kMostHopTokens = 4096;

// hops(i, j) for 1 <= j < i <= n, -1 when j does not reach i. Each pair is asked once. Exact up to
// 512 tokens; beyond, a cell shows the most hops of its pairs. Fails above kMostHopTokens.
Result<std::string> hops_svg(std::string_view name, std::int64_t n,
                             const std::function<int(std::int64_t, std::int64_t)>& hops);

}  // namespace heddle
