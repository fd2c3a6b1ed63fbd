// SPDX-License-Identifier: Apache-2.0
// Lower bounds on copy congestion. The best weights solve the dual of the fractional problem, a
// game in which one player spreads each token over its paths and the other spreads weight over
// outputs. Multiplicative updates approach it: first on the whole graph, then over a pool of the
// paths met so far, where both players can afford many small steps. Whatever weights are found are
// rounded to whole numbers and evaluated on the whole graph.
#include <algorithm>
#include <cmath>

#include "analyzer/copy_task.hpp"

namespace heddle {
namespace {

constexpr double kLargestWeight = 1 << 20;

void normalise(std::vector<double>& weights) {
  double total = 0;
  for (const double weight : weights) total += weight;
  for (double& weight : weights) weight /= total;
}

// Distinct paths per token and a probability for each of them.
class PathPool {
 public:
  explicit PathPool(int copy) : tokens_(static_cast<std::size_t>(copy)) {}

  bool add(int j, const std::vector<int>& outputs) {
    std::vector<Path>& own = tokens_[static_cast<std::size_t>(j - 1)];
    for (const Path& path : own) {
      if (path.outputs == outputs) return false;
    }
    // A new path starts with an average share; the others keep their proportions.
    own.push_back({outputs, 1.0 / static_cast<double>(own.size() + 1), 0.0});
    for (Path& path : own) path.share /= 1 + own.back().share;
    size_ += static_cast<std::int64_t>(outputs.size());
    return true;
  }

  std::int64_t size() const { return size_; }

  // Adds each path's share to the load of its outputs.
  std::vector<double> loads(std::size_t outputs) const {
    std::vector<double> load(outputs, 0.0);
    for (const std::vector<Path>& own : tokens_) {
      for (const Path& path : own) {
        for (const int v : path.outputs) load[static_cast<std::size_t>(v)] += path.share;
      }
    }
    return load;
  }

  // Moves shares to light paths, against their weight extrapolated from the last two.
  void shift_shares(const std::vector<double>& weights, double step, bool first) {
    for (std::vector<Path>& own : tokens_) {
      double total = 0;
      for (Path& path : own) {
        double weight = 0;
        for (const int v : path.outputs) weight += weights[static_cast<std::size_t>(v)];
        const double expected = first ? weight : 2 * weight - path.last_weight;
        path.last_weight = weight;
        path.share = std::max(path.share * std::exp(-step * expected), 1e-12);
        total += path.share;
      }
      for (Path& path : own) path.share /= total;
    }
  }

 private:
  struct Path {
    std::vector<int> outputs;
    double share = 0;
    double last_weight = 0;
  };
  std::vector<std::vector<Path>> tokens_;
  std::int64_t size_ = 0;
};

class WeightSearch {
 public:
  WeightSearch(CopyTask& task, std::int64_t goal, std::int64_t work)
      : task_(task),
        goal_(goal),
        work_(work),
        pool_(task.copy()),
        weights_(static_cast<std::size_t>(task.outputs()) + 1, 1.0) {
    weights_[0] = 0;
  }

  WeightBound run() {
    evaluate(weights_);
    // An output's weight grows by a constant factor a sweep where the load is near the goal.
    int sweeps = 16;
    double step = std::min(0.2, 1.0 / static_cast<double>(goal_));
    for (int phase = 0; phase < 4 && open(work_ / 3); ++phase, step *= 0.6, sweeps *= 2) {
      evaluate(sweep_graph(step, sweeps));
    }
    while (open(work_)) {
      weights_ = play(kRounds);
      evaluate(weights_);
    }
    return best_;
  }

 private:
  // Rounds of the game between two looks at the whole graph.
  static constexpr int kRounds = 200;
  // Larger steps arrive sooner, until the players begin to circle around the optimum.
  static constexpr double kBoldness = 4.0;

  bool open(std::int64_t work) const { return best_.lower < goal_ && spent_ < work; }

