// SPDX-License-Identifier: Apache-2.0
#include "analyzer/draw/log_axis.hpp"

#include <cmath>

namespace heddle {

double LogAxis::at(double value) const {
  return from + (to - from) * std::log(value / low) / std::log(high / low);
}

std::vector<double> power_ticks(double low, double high, double base, int most) {
  const int first = static_cast<int>(std::ceil(std::log(low) / std::log(base) - 1e-9));
  const int last = static_cast<int>(std::floor(std::log(high) / std::log(base) + 1e-9));
  int stride = 1;
  while ((last - first) / stride + 1 > most) stride *= 2;
  std::vector<double> ticks;
  for (int power = first; power <= last; power += stride) ticks.push_back(std::pow(base, power));
  return ticks;
}

}  // namespace heddle
