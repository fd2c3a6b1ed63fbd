// SPDX-License-Identifier: Apache-2.0
// Upper bounds on copy congestion: paths are laid one by one, then torn up and laid again at prices
// that grow where outputs stay crowded (negotiated congestion, as in circuit routing).
#include <algorithm>
#include <cmath>
#include <numeric>

#include "analyzer/copy_task.hpp"

namespace heddle {
namespace {

class Router {
 public:
  explicit Router(CopyTask& task)
      : task_(task),
        load_(static_cast<std::size_t>(task.outputs()) + 1, 0),
        history_(load_.size(), 1.0),
        price_(load_.size(), 1.0),
        paths_(static_cast<std::size_t>(task.copy())) {}

  std::int64_t spent() const { return spent_; }
  std::int64_t largest_load() const { return *std::max_element(load_.begin(), load_.end()); }
  const std::vector<std::vector<int>>& paths() const { return paths_; }

  // Lays every path again, at a price of base^load.
  void sweep_exponential(double base) {
    reprice([&](std::size_t v) { return std::pow(base, static_cast<double>(load_[v])); });
    for (int j = 1; j <= task_.copy(); ++j) {
      relay(j, [&](std::size_t v) { return std::pow(base, static_cast<double>(load_[v])); });
    }
  }

  // Lays paths again until no output has more than `goal`; false when `work` is used up first.
  bool reach(std::int64_t goal, std::int64_t work) {
    std::fill(history_.begin(), history_.end(), 1.0);
    double pressure = 1.0;
    for (int round = 0;; ++round) {
      const auto price = [&](std::size_t v) {
        const auto over = static_cast<double>(load_[v] + 1 - goal);
        return history_[v] * (over > 0 ? 1 + pressure * over : 1.0);
      };
      reprice(price);
      bool crowded = false;
      for (int e = 0; e < task_.copy(); ++e) {
        // Another order each round, so that no two paths push each other to and fro for ever.
        const int j = 1 + (e * stride_of(round) + round) % task_.copy();
        const auto& path = paths_[static_cast<std::size_t>(j - 1)];
        const bool over = std::any_of(path.begin(), path.end(), [&](int v) {
          return load_[static_cast<std::size_t>(v)] > goal;
        });
        if (!over) continue;
        crowded = true;
        relay(j, price);
      }
      if (!crowded && largest_load() <= goal) return true;
      if (spent_ >= work) return false;
      for (std::size_t v = 1; v < load_.size(); ++v) {
        if (load_[v] > goal) history_[v] += 0.3 * static_cast<double>(load_[v] - goal);
      }
      pressure = std::min(pressure * 1.1, 1000.0);
    }
  }

 private:
  // A stride prime to the number of paths visits each of them once.
  int stride_of(int round) const {
    int stride = 1 + round % task_.copy();
    while (std::gcd(stride, task_.copy()) != 1) ++stride;
    return stride;
  }

  template <typename Price>
  void reprice(const Price& price) {
    for (std::size_t v = 1; v < load_.size(); ++v) price_[v] = price(v);
  }

  template <typename Price>
  void relay(int j, const Price& price) {
    std::vector<int>& path = paths_[static_cast<std::size_t>(j - 1)];
    for (const int v : path) {
      --load_[static_cast<std::size_t>(v)];
      price_[static_cast<std::size_t>(v)] = price(static_cast<std::size_t>(v));
    }
    task_.lightest_path(j, price_, &path);
    spent_ += task_.work_per_sweep() / task_.copy() + 1;
    for (const int v : path) {
      ++load_[static_cast<std::size_t>(v)];
      price_[static_cast<std::size_t>(v)] = price(static_cast<std::size_t>(v));
    }
  }

  CopyTask& task_;
  std::vector<std::int64_t> load_;
  std::vector<double> history_;
  std::vector<double> price_;
  std::vector<std::vector<int>> paths_;
  std::int64_t spent_ = 0;
};

}  // namespace

Routing search_routing(CopyTask& task, std::int64_t goal, std::int64_t work) {
  Router router(task);
  Routing best;
  const auto keep = [&] {
    const std::int64_t load = router.largest_load();
    if (best.paths.empty() || load < best.load) best = {load, router.paths()};
  };
  for (const double base : {2.0, 4.0, 16.0}) {
    router.sweep_exponential(base);
    keep();
    if (best.load <= goal || router.spent() >= work) return best;
  }
  while (best.load > goal && router.reach(best.load - 1, work)) keep();
  return best;
}

}  // namespace heddle
