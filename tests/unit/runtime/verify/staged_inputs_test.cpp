// SPDX-License-Identifier: Apache-2.0
// Staged prefill of rows that read inputs distance by distance, a block for each tile. What the
// generator writes is verified, with either weights and from a state on; a text that takes another
// position, weighs it otherwise, or goes on before the block has met, is not.
#include "patterns/ast_print.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/reject_edits.hpp"

namespace heddle {
namespace {

constexpr std::int64_t kRows = 900;

VerifyOptions quick() {
  VerifyOptions options;
  options.sizes = {1, 2, 33, 150};
  options.work_budget = 4'000'000;
  options.algebraic_budget = 2'000'000;
  return options;
}

// So many channels that tiles have 128 rows, or 64, and launches have several.
struct Kind {
  const char* pattern;
  WeightKind weights;
  ElementType dtype;
  int head_dim;
  bool varlen = false;
};

Artifact generated(const Kind& kind) {
  GenerateOptions options;
  options.ops = {"prefill"};
  options.target = ir::Target::kCuda;
  options.dtype = kind.dtype;
  options.exact_to = kRows;
  options.weights = kind.weights;
  options.schedule = "staged";
  options.varlen = kind.varlen;
  options.head_dim = kind.head_dim;
  Result<Artifact> artifact = generate(test::builtin(kind.pattern), options);
  INFO((artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  return *std::move(artifact);
}

void reject(WeightKind weights, const std::vector<test::TextEdit>& edits, bool of_values) {
  const bool softmax = weights == WeightKind::kSoftmax;
  const Artifact artifact =
      generated({"sqrt_attention", weights, softmax ? ElementType::kF32 : ElementType::kF16,
                 softmax ? 128 : 256});
  const Rows rows = test::builtin_rows("sqrt_attention", kRows);
  test::reject_edits(artifact, rows, quick(), Layer::kEmulated, edits);
  if (of_values) test::reject_edits(artifact, rows, quick(), Layer::kAlgebraic, edits);
}

}  // namespace

TEST_CASE("tiles of rows that read inputs at distances are verified") {
  for (const Kind& kind :
       {Kind{"sqrt_attention", WeightKind::kSoftmax, ElementType::kF32, 128, true},
        Kind{"sqrt_attention", WeightKind::kSoftmax, ElementType::kBF16, 256},
        Kind{"strided_attention", WeightKind::kGiven, ElementType::kF16, 256, true}}) {
    const Artifact artifact = generated(kind);
    const KernelEntry& entry = artifact.manifest.kernels[0];
    CHECK(entry.grid.back() == "chunks");
    CHECK(entry.shared_rows.back().most > entry.chunk_tokens);
    const VerifyReport report =
        verify(artifact.manifest, artifact.files, test::builtin_rows(kind.pattern, kRows), quick());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ": " << test::explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

TEST_CASE("a tile that finds another input at a distance is rejected") {
  reject(WeightKind::kGiven,
         {{"maximum(before + 1 - distance", "maximum(before + 2 - distance"},
          {"needed < reached", "needed + 1 < reached"},
          {"minimum(reached, before", "minimum(reached - 1, before"},
          {"p_2 % 256", "(p_2 + 1) % 256"},
          {"(before + 257 - distance)", "(before + 256 - distance)"},
          {"place < 256 ? 0 : 256", "place < 257 ? 0 : 256"},
          {"maximum(needed - 128, 1)", "maximum(needed - 129, 1)"},
          {"width_a + entry", "width_a"},
          {"held = distance <= before + r", "held = distance < before + r"},
          {"tile = chunk * 128", "tile = chunk * 64"},
          {"weights[turn] * value", "value"}},
         true);
}

TEST_CASE("a tile that weighs inputs otherwise is rejected") {
  reject(WeightKind::kSoftmax,
         {{"held = distance <= before + r", "held = distance <= before + r + 1"},
          {"held = distance <= before + r", "held = distance < before + r"},
          {"p_2 % 192 * 144", "p_2 % 192 * 128"},
          {"total[turn] * shrink + weight", "total[turn] + weight"},
          {"* shrink + weight * value", "+ weight * value"},
          {" * inverse", ""}},
         true);
}

TEST_CASE("a tile of inputs whose threads do not wait for each other is rejected") {
  reject(WeightKind::kSoftmax,
         {{"if (needed < reached) {\n        __syncthreads();", "if (needed < reached) {"},
          {"await_batches<0>();\n        __syncthreads();", "await_batches<0>();"},
          {"turn = chunk", "turn = 0"},
          {"turn += chunks", "turn += chunks + 1"}},
         false);
}

}  // namespace heddle
