// SPDX-License-Identifier: Apache-2.0
// Scans over chunks of sequences that have lengths of their own: a short one has fewer chunks than
// the launch, and its last token, its final state and its initial gradient are in chunks of its
// own. What the generator writes is verified; texts that take the launch's chunks for a sequence's,
// or one sequence for another, are not.
#include "tests/unit/runtime/verify/scan_edits.hpp"

namespace heddle {
namespace {

using namespace test::scan;
using test::explain;

Artifact of_lengths(WeightKind weights, ElementType dtype, int head_dim,
                    std::vector<std::string> ops, bool states = false) {
  return generated(weights, dtype, head_dim, std::move(ops), states, /*varlen=*/true);
}

void verified(const Artifact& artifact, bool states = false) {
  CHECK(artifact.manifest.format == 3);
  CHECK(artifact.manifest.varlen);
  const VerifyReport report =
      verify(artifact.manifest, artifact.files, test::builtin_rows(kPattern, kRows), quick());
  INFO(artifact.manifest.weights << ", " << artifact.manifest.head_dim << ", states " << states
                                 << ": " << explain(report));
  CHECK(report.verdict == KernelVerdict::kVerified);
}

TEST_CASE("scans over sequences of different lengths are verified") {
  verified(of_lengths(WeightKind::kGiven, ElementType::kF32, 40, {"prefill", "decode"}));
  verified(of_lengths(WeightKind::kGated, ElementType::kBF16, 5, {"prefill", "decode"}));
  verified(generated_of_matrices({"prefill", "decode"}, false, true));
}

TEST_CASE("backward over chunks of sequences of different lengths is verified") {
  for (const bool states : {false, true}) {
    verified(of_lengths(WeightKind::kGiven, ElementType::kBF16, 40, {"backward"}, states), states);
    verified(of_lengths(WeightKind::kGated, ElementType::kF32, 5, {"backward"}, states), states);
    verified(generated_of_matrices({"backward"}, states, true), states);
  }
}

TEST_CASE("a scan that takes the launch's chunks for a sequence's is rejected") {
  reject(of_lengths(WeightKind::kGiven, ElementType::kF32, 8, {"prefill"}),
         {// What the last chunk of a sequence comes to only the chain reads.
          {"sums", "chunk < own_chunks", "chunk + 1 < own_chunks", false},
          {"sums", "(own_tokens + 31) / 32", "own_tokens / 32", false},
          {"sums", "minimum(32, own_tokens - first)", "32", false},
          {"sums", "own_start + token > 0", "start + token > 0", false},
          {"chain", "own_chunks - first", "chunks - first", false},
          {"chain", "own_start > 0", "start > 0", false},
          {"chain", "block * chunks", "block * own_chunks"},
          {"chain", "round < own_chunks", "round < minimum(own_chunks, 64)"},
          {"rows", "chunk < own_chunks", "chunk + 1 < own_chunks"},
          {"rows", "chunk < own_chunks", "chunk < chunks", false},
          {"rows", "(own_tokens + 31) / 32", "(tokens + 31) / 32"},
          {"rows", "minimum(32, own_tokens - first)", "minimum(32, tokens - first)"},
          {"rows", "chunk == own_chunks - 1", "chunk == chunks - 1"},
          {"rows", "= own_start + own_tokens", "= own_start + tokens"},
          {"rows", "starts[batch]", "starts[0]"},
          {"rows", "offsets[batch]", "offsets[0]"}});
}

TEST_CASE("backward that takes the launch's chunks for a sequence's is rejected") {
  reject(of_lengths(WeightKind::kGiven, ElementType::kF32, 8, {"backward"}),
         {{"sums", "token + 1 < own_tokens", "token + 1 < tokens", false},
          {"sums", "chunk < own_chunks", "chunk + 1 < own_chunks"},
          {"chain", "own_chunks - 1 - (first + c)", "chunks - 1 - (first + c)"},
          {"rows", "chunk < own_chunks", "chunk + 1 < own_chunks"},
          {"rows", "offsets[batch + 1]", "offsets[batch]"}});
  reject(of_lengths(WeightKind::kGiven, ElementType::kF32, 8, {"backward"}, true),
         {{"sums", "token + 1 < own_tokens", "token + 1 < tokens"},
          {"chain", "p == length", "p == start + own_tokens"},
          {"chain", "p > 0 && ", "", false},
          {"rows", "own_tokens > 0 && own_start > 0", "own_tokens > 0", false},
          {"rows", "if (start > 0) {\n        if (chunk == 0)",
           "if (own_start > 0) {\n        if (chunk == 0)"},
          {"rows", "starts[batch]", "starts[0]"}});
}

TEST_CASE("matrix states that take the launch's chunks for a sequence's are rejected") {
  reject(generated_of_matrices({"prefill"}, false, true),
         {{"sums", "chunk < own_chunks", "chunk + 1 < own_chunks", false},
          {"sums", "minimum(64, own_tokens - first_token_2)", "64", false},
          {"chain", "first + e < own_chunks", "first + e < chunks", false},
          {"rows", "first_token + first_token_2", "first_token_2"},
          {"rows", "chunk < own_chunks", "chunk + 1 < own_chunks"}});
  reject(generated_of_matrices({"backward"}, true, true),
         {{"slopes", "chunk < own_chunks", "chunk + 1 < own_chunks"},
          {"chain", "own_chunks - 1 - (first + e)", "chunks - 1 - (first + e)"},
          {"chain", "own_start > 0)", "start > 0)", false},
          {"chain", "own_start > 0 ? slope : 0.0f", "slope"},
          {"chain", "if (start > 0) {\n      dinitial", "if (own_start > 0) {\n      dinitial"},
          {"rows", "starts[batch]", "starts[0]"},
          {"rows", "chunk < own_chunks", "chunk + 1 < own_chunks"}});
}

}  // namespace
}  // namespace heddle
