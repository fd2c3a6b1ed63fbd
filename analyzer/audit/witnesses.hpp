// SPDX-License-Identifier: Apache-2.0
// Paths and weights that show from one side or both what congestion(m) or rank(m) is, held against
// the rows of the pattern. Each line of a refuted claim's evidence is one of
//   congestion(5) path 2 4 7        the outputs on the path of the next token j = 1, 2, .., m: the
//                                   first reads x_j, each other one the output before it, the last
//                                   is j + m. All m together bound the congestion from above.
//   congestion(5) weights 0 1 ...   of outputs 1..2m, not negative. In any system of paths the load
//                                   times their sum is no less than the sum over j of the least
//                                   weight of a path, which bounds the congestion from below.
//   rank(2) path 1 3 5              an input up to m, then outputs, the last after m. Paths that
//                                   share no vertex bound the rank from below (Menger).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "patterns/expression.hpp"

namespace heddle::auditing {

struct Enclosure {
  std::optional<Integer> low, high;
};

// What is shown, by measure and argument.
using Enclosures = std::map<std::pair<MeasureKind, std::int64_t>, Enclosure>;

// Fails on evidence of another form, and on paths that are none.
Result<Enclosures> read_witnesses(const std::string& evidence, const Evaluator& rows);

}  // namespace heddle::auditing
