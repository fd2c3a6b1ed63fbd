// SPDX-License-Identifier: Apache-2.0
// Backward of lattices in several launches, of channels that do not fill a warp: which lanes have
// some then stands beside how lanes are shared by channels of positions.
#include "codegen/verify/followed.hpp"
#include "tests/unit/codegen/verify/static_support.hpp"

namespace heddle::test {
namespace {

Artifact back_of(const char* pattern, WeightKind weights, int head_dim) {
  GenerateOptions options = cuda("backward", head_dim);
  options.weights = weights;
  options.schedule = "auto";
  options.exact_to = 512;
  Artifact artifact = artifact_of(builtin(pattern), options);
  REQUIRE(artifact.manifest.kernels[0].schedule == "gather");
  return artifact;
}
// As if lambda were the only launch.
Artifact lambda_of(const char* pattern, WeightKind weights, int head_dim) {
  Artifact artifact = back_of(pattern, weights, head_dim);
  const std::vector<KernelEntry> steps = artifact.manifest.kernels[0].steps;
  for (const KernelEntry& step : steps) {
    if (step.symbol.find("_lambda") != std::string::npos) artifact.manifest.kernels[0] = step;
  }
  return artifact;
}

}  // namespace

TEST_CASE("backward of lattices of few channels is followed and proved") {
  for (const auto& [pattern, weights, head_dim] :
       {std::tuple{"log_cached", WeightKind::kSoftmax, 8},
        std::tuple{"sqrt_cached", WeightKind::kSoftmax, 20},
        std::tuple{"fibonacci_cached", WeightKind::kGiven, 2},
        std::tuple{"sqrt_cached", WeightKind::kGiven, 16}}) {
    const Artifact artifact = back_of(pattern, weights, head_dim);
    const KernelEntry& entry = artifact.manifest.kernels[0];
    CHECK_FALSE(not_followed(artifact.manifest, entry).has_value());
    for (const KernelEntry& step : entry.steps) {
      const StaticReport report =
          check_statically(artifact.files.at(step.file), artifact.files, artifact.manifest, step);
      INFO(step.symbol << ", " << head_dim << "\n" << told(report));
      CHECK(report.verdict == StaticVerdict::kVerified);
    }
  }
}

TEST_CASE("no lambda of few channels that mistakes a lane's is verified") {
  none_is_verified(lambda_of("sqrt_cached", WeightKind::kGiven, 16),
                   {{"own[r * 17 + d] = r < size", "own[r * 8 + d] = r < size"},
                    {"if (d < 16)", "if (d < 15)"},
                    {"own[r * 17 + d] = r < size", "own[r * 17 + d] = r <= size"},
                    {"r < 32; r += 8", "r < 31; r += 8"},
                    {"d = thread; d < 16", "d = thread; d < 17"},
                    {"warp * 8 + lane / 4", "warp * 4 + lane / 4"},
                    {"bool inside = d < 16", "bool inside = d < 17"},
                    {"inside && slice == 0", "inside && slice <= 1"}},
                   proofs_only());
}

}  // namespace heddle::test
