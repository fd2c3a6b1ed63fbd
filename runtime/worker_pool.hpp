// SPDX-License-Identifier: Apache-2.0
// Threads that wait between launches, so that a launch costs a wake-up and not the making of
// threads.
#pragma once

#include <condition_variable>
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
  std::mutex mutex_;
  std::condition_variable begin_;
  std::condition_variable end_;
  const std::function<void(int)>* part_ = nullptr;
  std::uint64_t round_ = 0;
  int busy_ = 0;
  bool closing_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace heddle
