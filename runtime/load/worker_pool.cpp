// SPDX-License-Identifier: Apache-2.0
#include "runtime/load/worker_pool.hpp"

#include <chrono>

namespace heddle {
namespace {

constexpr std::chrono::microseconds kWatch{50};

// Returns once the value is another one than `old`.
void await_change(const std::atomic<std::uint32_t>& value, std::uint32_t old) {
  const auto until = std::chrono::steady_clock::now() + kWatch;
  do {
    for (int glance = 0; glance < 64; ++glance) {
      if (value.load(std::memory_order_acquire) != old) return;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  } while (std::chrono::steady_clock::now() < until);
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

WorkerPool::WorkerPool(int threads) {
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

WorkerPool::~WorkerPool() {
  part_ = nullptr;
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void WorkerPool::run(const std::function<void(int)>& part) {
  const std::lock_guard turn(turn_);
  part_ = &part;
  busy_.store(static_cast<std::uint32_t>(workers_.size()), std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  part(0);
  for (std::uint32_t busy; (busy = busy_.load(std::memory_order_acquire)) != 0;) {
    await_change(busy_, busy);
  }
}

void WorkerPool::work(int index) {
  for (std::uint32_t seen = 0;; ++seen) {
    await_change(round_, seen);
    if (part_ == nullptr) return;
    (*part_)(index);
    busy_.fetch_sub(1, std::memory_order_release);
    busy_.notify_one();
  }
}

}  // namespace heddle
