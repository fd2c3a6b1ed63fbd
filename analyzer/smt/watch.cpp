// SPDX-License-Identifier: Apache-2.0
#include "analyzer/smt/watch.hpp"

#include <pthread.h>

#include <utility>

namespace heddle::smt {
namespace {

constexpr std::chrono::milliseconds kBetweenLooks{100};

std::chrono::nanoseconds computed(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

Watch::Watch(std::function<void()> interrupt)
    : interrupt_(std::move(interrupt)), watcher_([this] { look(); }) {}

Watch::~Watch() {
  {
    const std::lock_guard lock(mutex_);
    is_done_ = true;
  }
  done_.notify_one();
  watcher_.join();
}

void Watch::begin(std::chrono::milliseconds limit) {
  clockid_t clock{};
  const bool has_clock = pthread_getcpuclockid(pthread_self(), &clock) == 0;
  const std::lock_guard lock(mutex_);
  interrupted_ = false;
  if (has_clock) limit_ = Limit{clock, computed(clock) + limit};
}

bool Watch::end() {
  const std::lock_guard lock(mutex_);
  limit_.reset();
  return interrupted_;
}

void Watch::look() {
  std::unique_lock lock(mutex_);
  while (!done_.wait_for(lock, kBetweenLooks, [this] { return is_done_; })) {
    if (!limit_ || computed(limit_->clock) < limit_->end) continue;
    interrupt_();
    interrupted_ = true;
    limit_.reset();
  }
}

}  // namespace heddle::smt
