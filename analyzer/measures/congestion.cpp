// SPDX-License-Identifier: Apache-2.0
// Alternates between the two searches, each aiming at what the other has reached.
#include "analyzer/measures/congestion.hpp"

#include <algorithm>
#include <optional>

#include "analyzer/measures/congestion_search.hpp"

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

// The first token that does not reach its copy, 0 if all do.
int unreached(CopyTask& task) {
  const std::vector<std::int64_t> ones(static_cast<std::size_t>(task.outputs()) + 1, 1);
  for (int j = 1; j <= task.copy(); ++j) {
    if (task.lightest_path(j, ones, nullptr) < 0) return j;
  }
  return 0;
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
  const auto raise = [&](std::int64_t lower, std::vector<std::int64_t> weights, std::string rule) {
    if (lower <= result.lower) return;
    result.lower = lower;
    result.weights = std::move(weights);
    result.lower_rule = std::move(rule);
  };
  result.upper = INT64_MAX;
  const auto take = [&](const Routing& routing) {
    if (routing.load >= result.upper) return;
    result.upper = routing.load;
    result.paths.clear();
    for (const std::vector<int>& path : routing.paths) {
      result.paths.emplace_back(path.begin(), path.end());
    }
  };
  // What looks at each read once comes first. It closes most tasks, large ones too, and shows that
  // every token reaches its copy.
  CutBound cut = cut_bound(task);
  raise(cut.lower, std::move(cut.weights),
        "capacity law: the paths across the cut after " + std::to_string(cut.cut) +
            " share its live outputs");
  const std::int64_t goal = std::max<std::int64_t>(result.lower, 1);
  const std::optional<Routing> carried = carried_routing(task, goal, options.work / 8);
  if (carried) {
    take(*carried);
    if (result.exact()) return result;
  } else if (const int lost = unreached(task)) {
    return Error{std::string(kInfiniteCongestion) + "token " + std::to_string(lost) +
                 " does not reach token " + std::to_string(lost + task.copy())};
  }
  if (const auto routing = translated_routing(rows, copy)) take(*routing);
  if (carried && !result.exact()) {
    take(improve_routing(task, carried->paths, goal, options.work / 64));
  }
  if (result.exact()) return result;
  // Cheap attempts first: most tasks are closed by the capacity law and a first routing.
  WeightSearch weights(task);
  // Larger tasks get work in proportion, up to eight times as much.
  const std::int64_t most_work = options.work * std::clamp<std::int64_t>(copy / 256, 1, 8);
  std::int64_t work = std::max<std::int64_t>(most_work / 64, 1);
  do {
    Routing routing = search_routing(task, result.lower, work / 2);
    weights.offer(routing.paths);
    take(routing);
    if (result.exact()) break;
    const WeightBound& bound = weights.run(result.upper, work);
    const char* const rule = "weighted distances: the weights of the paths exceed the load's share";
    raise(bound.lower, bound.weights, rule);
    if (result.exact()) break;
    take(round_spread(task, weights.spread(), result.lower, work / 2));
    work *= 4;
  } while (work <= most_work / 2 && !result.exact());
  return result;
}

}  // namespace heddle
