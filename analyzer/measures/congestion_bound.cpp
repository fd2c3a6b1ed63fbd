// SPDX-License-Identifier: Apache-2.0
// Lower bounds on copy congestion. The best weights solve the dual of the fractional problem, a
// game in which one player spreads each token over its paths and the other spreads weight over
// outputs. Multiplicative updates approach it: first on the whole graph, then over a pool of the
// paths met so far, where both players can afford many small steps. Whatever weights are found are
// rounded to whole numbers and evaluated on the whole graph, which also finds the paths that the
// pool lacks (column generation).
#include <algorithm>
#include <cmath>

#include "analyzer/measures/congestion_search.hpp"
#include "analyzer/measures/copy_lanes.hpp"
#include "analyzer/measures/parallel.hpp"
#include "analyzer/measures/path_pool.hpp"

namespace heddle {
namespace {

constexpr int kLanes = CopyLanes<float>::kLanes;
constexpr int kFewestRounds = 200;  // of the game between two looks at the whole graph
constexpr int kMostRounds = 3200;
// Larger steps arrive sooner, until the players begin to circle around the optimum.
constexpr double kBoldness = 4.0;
// A pass over the reads with many lanes costs about an eighth of a look at each of them.
constexpr std::int64_t kLanesGain = 8;

void normalise(std::vector<double>& weights) {
  double total = 0;
  for (const double weight : weights) total += weight;
  for (double& weight : weights) weight /= total;
}

}  // namespace

struct WeightSearch::State {
  const CopyTask& task;
  PathPool pool;
  std::vector<double> weights;  // entry v; entry 0 is 0
  std::vector<CopyLanes<std::int32_t>> workers;
  WeightBound best;
  std::int64_t spent = 0;
  bool swept = false;
  int rounds = kFewestRounds;

  explicit State(const CopyTask& copy_task)
      : task(copy_task),
        pool(copy_task.copy()),
        weights(static_cast<std::size_t>(copy_task.outputs()) + 1, 1.0) {
    weights[0] = 0;
    for (int e = 0; e < worker_count(); ++e) workers.emplace_back(task);
  }

  std::int64_t sweep_work() const { return task.work_per_sweep() / kLanesGain + 1; }
  int blocks() const { return (task.copy() + kLanes - 1) / kLanes; }

  // Proves what these weights prove, and adds the lightest paths to the pool; the number of paths
  // that it did not have.
  int evaluate(std::vector<double> real) {
    normalise(real);
    std::vector<std::int32_t> whole(1, 0);
    std::int64_t total = 0;
    // Rounding adds at most a half for each output.
    const double scale = CopyLanes<std::int32_t>::kMostWeight - static_cast<double>(real.size());
    for (std::size_t v = 1; v < real.size(); ++v) {
      whole.push_back(static_cast<std::int32_t>(std::llround(real[v] * scale)));
      total += whole.back();
    }
    CopyPaths paths(static_cast<std::size_t>(task.copy()));
    std::vector<std::int64_t> sums(static_cast<std::size_t>(blocks()), 0);
    for_each_parallel(blocks(), [&](int worker, std::int64_t block) {
      CopyLanes<std::int32_t>& search = workers[static_cast<std::size_t>(worker)];
      const int first = 1 + static_cast<int>(block) * kLanes;
      const int lanes = std::min(kLanes, task.copy() - first + 1);
      search.search(first, lanes, whole);
      for (int lane = 0; lane < lanes; ++lane) {
        sums[static_cast<std::size_t>(block)] += search.least(lane);
        search.path(lane, paths[static_cast<std::size_t>(first + lane - 1)]);
      }
    });
    spent += sweep_work();
    std::int64_t sum = 0;
    for (const std::int64_t part : sums) sum += part;
    const std::int64_t lower = (sum + total - 1) / total;
    if (lower > best.lower) best = {lower, {whole.begin() + 1, whole.end()}};
    int fresh = 0;
    for (int j = 1; j <= task.copy(); ++j) {
      fresh += pool.add(j, paths[static_cast<std::size_t>(j - 1)]);
    }
    return fresh;
  }

