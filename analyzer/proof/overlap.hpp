// SPDX-License-Identifier: Apache-2.0
// How the values of several progressions overlap, so that their union can be counted exactly: which
// lie within another, which never meet, and where two arithmetic progressions meet.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "analyzer/proof/row_model.hpp"

namespace heddle::proof {

// #union = sum of the kept progressions minus sum of the common ones, when `exact`.
struct Overlap {
  bool exact = false;
  std::vector<std::size_t> kept;  // those that are not within another one
  std::vector<Progression> common;
  std::vector<std::string> rules;
  std::vector<Obligation> obligations;
  std::set<std::string> lemmas;
};

Overlap overlap_of(const Knowledge& knowledge, const std::vector<Progression>& progressions);
// A name for the list, by which an overlap is found again.
std::string key_of(const std::vector<Progression>& progressions);

}  // namespace heddle::proof
