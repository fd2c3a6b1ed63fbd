// SPDX-License-Identifier: Apache-2.0
// Timings of a batch of sequences of different lengths, one behind the other in one launch, next to
// what there is without such kernels: the same batch, padded to the longest. One process, taking
// turns; both results are checked, and one that is wrong has no timing.
#pragma once

#include "runtime/bench/bench.hpp"

namespace heddle {

// Evenly spread from options.tokens down to an eighth of it, one for each sequence of the batch:
// padding then makes 16 / 9 of the tokens where there are many.
std::vector<std::int64_t> bench_lengths(const BenchOptions& options);

struct BenchedKernel {
  const Manifest& manifest;
  const KernelEntry& entry;
  LaunchFactory factory;
};
// Prefill from the first token on; `padded` is of the same pattern, for sequences of one length.
// The rows are "heddle" and "heddle, padded"; bytes and flops of both are those of the tokens that
// belong to a sequence.
Result<std::vector<BenchRow>> bench_varlen(const BenchedKernel& varlen, const BenchedKernel& padded,
                                           const Rows& rows, const BenchOptions& options);

}  // namespace heddle
