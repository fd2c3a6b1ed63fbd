// SPDX-License-Identifier: Apache-2.0
// A claim as a proposition of Coq, and its proof from the facts.
#pragma once

#include <string>

#include "analyzer/certificate/verdict.hpp"
#include "analyzer/coq/facts.hpp"

namespace heddle::coq {

struct WrittenClaim {
  std::string statement;  // a term of type Prop
  std::string proof;
};

// Fails, in words, where the claim has no form here or no fact bounds its measure.
Result<WrittenClaim> written(const Pattern& pattern, const Claim& claim, const Proved& proved,
                             const Facts& facts);

}  // namespace heddle::coq
