// SPDX-License-Identifier: Apache-2.0
// Gated weights: a thread reads what it stored in an earlier iteration of the loop that it is in,
// and nothing that is stored in this one or in a later one; where gradients are gathered, groups of
// lanes have rows of their own, and how far a row goes is what the lanes of a group agree on.
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

namespace {

Artifact gathered() {
  GenerateOptions options = cuda("backward", 32);
  options.weights = WeightKind::kGated;
  options.schedule = "auto";
  return artifact_of(builtin("order_k_recurrence"), options);
}

}  // namespace

TEST_CASE("launches that gather gradients of gated weights are verified for every launch") {
  const Artifact artifact = gathered();
  REQUIRE(artifact.manifest.kernels[0].schedule == "gather");
  for (const KernelEntry& step : artifact.manifest.kernels[0].steps) {
    const StaticReport report =
        check_statically(artifact.files.at(step.file), artifact.files, artifact.manifest, step);
    INFO(step.symbol << "\n" << told(report));
    CHECK(report.verdict == StaticVerdict::kVerified);
  }
}

TEST_CASE("no broken row of a group of lanes is verified") {
  const Artifact artifact = gathered();
  const KernelEntry& rows = artifact.manifest.kernels[0].steps.back();
  const std::string& text = artifact.files.at(rows.file);
  StaticOptions options = proofs_only();
  options.until_a_failure = true;
  for (const Break& each :
       std::vector<Break>{{"rest = entry_2", "rest = entry_2 + 1"},
                          {"Index entry_2 = 0", "Index entry_2 = lane_of_row / 4"},
                          {"while (p >= low)", "while (p >= low + lane_of_row)"},
                          {"lane / 8", "lane / 16"},
                          {"lane % 8", "lane % 4"},
                          {"token < minimum(first + 32, tokens)", "token < first + 32"},
                          {"dx + at + lane_of_row * 4", "dx + at + (7 - lane_of_row / 2) * 4"}}) {
    INFO(each.old << " -> " << each.fresh);
    std::string edited = text;
    const std::size_t at = edited.find(each.old);
    REQUIRE(at != std::string::npos);
    edited.replace(at, each.old.size(), each.fresh);
    const StaticReport report =
        check_statically(edited, artifact.files, artifact.manifest, rows, options);
    REQUIRE_FALSE(report.obligations.empty());
    CHECK(report.obligations[0].verdict == StaticVerdict::kVerified);  // it was read
    CHECK(report.verdict != StaticVerdict::kVerified);
  }
}

}  // namespace heddle::test
