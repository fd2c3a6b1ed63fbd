// SPDX-License-Identifier: Apache-2.0
// From the prover's report to the certificate that outlives it.
#pragma once

#include "analyzer/certificate/certificate.hpp"
#include "analyzer/proof/prove.hpp"

namespace heddle {

Certificate certify(const Pattern& pattern, const ProofReport& report);

}  // namespace heddle
