// SPDX-License-Identifier: Apache-2.0
// Gated weights: a thread reads what it stored in an earlier iteration of the loop that it is in,
// and nothing that is stored in this one or in a later one.
#include "tests/unit/codegen/verify/static_support.hpp"

namespace heddle::test {
namespace {

Artifact gated(const std::string& op) {
  GenerateOptions options = cuda(op);
  options.weights = WeightKind::kGated;
  return artifact_of(builtin("linear_recurrence"), options);
}

}  // namespace

TEST_CASE("first-order kernels of gated weights are verified for every launch") {
  for (const char* op : {"prefill", "backward"}) {
    const Artifact artifact = gated(op);
    const StaticReport report =
        report_of(artifact, artifact.files.at(artifact.manifest.kernels[0].file));
    INFO(op << "\n" << told(report));
    CHECK(report.verdict == StaticVerdict::kVerified);
  }
}

TEST_CASE("no broken kernel of gated weights is verified") {
  none_is_verified(gated("prefill"),
                   {{"Index at_2 = token_base + (p - start - 1) * token_stride;",
                     "Index at_2 = token_base + (p - start) * token_stride;"},
                    {"Index at_2 = token_base + (p - start - 1) * token_stride;",
                     "Index at_2 = token_base + (tokens - 1) * token_stride;"},
                    {"for (Index token = 0; token < tokens; ++token)",
                     "for (Index token = 1; token < tokens; ++token)"},
                    {"values[at_2 + d]", "values[at_2 + 63 - d]"},
                    {"      y[y_at + d] = mixed[part];",
                     "      if (token > 5000) { y[y_at + d] = mixed[part]; }"},
                    {"  __syncthreads();\n", ""}},
                   proofs_only());
}

}  // namespace heddle::test
