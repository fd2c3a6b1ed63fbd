// SPDX-License-Identifier: Apache-2.0
// Backward of lattices on tensor cores, where it is asked for: all three launches are verified
// together; texts that take other rows for readers, lose a part of the transposed system or of what
// is due, or go on too early, are not.
#include "tests/unit/runtime/verify/tensor_edits.hpp"

namespace heddle::test {
namespace {

Artifact generated() {
  GenerateOptions options;
  options.ops = {"backward"};
  options.target = ir::Target::kCuda;
  options.dtype = ElementType::kBF16;
  options.exact_to = kTensorRows;
  options.schedule = "tensor";
  Result<Artifact> artifact = generate(builtin("log_cached"), options);
  INFO((artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  const std::vector<KernelEntry>& steps = artifact->manifest.kernels[0].steps;
  REQUIRE(steps.size() == 3);
  for (const KernelEntry& step : steps) CHECK(step.schedule == "tensor");
  return *std::move(artifact);
}

TEST_CASE("backward of a lattice on tensor cores is verified") { check_verified(generated()); }

TEST_CASE("lambda of a lattice on tensor cores that mistakes readers or sums is rejected") {
  reject(generated(), "log_cached_backward_lambda.cu",
         {{"own_last_reader[own_row + lane / 4 + half * 8], first + 64)) - first - 1",
           "own_last_reader[own_row + lane / 4 + half * 8], first + 64)) - first"},
          {"reader >= own_row", "reader > own_row"},
          {"last_reader[own_column + lane / 4 + half * 8], first + 64)) - first - 1",
           "last_reader[own_column + lane / 4 + half * 8], first + 64)) - first - 2"},
          {"means[own_row + lane / 4 + half * 8] = numbers[half]",
           "means[own_row + lane / 4 + half * 8] = 0.0f"},
          {"all_chunks - 1 - done", "done"},
          {"opened_first = opened * 64", "opened_first = 0"}});
}

TEST_CASE("rows of a lattice on tensor cores that mistake what they read are rejected") {
  reject(generated(), "log_cached_backward_rows.cu",
         {{"position = first + 1 + item", "position = first + item"},
          {"staged + to + 13824, y + from", "staged + to + 13824, x + from"},
          {"store_elements<8>(staged + to + 9216, lambda)",
           "store_elements<8>(staged + to + 9216 - 4608, lambda)"}});
}

}  // namespace
}  // namespace heddle::test
