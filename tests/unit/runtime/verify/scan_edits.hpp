// SPDX-License-Identifier: Apache-2.0
// First order as a scan, and edits of the texts of its launches, each of which both layers that
// carry texts out must reject.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "codegen/generate.hpp"
#include "runtime/verify/plan.hpp"
#include "runtime/verify/verify.hpp"
#include "tests/catch.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/explain_report.hpp"

namespace heddle::test::scan {

inline constexpr const char* kPattern = "linear_recurrence";
inline constexpr std::int64_t kRows = 2200;  // of more chunks than a chain goes over at a time

inline VerifyOptions quick() {
  VerifyOptions options;
  options.sizes = {1, 2, 63, 200};
  options.work_budget = 1'000'000;
  options.algebraic_budget = 300'000;
  return options;
}

inline Artifact generated(WeightKind weights, ElementType dtype, int head_dim,
                          std::vector<std::string> ops = {"prefill"}, bool state_gradients = false,
                          bool varlen = false) {
  GenerateOptions options;
  options.varlen = varlen;
  options.ops = std::move(ops);
  options.target = ir::Target::kCuda;
  options.head_dim = head_dim;
  options.dtype = dtype;
  options.exact_to = kRows;
  options.weights = weights;
  options.schedule = "scan";
  options.state_gradients = state_gradients;
  options.plan_heads = 1;
  Result<Artifact> artifact = generate(test::builtin(kPattern), options);
  INFO((artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  REQUIRE(artifact->manifest.kernels[0].chunk_tokens == 32);
  return *std::move(artifact);
}

// Of matrix states: chunks of 64 tokens, which the chain takes eight at a time.
inline Artifact generated_of_matrices(std::vector<std::string> ops = {"prefill"},
                                      bool state_gradients = false, bool varlen = false) {
  GenerateOptions options;
  options.varlen = varlen;
  options.state_gradients = state_gradients;
  options.ops = std::move(ops);
  options.target = ir::Target::kCuda;
  options.head_dim = 16;
  options.state_dim = 16;
  options.dtype = ElementType::kBF16;
  options.weights = WeightKind::kLinear;
  options.schedule = "scan";
  options.plan_heads = 1;
  Result<Artifact> artifact = generate(test::builtin(kPattern), options);
  INFO((artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  REQUIRE(artifact->manifest.kernels[0].chunk_tokens == 64);
  return *std::move(artifact);
}

inline bool rejected_by(const VerifyReport& report, const std::string& layer) {
  return std::any_of(report.failures.begin(), report.failures.end(),
                     [&](const VerifyFailure& failure) { return failure.layer == layer; });
}

struct Edit {
  const char* step;
  const char* from;
  const char* to;
  bool of_values = true;  // the algebraic layer, which watches no accesses, has to see it, too
};

inline void reject(const Artifact& artifact, const std::vector<Edit>& edits) {
  const Rows rows = test::builtin_rows(kPattern, kRows);
  VerifyOptions options = quick();
  options.stop_early = true;
  for (const Edit& edit : edits) {
    INFO(edit.step << ": " << edit.from << " -> " << edit.to);
    const std::string file =
        std::string(kPattern) + "_" + artifact.manifest.kernels[0].op + "_" + edit.step + ".cu";
    std::map<std::string, std::string> files = artifact.files;
    const std::size_t at = files.at(file).find(edit.from);
    REQUIRE(at != std::string::npos);
    files[file].replace(at, std::string(edit.from).size(), edit.to);
    const VerifyReport report = verify(artifact.manifest, files, rows, options);
    INFO(explain(report));
    CHECK(report.verdict == KernelVerdict::kRejected);
    CHECK(rejected_by(report, "emulated"));
    if (edit.of_values) CHECK(rejected_by(report, "algebraic"));
  }
}

}  // namespace heddle::test::scan
