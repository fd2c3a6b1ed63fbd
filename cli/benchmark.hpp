// SPDX-License-Identifier: Apache-2.0
// Timings of generated kernels, for bench and run: on this processor next to the Eigen baselines,
// on a device next to an empty launch and a copy there.
#pragma once

#include <string>
#include <vector>

#include "cli/kernel_options.hpp"
#include "patterns/materialize.hpp"
#include "patterns/text_writer.hpp"
#include "runtime/bench/bench.hpp"

namespace heddle {

// One operation of a verified artifact, where its target says; nothing is timed that is not
// verified, unless `allow_unverified`.
Result<std::vector<BenchRow>> bench_artifact(const Artifact& artifact, const std::string& op,
                                             const Rows& rows, const BenchOptions& options,
                                             bool allow_unverified);

// Prefill of sequences of different lengths on this processor, by a kernel for them and, padded to
// the longest, by one for sequences of one length. Both are taken as they are: the caller has
// verified what it wants verified.
Result<std::vector<BenchRow>> bench_lengths_of(const Artifact& varlen, const Artifact& padded,
                                               const Rows& rows, const BenchOptions& options);

TextTable bench_table(const std::vector<BenchRow>& rows);

}  // namespace heddle
