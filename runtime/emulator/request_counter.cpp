// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/request_counter.hpp"

#include <algorithm>
#include <array>
#include <tuple>

namespace heddle::emulator {
namespace {

std::int64_t distinct(std::vector<std::uintptr_t>& values) {
  std::sort(values.begin(), values.end());
  return std::unique(values.begin(), values.end()) - values.begin();
}

// The lanes that the banks serve together: all 32 for up to four bytes each, 16 for eight bytes, 8
// for sixteen.
int lanes_together(std::size_t size) {
  return size <= 4 ? 32 : static_cast<int>(128 / std::min<std::size_t>(size, 16));
}

}  // namespace

void RequestCounter::add(std::uint32_t site, int thread, std::uintptr_t address, std::size_t size,
                         bool shared) {
  Access access;
  access.site = site;
  access.time = times_[site]++;
  access.lane = static_cast<std::uint8_t>(thread % 32);
  access.size = static_cast<std::uint8_t>(std::min<std::size_t>(size, 255));
  access.shared = shared;
  access.address = address;
  warps_[static_cast<std::size_t>(thread / 32)].push_back(access);
}

void RequestCounter::close(int warp, Counters& counters) {
  std::vector<Access>& accesses = warps_[static_cast<std::size_t>(warp)];
  const auto key = [](const Access& a) { return std::tuple(a.site, a.time, a.shared); };
  std::sort(accesses.begin(), accesses.end(), [&](const Access& a, const Access& b) {
    return std::tuple(key(a), a.lane) < std::tuple(key(b), b.lane);
  });
  std::vector<std::uintptr_t> units;
  for (std::size_t begin = 0, end = 0; begin < accesses.size(); begin = end) {
    while (end < accesses.size() && key(accesses[end]) == key(accesses[begin])) ++end;
    if (!accesses[begin].shared) {
      units.clear();
      for (std::size_t i = begin; i < end; ++i) {
        const std::uintptr_t last = (accesses[i].address + accesses[i].size - 1) / 32;
        for (std::uintptr_t unit = accesses[i].address / 32; unit <= last; ++unit) {
          units.push_back(unit);
        }
      }
      ++counters.global_requests;
      counters.global_sectors += distinct(units);
      continue;
    }
    ++counters.shared_requests;
    const int together = lanes_together(accesses[begin].size);
    for (int first = 0; first < 32; first += together) {
      units.clear();
      for (std::size_t i = begin; i < end; ++i) {
        if (accesses[i].lane < first || accesses[i].lane >= first + together) continue;
        const std::uintptr_t last = (accesses[i].address + accesses[i].size - 1) / 4;
        for (std::uintptr_t unit = accesses[i].address / 4; unit <= last; ++unit) {
          units.push_back(unit);
        }
      }
      units.resize(static_cast<std::size_t>(distinct(units)));
      std::array<std::int64_t, 32> words_of_bank{};
      for (const std::uintptr_t unit : units) ++words_of_bank[unit % 32];
      const std::int64_t passes = *std::max_element(words_of_bank.begin(), words_of_bank.end());
      counters.shared_bank_conflicts += std::max<std::int64_t>(passes - 1, 0);
    }
  }
  accesses.clear();
}

void RequestCounter::close_all(Counters& counters) {
  for (std::size_t warp = 0; warp < warps_.size(); ++warp) {
    close(static_cast<int>(warp), counters);
  }
}

}  // namespace heddle::emulator
