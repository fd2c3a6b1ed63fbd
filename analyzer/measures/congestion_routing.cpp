// SPDX-License-Identifier: Apache-2.0
// Upper bounds on copy congestion: paths are laid one by one, rounded from a fractional routing, or
// translated; then torn up and laid again at prices that grow where outputs stay crowded
// (negotiated congestion, as in circuit routing).
#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

#include "analyzer/measures/congestion_search.hpp"
#include "analyzer/measures/hops.hpp"
#include "analyzer/measures/invariance.hpp"

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
  const CopyPaths& paths() const { return paths_; }

  // Replaces all paths.
  void place(const CopyPaths& paths) {
    paths_ = paths;
    std::fill(load_.begin(), load_.end(), 0);
    for (const std::vector<int>& path : paths_) {
      for (const int v : path) ++load_[static_cast<std::size_t>(v)];
    }
  }

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
  CopyPaths paths_;
  std::int64_t spent_ = 0;
};

// One path per token, drawn by its share; tokens are drawn in turn, each preferring among three
// draws the one that meets the least crowded outputs.
CopyPaths rounded(const CopySpread& spread, std::size_t outputs, std::mt19937_64& random) {
  std::vector<std::int64_t> load(outputs + 1, 0);
  std::vector<std::size_t> order(spread.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), random);
  CopyPaths paths(spread.size());
  for (const std::size_t token : order) {
    const std::vector<SharedPath>& own = spread[token];
    const SharedPath* best = nullptr;
    std::vector<std::int64_t> best_crowd;
    for (int draw = 0; draw < 3; ++draw) {
      double left = std::uniform_real_distribution<double>(0, 1)(random);
      std::size_t e = 0;
      while (e + 1 < own.size() && (left -= own[e].share) > 0) ++e;
      std::vector<std::int64_t> crowd;
      for (const int v : own[e].outputs) crowd.push_back(load[static_cast<std::size_t>(v)]);
      std::sort(crowd.rbegin(), crowd.rend());
      if (best == nullptr || crowd < best_crowd) {
        best = &own[e];
        best_crowd = std::move(crowd);
      }
    }
    paths[token] = best->outputs;
    for (const int v : best->outputs) ++load[static_cast<std::size_t>(v)];
  }
  return paths;
}

}  // namespace

std::int64_t load_of(const CopyPaths& paths, std::size_t outputs) {
  std::vector<std::int64_t> load(outputs + 1, 0);
  for (const std::vector<int>& path : paths) {
    for (const int v : path) ++load[static_cast<std::size_t>(v)];
  }
  return *std::max_element(load.begin(), load.end());
}

Routing round_spread(CopyTask& task, const CopySpread& spread, std::int64_t goal,
                     std::int64_t work) {
  constexpr int kDraws = 8;
  std::mt19937_64 random(1);  // results repeat
  Router router(task);
  Routing best;
  for (int draw = 0; draw < kDraws; ++draw) {
    CopyPaths paths = rounded(spread, static_cast<std::size_t>(task.outputs()), random);
    const std::int64_t load = load_of(paths, static_cast<std::size_t>(task.outputs()));
    if (best.paths.empty() || load < best.load) best = {load, std::move(paths)};
  }
  router.place(best.paths);
  while (best.load > goal && router.reach(best.load - 1, work)) {
    best = {router.largest_load(), router.paths()};
  }
  return best;
}

Routing improve_routing(CopyTask& task, const CopyPaths& paths, std::int64_t goal,
                        std::int64_t work) {
  Router router(task);
  router.place(paths);
  Routing best{router.largest_load(), paths};
  while (best.load > goal && router.reach(best.load - 1, work)) {
    best = {router.largest_load(), router.paths()};
  }
  return best;
}

// [translation law] All tokens take the same steps, so token j is at j + s after steps of sum s,
// and each output is met at most once for each partial sum.
std::optional<Routing> translated_routing(const Rows& rows, std::int64_t copy) {
  const auto inputs = invariant_offsets(rows.a);
  const auto outputs = invariant_offsets(rows.b);
  if (!inputs || !outputs || !contains(*inputs, 0)) return std::nullopt;
  const auto hops = hops_by_distance(rows);
  if (!hops || (*hops)[static_cast<std::size_t>(copy)] == kUnreachable) return std::nullopt;
  std::vector<std::int64_t> steps;
  for (std::int64_t d = copy; d > 0;) {
    std::int64_t step = 0;
    for (const Interval& offset : *outputs) {
      for (std::int64_t c = offset.low; c <= std::min(offset.high, d) && step == 0; ++c) {
        const std::int32_t before = (*hops)[static_cast<std::size_t>(d - c)];
        if (before >= 0 && before == (*hops)[static_cast<std::size_t>(d)] - 1) step = c;
      }
      if (step != 0) break;
    }
    if (step == 0) return std::nullopt;  // the copy takes the input in by a later row
    steps.push_back(step);
    d -= step;
  }
  std::optional<Routing> best;
  for (int order = 0; order < 2; ++order) {
    std::sort(steps.begin(), steps.end());
    if (order == 1) std::reverse(steps.begin(), steps.end());
    Routing routing;
    for (std::int64_t j = 1; j <= copy; ++j) {
      std::vector<int> path{static_cast<int>(j)};
      for (const std::int64_t step : steps) path.push_back(path.back() + static_cast<int>(step));
      routing.paths.push_back(std::move(path));
    }
    routing.load = load_of(routing.paths, static_cast<std::size_t>(2 * copy));
    if (!best || routing.load < best->load) best = std::move(routing);
  }
  return best;
}

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
