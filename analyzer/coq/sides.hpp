// SPDX-License-Identifier: Apache-2.0
// One side of a pattern, A or B, as rows in Coq, and what is known of it: sizes, live sets, which
// positions every row reads. A proof that is not there is empty.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/coq/functions.hpp"
#include "analyzer/coq/sizes.hpp"

namespace heddle::coq {

// A number that Coq is shown to exist, and what is known of it: "y = Nat.min i 64".
struct Size {
  std::string proof;  // of exists y, size_is ... y /\ fact y, from I : 1 <= i
  std::function<std::string(const std::string& y)> fact;
  bool from_below = true;  // the fact bounds it from below, too
  Sizes sizes = {};
};

// Rows read the position c before theirs, wherever there is one.
struct Reads {
  std::string distance;    // "1", "63", "m", "(f m)"
  std::string proof;       // of forall i, c < i -> rows i (i - c)
  std::string at_least_m;  // a theorem that says so of it, where it has to
};

struct Rows {
  std::string term;  // "window_b 4"
  // Definitions that the term names, one for each set that is spelt out.
  std::string definitions;
  std::vector<Function> functions;  // distances of these sets
  std::string lemmas;
  std::optional<Size> size;
  std::optional<Size> live;
  std::string causal;        // proof of causal_a or causal_b
  std::string everything;    // proof of everything
  std::string own;           // proof of forall i, 1 <= i -> rows i i
  std::string previous;      // proof of forall i, 2 <= i -> rows i (i - 1)
  std::optional<Reads> far;  // for rank(m)

  // What hops hang on.
  bool none = false;
  bool diagonal = false;
  bool dense = false;
  std::optional<Integer> window;  // window(w)
  std::string same;               // the lemma that says so, where the rows are spelt out
  std::optional<std::pair<Integer, Integer>> strided_window;  // window(w) | { i - s t : t >= 1 }
  const Function* offsets = nullptr;
  const Function* lattice = nullptr;
};

// Nothing where there are no words for the set.
std::optional<Rows> rows_of(const Pattern& pattern, Side side,
                            const std::vector<Function>& functions);

}  // namespace heddle::coq
