// SPDX-License-Identifier: Apache-2.0
// Evidence while it is found: a tree that can lose cases, and its text.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "analyzer/audit/arithmetic.hpp"

namespace heddle::evidence {

// Facts and disjunctions have numbers of their own here, which stay when cases are left out.
struct Proof {
  struct Summand {
    Integer multiplier;
    auditing::Polynomial times;  // of an equation; none: the multiplier alone
    std::vector<int> facts;
  };
  struct Case {
    std::vector<int> facts, disjunctions;  // that it adds, in order
    std::shared_ptr<const Proof> proof;
  };
  std::vector<Summand> sum;  // of a leaf
  std::vector<Case> cases;
  std::string head;                   // "case", "cut t" or "same x y"
  int disjunction = -1;               // of "case"
  std::set<int> facts, disjunctions;  // that it rests on
};
using ProofPtr = std::shared_ptr<const Proof>;

// As the auditor reads it, where facts and disjunctions are counted from the root.
std::string text_of(const Proof& proof, const auditing::Refutation& refutation);

}  // namespace heddle::evidence
