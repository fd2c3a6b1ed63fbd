// SPDX-License-Identifier: Apache-2.0
// Texts for the static layer: what heddle writes, and the same with a few characters changed.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "codegen/verify/check_statically.hpp"
#include "tests/catch.hpp"
#include "tests/unit/codegen/kernel_harness.hpp"

namespace heddle::test {

inline GenerateOptions cuda(const std::string& op, int head_dim = 64) {
  GenerateOptions options;
  options.ops = {op};
  options.target = ir::Target::kCuda;
  options.head_dim = head_dim;
  options.exact_to = 64;
  return options;
}

inline GenerateOptions cuda_given(const std::string& op) {
  GenerateOptions options = cuda(op);
  options.weights = WeightKind::kGiven;
  options.exact_to = 512;
  return options;
}

inline std::string told(const StaticReport& report) {
  std::string text;
  for (const StaticFailure& failure : report.failures) {
    text += failure.obligation + " " + failure.where + ": " + failure.message + "\n";
  }
  return text;
}

inline StaticReport report_of(const Artifact& artifact, const std::string& text,
                              const StaticOptions& options = {}) {
  return check_statically(text, artifact.files, artifact.manifest, artifact.manifest.kernels[0],
                          options);
}

// What the proofs alone make of a text, without replayed launches.
inline StaticOptions proofs_only(std::uint64_t resource_limit = 500'000) {
  StaticOptions options;
  options.replay_work = 0;
  options.resource_limit = resource_limit;
  return options;
}

struct Break {
  std::string old;
  std::string fresh;
};

inline std::string broken(const Artifact& artifact, const Break& each) {
  std::string text = artifact.files.at(artifact.manifest.kernels[0].file);
  const std::size_t at = text.find(each.old);
  INFO(each.old << " -> " << each.fresh);
  REQUIRE(at != std::string::npos);
  return text.replace(at, each.old.size(), each.fresh);
}

// With the same options the text is verified as it stands, and read but not verified after each
// change alone.
inline void none_is_verified(const Artifact& artifact, const std::vector<Break>& breaks,
                             const StaticOptions& options = {}) {
  const std::string& text = artifact.files.at(artifact.manifest.kernels[0].file);
  // A change leaves most questions as they are.
  std::map<std::string, smt::Answer> answered;
  StaticOptions shortly = options;
  shortly.answered = &answered;
  const StaticReport untouched = report_of(artifact, text, shortly);
  INFO("untouched\n" << told(untouched));
  CHECK(untouched.verdict == StaticVerdict::kVerified);
  shortly.until_a_failure = true;
  for (const Break& each : breaks) {
    const StaticReport report = report_of(artifact, broken(artifact, each), shortly);
    INFO(each.old << " -> " << each.fresh);
    REQUIRE_FALSE(report.obligations.empty());
    CHECK(report.obligations[0].verdict == StaticVerdict::kVerified);  // it was read
    CHECK(report.verdict != StaticVerdict::kVerified);
    CHECK_FALSE(report.failures.empty());
  }
}

}  // namespace heddle::test
