// SPDX-License-Identifier: Apache-2.0
// What is known of a pattern in Coq before any claim: lemmas on both sides, and the bounds on each
// measure that these give, from which a claim follows by arithmetic.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/coq/sides.hpp"

namespace heddle::coq {

// A bound in the variables of its measure, and what proves it of them.
struct Bound {
  std::string value;
  std::string proof;
  // The same as a number, of i - j, n or m; null where it is not known before Coq knows it.
  Number at = {};
};

struct Facts {
  std::string statements;  // definitions of the functions, A and B
  std::string lemmas;
  std::string unfolds;  // what arithmetic must see through: "f, "
  bool causal = false;  // A_causal and B_causal
  bool time = false;    // time_known: exists x y, time_is A B i (x + y) and facts of x and y
  bool cache = false;   // cache_known, the same
  Sizes time_sizes, cache_sizes;                           // what these are known to be, as numbers
  bool time_from_below = false, cache_from_below = false;  // whether these bound it so, too
  std::string reaches;                       // proof of reaches A B i j, from J : 1 <= j < i
  std::vector<Bound> most_hops, least_hops;  // of i and j, from J : 1 <= j < i
  std::vector<Bound> depth;                  // of n, from N : 1 <= n; equal
  std::vector<Bound> most_congestion;        // of n, from N : 1 <= n
  bool capacity = false;  // n <= g * |live B n| for each g that congestion is at most: B_live
  std::vector<Bound> least_rank;  // of m, from M : 1 <= m
  // Width and stride where row i of A is window(w) and each stride before it.
  std::optional<std::pair<Integer, Integer>> strided_window;
  std::string missing;  // why there are none, in words
};

Facts facts_of(const Pattern& pattern);

}  // namespace heddle::coq
