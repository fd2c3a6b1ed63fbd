// SPDX-License-Identifier: Apache-2.0
// Which launches verify a backward kernel, and the check of its gradients against the oracle's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/verify/plan.hpp"

namespace heddle {

// Whether it goes on from a state, and takes and gives gradients of states.
bool takes_state(const KernelEntry& entry);

// Linear weights: the tokens before which a state is kept, at most so many from one to the next: as
// many as a state has rows, on cpu whole runs of sixteen.
std::int64_t kept_stretch(const Manifest& manifest);

void check_backward(const VerifyContext& context, const KernelUnderTest& backward, Ledger& ledger,
                    std::vector<KernelProfile>& profiles);
// As smallest_failure of plan.hpp.
std::string smallest_backward_failure(const VerifyContext& context,
                                      const KernelUnderTest& backward);

}  // namespace heddle
