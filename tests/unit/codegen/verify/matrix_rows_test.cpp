// SPDX-License-Identifier: Apache-2.0
// The static layer on matrix states that rows of any pattern mix.
#include <tuple>

#include "codegen/verify/followed.hpp"
#include "tests/unit/codegen/verify/static_support.hpp"

namespace heddle::test {
namespace {

Artifact matrices(const std::string& pattern, const std::string& op, int state_dim, int head_dim) {
  GenerateOptions options = cuda(op, head_dim);
  options.weights = WeightKind::kLinear;
  options.state_dim = state_dim;
  return artifact_of(builtin(pattern), options);
}

}  // namespace

TEST_CASE("kernels of matrix states of any pattern are proved for every launch") {
  for (const auto& [pattern, state_dim, head_dim] :
       {std::tuple{"log_recurrence", 64, 64}, std::tuple{"sqrt_cached", 12, 24},
        std::tuple{"order_k_recurrence", 3, 200}}) {
    for (const char* const op : {"prefill", "decode", "backward"}) {
      const Artifact artifact = matrices(pattern, op, state_dim, head_dim);
      const KernelEntry& entry = artifact.manifest.kernels[0];
      const StaticReport report = report_of(artifact, artifact.files.at(entry.file));
      INFO(pattern << ", " << op << "\n" << told(report));
      CHECK(report.verdict == StaticVerdict::kVerified);
      CHECK_FALSE(not_followed(artifact.manifest, entry).has_value());
    }
  }
  // Where an index may leave 64 bits for all that is known, a doubt says nothing.
  const Artifact large = matrices("log_recurrence", "prefill", 128, 200);
  CHECK(not_followed(large.manifest, large.manifest.kernels[0]).has_value());
}

TEST_CASE("broken kernels of matrix states are not verified by the proofs alone") {
  none_is_verified(
      matrices("sqrt_cached", "prefill", 12, 24),
      {{"slot_stride = heads * 288;", "slot_stride = heads * 287;"},
       {"states_at = block * tokens * 288;", "states_at = (block + 1) * tokens * 288;"},
       {"used += 1;", "used += 2;"},
       {"for (Index slot = used;", "for (Index slot = used + 1;"},
       {"scratch_states[state_at + s * 24 + d] =", "scratch_states[state_at + s * 23 + d] ="}},
      proofs_only(StaticOptions().resource_limit));
  none_is_verified(matrices("sqrt_cached", "decode", 12, 24),
                   {{"  __syncthreads();\n", "\n"},
                    {"if (found > 0) {", "if (found >= 0) {"},
                    {"cache_b_val[to + s * 24 + d] =", "cache_b_val[to + s * 25 + d] ="}},
                   proofs_only(StaticOptions().resource_limit));
  none_is_verified(matrices("log_recurrence", "backward", 12, 24),
                   {{"  __syncthreads();\n", "\n"},
                    {"Index rest = entry", "Index rest = entry + 1"},
                    {"matrices_at = block * tokens * 288;", "matrices_at = block * tokens * 287;"}},
                   proofs_only(StaticOptions().resource_limit));
}

}  // namespace heddle::test
