// SPDX-License-Identifier: Apache-2.0
// Timings of generated CPU kernels next to the Eigen baselines, for bench and run.
#pragma once

#include <string>
#include <vector>

#include "cli/kernel_options.hpp"
#include "patterns/materialize.hpp"
#include "patterns/text_writer.hpp"
#include "runtime/bench.hpp"

namespace heddle {

// One operation of a verified artifact; nothing is timed that is not verified, unless
// `allow_unverified`.
Result<std::vector<BenchRow>> bench_cpu(const Artifact& artifact, const std::string& op,
                                        const Rows& rows, const BenchOptions& options,
                                        bool allow_unverified);

TextTable bench_table(const std::vector<BenchRow>& rows);

}  // namespace heddle
