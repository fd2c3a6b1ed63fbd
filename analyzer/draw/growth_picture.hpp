// SPDX-License-Identifier: Apache-2.0
// How measures grow with n: panels with logarithmic axes side by side, each series labelled where
// it ends.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace heddle {

struct GrowthSeries {
  std::string name;
  std::vector<std::pair<double, double>> points;  // (n, value), n ascending, all > 0
  bool reference = false;                         // a guide such as sqrt n: thin, dashed and grey
};

struct GrowthPanel {
  std::string title;  // "time(n)"
  std::vector<GrowthSeries> series;
};

// One or two panels. Series of one name have one colour in all panels.
std::string growth_svg(std::string_view title, std::string_view facts,
                       const std::vector<GrowthPanel>& panels);

}  // namespace heddle
