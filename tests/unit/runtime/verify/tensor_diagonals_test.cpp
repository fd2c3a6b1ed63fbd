// SPDX-License-Identifier: Apache-2.0
// Rows that reach the same distances back on tensor cores, by diagonals of products: what the
// generator writes is verified; texts that take another diagonal, lose what a row has summed when
// its highest score rises, or find rows in another place or too early, are not.
#include "tests/unit/runtime/verify/tensor_edits.hpp"

namespace heddle::test {
namespace {

Artifact generated(const char* pattern, ElementType dtype, int head_dim, std::int64_t rows,
                   std::vector<std::string> ops = {"prefill"}) {
  Artifact artifact = on_tensor_cores(pattern, dtype, head_dim, rows, std::move(ops));
  REQUIRE(artifact.manifest.kernels[0].threads == 2 * rows);
  return artifact;
}

TEST_CASE("diagonals on tensor cores are verified, with the decode that goes on from them") {
  check_verified(generated("log_recurrence", ElementType::kBF16, 64, 128, {"prefill", "decode"}));
  check_verified(generated("sqrt_recurrence", ElementType::kF16, 64, 64));
  check_verified(generated("log_recurrence", ElementType::kF16, 128, 64));
}

}  // namespace
}  // namespace heddle::test
