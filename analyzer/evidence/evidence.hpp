// SPDX-License-Identifier: Apache-2.0
// Looks for the evidence of analyzer/audit/arithmetic.hpp: why a step holds, in cases and sums that
// a reader checks without a solver. What is found is right because the auditor checks it.
#pragma once

#include <string>

#include "analyzer/certificate/verdict.hpp"

namespace heddle {

// Which products the sums of evidence may have: of any facts, or those alone that the script
// has, which is decided soon.
enum class Products { kOfFacts, kOfTheScript };

// Nothing where none is found within a fixed amount of work.
std::string find_evidence(const Obligation& obligation, Products products = Products::kOfFacts);

}  // namespace heddle
