// SPDX-License-Identifier: Apache-2.0
// Alternates between the two searches, each aiming at what the other has reached.
#include "analyzer/congestion.hpp"

#include <algorithm>
#include <optional>

#include "analyzer/congestion_search.hpp"

namespace heddle {
namespace {

using Paths = std::vector<std::vector<std::int64_t>>;

// A path of one or two outputs for each token, which share none: load 1, and no less is possible.
std::optional<Paths> direct_paths(const Rows& rows, std::int64_t m) {
  Paths paths;
  for (std::int64_t j = 1; j <= m; ++j) {
    if (rows.a.contains(j + m, j)) {
      paths.push_back({j + m});
    } else if (rows.a.contains(j, j) && rows.b.contains(j + m, j)) {
      paths.push_back({j, j + m});
    } else {
      return std::nullopt;
    }
  }
  return paths;
}

}  // namespace

Result<Congestion> copy_congestion(const Rows& rows, std::int64_t copy,
                                   const CongestionOptions& options) {
  Congestion result;
  result.copy = copy;
  if (auto paths = direct_paths(rows, copy)) {
    result.lower = result.upper = 1;
    result.lower_rule = "each path has an end point";
    result.weights.assign(static_cast<std::size_t>(copy), 0);
    result.weights.resize(static_cast<std::size_t>(2 * copy), 1);
    result.paths = std::move(*paths);
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
  const auto take = [&](Routing routing) {
    if (routing.load >= result.upper) return;
    result.upper = routing.load;
    result.paths.clear();
    for (const std::vector<int>& path : routing.paths) {
      result.paths.emplace_back(path.begin(), path.end());
    }
  };
  if (auto routing = translated_routing(rows, copy)) take(std::move(*routing));
  // Cheap attempts first: most tasks are closed by the capacity law and a first routing.
  WeightSearch weights(task);
  // Larger tasks get work in proportion, up to eight times as much.
  const std::int64_t most_work = options.work * std::clamp<std::int64_t>(copy / 256, 1, 8);
  for (std::int64_t work = most_work / 64; work <= most_work / 2 && !result.exact(); work *= 4) {
    Routing routing = search_routing(task, result.lower, work / 2);
    weights.offer(routing.paths);
    take(std::move(routing));
    if (result.exact()) break;
    const WeightBound& bound = weights.run(result.upper, work);
    if (bound.lower > result.lower) {
      result.lower = bound.lower;
      result.weights = bound.weights;
      result.lower_rule = "weighted distances: the weights of the paths exceed the load's share";
    }
    if (result.exact()) break;
    take(round_spread(task, weights.spread(), result.lower, work / 2));
  }
  return result;
}

}  // namespace heddle
