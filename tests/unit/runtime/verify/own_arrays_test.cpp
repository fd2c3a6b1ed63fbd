// SPDX-License-Identifier: Apache-2.0
// Cpu kernels that leave a thread's own arrays, in their text or in a helper that is compiled apart
// and knows no more of them than a pointer; final states that are not written to their end; and one
// side's slots taken for the other's.
#include "codegen/generate.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/reject_edits.hpp"

namespace heddle {
namespace {

constexpr std::int64_t kRows = 300;

Artifact generated(const char* pattern, const char* op, WeightKind weights, int state_dim = 0,
                   ElementType dtype = ElementType::kF32) {
  GenerateOptions options;
  options.ops = {op};
  options.target = ir::Target::kCpu;
  options.dtype = dtype;
  options.weights = weights;
  options.head_dim = 40;
  options.state_dim = state_dim;
  options.exact_to = kRows;
  Result<Artifact> artifact = generate(test::builtin(pattern), options);
  INFO((artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  return *std::move(artifact);
}

VerifyOptions quick() {
  VerifyOptions options;
  options.sizes = {1, 2, 40};
  options.work_budget = 4'000'000;
  options.algebraic = false;
  return options;
}

// What is behind an array changes no result: nothing but the access itself is to be seen.
void rejected_as(const std::string& kind, const Artifact& artifact, const std::string& file,
                 const char* pattern, const std::vector<test::TextEdit>& edits) {
  const Rows rows = test::builtin_rows(pattern, kRows);
  const VerifyReport right = verify(artifact.manifest, artifact.files, rows, quick());
  INFO(test::explain(right));
  CHECK(right.verdict == KernelVerdict::kVerified);
  for (const test::TextEdit& edit : edits) {
    std::map<std::string, std::string> files = artifact.files;
    const std::size_t at = files.at(file).find(edit.from);
    REQUIRE(at != std::string::npos);
    files[file].replace(at, std::string(edit.from).size(), edit.to);
    const VerifyReport report = verify(artifact.manifest, files, rows, quick());
    INFO(edit.from << " -> " << edit.to << ": " << test::explain(report));
    CHECK(report.verdict == KernelVerdict::kRejected);
    REQUIRE_FALSE(report.failures.empty());
    CHECK(report.failures.front().kind == kind);
  }
}

TEST_CASE("rows beyond a thread's own array are seen through helpers that are compiled apart") {
  const Artifact linear = generated("linear_attention", "backward", WeightKind::kLinear, 6);
  rejected_as(
      "out_of_bounds", linear, linear.manifest.kernels[0].file, "linear_attention",
      {{"s < 8; ++s) {\n      zero_row<40>(state", "s < 9; ++s) {\n      zero_row<40>(state"},
       {"s < 8; ++s) {\n      zero_row<40>(slope", "s < 9; ++s) {\n      zero_row<40>(slope"}});
}

TEST_CASE("helpers that leave a thread's own arrays are seen in the prelude, too") {
  const Artifact linear = generated("linear_attention", "prefill", WeightKind::kLinear, 6);
  rejected_as("out_of_bounds", linear, "cpu_prelude.hpp", "linear_attention",
              {{"at < kMatrixRows * kMatrixRows; ++at) weights[at] = scores[at] * decays[at]",
                "at < kMatrixRows * kMatrixRows; ++at) weights[at] = scores[at] * decays[at + 16]"},
               {"for (int j = 0; j < kMatrixRows; ++j) decays[i * kMatrixRows + j] = row[j];",
                "for (int j = 0; j < kMatrixRows; ++j) decays[i * kMatrixRows + j] = row[j];\n"
                "    decays[(i + 1) * kMatrixRows] = 0.0f;"}});
}

TEST_CASE("a final state that is not written to its end is rejected, free slots included") {
  const Artifact kept =
      generated("log_recurrence", "prefill", WeightKind::kLinear, 6, ElementType::kBF16);
  rejected_as("unwritten", kept, kept.manifest.kernels[0].file, "log_recurrence",
              {{"d < 40; ++d) {\n            final_b_val[to + s * 40 + d] = 0.0f;",
                "d < 40 - 1; ++d) {\n            final_b_val[to + s * 40 + d] = 0.0f;"}});
}

// Both keep every token: they have as many slots unless a launch says otherwise.
TEST_CASE("a side's slots are not the other side's") {
  const Artifact both = generated("chacal", "prefill", WeightKind::kSoftmax);
  const Rows rows = test::builtin_rows("chacal", kRows);
  for (const Layer layer : {Layer::kEmulated, Layer::kAlgebraic}) {
    test::reject_edits(both, rows, quick(), layer,
                       {{"slot_base_b = (batch * slots_b", "slot_base_b = (batch * slots_a"},
                        {"slot_base_a = (batch * slots_a", "slot_base_a = (batch * slots_b"}});
  }
  test::reject_edits(both, rows, quick(), Layer::kEmulated,
                     {{"slot < slots_b", "slot < slots_a"}, {"slot < slots_a", "slot < slots_b"}});
}

}  // namespace
}  // namespace heddle
