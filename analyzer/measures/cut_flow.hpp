// SPDX-License-Identifier: Apache-2.0
// A largest system of vertex-disjoint paths from inputs x_1..x_m to outputs after m, kept while m
// grows from 0 to n: each step takes one end point away and adds one source, so two searches mend
// the flow.
#pragma once

#include <cstdint>
#include <vector>

#include "analyzer/measures/graph_vertex.hpp"
#include "patterns/materialize.hpp"

namespace heddle {

class CutFlow {
 public:
  // Starts at m = 0. Fails when the rows hold too many reads to be kept one by one.
  static Result<CutFlow> build(const Rows& rows);

  std::int64_t n() const { return n_; }
  std::int64_t cut() const { return cut_; }
  std::int64_t value() const { return value_; }
  // Reads looked at so far.
  std::int64_t work() const { return work_; }
  // Moves the cut to m + 1 <= n.
  void advance();

  // The paths at this cut: an input up to it, then outputs, the last one after it and no other.
  std::vector<std::vector<GraphVertex>> paths() const;
  // As many vertices as there are paths; every path from inputs up to the cut to outputs after it
  // meets one of them. The cut nearest to the inputs, inputs first.
  std::vector<GraphVertex> minimum_cut() const;

 private:
  // Vertices x_j = j and y_i = n + i; 0 is none. Where a vertex is on a path, `before_` and
  // `after_` are its neighbours there. A search walks over states: 2 v enters vertex v, 2 v + 1
  // leaves it.
  using Vertex = std::int32_t;
  using State = std::int32_t;
  bool is_input(Vertex v) const { return v <= n_; }
  bool on_path(Vertex v) const { return before_[v] != 0 || after_[v] != 0; }
  bool is_free_end(Vertex v) const { return v > n_ + cut_ && !on_path(v); }
  // visit(state) for each state that one more unit of flow may go to from `state`.
  template <typename Visit>
  void for_each_next(State state, Visit&& visit) const;
  bool augment_from(Vertex start);
  void apply(State end);
  void give_up(Vertex end);

  std::int64_t n_ = 0;
  std::int64_t cut_ = 0;
  std::int64_t value_ = 0;
  std::int64_t work_ = 0;
  std::vector<std::size_t> reader_start_;  // entry v: outputs that read vertex v, ascending
  std::vector<Vertex> readers_;
  std::vector<Vertex> before_, after_;
  std::vector<bool> dead_;      // states from which no later cut can be crossed either
  std::vector<State> parent_;   // of the search under way: 0 unseen, the start is its own parent
  std::vector<State> visited_;  // in order of discovery
};

}  // namespace heddle
