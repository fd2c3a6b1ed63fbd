// SPDX-License-Identifier: Apache-2.0
// What a set of positions is, for every row at once: distances behind the row, fixed positions, a
// lattice, or a combination. A model is only built together with the proof that it equals the set.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "analyzer/proof/knowledge.hpp"
#include "patterns/intervals.hpp"

namespace heddle::proof {

// value(k) for k >= low: strictly increasing, which has been proved.
struct Progression {
  std::string variable;
  ExpressionPtr value;
  std::int64_t low = 0;
};

// A set of integers: `start` up to and including `split`, and beyond it nothing, everything, or
// the values of progressions, each of which starts beyond `split`.
struct Points {
  IntervalList start;
  std::int64_t split = 0;
  bool all_beyond = false;
  std::vector<Progression> beyond;

  bool infinite() const { return all_beyond || !beyond.empty(); }
};

struct RowModel {
  enum class Kind {
    kDistances,     // {i - d : d in points, d < i}
    kPositions,     // {p in points : p <= i}, or p < i when `before_row`
    kLattice,       // lattice(function), `function` strictly increasing from 1
    kUnion,         // of the two parts
    kIntersection,  // of the two parts
    kDifference,    // of the two parts
    kOther,         // no more is known than the syntax says
  };
  Kind kind = Kind::kOther;
  Points points;
  bool before_row = false;
  std::string function;
  std::vector<RowModel> parts;
  SetPtr set;  // kOther
  // kOther: no position lies farther behind its row, where that is proved.
  std::optional<std::int64_t> farthest;
};

struct ProvedModel {
  RowModel model;
  std::vector<Obligation> obligations;
  std::set<std::string> lemmas;
};

// Never fails: a set that no rule describes is kOther.
ProvedModel model_of(const Knowledge& knowledge, const SetPtr& set, Side side);

}  // namespace heddle::proof
