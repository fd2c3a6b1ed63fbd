// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/roofline.hpp"

#include <algorithm>

namespace heddle {
namespace {

constexpr double kSectorBytes = 32.0;

}  // namespace

const std::vector<GpuFigures>& known_gpus() {
  // From the manufacturer's data sheets, of the largest memory of each.
  static const std::vector<GpuFigures> gpus = {
      {"T4", 320.0, 8.1},         {"A100 80GB SXM", 2039.0, 19.5}, {"L40S", 864.0, 91.6},
      {"RTX 4090", 1008.0, 82.6}, {"H100 SXM", 3350.0, 67.0},      {"H200", 4800.0, 67.0}};
  return gpus;
}

std::vector<Roofline> rooflines(const KernelProfile& profile) {
  std::vector<Roofline> all;
  if (!profile.cuda) return all;
  const double heads =
      static_cast<double>(std::max<std::int64_t>(profile.batch * profile.heads, 1));
  for (const GpuFigures& gpu : known_gpus()) {
    // Bytes per microsecond, and operations.
    const double bandwidth = gpu.gigabytes_per_second * 1e3, peak = gpu.teraflops * 1e6;
    const auto time = [&](double bytes, double flops, bool& by_memory) {
      by_memory = bytes / bandwidth >= flops / peak;
      return std::max(bytes / bandwidth, flops / peak) / heads;
    };
    Roofline line{gpu.name, 0, true, 0, true};
    line.floor_us = time(static_cast<double>(profile.minimum_bytes),
                         static_cast<double>(profile.definition_flops), line.floor_by_memory);
    if (profile.flops) {
      line.counted_us = time(kSectorBytes * static_cast<double>(profile.sectors),
                             static_cast<double>(*profile.flops), line.counted_by_memory);
    }
    all.push_back(line);
  }
  return all;
}

}  // namespace heddle