  // The objective is concave, so the average of the weights of some sweeps proves at least the
  // average of what they prove one by one. Weights change after each block of tokens.
  std::vector<double> sweep_graph(double step, int sweeps, std::int64_t last) {
    std::vector<double> average(weights.size(), 0.0);
    CopyLanes<float> search(task);
    std::vector<float> narrow(weights.size());
    std::vector<int> path;
    for (int sweep = 0; sweep < sweeps && spent < last; ++sweep) {
      for (int first = 1; first <= task.copy(); first += kLanes) {
        const int lanes = std::min(kLanes, task.copy() - first + 1);
        // In units of the average weight, which suits the range of narrow numbers.
        const double unit = static_cast<double>(weights.size());
        for (std::size_t v = 0; v < weights.size(); ++v) {
          narrow[v] = static_cast<float>(weights[v] * unit);
        }
        search.search(first, lanes, narrow);
        for (int lane = 0; lane < lanes; ++lane) {
          search.path(lane, path);
          pool.add(first + lane, path);
          for (const int v : path) weights[static_cast<std::size_t>(v)] *= 1 + step;
        }
      }
      spent += sweep_work();
      normalise(weights);
      for (std::size_t v = 1; v < average.size(); ++v) average[v] += weights[v];
    }
    return average;
  }

  // Optimistic multiplicative updates of both players: each answers the other's last move
  // extrapolated, which brings the averages to the optimum at a rate of 1 / rounds. The steps
  // balance the players' distances from the optimum, ln(2m) and m ln(paths).
  void play(std::int64_t last) {
    const double m = task.copy();
    const double share_step = kBoldness * std::sqrt(m);
    const double weight_step = kBoldness / (m * std::sqrt(m));
    std::vector<double> average(weights.size(), 0.0);
    std::vector<double> load(weights.size(), 0.0), last_load(weights.size(), 0.0);
    normalise(weights);
    pool.clear_average();
    for (int round = 0; round < rounds && spent < last; ++round) {
      pool.loads(load);
      pool.shift_shares(weights, share_step, round == 0);
      pool.add_to_average();
      for (std::size_t v = 1; v < weights.size(); ++v) {
        const double expected = round == 0 ? load[v] : 2 * load[v] - last_load[v];
        weights[v] = std::max(weights[v] * std::exp(weight_step * expected), 1e-12);
      }
      normalise(weights);
      weights[0] = 0;
      std::swap(load, last_load);
      spent += 2 * pool.size();
      for (std::size_t v = 1; v < average.size(); ++v) average[v] += weights[v];
    }
    weights = std::move(average);
  }

  void run(std::int64_t goal, std::int64_t work) {
    const std::int64_t last = spent + work;
    const auto open = [&] { return best.lower < goal && spent < last; };
    if (!swept) {
      swept = true;
      evaluate(weights);
      // An output's weight grows by a constant factor a sweep where the load is near the goal.
      int sweeps = 16;
      double step = std::min(0.2, 1.0 / static_cast<double>(goal));
      for (int phase = 0; phase < 3 && open(); ++phase, step *= 0.6, sweeps *= 2) {
        evaluate(sweep_graph(step, sweeps, spent + work / 4));
      }
    }
    while (open()) {
      play(last);
      const int fresh = evaluate(weights);
      // With all paths at hand, only longer games come nearer.
      if (fresh <= task.copy() / 20) rounds = std::min(2 * rounds, kMostRounds);
    }
  }
};

WeightSearch::WeightSearch(const CopyTask& task) : state_(std::make_unique<State>(task)) {}
WeightSearch::~WeightSearch() = default;

void WeightSearch::offer(const CopyPaths& paths) {
  for (std::size_t e = 0; e < paths.size(); ++e) {
    state_->pool.add(static_cast<int>(e) + 1, paths[e]);
  }
}

const WeightBound& WeightSearch::run(std::int64_t goal, std::int64_t work) {
  state_->run(goal, work);
  return state_->best;
}

CopySpread WeightSearch::spread() const { return state_->pool.average(); }

}  // namespace heddle
