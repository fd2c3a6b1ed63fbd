// SPDX-License-Identifier: Apache-2.0
// The two sides of copy_congestion: weights that bound every routing from below, and routings.
// congestion_cut.cpp and congestion_bound.cpp find weights, congestion_carry.cpp and
// congestion_routing.cpp routings.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "analyzer/measures/copy_task.hpp"

namespace heddle {

struct WeightBound {
  std::int64_t lower = 0;
  std::vector<std::int64_t> weights;  // entry v - 1
};

// The capacity law at the cut where it says most: `weights` are 1 on the outputs that carry all
// paths across the cut after token `cut`, 0 elsewhere. No cut where it says nothing.
struct CutBound {
  int cut = 0;
  std::int64_t lower = 0;
  std::vector<std::int64_t> weights;  // entry v - 1
};
CutBound cut_bound(const CopyTask& task);

// A fractional routing: each token spread over some of its paths.
struct SharedPath {
  std::vector<int> outputs;
  double share = 0;  // of its token; the shares of a token add up to 1
};
using CopySpread = std::vector<std::vector<SharedPath>>;  // entry j - 1

using CopyPaths = std::vector<std::vector<int>>;  // entry j - 1: the outputs on the path of token j

// The largest number of paths through one output.
std::int64_t load_of(const CopyPaths& paths, std::size_t outputs);

// Keeps what it has found between runs. Every token must have a path.
class WeightSearch {
 public:
  explicit WeightSearch(const CopyTask& task);
  ~WeightSearch();

  // Paths that are known to be good, to begin with.
  void offer(const CopyPaths& paths);
  // Searches for weights that prove `goal`, looking at about `work` reads. Returns the best so far.
  const WeightBound& run(std::int64_t goal, std::int64_t work);
  // The routing that answers the best weights: its largest load is near the least possible one.
  CopySpread spread() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct Routing {
  std::int64_t load = 0;
  CopyPaths paths;
};
// Searches for a routing with load `goal`, looking at about `work` reads. Every token must have a
// path.
Routing search_routing(CopyTask& task, std::int64_t goal, std::int64_t work);
// The same, starting from roundings of `spread`.
Routing round_spread(CopyTask& task, const CopySpread& spread, std::int64_t goal,
                     std::int64_t work);
// The same, starting from `paths`.
Routing improve_routing(CopyTask& task, const CopyPaths& paths, std::int64_t goal,
                        std::int64_t work);
// A routing by one pass over the rows, where each row reads all outputs that later rows read, with
// load `goal` or the next larger one that the pass reaches. Nothing in other cases, or when that
// takes more than about `work` steps.
std::optional<Routing> carried_routing(const CopyTask& task, std::int64_t goal, std::int64_t work);
// The same list of steps for each token, where rows are translates and read their own input: an
// output is then met at most once for each step. Nothing in other cases. [translation law]
std::optional<Routing> translated_routing(const Rows& rows, std::int64_t copy);

}  // namespace heddle
