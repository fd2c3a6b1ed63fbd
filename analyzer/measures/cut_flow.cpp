// SPDX-License-Identifier: Apache-2.0
// A search that fails leaves behind a closed set of states without an end. It stays so: later paths
// never enter it, taking a path back happens inside it, and ends only disappear as the cut moves.
// So each state is given up once, and all failing searches together look at each read once.
#include "analyzer/measures/cut_flow.hpp"

#include <algorithm>

namespace heddle {
namespace {

constexpr std::int64_t kMostReads = 20'000'000;

}  // namespace

Result<CutFlow> CutFlow::build(const Rows& rows) {
  const std::int64_t reads = rows.a.total() + rows.b.total();
  if (reads > kMostReads) {
    return Error{"rows of more than " + std::to_string(kMostReads) +
                 " reads in all are not searched for paths"};
  }
  CutFlow flow;
  flow.n_ = rows.n();
  const auto vertices = static_cast<std::size_t>(2 * flow.n_) + 1;
  flow.reader_start_.assign(vertices + 1, 0);
  const auto for_each_read = [&](auto&& visit) {
    for (std::int64_t i = 1; i <= flow.n_; ++i) {
      for_each_position(rows.a, i, [&](std::int64_t j) { visit(j, flow.n_ + i); });
      for_each_position(rows.b, i, [&](std::int64_t j) { visit(flow.n_ + j, flow.n_ + i); });
    }
  };
  for_each_read([&](std::int64_t from, std::int64_t) { ++flow.reader_start_[from + 1]; });
  for (std::size_t v = 1; v <= vertices; ++v) flow.reader_start_[v] += flow.reader_start_[v - 1];
  std::vector<std::size_t> next(flow.reader_start_.begin(), flow.reader_start_.end() - 1);
  flow.readers_.resize(static_cast<std::size_t>(reads));
  for_each_read([&](std::int64_t from, std::int64_t to) {
    flow.readers_[next[from]++] = static_cast<Vertex>(to);
  });
  flow.before_.assign(vertices, 0);
  flow.after_.assign(vertices, 0);
  flow.dead_.assign(2 * vertices, false);
  flow.parent_.assign(2 * vertices, 0);
  return flow;
}

template <typename Visit>
void CutFlow::for_each_next(State state, Visit&& visit) const {
  const Vertex v = state / 2;
  if (state % 2 == 0) {
    // A free vertex lets flow through; on a path, the flow that came in before it is turned away.
    visit(on_path(v) ? 2 * before_[v] + 1 : 2 * v + 1);
    return;
  }
  for (std::size_t e = reader_start_[v]; e < reader_start_[v + 1]; ++e) {
    if (readers_[e] != after_[v]) visit(2 * readers_[e]);
  }
  if (!is_input(v) && on_path(v)) visit(2 * v);
}

bool CutFlow::augment_from(Vertex start) {
  visited_.assign(1, 2 * start + 1);
  parent_[visited_[0]] = visited_[0];
  State end = 0;
  // Breadth first: an end is mostly a few steps away, and paths may be as long as the pattern.
  for (std::size_t at = 0; at < visited_.size() && end == 0; ++at) {
    const State state = visited_[at];
    for_each_next(state, [&](State next) {
      ++work_;
      if (end != 0 || dead_[next] || parent_[next] != 0) return;
      parent_[next] = state;
      visited_.push_back(next);
      if (next % 2 == 0 && is_free_end(next / 2)) end = next;
    });
  }
  if (end != 0) apply(end);
  for (const State state : visited_) {
    parent_[state] = 0;
    dead_[state] = dead_[state] || end == 0;
  }
  return end != 0;
}

// Changes the paths along the search tree from its start to `end`. Steps from leaving one vertex to
// entering another add a read; from entering one to leaving another take a read back.
void CutFlow::apply(State end) {
  std::vector<std::pair<Vertex, Vertex>> added;
  for (State state = end; parent_[state] != state; state = parent_[state]) {
    const Vertex from = parent_[state] / 2, to = state / 2;
    if (from == to) continue;
    if (state % 2 == 0) {
      added.emplace_back(from, to);
    } else {
      after_[to] = 0;
      before_[from] = 0;
    }
  }
  for (const auto& [from, to] : added) {
    after_[from] = to;
    before_[to] = from;
  }
}

void CutFlow::give_up(Vertex end) {
  for (Vertex v = end; !is_input(v);) {
    const Vertex from = before_[v];
    before_[v] = 0;
    after_[from] = 0;
    v = from;
  }
}

void CutFlow::advance() {
  assert_that(cut_ < n_, "the cut lies within 0..n");
  ++cut_;
  const auto output = static_cast<Vertex>(n_ + cut_);
  if (on_path(output) && !augment_from(output)) {
    give_up(output);
    --value_;
  }
  value_ += augment_from(static_cast<Vertex>(cut_));
}

std::vector<std::vector<GraphVertex>> CutFlow::paths() const {
  std::vector<std::vector<GraphVertex>> result;
  for (Vertex j = 1; j <= cut_; ++j) {
    if (!on_path(j)) continue;
    result.emplace_back();
    result.back().push_back({Side::kA, j});
    for (Vertex v = after_[j]; v != 0; v = after_[v]) result.back().push_back({Side::kB, v - n_});
  }
  return result;
}

std::vector<GraphVertex> CutFlow::minimum_cut() const {
  std::vector<bool> reached(dead_.size(), false);
  std::vector<State> open;
  const auto reach = [&](State state) {
    if (reached[state]) return;
    reached[state] = true;
    open.push_back(state);
  };
  for (Vertex j = 1; j <= cut_; ++j) {
    if (!on_path(j)) reach(2 * j + 1);
  }
  while (!open.empty()) {
    const State state = open.back();
    open.pop_back();
    for_each_next(state, reach);
  }
  std::vector<GraphVertex> result;
  for (Vertex j = 1; j <= cut_; ++j) {
    if (!reached[2 * j + 1]) result.push_back({Side::kA, j});
  }
  for (Vertex v = static_cast<Vertex>(n_) + 1; v <= 2 * n_; ++v) {
    if (reached[2 * v] && !reached[2 * v + 1]) result.push_back({Side::kB, v - n_});
  }
  assert_that(static_cast<std::int64_t>(result.size()) == value_,
              "a minimum cut has as many vertices as there are paths");
  return result;
}

}  // namespace heddle
