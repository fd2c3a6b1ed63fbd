// SPDX-License-Identifier: Apache-2.0
// One emulated launch of a generated prefill or backward, read for its counters only: from the
// first token on, one batch and head, no state wanted.
#pragma once

#include "codegen/generate.hpp"
#include "runtime/reference/problem.hpp"
#include "runtime/verify/launch.hpp"

namespace heddle::counting {

struct Count {
  KernelEntry kernel;
  LaunchCounters counters;
  std::int64_t minimum_bytes = 0;  // q, k, x and y once each, or x, y and the coefficients; of
                                   // backward with their gradients
  std::int64_t definition_flops = 0;
  std::int64_t flops = 0;  // 0 where they were not asked for
  std::vector<VerifyFailure> findings;

  double of_the_floor() const {
    return static_cast<double>(counters.global_bytes_read + counters.global_bytes_written) /
           static_cast<double>(minimum_bytes);
  }
  // Of the bytes of the sectors that were touched, those that were asked for.
  double of_the_sectors() const {
    return static_cast<double>(counters.global_bytes_read + counters.global_bytes_written) /
           static_cast<double>(32 * counters.sectors);
  }
  double conflicts_per_request() const {
    return counters.shared_requests == 0 ? 0.0
                                         : static_cast<double>(counters.shared_bank_conflicts) /
                                               static_cast<double>(counters.shared_requests);
  }
};

Result<Pattern> builtin(std::string_view name);

// A kernel with what one launch of it from the first token on takes.
struct Prepared {
  Artifact artifact;
  Rows rows;
  Problem problem;
  HostBuffers buffers;
  std::int64_t expected_work = 0;

  const KernelEntry& kernel() const { return artifact.manifest.kernels.front(); }
};
// `options.ops` must be prefill or backward alone.
Result<Prepared> prepare(const Pattern& pattern, const GenerateOptions& options,
                         std::int64_t tokens);
// `options.ops` must be prefill or backward alone.
Result<Count> count(const Pattern& pattern, const GenerateOptions& options, std::int64_t tokens,
                    bool flops);

}  // namespace heddle::counting
