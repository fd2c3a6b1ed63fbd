// SPDX-License-Identifier: Apache-2.0
#include "codegen/timing/memory.hpp"

#include <algorithm>

namespace heddle::timing {
namespace {

// The parts of memory, so many bytes each, that a request touches, each once.
std::vector<std::int64_t> parts(const Request& request, int size) {
  std::vector<std::int64_t> touched;
  each_lane(request.lanes, [&](std::size_t lane) {
    const std::int64_t end = request.at[lane] + request.bytes;
    for (std::int64_t part = request.at[lane] / size; part * size < end; ++part) {
      touched.push_back(part);
    }
  });
  std::sort(touched.begin(), touched.end());
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  return touched;
}

std::uint64_t key(int warp, int buffer, std::int64_t sector) {
  return (static_cast<std::uint64_t>(warp) << 52) ^ (static_cast<std::uint64_t>(buffer) << 44) ^
         static_cast<std::uint64_t>(sector);
}

}  // namespace

int wavefronts(const Request& request) {
  std::array<int, kBanks> asked{};
  for (const std::int64_t word : parts(request, 4))
    ++asked[static_cast<std::size_t>(word) % kBanks];
  return *std::max_element(asked.begin(), asked.end());
}

int lines(const Request& request) { return static_cast<int>(parts(request, kLineBytes).size()); }

int Caches::latency(int warp, int buffer, const Request& request) {
  int latency = kFirstCache;
  for (const std::int64_t sector : parts(request, kSectorBytes)) {
    const bool seen = !seen_.insert(key(0, buffer, sector)).second;
    const bool recent = !recent_.insert(key(warp, buffer, sector)).second;
    latency = std::max(latency, !seen ? kMemory : !recent ? kSecondCache : kFirstCache);
  }
  return latency;
}

void Caches::wrote(int buffer, const Request& request) {
  for (const std::int64_t sector : parts(request, kSectorBytes))
    seen_.insert(key(0, buffer, sector));
}

}  // namespace heddle::timing
