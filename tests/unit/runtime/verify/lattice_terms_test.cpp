// SPDX-License-Identifier: Apache-2.0
// Lambda of a lattice with more terms than a block lists at a time, and more different a_k among
// them than any built-in pattern has within the lengths that are run: no line is left that no run
// comes to.
#include "patterns/materialize.hpp"
#include "tests/unit/runtime/verify/scan_edits.hpp"

namespace heddle {
namespace {

// a_k doubles every 18 terms: 16 different ones up to the term behind 2^14 + 269, the 270th.
constexpr const char* kSlowSteps =
    "pattern slow_steps {\n  f(k) = k + 2^floor(k / 18)\n  A = diagonal\n  B = lattice(f)\n}\n";
constexpr std::int64_t kTokens = 16'700;

TEST_CASE("backward of a lattice of many terms and many a_k runs all of lambda") {
  const Pattern pattern = test::pattern_of({"slow_steps", kSlowSteps});
  GenerateOptions options;
  options.ops = {"backward"};
  options.target = ir::Target::kCuda;
  options.head_dim = 1;
  options.exact_to = 64;
  options.weights = WeightKind::kGiven;
  options.schedule = "auto";
  const Result<Artifact> artifact = generate(pattern, options);
  REQUIRE(artifact.ok());
  REQUIRE(artifact->manifest.kernels[0].schedule == "gather");
  VerifyOptions once = test::scan::quick();
  once.sizes = {kTokens};
  once.work_budget = 1'000'000'000;
  once.algebraic = false;  // of its own lengths, which are shorter
  const Rows rows = std::get<Rows>(materialize(pattern, kTokens + 1));
  const VerifyReport report = verify(artifact->manifest, artifact->files, rows, once);
  INFO(test::explain(report));
  CHECK(report.verdict == KernelVerdict::kVerified);
  for (const UnreachedText& text : report.unreached) UNSCOPED_INFO(describe(text));
  CHECK(report.unreached.empty());
}

}  // namespace
}  // namespace heddle
