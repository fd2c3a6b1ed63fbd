// SPDX-License-Identifier: Apache-2.0
#include "codegen/architecture.hpp"

#include <algorithm>

namespace heddle {

double Architecture::microseconds(std::int64_t floor, std::int64_t bytes, std::int64_t flops,
                                  std::int64_t tensor_flops) const {
  constexpr double kSecondCache = 2.5;
  const double memory = gigabytes_per_second * 1e3;  // bytes in a microsecond
  return static_cast<double>(floor) / memory +
         static_cast<double>(bytes) / (kSecondCache * memory) +
         static_cast<double>(flops) / (teraflops * 1e6) +
         static_cast<double>(tensor_flops) / (tensor_teraflops * 1e6);
}

double Architecture::share(std::int64_t warps) const {
  constexpr double kBusy = 8;
  return std::min(1.0, static_cast<double>(warps) / (kBusy * multiprocessors));
}

const std::vector<Architecture>& known_architectures() {
  static const std::vector<Architecture> all = {{"sm_80", 166912, 2039.0, 19.5, 312.0, 108},
                                                {"sm_86", 101376, 768.0, 38.7, 155.0, 84},
                                                {"sm_89", 101376, 1008.0, 82.6, 165.0, 128},
                                                {"sm_90", 232448, 4800.0, 67.0, 989.0, 132},
                                                {"sm_100", 232448, 8000.0, 80.0, 2250.0, 148}};
  return all;
}

const Architecture* find_architecture(std::string_view name) {
  const std::vector<Architecture>& all = known_architectures();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Architecture& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace heddle
