// SPDX-License-Identifier: Apache-2.0
// From a pattern to timed kernels: generated, loaded as an embedding program would, and timed next
// to the baselines.
#include <cstdlib>

#include "codegen/generate.hpp"
#include "runtime/bench/launch.hpp"
#include "runtime/bench/varlen_bench.hpp"
#include "runtime/load/launch_check.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"

namespace heddle {
namespace {

void check_timings(WeightKind weights) {
  const std::int64_t n = 200;
  const Rows rows = test::builtin_rows("sqrt_cached", n + 1);
  GenerateOptions generate_options;
  generate_options.ops = {"prefill", "decode", "backward"};
  generate_options.weights = weights;
  generate_options.head_dim = 16;
  generate_options.exact_to = n;
  const Result<Artifact> artifact = generate(test::builtin("sqrt_cached"), generate_options);
  REQUIRE(artifact.ok());
  LoadOptions load;
  load.allow_unverified = true;
  load.threads = 2;
  auto loaded = KernelArtifact::load(artifact->manifest, artifact->files, load);
  REQUIRE(loaded.ok());
  const LaunchFactory factory =
      launches_of(std::make_shared<const KernelArtifact>(*std::move(loaded)));

  BenchOptions options;
  options.tokens = n;
  options.batch = 2;
  options.heads = 2;
  options.gamma = 0.4F;
  options.budget_seconds = 0.05;
  for (const KernelEntry& entry : artifact->manifest.kernels) {
    const auto right = bench(artifact->manifest, entry, rows, options, factory);
    REQUIRE(right.ok());
    INFO(entry.op << ": " << right->front().remark);
    REQUIRE(right->front().timing.has_value());
    CHECK(right->front().max_rel_error.value() < 1e-5);
    CHECK(right->size() == (entry.op == "prefill" ? 4 : entry.op == "backward" ? 3 : 1));
    for (const BenchRow& row : *right) {
      INFO(row.name << ": " << row.remark);
      CHECK(row.timing.has_value());
    }

    const Rows others = test::builtin_rows("sqrt_recurrence", n + 1);
    const auto wrong = bench(artifact->manifest, entry, others, options, factory);
    // The decode's cache cannot even hold what those rows read.
    CHECK(wrong.ok() == (entry.op != "decode"));
    if (wrong.ok()) CHECK_FALSE(wrong->front().timing.has_value());
  }
}

TEST_CASE("generated cpu kernels are timed when they are right and not when they are wrong") {
  check_timings(WeightKind::kSoftmax);
  check_timings(WeightKind::kGiven);
  check_timings(WeightKind::kGated);
}

TEST_CASE("a batch of different lengths is timed next to the padded one where both are right") {
  const std::int64_t n = 150;
  GenerateOptions generate_options;
  generate_options.ops = {"prefill"};
  generate_options.head_dim = 16;
  generate_options.exact_to = n;
  BenchOptions options;
  options.tokens = n;
  options.batch = 3;
  options.heads = 2;
  options.threads = 2;
  options.budget_seconds = 0.05;
  CHECK(bench_lengths(options) == std::vector<std::int64_t>{150, 85, 19});
  for (const char* pattern : {"sqrt_cached", "log_recurrence"}) {
    std::vector<Artifact> artifacts;
    std::vector<LaunchFactory> factories;
    for (const bool varlen : {true, false}) {
      generate_options.varlen = varlen;
      Result<Artifact> artifact = generate(test::builtin(pattern), generate_options);
      REQUIRE(artifact.ok());
      LoadOptions load;
      load.allow_unverified = true;
      auto loaded = KernelArtifact::load(artifact->manifest, artifact->files, load);
      REQUIRE(loaded.ok());
      artifacts.push_back(*std::move(artifact));
      factories.push_back(launches_of(std::make_shared<const KernelArtifact>(*std::move(loaded))));
    }
    const BenchedKernel varlen{artifacts[0].manifest, artifacts[0].manifest.kernels[0],
                               factories[0]};
    const BenchedKernel padded{artifacts[1].manifest, artifacts[1].manifest.kernels[0],
                               factories[1]};
    const auto right = bench_varlen(varlen, padded, test::builtin_rows(pattern, n + 1), options);
    REQUIRE(right.ok());
    for (const BenchRow& row : *right) {
      INFO(row.name << ": " << row.remark);
      CHECK(row.timing.has_value());
      CHECK(row.max_rel_error.value() < 1e-5);
    }
    const Rows others = test::builtin_rows("sqrt_recurrence", n + 1);
    const auto wrong = bench_varlen(varlen, padded, others, options);
    REQUIRE(wrong.ok());
    for (const BenchRow& row : *wrong) CHECK_FALSE(row.timing.has_value());
    CHECK_FALSE(bench_varlen(padded, varlen, others, options).ok());
  }
}

TEST_CASE("a backward kernel is not launched on the rest of a sequence") {
  GenerateOptions options;
  options.ops = {"backward"};
  const Result<Artifact> artifact = generate(test::builtin("log_cached"), options);
  REQUIRE(artifact.ok());
  LaunchValues values;
  values.sizes = {{"batch", 1}, {"tokens", 4}, {"heads", 1}, {"start", 4}};
  const auto launch = check_launch(artifact->manifest, artifact->manifest.kernels[0], values);
  REQUIRE_FALSE(launch.ok());
  CHECK(launch.error().message.find("start must be 0") != std::string::npos);
}

}  // namespace
}  // namespace heddle
