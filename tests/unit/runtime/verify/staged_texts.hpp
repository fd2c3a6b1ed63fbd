// SPDX-License-Identifier: Apache-2.0
// Staged texts of several kinds of kernel, which must be verified, and edits of them, each of which
// must be rejected.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/reject_edits.hpp"

namespace heddle::test {

struct StagedKind {
  const char* pattern;
  ElementType dtype = ElementType::kF32;
  int head_dim = 0;  // 0: the test's own
  const char* op = "prefill";
  bool varlen = false;
  std::optional<WeightKind> weights;  // instead of the test's own
};

// What the kinds of a test share.
struct StagedTexts {
  std::int64_t rows;
  std::vector<std::int64_t> sizes;
  std::int64_t work_budget;
  int head_dim;
  std::optional<WeightKind> weights;

  Artifact generated(const StagedKind& kind) const {
    GenerateOptions options;
    options.ops = {kind.op};
    options.target = ir::Target::kCuda;
    options.head_dim = kind.head_dim > 0 ? kind.head_dim : head_dim;
    options.dtype = kind.dtype;
    options.exact_to = rows;
    options.weights = kind.weights ? kind.weights : weights;
    options.schedule = std::string(kind.op) == "prefill" ? "staged" : "auto";
    options.varlen = kind.varlen;
    Result<Artifact> artifact = generate(builtin(kind.pattern), options);
    INFO((artifact ? "" : artifact.error().message));
    REQUIRE(artifact.ok());
    return *std::move(artifact);
  }

  std::string text_of(const StagedKind& kind) const {
    const Artifact artifact = generated(kind);
    return artifact.files.at(artifact.manifest.kernels[0].file);
  }

  void verify(const std::vector<StagedKind>& kinds) const {
    for (const StagedKind& kind : kinds) {
      const Artifact artifact = generated(kind);
      const VerifyReport report = heddle::verify(artifact.manifest, artifact.files,
                                                 builtin_rows(kind.pattern, rows), quick());
      INFO(kind.pattern << ", " << artifact.manifest.weights << ", " << name_of(kind.dtype) << ", "
                        << artifact.manifest.head_dim << ": " << explain(report));
      CHECK(report.verdict == KernelVerdict::kVerified);
    }
  }

  // In both layers that carry texts out, or of edits that only change what is accessed in one; of
  // several launches the last one.
  void reject(const StagedKind& kind, const std::vector<TextEdit>& edits, bool of_values) const {
    const Artifact artifact = generated(kind);
    const Rows of_pattern = builtin_rows(kind.pattern, rows);
    const KernelEntry& kernel = artifact.manifest.kernels.front();
    const std::string& file = kernel.steps.empty() ? kernel.file : kernel.steps.back().file;
    reject_edits(artifact, file, of_pattern, quick(), Layer::kEmulated, edits);
    if (of_values) reject_edits(artifact, file, of_pattern, quick(), Layer::kAlgebraic, edits);
  }

 private:
  VerifyOptions quick() const {
    VerifyOptions options;
    options.sizes = sizes;
    options.work_budget = work_budget;
    options.algebraic_budget = 3 * work_budget / 10;
    return options;
  }
};

}  // namespace heddle::test
