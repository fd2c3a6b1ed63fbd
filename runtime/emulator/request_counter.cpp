// SPDX-License-Identifier: Apache-2.0
#include "runtime/emulator/request_counter.hpp"

#include <algorithm>
#include <bit>
#include <limits>

namespace heddle::emulator {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

// The lanes that the banks serve together: all 32 for up to four bytes each, 16 for eight bytes, 8
// for sixteen.
int lanes_together(std::size_t size) {
  return size <= 4 ? 32 : static_cast<int>(128 / std::min<std::size_t>(size, 16));
}

}  // namespace

void RequestCounter::add(std::uint32_t site, int thread, std::uintptr_t address, std::size_t size,
                         bool shared) {
  const auto [known, is_new] =
      numbers_.try_emplace(site, static_cast<std::uint32_t>(sites_.size()));
  if (is_new) sites_.emplace_back();
  Site& at = sites_[known->second];
  if (at.turn != turn_) at = {turn_, 0};
  const std::uint32_t time = at.times++;

  Warp& warp = warps_[static_cast<std::size_t>(thread / 32)];
  const std::uint32_t place = 2 * known->second + (shared ? 1 : 0);
  if (warp.by_time.size() <= place) warp.by_time.resize(place + 1);
  std::vector<std::uint32_t>& by_time = warp.by_time[place];
  if (by_time.size() <= time) by_time.resize(time + 1, kNone);
  const auto lane = static_cast<std::size_t>(thread % 32);
  const std::uint32_t bit = std::uint32_t{1} << lane;
  if (by_time[time] == kNone || (warp.requests[by_time[time]].lanes & bit) != 0) {
    by_time[time] = static_cast<std::uint32_t>(warp.requests.size());
    warp.requests.emplace_back().place = place;
  }
  Request& request = warp.requests[by_time[time]];
  request.lanes |= bit;
  request.address[lane] = address;
  request.size[lane] = static_cast<std::uint8_t>(std::min<std::size_t>(size, 255));
}

const std::vector<std::uintptr_t>& RequestCounter::units_of(const Request& request,
                                                            std::uintptr_t bytes, int first,
                                                            int count) {
  units_.clear();
  bool ascending = true;
  for (int lane = first; lane < first + count; ++lane) {
    if ((request.lanes >> lane & 1) == 0) continue;
    const auto l = static_cast<std::size_t>(lane);
    const std::uintptr_t last = (request.address[l] + request.size[l] - 1) / bytes;
    for (std::uintptr_t unit = request.address[l] / bytes; unit <= last; ++unit) {
      if (!units_.empty() && units_.back() == unit) continue;
      ascending = ascending && (units_.empty() || units_.back() < unit);
      units_.push_back(unit);
    }
  }
  if (!ascending) {
    std::sort(units_.begin(), units_.end());
    units_.erase(std::unique(units_.begin(), units_.end()), units_.end());
  }
  return units_;
}

void RequestCounter::count_global(const Request& request, Counters& counters) {
  ++counters.global_requests;
  counters.global_sectors += static_cast<std::int64_t>(units_of(request, 32, 0, 32).size());
}

void RequestCounter::count_shared(const Request& request, Counters& counters) {
  ++counters.shared_requests;
  const int together =
      lanes_together(request.size[static_cast<std::size_t>(std::countr_zero(request.lanes))]);
  for (int first = 0; first < 32; first += together) {
    std::array<std::int64_t, 32> words_of_bank{};
    for (const std::uintptr_t word : units_of(request, 4, first, together)) {
      ++words_of_bank[word % 32];
    }
    const std::int64_t passes = *std::max_element(words_of_bank.begin(), words_of_bank.end());
    counters.shared_bank_conflicts += std::max<std::int64_t>(passes - 1, 0);
  }
}

void RequestCounter::close(int index, Counters& counters) {
  Warp& warp = warps_[static_cast<std::size_t>(index)];
  for (const Request& request : warp.requests) {
    if (request.place % 2 == 0) {
      count_global(request, counters);
    } else {
      count_shared(request, counters);
    }
    warp.by_time[request.place].clear();
  }
  warp.requests.clear();
}

void RequestCounter::close_all(Counters& counters) {
  for (std::size_t warp = 0; warp < warps_.size(); ++warp) {
    close(static_cast<int>(warp), counters);
  }
}

}  // namespace heddle::emulator
