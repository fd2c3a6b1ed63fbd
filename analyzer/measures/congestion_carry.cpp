// SPDX-License-Identifier: Apache-2.0
// Copy paths where rows are nested, as lattice rows and windows are: each later row reads an output
// until a last one, so an output is a place in which tokens wait, and a path is a list of places.
// Row p may take tokens over from all places that it reads, up to the goal; what it takes costs
// nothing later, so it takes as many as it may, from the places that end soonest first and of those
// the tokens whose copies lie nearest to its own end: they fit best.
#include <algorithm>

#include "analyzer/measures/congestion_search.hpp"

namespace heddle {
namespace {

// Entry v: the last row that reads y_v, v if none does.
std::vector<int> last_readers(const CopyTask& task) {
  std::vector<int> last(static_cast<std::size_t>(task.outputs()) + 1, 0);
  for (int v = 1; v <= task.outputs(); ++v) {
    last[static_cast<std::size_t>(v)] = v;
    for (const std::int32_t u : task.reads_of(v)) last[static_cast<std::size_t>(u)] = v;
  }
  return last;
}

// Whether each row reads all outputs before it that a later row reads, and tokens enter at once.
bool is_nested(const CopyTask& task, const std::vector<int>& last) {
  for (int j = 1; j <= task.copy(); ++j) {
    const auto entries = task.entries_of(j);
    if (entries.empty() || entries.front() != j) return false;
  }
  std::size_t waiting = 0;  // outputs before v with a reader at v or later
  std::vector<int> ends(last.size() + 1, 0);
  for (int v = 1; v <= task.outputs(); ++v) {
    waiting -= static_cast<std::size_t>(ends[static_cast<std::size_t>(v)]);
    if (task.reads_of(v).size() != waiting) return false;
    const int end = last[static_cast<std::size_t>(v)];
    if (end == v) continue;
    ++waiting;
    ++ends[static_cast<std::size_t>(end) + 1];
  }
  return true;
}

class Carrier {
 public:
  Carrier(const CopyTask& task, const std::vector<int>& last)
      : task_(task), last_(last), waiting_(last.size()) {}

  // Paths of which no more than `goal` meet in an output; nothing when tokens are left over.
  std::optional<CopyPaths> carry(std::int64_t goal) {
    const int m = task_.copy();
    paths_.assign(static_cast<std::size_t>(m), {});
    for (std::vector<int>& tokens : waiting_) tokens.clear();
    std::vector<int> places;
    for (int p = 1; p <= task_.outputs(); ++p) {
      std::int64_t load = 1;  // the token that enters or arrives here
      std::vector<int>& here = waiting_[static_cast<std::size_t>(p)];
      if (p <= m) here.push_back(p);
      if (p > m) paths_[static_cast<std::size_t>(p - m - 1)].push_back(p);
      const auto reads = task_.reads_of(p);
      places.assign(reads.begin(), reads.end());
      std::sort(places.begin(), places.end(), [&](int u, int v) { return end_of(u) < end_of(v); });
      for (const int u : places) {
        if (end_of(u) >= end_of(p) || load == goal) break;
        load += take_over(u, end_of(p), goal - load, here);
      }
      for (const int u : places) {
        if (end_of(u) == p && has_to_move(waiting_[static_cast<std::size_t>(u)], u)) {
          return std::nullopt;
        }
      }
      if (end_of(p) == p && has_to_move(here, p)) return std::nullopt;
      std::sort(here.begin(), here.end());
      for (const int j : here) paths_[static_cast<std::size_t>(j - 1)].push_back(p);
    }
    return std::move(paths_);
  }

 private:
  // Moves up to `most` tokens that outlast `place`, those with copies nearest to `end`; how many.
  std::int64_t take_over(int place, int end, std::int64_t most, std::vector<int>& here) {
    std::vector<int>& there = waiting_[static_cast<std::size_t>(place)];
    const int m = task_.copy();
    auto first = std::upper_bound(there.begin(), there.end(), end_of(place) - m);
    const auto count = std::min<std::int64_t>(most, there.end() - first);
    // The nearest ones are neighbours: slide a window of so many past the ones before `end`.
    for (auto beyond = first + count; beyond != there.end(); ++beyond, ++first) {
      if (end - (*first + m) <= *beyond + m - end) break;
    }
    here.insert(here.end(), first, first + count);
    there.erase(first, first + count);
    return count;
  }

  int end_of(int place) const { return last_[static_cast<std::size_t>(place)]; }
  // Whether the token with farthest to go outlasts the place. The others reach their copies: up
  // to its end every row reads it.
  bool has_to_move(const std::vector<int>& tokens, int place) const {
    return !tokens.empty() && tokens.back() + task_.copy() > end_of(place);
  }

  const CopyTask& task_;
  const std::vector<int>& last_;
  std::vector<std::vector<int>> waiting_;  // per place, ascending
  CopyPaths paths_;
};

}  // namespace

std::optional<Routing> carried_routing(const CopyTask& task, std::int64_t goal, std::int64_t work) {
  const std::vector<int> last = last_readers(task);
  if (!is_nested(task, last)) return std::nullopt;
  Carrier carrier(task, last);
  // The load that is missing is small where there is a routing at all.
  for (std::int64_t step = 0;; step = std::max<std::int64_t>(1, 2 * step)) {
    goal = std::min<std::int64_t>(goal + step, task.copy());
    work -= goal * task.outputs();
    if (work < 0) return std::nullopt;
    if (auto paths = carrier.carry(goal)) {
      return Routing{load_of(*paths, static_cast<std::size_t>(task.outputs())), std::move(*paths)};
    }
    if (goal == task.copy()) return std::nullopt;
  }
}

}  // namespace heddle
