// SPDX-License-Identifier: Apache-2.0
#include "analyzer/measures/path_pool.hpp"

#include <algorithm>
#include <cmath>

namespace heddle {
namespace {

constexpr std::size_t kMostPaths = 96;  // per token
constexpr double kLeastShare = 1e-12;   // from which a path can still come back

}  // namespace

bool PathPool::add(int token, const std::vector<int>& outputs) {
  std::vector<Path>& own = tokens_[static_cast<std::size_t>(token - 1)];
  for (const Path& path : own) {
    if (path.outputs == outputs) return false;
  }
  if (own.size() == kMostPaths) {
    const auto least = std::min_element(
        own.begin(), own.end(), [](const Path& a, const Path& b) { return a.share < b.share; });
    size_ -= static_cast<std::int64_t>(least->outputs.size());
    own.erase(least);
  }
  own.push_back({outputs, 1.0 / static_cast<double>(own.size() + 1), 0.0, 0.0});
  double total = 0;
  for (const Path& path : own) total += path.share;
  for (Path& path : own) path.share /= total;
  size_ += static_cast<std::int64_t>(outputs.size());
  return true;
}

void PathPool::loads(std::vector<double>& load) const {
  std::fill(load.begin(), load.end(), 0.0);
  for (const std::vector<Path>& own : tokens_) {
    for (const Path& path : own) {
      for (const int v : path.outputs) load[static_cast<std::size_t>(v)] += path.share;
    }
  }
}

void PathPool::shift_shares(const std::vector<double>& weights, double step, bool first) {
  for (std::vector<Path>& own : tokens_) {
    double total = 0;
    for (Path& path : own) {
      double weight = 0;
      for (const int v : path.outputs) weight += weights[static_cast<std::size_t>(v)];
      const double expected = first ? weight : 2 * weight - path.last_weight;
      path.last_weight = weight;
      path.share = std::max(path.share * std::exp(-step * expected), kLeastShare);
      total += path.share;
    }
    for (Path& path : own) path.share /= total;
  }
}

void PathPool::clear_average() {
  for (std::vector<Path>& own : tokens_) {
    for (Path& path : own) path.sum = 0;
  }
}

void PathPool::add_to_average() {
  for (std::vector<Path>& own : tokens_) {
    for (Path& path : own) path.sum += path.share;
  }
}

CopySpread PathPool::average() const {
  constexpr double kUsed = 1e-4;
  CopySpread spread;
  for (const std::vector<Path>& own : tokens_) {
    double all = 0, kept = 0;
    for (const Path& path : own) all += path.sum;
    spread.emplace_back();
    for (const Path& path : own) {
      const double share = all > 0 ? path.sum / all : 1.0 / static_cast<double>(own.size());
      if (share < kUsed) continue;
      spread.back().push_back({path.outputs, share});
      kept += share;
    }
    for (SharedPath& path : spread.back()) path.share /= kept;
  }
  return spread;
}

}  // namespace heddle
