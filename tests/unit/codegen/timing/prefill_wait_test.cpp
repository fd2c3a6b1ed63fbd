// SPDX-License-Identifier: Apache-2.0
// What the cost model takes a block to wait for, next to what the timing model says of the very
// text that is generated.
#include <tuple>

#include "codegen/make_spec.hpp"
#include "codegen/schedule/choose.hpp"
#include "codegen/timing/estimate.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/materialize.hpp"
#include "tests/catch.hpp"
#include "tests/unit/codegen/kernel_harness.hpp"

namespace heddle::test {
namespace {

struct Case {
  const char* pattern;
  WeightKind weights;
  ElementType dtype;
  int head_dim;
  std::int64_t tokens;
  const char* schedule = "staged";
};

GenerateOptions options_of(const Case& one) {
  GenerateOptions options;
  options.ops = {"prefill"};
  options.target = ir::Target::kCuda;
  options.weights = one.weights;
  options.dtype = one.dtype;
  options.head_dim = one.head_dim;
  options.schedule = one.schedule;
  options.plan_tokens = options.exact_to = one.tokens;
  return options;
}

schedule::Choice chosen(const Case& one, std::int64_t heads = 128) {
  const Pattern pattern = builtin(one.pattern);
  const GenerateOptions options = options_of(one);
  const Result<rows::RowPlan> a = rows::plan_row(pattern, Side::kA);
  const Result<rows::RowPlan> b = rows::plan_row(pattern, Side::kB);
  REQUIRE((a.ok() && b.ok()));
  Result<schedule::KernelSpec> spec = make_spec(pattern, *a, *b, options);
  REQUIRE(spec.ok());
  const MaterializeResult table = materialize(pattern, one.tokens + 1);
  schedule::ChooseOptions how;
  how.schedule = one.schedule;
  how.architecture = find_architecture("sm_90");
  how.heads = heads;
  how.limits = {64, 64, 64, one.tokens, how.architecture->shared_limit};
  return schedule::choose_prefill(*spec, std::get<Rows>(table), how);
}

double estimated(const Case& one) {
  const Artifact artifact = artifact_of(builtin(one.pattern), options_of(one));
  const KernelEntry& entry = artifact.manifest.kernels[0];
  CHECK(entry.schedule == one.schedule);
  timing::Occasion occasion;
  occasion.tokens = one.tokens;
  const auto launches = timing::estimate(artifact.files, artifact.manifest, entry, occasion);
  INFO((launches ? "" : launches.error().message));
  REQUIRE(launches.ok());
  double cycles = 0;
  for (const timing::LaunchEstimate& each : *launches) {
    cycles += static_cast<double>(each.cycles.cycles);
  }
  return cycles;
}

}  // namespace

TEST_CASE("what a block waits for is what the timing model says, within a factor of 1.5") {
  constexpr WeightKind kGiven = WeightKind::kGiven, kSoftmax = WeightKind::kSoftmax;
  constexpr ElementType kF32 = ElementType::kF32, kBF16 = ElementType::kBF16;
  for (const Case& one :
       {Case{"linear_recurrence", kGiven, kF32, 64, 320},
        Case{"linear_recurrence", kGiven, kBF16, 128, 1024},
        Case{"linear_recurrence", kSoftmax, kF32, 64, 512},
        Case{"order_k_recurrence", kGiven, kF32, 64, 512},
        Case{"log_recurrence", kGiven, kF32, 64, 1024},
        Case{"log_recurrence", kGiven, kBF16, 64, 256},
        Case{"log_recurrence", kSoftmax, kBF16, 64, 512},
        Case{"log_recurrence", kSoftmax, kF32, 32, 300},
        Case{"log_attention", kGiven, kF32, 64, 512}, Case{"attention", kSoftmax, kF32, 64, 200},
        Case{"linear_recurrence", kGiven, kF32, 64, 1024, "scan"},
        Case{"linear_recurrence", kGiven, kBF16, 128, 700, "scan"}}) {
    INFO(one.pattern << ", " << name_of(one.weights) << ", " << name_of(one.dtype) << ", "
                     << one.head_dim << ", " << one.tokens << ", " << one.schedule);
    const schedule::Choice choice = chosen(one);
    CHECK(choice.schedule == one.schedule);
    REQUIRE(choice.wait);
    const double ratio = static_cast<double>(*choice.wait) / estimated(one);
    CAPTURE(*choice.wait, ratio);
    CHECK(ratio > 1 / 1.5);
    CHECK(ratio < 1.5);
    CHECK(choice.why.find("waits for " + std::to_string(*choice.wait) + " cycles") !=
          std::string::npos);
  }
}

TEST_CASE("where nobody knows how long a block waits, nothing is said of it") {
  for (const Case& one :
       {Case{"sqrt_cached", WeightKind::kSoftmax, ElementType::kF32, 64, 256},
        Case{"sqrt_recurrence", WeightKind::kSoftmax, ElementType::kF32, 64, 4096},
        Case{"log_recurrence", WeightKind::kGiven, ElementType::kF32, 40, 256}}) {
    CHECK_FALSE(chosen(one).wait);
  }
}

TEST_CASE("a scan is taken where one launch waits for longer than bytes take") {
  Case one{"linear_recurrence", WeightKind::kGiven, ElementType::kF32, 64, 4096, "auto"};
  CHECK(chosen(one, 16).schedule == "scan");
  CHECK(chosen(one, 128).schedule == "staged");
}

}  // namespace heddle::test
