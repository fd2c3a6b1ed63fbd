// SPDX-License-Identifier: Apache-2.0
// Backward of attention on tensor cores, as the generator writes it, is verified.
#include "tests/unit/runtime/verify/attention_back.hpp"

namespace heddle::test {
namespace {

using attention_back::generated;
using attention_back::of_all;
using attention_back::rows_of_window;
using attention_back::window;

// Inputs of extremes are run, too.
void check_every_obligation(const Artifact& artifact, const Rows& rows) {
  VerifyOptions options = few_sizes(artifact);
  options.work_budget = 20'000'000;
  const VerifyReport report = verify(artifact.manifest, artifact.files, rows, options);
  INFO(name_of(artifact.manifest.dtype)
       << ", " << artifact.manifest.head_dim << ": " << explain(report));
  CHECK(report.verdict == KernelVerdict::kVerified);
}
void check_every_obligation(const Artifact& artifact) {
  check_every_obligation(artifact, builtin_rows("attention", kTensorRows));
}

TEST_CASE("backward of attention on tensor cores is verified") {
  for (const auto& [dtype, head_dim, chunk] :
       {std::tuple{ElementType::kBF16, 64, 64}, std::tuple{ElementType::kF16, 64, 128},
        std::tuple{ElementType::kBF16, 128, 128}, std::tuple{ElementType::kF16, 32, 64}}) {
    check_every_obligation(of_all(dtype, head_dim, chunk));
  }
}

TEST_CASE("backward of attention on tensor cores is verified for sequences of their own lengths") {
  check_every_obligation(of_all(ElementType::kBF16, 64, 64, true));
  const Artifact artifact = generated(window(70), ElementType::kF16, 32, 128, true);
  check_every_obligation(artifact, rows_of_window(70));
}

TEST_CASE("backward of attention over a window on tensor cores is verified") {
  for (const auto& [width, dtype, head_dim, chunk] :
       {std::tuple{2, ElementType::kBF16, 64, 64}, std::tuple{5, ElementType::kF16, 64, 128},
        std::tuple{64, ElementType::kBF16, 128, 64}, std::tuple{97, ElementType::kF16, 32, 64},
        std::tuple{200, ElementType::kBF16, 64, 128},
        std::tuple{1000, ElementType::kBF16, 64, 64}}) {
    INFO("a window of " << width);
    const Artifact artifact = generated(window(width), dtype, head_dim, chunk);
    check_every_obligation(artifact, rows_of_window(width));
  }
}

TEST_CASE("who has no tensor cores for it goes another way") {
  GenerateOptions options;
  options.ops = {"backward"};
  options.target = ir::Target::kCuda;
  options.schedule = "auto";
  const auto steps = [&](const char* pattern) {
    const Result<Artifact> artifact = generate(builtin(pattern), options);
    REQUIRE(artifact.ok());
    const KernelEntry& entry = artifact->manifest.kernels[0];
    return entry.steps.empty() ? entry.schedule : entry.steps.front().schedule;
  };
  CHECK(steps("attention") == "staged");  // in f32, a gather out of windows
  options.dtype = ElementType::kBF16;
  CHECK(steps("attention") == "tensor");
  CHECK(steps("chacal") == "staged");
  options.head_dim = 48;
  CHECK(steps("attention") == "staged");
  options.head_dim = 64;
  options.state_gradients = true;
  CHECK(steps("attention") == "gather");
  options.state_gradients = false;
  options.schedule = "simple";
  CHECK(steps("attention") == "simple");
}

}  // namespace
}  // namespace heddle::test
