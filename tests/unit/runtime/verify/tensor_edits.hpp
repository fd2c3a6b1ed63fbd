// SPDX-License-Identifier: Apache-2.0
// Artifacts of prefill on tensor cores, and edits of their texts, kernel or prelude, each of which
// must die in the emulated layer and, where values are wrong, in the algebraic one.
#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "codegen/generate.hpp"
#include "runtime/verify/verify.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/explain_report.hpp"

namespace heddle::test {

inline constexpr std::int64_t kTensorRows = 400;

// Where there are chunks, some lengths and states are run whatever they cost; elsewhere states are
// not come to without a budget.
inline VerifyOptions few_sizes(const Artifact& artifact) {
  const bool chunks = artifact.manifest.kernels[0].chunk_tokens > 0;
  VerifyOptions options;
  options.sizes = {1, 63, 130};
  options.work_budget = chunks ? 1'000'000 : 40'000'000;
  options.algebraic_budget = chunks ? 300'000 : 10'000'000;
  return options;
}

inline Artifact on_tensor_cores(const Pattern& pattern, ElementType dtype, int head_dim,
                                std::int64_t tile_rows, std::vector<std::string> ops = {"prefill"},
                                bool varlen = false, std::int64_t plan_tokens = 0) {
  GenerateOptions options;
  options.ops = std::move(ops);
  options.target = ir::Target::kCuda;
  options.head_dim = head_dim;
  options.dtype = dtype;
  options.exact_to = kTensorRows;
  options.schedule = "tensor";
  options.plan_tokens = plan_tokens > 0 ? plan_tokens : tile_rows;
  options.tile_rows = tile_rows;
  options.varlen = varlen;
  Result<Artifact> artifact = generate(pattern, options);
  INFO((artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  REQUIRE(artifact->manifest.kernels[0].schedule == "tensor");
  return *std::move(artifact);
}

inline Artifact on_tensor_cores(const char* pattern, ElementType dtype, int head_dim,
                                std::int64_t tile_rows,
                                std::vector<std::string> ops = {"prefill"}) {
  return on_tensor_cores(builtin(pattern), dtype, head_dim, tile_rows, std::move(ops));
}

inline void check_verified(const Artifact& artifact, const Rows& rows) {
  const VerifyReport report = verify(artifact.manifest, artifact.files, rows, few_sizes(artifact));
  INFO(artifact.manifest.pattern << ", " << name_of(artifact.manifest.dtype) << ", "
                                 << artifact.manifest.head_dim << ": " << explain(report));
  CHECK(report.verdict == KernelVerdict::kVerified);
}

// Of as many rows as lengths in chunks take, three whole ones after a few positions.
inline void check_verified(const Artifact& artifact) {
  const std::int64_t chunks = 3 * artifact.manifest.kernels[0].chunk_tokens + 8;
  check_verified(artifact, builtin_rows(artifact.manifest.pattern, std::max(kTensorRows, chunks)));
}

struct TensorEdit {
  const char* from;
  const char* to;
  bool of_values = true;  // the algebraic layer, which watches no accesses, has to see it, too
};

// Every edit by itself, where it first fits; the emulated layer has to see all of them.
inline void reject(const Artifact& artifact, const std::string& file,
                   const std::vector<TensorEdit>& edits, const Rows& rows) {
  const auto rejected_by = [](const VerifyReport& report, const std::string& layer) {
    return std::any_of(report.failures.begin(), report.failures.end(),
                       [&](const VerifyFailure& failure) { return failure.layer == layer; });
  };
  VerifyOptions options = few_sizes(artifact);
  options.stop_early = true;
  for (const TensorEdit& edit : edits) {
    INFO(file << ": " << edit.from << " -> " << edit.to);
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

inline void reject(const Artifact& artifact, const std::string& file,
                   const std::vector<TensorEdit>& edits) {
  reject(artifact, file, edits, builtin_rows(artifact.manifest.pattern, kTensorRows));
}

}  // namespace heddle::test
