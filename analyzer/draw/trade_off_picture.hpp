// SPDX-License-Identifier: Apache-2.0
// Patterns on the plane of time against cache, coloured by congestion: what each one buys with its
// cost. Those that no other one beats in all three wear a ring.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace heddle {

struct TradeOff {
  std::string name;
  double time = 1;                   // most reads of a row, > 0
  double cache = 1;                  // most tokens kept; 0 is drawn as 1
  std::optional<double> congestion;  // nothing when unknown or infinite: a hollow dot
  bool on_front = false;
};

std::string trade_off_svg(std::string_view title, std::string_view facts,
                          const std::vector<TradeOff>& patterns);

}  // namespace heddle
