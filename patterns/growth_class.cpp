// SPDX-License-Identifier: Apache-2.0
#include "patterns/growth_class.hpp"

namespace heddle {

Integer growth_value(const GrowthClass& growth, std::int64_t i) {
  Integer value = 1;
  if (growth.power_numerator > 0) {
    const auto q = static_cast<std::uint64_t>(growth.power_denominator);
    std::int64_t low = 1, high = i;  // largest root with root^q <= i
    while (low < high) {
      const std::int64_t middle = low + (high - low + 1) / 2;
      const std::optional<Integer> raised = power(middle, q, 4096);
      if (raised && *raised <= Integer(i))
        low = middle;
      else
        high = middle - 1;
    }
    for (int p = 0; p < growth.power_numerator; ++p) value = value * Integer(low);
  }
  for (int p = 0; p < growth.log_power; ++p) value = value * integer_log2(i);
  return value;
}

bool grows_faster(const GrowthClass& a, const GrowthClass& b) {
  const int left = a.power_numerator * b.power_denominator;
  const int right = b.power_numerator * a.power_denominator;
  return left != right ? left > right : a.log_power > b.log_power;
}

}  // namespace heddle
