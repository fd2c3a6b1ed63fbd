// SPDX-License-Identifier: Apache-2.0
// Every index lies in its memory. A buffer's index is split into digits, one for each axis of the
// buffer's shape, and each digit is shown to lie within its extent: by the layered-radix lemma,
// ((d0 E1 + d1) E2 + d2) .. < E0 E1 E2 .. when 0 <= dj < Ej, which leaves linear questions only.
#pragma once

#include <vector>

#include "codegen/verify/launch.hpp"
#include "codegen/verify/lift.hpp"
#include "codegen/verify/prover.hpp"
#include "codegen/verify/trace.hpp"

namespace heddle::verify {

struct BoundsResult {
  std::vector<Finding> findings;
  int accesses = 0;
};
// Notes the digits with each access, outermost axis first.
BoundsResult check_bounds(const Lifted& lifted, const KernelEntry& entry, const Launch& launch,
                          const Facts& facts, Prover& prover, Trace& trace);

}  // namespace heddle::verify
