// SPDX-License-Identifier: Apache-2.0
// A path may stop at its first output after the cut, so only tokens up to the cut are inner
// vertices. Each vertex is an edge of capacity 1; reads are edges without bound, gathered by a
// segment tree over the tokens, which passes flow on but never limits it.
#include "analyzer/measures/dependency_graph.hpp"

#include <algorithm>
#include <bit>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/push_relabel_max_flow.hpp>

namespace heddle {
namespace {

using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
struct EdgeData {
  std::int64_t capacity = 0;
  std::int64_t residual = 0;
  Traits::edge_descriptor reverse;
};
using Graph =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, EdgeData>;
using Node = Graph::vertex_descriptor;

class FlowNetwork {
 public:
  explicit FlowNetwork(std::int64_t unbounded) : unbounded_(unbounded) {}

  Node add_node() { return boost::add_vertex(graph_); }
  void add_unit(Node from, Node to) { add_edge(from, to, 1); }
  void add_unbounded(Node from, Node to) { add_edge(from, to, unbounded_); }

  std::int64_t max_flow(Node source, Node sink) {
    return boost::push_relabel_max_flow(
        graph_, source, sink,
        boost::capacity_map(boost::get(&EdgeData::capacity, graph_))
            .residual_capacity_map(boost::get(&EdgeData::residual, graph_))
            .reverse_edge_map(boost::get(&EdgeData::reverse, graph_)));
  }

  // After max_flow: the nodes that still reach `sink`. Push-relabel may leave excess on the
  // source's side, so the sink's side is the one that is a minimum cut for certain.
  std::vector<bool> sink_side(Node sink) const {
    std::vector<bool> reaches(boost::num_vertices(graph_), false);
    std::vector<Node> open{sink};
    reaches[sink] = true;
    while (!open.empty()) {
      const Node node = open.back();
      open.pop_back();
      for (const auto edge : boost::make_iterator_range(boost::out_edges(node, graph_))) {
        const Node from = boost::target(edge, graph_);
        if (reaches[from] || graph_[graph_[edge].reverse].residual == 0) continue;
        reaches[from] = true;
        open.push_back(from);
      }
    }
    return reaches;
  }

 private:
  void add_edge(Node from, Node to, std::int64_t capacity) {
    const auto forward = boost::add_edge(from, to, graph_).first;
    const auto backward = boost::add_edge(to, from, graph_).first;
    graph_[forward] = {capacity, 0, backward};
    graph_[backward] = {0, 0, forward};
  }

  Graph graph_;
  std::int64_t unbounded_;
};

// Nodes over tokens 1..count such that any interval of tokens is the leaves below few of them.
class SegmentTree {
 public:
  SegmentTree(FlowNetwork& network, std::int64_t count)
      : leaves_(std::bit_ceil(static_cast<std::size_t>(std::max<std::int64_t>(count, 1)))) {
    nodes_.reserve(2 * leaves_);
    for (std::size_t e = 0; e < 2 * leaves_; ++e) nodes_.push_back(network.add_node());
    for (std::size_t e = 2; e < 2 * leaves_; ++e) network.add_unbounded(nodes_[e], nodes_[e / 2]);
  }

  Node leaf(std::int64_t token) const {
    return nodes_[leaves_ + static_cast<std::size_t>(token - 1)];
  }

  // Edges that let flow pass from any token of low..high to `to`.
  void connect(FlowNetwork& network, const Interval& tokens, Node to) const {
    auto begin = leaves_ + static_cast<std::size_t>(tokens.low - 1);
    auto end = leaves_ + static_cast<std::size_t>(tokens.high);
    for (; begin < end; begin /= 2, end /= 2) {
      if (begin % 2 == 1) network.add_unbounded(nodes_[begin++], to);
      if (end % 2 == 1) network.add_unbounded(nodes_[--end], to);
    }
  }

 private:
  std::size_t leaves_;
  std::vector<Node> nodes_;
};

struct Crossing {
  bool inputs = false;      // some x_j, j <= cut, is read after the cut
  bool outputs = false;     // some y_j, j <= cut, is
  bool own_inputs = false;  // row j reads x_j, for every j <= cut
};

Crossing crossing_at(const Rows& rows, std::int64_t cut) {
  const auto crosses = [&](const RowTable& table, std::int64_t i) {
    const auto row = table.row(i);
    return !row.empty() && row.front().low <= cut;
  };
  Crossing result;
  for (std::int64_t i = cut + 1; i <= rows.n(); ++i) {
    result.inputs = result.inputs || crosses(rows.a, i);
    result.outputs = result.outputs || crosses(rows.b, i);
  }
  result.own_inputs = true;
  for (std::int64_t j = 1; j <= cut; ++j) {
    result.own_inputs = result.own_inputs && rows.a.contains(j, j);
  }
  return result;
}

}  // namespace

DisjointPaths max_disjoint_paths(const Rows& rows, std::int64_t cut) {
  const std::int64_t n = rows.n();
  if (cut <= 0 || cut >= n) return {};
  FlowNetwork network(n);
  const Node source = network.add_node();
  const Node sink = network.add_node();
  const SegmentTree inputs(network, cut);
  const SegmentTree outputs(network, cut);
  const auto connect_row = [&](std::int64_t i, Node to) {
    for (const auto& [table, tree] : {std::pair(&rows.a, &inputs), std::pair(&rows.b, &outputs)}) {
      for (const Interval& interval : table->row(i)) {
        if (interval.low > cut) break;
        tree->connect(network, {interval.low, std::min(interval.high, cut)}, to);
      }
    }
  };
  // When one side alone crosses the cut, the last edge of each path tells all of it: from an input,
  // or from an output whose own row takes its token in. Inner vertices are then left out.
  const Crossing crossing = crossing_at(rows, cut);
  const bool inner = crossing.outputs && (crossing.inputs || !crossing.own_inputs);
  std::vector<Node> entries;  // of y_j, at j - 1
  for (std::int64_t j = 1; j <= cut; ++j) {
    if (crossing.inputs || inner) network.add_unit(source, inputs.leaf(j));
    entries.push_back(inner ? network.add_node() : source);
    if (crossing.outputs) network.add_unit(entries.back(), outputs.leaf(j));
    if (inner) connect_row(j, entries.back());
  }
  std::vector<Node> exits;  // y_i, at i - cut - 1
  for (std::int64_t i = cut + 1; i <= n; ++i) {
    exits.push_back(network.add_node());
    network.add_unit(exits.back(), sink);
    connect_row(i, exits.back());
  }

  DisjointPaths result;
  result.count = network.max_flow(source, sink);
  const std::vector<bool> reaches = network.sink_side(sink);
  for (std::int64_t j = 1; j <= cut; ++j) {
    if ((crossing.inputs || inner) && reaches[inputs.leaf(j)])
      result.cut_set.push_back({Side::kA, j});
  }
  for (std::int64_t j = 1; j <= cut; ++j) {
    if (!reaches[entries[j - 1]] && reaches[outputs.leaf(j)]) {
      result.cut_set.push_back({Side::kB, j});
    }
  }
  for (std::int64_t i = cut + 1; i <= n; ++i) {
    if (!reaches[exits[i - cut - 1]]) result.cut_set.push_back({Side::kB, i});
  }
  assert_that(static_cast<std::int64_t>(result.cut_set.size()) == result.count,
              "a minimum cut has as many vertices as there are paths");
  return result;
}

}  // namespace heddle
