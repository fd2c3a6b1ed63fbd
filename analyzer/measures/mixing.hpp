// SPDX-License-Identifier: Apache-2.0
// How far output y_n remembers when every row gives equal weight to all that it reads: the weights
// of the inputs in y_n, which are the chances that a walk from y_n, moving to a random read of each
// row, ends in x_j. What a pattern does before anything is learnt.
#pragma once

#include <cstdint>
#include <vector>

#include "patterns/materialize.hpp"

namespace heddle {

struct Mixing {
  std::int64_t n = 0;
  // Entry t: the weight of x_{n-t} in y_n, t = 0..n-1. Absolute errors stay below 1e-9.
  std::vector<double> weight;
  double held = 0;      // the sum of the weights, 0 where rounding is all there is
  double lost = 0;      // what ends in rows that read nothing; held + lost = 1
  double mean_age = 0;  // of the weight held
  // The least age t such that this share of the weight held is of ages 0..t; -1 if none is held.
  std::int64_t age_at_share(double share) const;
  std::int64_t half_life() const { return age_at_share(0.5); }
  double older_than(std::int64_t age) const;  // weight of ages above this one
};
// `rows` = rows 1..n, n >= 1.
Mixing uniform_mixing(const Rows& rows);

}  // namespace heddle