  // Proves what these weights prove, and adds the lightest paths to the pool.
  void evaluate(const std::vector<double>& weights) {
    const double largest = *std::max_element(weights.begin() + 1, weights.end());
    std::vector<std::int64_t> whole(1, 0);
    std::int64_t total = 0;
    for (std::size_t v = 1; v < weights.size(); ++v) {
      whole.push_back(
          static_cast<std::int64_t>(std::llround(weights[v] / largest * kLargestWeight)));
      total += whole.back();
    }
    std::int64_t paths = 0;
    for (int j = 1; j <= task_.copy(); ++j) {
      paths += task_.lightest_path(j, whole, &path_);
      pool_.add(j, path_);
    }
    spent_ += task_.work_per_sweep();
    const std::int64_t lower = (paths + total - 1) / total;
    if (lower > best_.lower) best_ = {lower, {whole.begin() + 1, whole.end()}};
  }

  // The objective is concave, so the average of the weights of some sweeps proves at least the
  // average of what they prove one by one.
  std::vector<double> sweep_graph(double step, int sweeps) {
    std::vector<double> average(weights_.size(), 0.0);
    for (int sweep = 0; sweep < sweeps && spent_ < work_; ++sweep) {
      for (int j = 1; j <= task_.copy(); ++j) {
        task_.lightest_path(j, weights_, &path_);
        pool_.add(j, path_);
        for (const int v : path_) weights_[static_cast<std::size_t>(v)] *= 1 + step;
      }
      spent_ += task_.work_per_sweep();
      normalise(weights_);
      for (std::size_t v = 1; v < average.size(); ++v) average[v] += weights_[v];
    }
    return average;
  }

  // Optimistic multiplicative updates of both players: each answers the other's last move
  // extrapolated, which brings the averages to the optimum at a rate of 1 / rounds. The steps
  // balance the players' distances from the optimum, ln(2m) and m ln(paths).
  std::vector<double> play(int rounds) {
    const double m = task_.copy();
    const double share_step = kBoldness * std::sqrt(m);
    const double weight_step = kBoldness / (m * std::sqrt(m));
    std::vector<double> average(weights_.size(), 0.0);
    std::vector<double> last_load;
    normalise(weights_);
    for (int round = 0; round < rounds && spent_ < work_; ++round) {
      const std::vector<double> load = pool_.loads(weights_.size());
      pool_.shift_shares(weights_, share_step, round == 0);
      for (std::size_t v = 1; v < weights_.size(); ++v) {
        const double expected = round == 0 ? load[v] : 2 * load[v] - last_load[v];
        weights_[v] = std::max(weights_[v] * std::exp(weight_step * expected), 1e-12);
      }
      normalise(weights_);
      weights_[0] = 0;
      last_load = load;
      spent_ += 2 * pool_.size();
      for (std::size_t v = 1; v < average.size(); ++v) average[v] += weights_[v];
    }
    return average;
  }

  CopyTask& task_;
  std::int64_t goal_;
  std::int64_t work_;
  PathPool pool_;
  std::vector<double> weights_;
  WeightBound best_;
  std::vector<int> path_;
  std::int64_t spent_ = 0;
};

}  // namespace

std::int64_t bound_of(CopyTask& task, const std::vector<std::int64_t>& weights) {
  std::vector<std::int64_t> shifted(1, 0);
  shifted.insert(shifted.end(), weights.begin(), weights.end());
  std::int64_t total = 0;
  for (const std::int64_t weight : weights) total += weight;
  std::int64_t paths = 0;
  for (int j = 1; j <= task.copy(); ++j) paths += task.lightest_path(j, shifted, nullptr);
  return total == 0 ? 0 : (paths + total - 1) / total;
}

WeightBound search_weights(CopyTask& task, std::int64_t goal, std::int64_t work) {
  return WeightSearch(task, goal, work).run();
}

}  // namespace heddle
