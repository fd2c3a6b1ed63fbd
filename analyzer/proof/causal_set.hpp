// SPDX-License-Identifier: Apache-2.0
// The proof that a set lies within 1..i (A) or 1..i-1 (B) for every row i.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "analyzer/proof/row_model.hpp"

namespace heddle::proof {

struct CausalProof {
  bool proved = false;
  std::set<std::string> rules;
  std::vector<Obligation> obligations;
  std::set<std::string> lemmas;
  std::optional<Integer> suspect;  // a row at which the solver sees a violation
  std::string reason;              // why not proved
};

CausalProof prove_causal_set(const Knowledge& knowledge, const RowModel& model, Side side);

}  // namespace heddle::proof
