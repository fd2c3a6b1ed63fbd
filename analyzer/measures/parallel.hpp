// SPDX-License-Identifier: Apache-2.0
// Independent pieces of one computation on all cores. Results must not depend on the order.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace heddle {

inline int worker_count() {
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

// body(worker, index) for every index of 0..count-1, each once; worker < worker_count() names the
// thread, for scratch memory. `body` must not throw.
template <typename Body>
void for_each_parallel(std::int64_t count, Body&& body) {
  const int workers = static_cast<int>(std::min<std::int64_t>(worker_count(), count));
  std::atomic<std::int64_t> next{0};
  const auto work = [&](int worker) {
    for (std::int64_t e = next++; e < count; e = next++) body(worker, e);
  };
  std::vector<std::jthread> others;
  for (int worker = 1; worker < workers; ++worker) others.emplace_back(work, worker);
  if (workers > 0) work(0);
}

}  // namespace heddle
