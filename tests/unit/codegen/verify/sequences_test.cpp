// SPDX-License-Identifier: Apache-2.0
// Sequences with lengths of their own: kernels are verified whatever the arrays hold as to bounds,
// and as to blocks and outputs by what a launch grants of them; texts that take another sequence's
// tokens, or more of them than there are, are not.
#include "tests/unit/codegen/verify/static_support.hpp"

namespace heddle {
namespace {

using test::Break;
using test::none_is_verified;
using test::proofs_only;

Artifact varlen(const std::string& pattern, const std::string& op, WeightKind weights,
                ElementType dtype = ElementType::kF32, const std::string& schedule = "auto") {
  GenerateOptions options = test::cuda(op);
  options.weights = weights;
  options.dtype = dtype;
  options.varlen = true;
  options.schedule = schedule;
  return test::artifact_of(test::builtin(pattern), options);
}

StaticVerdict verdict_of(const Artifact& artifact) {
  const std::string& file = artifact.manifest.kernels[0].file;
  const StaticReport report = test::report_of(artifact, artifact.files.at(file));
  INFO(test::told(report));
  CHECK(report.verdict == StaticVerdict::kVerified);
  return report.verdict;
}

}  // namespace

TEST_CASE("kernels for sequences with lengths of their own are verified") {
  verdict_of(varlen("log_recurrence", "prefill", WeightKind::kGiven));
  verdict_of(varlen("log_cached", "prefill", WeightKind::kSoftmax, ElementType::kBF16));
  verdict_of(varlen("sqrt_recurrence", "prefill", WeightKind::kSoftmax));
  verdict_of(varlen("log_recurrence", "decode", WeightKind::kSoftmax));
  verdict_of(varlen("sqrt_cached", "decode", WeightKind::kGiven));
  verdict_of(varlen("local_attention", "prefill", WeightKind::kGiven, ElementType::kF32, "simple"));
}

TEST_CASE("no prefill of sequences that takes another one's tokens is verified") {
  const std::vector<Break> breaks = {
      {"offsets[batch]", "offsets[head]"},
      {"offsets[batch + 1]", "offsets[batch + 2]"},
      {"offsets[batch + 1]", "offsets[head + 1]"},
      {"minimum(maximum(offsets[batch], 0), tokens)", "offsets[batch]"},
      {"minimum(maximum(offsets[batch], 0), tokens)", "maximum(offsets[batch], 0)"},
      {"maximum(offsets[batch + 1], first_token), tokens)",
       "maximum(offsets[batch + 1], first_token), tokens + 1)"},
      {"own_tokens = minimum(end_token - first_token,",
       "own_tokens = minimum(end_token - first_token + 1,"},
      {"own_tokens = minimum(end_token - first_token,",
       "own_tokens = minimum(end_token - first_token - 1,"},
      {"own_tokens = minimum(end_token - first_token,", "own_tokens = minimum(tokens,"},
      {"token_base = (first_token * heads", "token_base = (batch * heads"},
      {"minimum(maximum(starts[batch], 0), start)", "maximum(starts[batch], 0)"},
      {"minimum(maximum(starts[batch], 0), start)", "start"},
      {"starts[batch]", "starts[head]"},
      {"first < own_tokens; first +=", "first < tokens; first +="},
      {"first < own_tokens; first +=", "first < own_tokens - 1; first +="},
      {"cached = p_2 <= own_start", "cached = p_2 <= start"},
      {"slot < own_start + own_tokens", "slot < start + own_tokens"}};
  none_is_verified(varlen("log_recurrence", "prefill", WeightKind::kGiven), breaks, proofs_only());
}

TEST_CASE("no launch with a block for each chunk that mistakes whose rows these are is verified") {
  const std::vector<Break> breaks = {
      {"if (first < own_tokens)", "if (first < longest)"},
      {"minimum(256, own_tokens - first)", "256"},
      {"chunks - 1 - chunk", "chunks - chunk"},
      {"chunks - 1 - chunk", "chunk - chunk"},
      {"batch = whole_block / heads", "batch = whole_block % heads"}};
  none_is_verified(varlen("attention", "prefill", WeightKind::kSoftmax, ElementType::kBF16), breaks,
                   proofs_only());
}

TEST_CASE("launches of sequences with lengths of their own are carried out on numbers") {
  const Artifact artifact = varlen("log_recurrence", "prefill", WeightKind::kGiven);
  for (const Break& each :
       {Break{"offsets[batch]", "offsets[head]"},
        Break{"own_tokens = minimum(end_token - first_token,",
              "own_tokens = minimum(end_token - first_token + 1,"},
        Break{"first < own_tokens; first +=", "first < own_tokens - 1; first +="},
        Break{"token_base = (first_token * heads", "token_base = (batch * heads"}}) {
    INFO(each.old << " -> " << each.fresh);
    const StaticReport report = test::report_of(artifact, test::broken(artifact, each));
    CHECK(report.verdict == StaticVerdict::kRejected);
  }
}

TEST_CASE("a launch that grants nothing of sequences is no ground to stand on") {
  Artifact artifact = varlen("log_recurrence", "prefill", WeightKind::kGiven);
  KernelEntry& entry = artifact.manifest.kernels[0];
  const std::string text = artifact.files.at(entry.file);
  for (Argument& argument : entry.arguments) {
    if (argument.name == "offsets") argument.access = Access::kReadWrite;
  }
  CHECK(test::report_of(artifact, text, proofs_only()).verdict != StaticVerdict::kVerified);
}

}  // namespace heddle
