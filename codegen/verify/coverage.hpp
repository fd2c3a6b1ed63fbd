// SPDX-License-Identifier: Apache-2.0
// What was written before it is read, and outputs written once. That a place is written is shown by
// a witness: the thread and the iterations that write it, solved for digit by digit from the index
// of the write, and then proved to exist and to take the branches on the way. That it is written
// once is a query about two different visits of writes.
#pragma once

#include <vector>

#include "codegen/verify/launch.hpp"
#include "codegen/verify/lift.hpp"
#include "codegen/verify/prover.hpp"
#include "codegen/verify/trace.hpp"

namespace heddle::verify {

struct CoverageResult {
  std::vector<Finding> findings;
  int looked_at = 0;  // reads, or outputs
};

// Every read of a shared or private array, or of an output, has a write before it: in the same
// iteration of the loops around both, and a barrier between where threads differ, or in an earlier
// iteration of a loop with barriers.
CoverageResult check_initialised(const Lifted& lifted, const Launch& launch, const Facts& facts,
                                 Prover& prover, const Trace& trace);
// Every element of a buffer that is only written is written, and by one visit of one store.
CoverageResult check_outputs(const Lifted& lifted, const KernelEntry& entry, const Launch& launch,
                             Facts& facts, Prover& prover, const Trace& trace);

}  // namespace heddle::verify
