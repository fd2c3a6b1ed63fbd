// SPDX-License-Identifier: Apache-2.0
#include "codegen/timing/warp_clock.hpp"

#include <algorithm>

namespace heddle::timing {

Cycle WarpClock::free_from(Cycle cycle) {
  auto at = static_cast<std::size_t>(cycle - now_);
  const std::size_t first = at;
  if (at >= ahead_.size()) ahead_.resize(2 * at + 64, 0);
  while (ahead_[at] != 0) {
    at += static_cast<std::size_t>(ahead_[at]);
    if (at >= ahead_.size()) ahead_.resize(2 * at + 64, 0);
  }
  ahead_[at] = 1;
  if (first != at) ahead_[first] = static_cast<std::int32_t>(at + 1 - first);
  return now_ + static_cast<Cycle>(at);
}

Cycle WarpClock::issue(Cycle ready, Cost cost) {
  if (cost.slots == 0) return ready + cost.latency;
  const Cycle first = free_from(std::max(ready, now_));
  Cycle last = first;
  for (int slot = 1; slot < cost.slots; ++slot) {
    last = free_from(std::max(last + 1, first + Cycle{slot} * cost.latency / cost.slots));
  }
  slots_ += cost.slots;
  last_ = std::max(last_, last);
  return std::max(first + cost.latency, last + 1);
}

void WarpClock::end_stretch() { wait(last_ + 1); }

void WarpClock::wait(Cycle until) {
  const Cycle next = std::max({now_, last_ + 1, until});
  const auto used = static_cast<std::ptrdiff_t>(std::max<Cycle>(last_ + 1 - now_, 0));
  std::fill_n(ahead_.begin(), std::min(used, static_cast<std::ptrdiff_t>(ahead_.size())), 0);
  now_ = next;
}

}  // namespace heddle::timing
