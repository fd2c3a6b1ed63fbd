// SPDX-License-Identifier: Apache-2.0
// Which launches verify a backward kernel, and the check of its gradients against the oracle's.
#pragma once

#include <string>
#include <vector>

#include "runtime/verify/plan.hpp"

namespace heddle {

// Whether it goes on from a state, and takes and gives gradients of states.
bool takes_state(const KernelEntry& entry);

void check_backward(const VerifyContext& context, const KernelUnderTest& backward, Ledger& ledger,
                    std::vector<KernelProfile>& profiles);
// As smallest_failure of plan.hpp.
std::string smallest_backward_failure(const VerifyContext& context,
                                      const KernelUnderTest& backward);

}  // namespace heddle
