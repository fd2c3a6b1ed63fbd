// SPDX-License-Identifier: Apache-2.0
// Alternates between the two searches, each aiming at what the other has reached.
#include "analyzer/congestion.hpp"

#include <algorithm>

#include "analyzer/copy_task.hpp"

namespace heddle {
namespace {

// One path of a single output for each token: load 1, and no less is possible.
bool all_direct(const Rows& rows, std::int64_t m) {
  for (std::int64_t j = 1; j <= m; ++j) {
    if (!rows.a.contains(j + m, j)) return false;
  }
  return true;
}

}  // namespace

Result<Congestion> copy_congestion(const Rows& rows, std::int64_t copy,
                                   const CongestionOptions& options) {
  Congestion result;
  result.copy = copy;
  if (all_direct(rows, copy)) {
    result.lower = result.upper = 1;
    result.lower_rule = "each path has an end point";
    result.weights.assign(static_cast<std::size_t>(2 * copy), 1);
    for (std::int64_t j = 1; j <= copy; ++j) result.paths.push_back({j + copy});
    return result;
  }
  auto built = CopyTask::build(rows, copy);
  if (!built.ok()) return built.error();
  CopyTask& task = *built;
  const std::vector<std::int64_t> ones(static_cast<std::size_t>(task.outputs()) + 1, 1);
  for (int j = 1; j <= task.copy(); ++j) {
    if (task.lightest_path(j, ones, nullptr) < 0) {
      return Error{std::string(kInfiniteCongestion) + "token " + std::to_string(j) +
                   " does not reach token " + std::to_string(j + task.copy())};
    }
  }

  if (!task.gate().empty()) {
    std::vector<std::int64_t> weights(static_cast<std::size_t>(task.outputs()), 0);
    for (const int v : task.gate()) weights[static_cast<std::size_t>(v - 1)] = 1;
    result.lower = bound_of(task, weights);
    result.weights = std::move(weights);
    result.lower_rule = "capacity law: each path passes a live output";
  }
  result.upper = INT64_MAX;
  // Cheap attempts first: most tasks are closed by the capacity law and a first routing.
  for (std::int64_t work = options.work / 64; work <= options.work / 2 && !result.exact();
       work *= 4) {
    const Routing routing = search_routing(task, result.lower, work);
    if (routing.load < result.upper) {
      result.upper = routing.load;
      result.paths.clear();
      for (const std::vector<int>& path : routing.paths) {
        result.paths.emplace_back(path.begin(), path.end());
      }
    }
    if (result.exact()) break;
    WeightBound bound = search_weights(task, result.upper, work);
    if (bound.lower > result.lower) {
      result.lower = bound.lower;
      result.weights = std::move(bound.weights);
      result.lower_rule = "weighted distances: the weights of the paths exceed the load's share";
    }
  }
  return result;
}

}  // namespace heddle
