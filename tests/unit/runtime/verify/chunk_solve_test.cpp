// SPDX-License-Identifier: Apache-2.0
// Staged prefill solves a chunk with its outputs in registers. What the generator writes is
// verified, whichever columns a row may read; a text in which a row takes another output, or with
// another row's weight, is not.
#include "patterns/ast_print.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/reject_edits.hpp"

namespace heddle {
namespace {

constexpr std::int64_t kRows = 200;

struct Kind {
  const char* pattern;
  WeightKind weights = WeightKind::kGiven;
  ElementType dtype = ElementType::kF32;
  int head_dim = 8;
  bool varlen = false;
};

VerifyOptions quick() {
  VerifyOptions options;
  options.sizes = {1, 2, 33, 63, 100};
  options.work_budget = 1'000'000;
  options.algebraic_budget = 300'000;
  return options;
}

Artifact generated(const Kind& kind) {
  GenerateOptions options;
  options.ops = {"prefill"};
  options.target = ir::Target::kCuda;
  options.head_dim = kind.head_dim;
  options.dtype = kind.dtype;
  options.exact_to = kRows;
  options.weights = kind.weights;
  options.schedule = "staged";
  options.varlen = kind.varlen;
  Result<Artifact> artifact = generate(test::builtin(kind.pattern), options);
  INFO((artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  return *std::move(artifact);
}

// In both layers that carry texts out, or of edits that only change what is accessed in one.
void reject(const Kind& kind, const std::vector<test::TextEdit>& edits, bool of_values) {
  const Artifact artifact = generated(kind);
  const Rows rows = test::builtin_rows(kind.pattern, kRows);
  test::reject_edits(artifact, rows, quick(), Layer::kEmulated, edits);
  if (of_values) test::reject_edits(artifact, rows, quick(), Layer::kAlgebraic, edits);
}

}  // namespace

TEST_CASE("prefill that solves chunks in registers is verified") {
  for (const Kind& kind :
       {Kind{"log_recurrence"}, Kind{"order_k_recurrence", WeightKind::kSoftmax},
        Kind{"log_recurrence", WeightKind::kSoftmax, ElementType::kBF16, 40},
        Kind{"linear_recurrence", WeightKind::kGiven, ElementType::kF16, 5, true},
        Kind{"sqrt_recurrence"},
        Kind{"sqrt_recurrence", WeightKind::kSoftmax, ElementType::kBF16, 40}, Kind{"sqrt_cached"},
        Kind{"fibonacci_cached", WeightKind::kSoftmax, ElementType::kBF16, 40},
        Kind{"log_cached", WeightKind::kGiven, ElementType::kF32, 8, true}}) {
    const Artifact artifact = generated(kind);
    CHECK(artifact.manifest.kernels[0].schedule == "staged");
    const VerifyReport report =
        verify(artifact.manifest, artifact.files, test::builtin_rows(kind.pattern, kRows), quick());
    INFO(kind.pattern << ", " << name_of(kind.weights) << ": " << test::explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

TEST_CASE("only the distances that rows read are solved for, and none of the others") {
  const auto text = [](const char* pattern) {
    const Artifact artifact = generated({pattern});
    return artifact.files.at(artifact.manifest.kernels[0].file);
  };
  const std::string strides = text("log_recurrence"), lattice = text("log_cached");
  for (const char* distance :
       {"solved[r - 1]", "solved[r - 2]", "solved[r - 8]", "solved[r - 16]"}) {
    CHECK(strides.find(distance) != std::string::npos);
  }
  CHECK(strides.find("solved[r - 3]") == std::string::npos);
  CHECK(strides.find("solved[c]") == std::string::npos);
  CHECK(lattice.find("solved[c]") != std::string::npos);
}

TEST_CASE("a row that takes another output, or weighs it otherwise, is rejected") {
  reject({"log_recurrence"},
         {{"* solved[r - 1]", "* solved[r]"},
          {"* solved[r - 4]", "* solved[r - 3]"},
          {"near_weights[36 + r] * solved", "near_weights[r] * solved"},
          {"near_weights[108 + r] * solved", "near_weights[108 + (r - 1)] * solved"},
          {"lane == 2 ? 4", "lane == 2 ? 5"},
          {"distances[part] == r - from", "distances[part] == r - from + 1"},
          {"r >= 16", "r >= 17"},
          {"Index r = 1; r < 32", "Index r = 2; r < 32"},
          {"Index r = 1; r < 32", "Index r = 1; r < 31"},
          {"from = p - before_chunk - 1", "from = p - before_chunk"},
          {"(value_from + r) * 8 + d] = solved[r]", "(value_from + r) * 8 + d] = solved[0]"}},
         true);
  reject({"sqrt_cached"},
         {{"c < r;", "c < r - 1;"},
          {"* solved[c]", "* solved[r]"},
          {"near_weights[r * 40 + c]", "near_weights[c * 40 + r]"},
          {"solved[r] = staged[values_at + (value_from + r)",
           "solved[r] = staged[values_at + (value_from + 0)"}},
         true);
}

TEST_CASE("a row of a tile that takes another output, or weighs it otherwise, is rejected") {
  const Kind tiles{"sqrt_recurrence", WeightKind::kGiven, ElementType::kF32, 72};
  REQUIRE(generated(tiles).manifest.kernels[0].shared_rows.back().size == "tile_rows");
  reject(tiles,
         {{"* solved[r - 1]", "* solved[r]"},
          {"* solved[r - 5]", "* solved[r - 4]"},
          {"near_weights[r * 40 + (r - 2)]", "near_weights[(r - 1) * 40 + (r - 2)]"},
          {"column == from_column", "column == from_column + 1"},
          {"solved[r] = sums[(chunk + r)", "solved[r] = sums[(chunk + 0)"}},
         true);
  reject(tiles,
         {{"Index r = count_2 + warp", "Index r = count_2 + 1 + warp"},
          {"near_weights[r * 40 + lane] = 0.0f;", ""}},
         false);
}

TEST_CASE("rows that the last chunk lacks are neither left open nor written") {
  reject({"log_recurrence"},
         {{"Index r = size + warp", "Index r = size + 1 + warp"},
          {"piece < size *", "piece < 32 *"},
          {"near_weights[lane * 36 + r] = 0.0f;", ""}},
         false);
}

}  // namespace heddle
