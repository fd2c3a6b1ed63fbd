// SPDX-License-Identifier: Apache-2.0
// A logarithmic axis: where a value stands, and which powers carry a tick.
#pragma once

#include <vector>

namespace heddle {

// Values low..high, 0 < low < high, on coordinates from..to.
struct LogAxis {
  double low = 1;
  double high = 1;
  double from = 0;
  double to = 0;
  double at(double value) const;
};

// Powers of the base between low and high; every second, fourth ... one when there are more than
// `most`.
std::vector<double> power_ticks(double low, double high, double base, int most);

}  // namespace heddle
