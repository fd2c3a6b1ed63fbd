// SPDX-License-Identifier: Apache-2.0
// Looks for the evidence of analyzer/audit/arithmetic.hpp: why a step holds, in cases and sums that
// a reader checks without a solver. What is found is right because the auditor checks it.
#pragma once

#include <string>

#include "analyzer/certificate/verdict.hpp"

namespace heddle {

// Nothing where none is found within a fixed amount of work.
std::string find_evidence(const Obligation& obligation);

}  // namespace heddle
