// SPDX-License-Identifier: Apache-2.0
// Lower bounds on copy congestion. The best weights solve the dual of the fractional problem;
// multiplicative updates approach them, and whatever they find is rounded to whole numbers and
// evaluated exactly.
#include <algorithm>
#include <cmath>

#include "analyzer/copy_task.hpp"

namespace heddle {
namespace {

constexpr double kLargestWeight = 1 << 20;

std::vector<std::int64_t> rounded(const std::vector<double>& weights) {
  const double largest = *std::max_element(weights.begin() + 1, weights.end());
  std::vector<std::int64_t> result;
  for (std::size_t v = 1; v < weights.size(); ++v) {
    result.push_back(
        static_cast<std::int64_t>(std::llround(weights[v] / largest * kLargestWeight)));
  }
  return result;
}

void keep_better(CopyTask& task, const std::vector<double>& weights, WeightBound& best) {
  std::vector<std::int64_t> candidate = rounded(weights);
  const std::int64_t lower = bound_of(task, candidate);
  if (lower > best.lower) best = {lower, std::move(candidate)};
}

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
  const auto size = static_cast<std::size_t>(task.outputs()) + 1;
  WeightBound best;
  std::vector<double> weights(size, 1.0);
  weights[0] = 0;
  keep_better(task, weights, best);

  // The objective is concave, so the average of the weights of a phase proves at least the average
  // of what they prove one by one.
  std::vector<double> average(size);
  std::vector<int> path;
  std::int64_t spent = 2 * task.work_per_sweep();
  int sweeps = 32;
  for (double step = 0.2; best.lower < goal && spent < work; step *= 0.6, sweeps *= 2) {
    std::fill(average.begin(), average.end(), 0.0);
    for (int sweep = 0; sweep < sweeps && spent < work; ++sweep) {
      for (int j = 1; j <= task.copy(); ++j) {
        task.lightest_path(j, weights, &path);
        for (const int v : path) weights[v] *= 1 + step;
      }
      spent += task.work_per_sweep();
      double total = 0;
      for (const double weight : weights) total += weight;
      for (std::size_t v = 1; v < size; ++v) {
        weights[v] /= total;
        average[v] += weights[v];
      }
    }
    keep_better(task, weights, best);
    if (best.lower < goal) keep_better(task, average, best);
    spent += 2 * task.work_per_sweep();
  }
  return best;
}

}  // namespace heddle
