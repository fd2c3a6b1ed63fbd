// SPDX-License-Identifier: Apache-2.0
#include "analyzer/measures/copy_lanes.hpp"

#include <algorithm>
#include <limits>

namespace heddle {
namespace {

template <typename Weight>
constexpr Weight infinite() {
  if constexpr (std::numeric_limits<Weight>::has_infinity) {
    return std::numeric_limits<Weight>::infinity();
  } else {
    return CopyLanes<Weight>::kMostWeight + 1;
  }
}

}  // namespace

template <typename Weight>
CopyLanes<Weight>::CopyLanes(const CopyTask& task) : task_(task) {
  least_.resize(static_cast<std::size_t>(task.copy() + kLanes));
}

template <typename Weight>
void CopyLanes<Weight>::search(int first, int lanes, const std::vector<Weight>& weights) {
  constexpr Weight kNone = infinite<Weight>();
  first_ = first;
  entries_.clear();
  for (int lane = 0; lane < lanes; ++lane) {
    for (const std::int32_t v : task_.entries_of(first + lane)) entries_.emplace_back(v, lane);
  }
  std::sort(entries_.begin(), entries_.end());
  auto entry = entries_.begin();
  const int last = first + lanes - 1 + task_.copy();
  for (int v = first; v <= last; ++v) {
    const auto reads = task_.reads_of(v);
    Row best;
    best.fill(kNone);
    for (auto u = std::lower_bound(reads.begin(), reads.end(), first); u != reads.end(); ++u) {
      const Row& before = least_[static_cast<std::size_t>(*u - first)];
      for (int lane = 0; lane < kLanes; ++lane) best[lane] = std::min(best[lane], before[lane]);
    }
    for (; entry != entries_.end() && entry->first == v; ++entry) best[entry->second] = 0;
    const Weight own = weights[static_cast<std::size_t>(v)];
    // Sums of finite weights stay below 2 kNone, so nothing overflows.
    for (Weight& weight : best) weight = std::min<Weight>(kNone, weight + own);
    least_[static_cast<std::size_t>(v - first)] = best;
  }
}

template <typename Weight>
Weight CopyLanes<Weight>::least(int lane) const {
  return least_[static_cast<std::size_t>(lane + task_.copy())][static_cast<std::size_t>(lane)];
}

template <typename Weight>
void CopyLanes<Weight>::path(int lane, std::vector<int>& outputs) const {
  outputs.clear();
  const int token = first_ + lane;
  const auto own = task_.entries_of(token);
  for (int v = token + task_.copy();;) {
    outputs.push_back(v);
    if (std::binary_search(own.begin(), own.end(), v)) break;
    const auto reads = task_.reads_of(v);
    auto best = infinite<Weight>();
    int before = 0;
    for (auto u = std::lower_bound(reads.begin(), reads.end(), token); u != reads.end(); ++u) {
      const Weight weight =
          least_[static_cast<std::size_t>(*u - first_)][static_cast<std::size_t>(lane)];
      if (weight >= best) continue;
      best = weight;
      before = *u;
    }
    assert_that(before != 0, "the token reaches its copy");
    v = before;
  }
  std::reverse(outputs.begin(), outputs.end());
}

template class CopyLanes<float>;
template class CopyLanes<std::int32_t>;

}  // namespace heddle
