// SPDX-License-Identifier: Apache-2.0
// The visit of a store that writes a given place: thread and iterations solved for, digit by digit,
// by division with remainder, largest stride first.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "codegen/verify/instances.hpp"
#include "codegen/verify/launch.hpp"
#include "codegen/verify/trace.hpp"

namespace heddle::verify {

struct Witness {
  std::vector<Term> assumed;    // what defines the numbers that it speaks of
  Term required;                // what makes it a visit of the store that writes the place
  std::map<int, Term> counter;  // the iteration of each for loop that it does not share, by loop
  std::map<AtomId, WarpValue> of_warp;  // what its thread shares with others of its warp
  // Of a loop over the blocks along an axis of the grid, by the block's place on it: the turn that
  // writes the place, as product + block, of as many blocks as there are.
  struct Turn {
    Term number;
    Term product;
    Term block;
    Term blocks;
  };
  std::map<AtomId, Turn> turns;
};

// An iteration that is told by where it stands: the one before that of whoever asks, or, where the
// loop is left behind, its last one.
struct Iteration {
  int loop = 0;
  bool last = false;
};

// `fixed` says which atoms the visit shares with whoever asks; the others get `suffix`. Nothing
// where no visit can be named: inside a while loop that does not count.
std::optional<Witness> witness(const Facts& facts, const Trace& trace, const Launch& launch,
                               const Access& write, const std::vector<Term>& place,
                               const Common& fixed, const std::vector<int>& fixed_loops,
                               const std::string& suffix,
                               std::optional<Iteration> iteration = std::nullopt);

}  // namespace heddle::verify
