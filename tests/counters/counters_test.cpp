// SPDX-License-Identifier: Apache-2.0
// What staged prefill kernels ask of memory, counted in an emulated run: as little as was promised,
// and what the cost model said.
#include "tests/counters/counters.hpp"

#include <vector>

#include "patterns/ast_print.hpp"
#include "tests/catch.hpp"

namespace heddle::counting {
namespace {

GenerateOptions staged(std::int64_t tokens, WeightKind weights, ElementType dtype) {
  GenerateOptions options;
  options.ops = {"prefill"};
  options.target = ir::Target::kCuda;
  options.schedule = "staged";
  options.weights = weights;
  options.dtype = dtype;
  options.plan_tokens = tokens;
  options.exact_to = tokens;
  return options;
}

Count counted(const char* name, const GenerateOptions& options, std::int64_t tokens, bool flops) {
  const Result<Pattern> pattern = builtin(name);
  REQUIRE(pattern);
  const Result<Count> found = count(*pattern, options, tokens, flops);
  if (!found) FAIL(name << ": " << found.error().message);
  for (const VerifyFailure& finding : found->findings) UNSCOPED_INFO(finding.message);
  CHECK(found->findings.empty());
  CHECK(found->kernel.schedule == "staged");
  return *found;
}

// Lattices as well: what rows to come read stays in shared memory.
TEST_CASE("first order and lattices ask for every row once") {
  constexpr std::int64_t kTokens = 1024;
  for (const char* name : {"linear_recurrence", "log_cached", "sqrt_cached"}) {
    for (const WeightKind weights : {WeightKind::kSoftmax, WeightKind::kGiven}) {
      INFO(name << ", " << name_of(weights));
      const Count found =
          counted(name, staged(kTokens, weights, ElementType::kF32), kTokens, false);
      CHECK(found.of_the_floor() <= 1.001);
      CHECK(found.conflicts_per_request() < 0.05);
    }
  }
}

TEST_CASE("2^k is within twice the floor at 4096 tokens") {
  constexpr std::int64_t kTokens = 4096;
  const Count found =
      counted("log_recurrence", staged(kTokens, WeightKind::kSoftmax, ElementType::kF32), kTokens,
              false);
  CHECK(found.of_the_floor() <= 2.0);
  CHECK(found.conflicts_per_request() < 0.05);
  CHECK(found.of_the_sectors() > 0.99);
}

TEST_CASE("k^2 + 1 is within four times the floor at 4096 tokens") {
  constexpr std::int64_t kTokens = 4096;
  const Count found =
      counted("sqrt_recurrence", staged(kTokens, WeightKind::kGiven, ElementType::kF32), kTokens,
              false);
  CHECK(found.of_the_floor() <= 4.0);
  CHECK(found.conflicts_per_request() < 0.05);
}

// A block of less shared memory than the pattern would like, so that every road is taken.
TEST_CASE("the cost model says what is counted") {
  constexpr std::int64_t kTokens = 512;
  for (const char* name : {"linear_recurrence", "log_recurrence", "log_cached", "sqrt_cached",
                           "sqrt_recurrence", "local_attention", "log_attention", "attention",
                           "dense_recurrence"}) {
    for (const WeightKind weights : {WeightKind::kSoftmax, WeightKind::kGiven}) {
      GenerateOptions options = staged(kTokens, weights, ElementType::kF32);
      options.shared_limit = 60000;
      INFO(name << ", " << name_of(weights));
      const Count found = counted(name, options, kTokens, true);
      CHECK(found.counters.global_bytes_read + found.counters.global_bytes_written ==
            found.kernel.prediction.bytes);
      const double flops = static_cast<double>(found.flops) /
                           static_cast<double>(found.kernel.prediction.flops);
      CHECK(flops > 0.95);
      CHECK(flops < 1.05);
    }
  }
}

TEST_CASE("the simple schedule asks for rows again and again") {
  GenerateOptions options = staged(256, WeightKind::kSoftmax, ElementType::kF32);
  options.schedule = "simple";
  const Result<Pattern> pattern = builtin("log_recurrence");
  REQUIRE(pattern);
  const Result<Count> found = count(*pattern, options, 256, false);
  REQUIRE(found);
  CHECK(found->of_the_floor() > 3);
}

}  // namespace
}  // namespace heddle::counting
