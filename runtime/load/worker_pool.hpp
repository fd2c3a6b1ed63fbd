// SPDX-License-Identifier: Apache-2.0
// Threads that wait between launches, so that a launch costs a signal and not the making of
// threads. They watch for the next launch for a moment before they sleep: tokens that are decoded
// one after the other do not pay for waking up.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace heddle {

class WorkerPool {
 public:
  explicit WorkerPool(int threads);  // the calling thread counts as one
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }
  // Calls part(i) for every i below threads(), each in its own thread, and returns when all are
  // done. Callers take turns.
  void run(const std::function<void(int)>& part);

 private:
  void work(int index);

  std::mutex turn_;
  const std::function<void(int)>* part_ = nullptr;  // null: the pool closes
  std::atomic<std::uint32_t> round_{0};             // what part_ is comes before it
  std::atomic<std::uint32_t> busy_{0};
  std::vector<std::thread> workers_;
};

}  // namespace heddle
