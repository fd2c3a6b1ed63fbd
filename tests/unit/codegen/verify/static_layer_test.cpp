// SPDX-License-Identifier: Apache-2.0
// The static layer as a whole: it verifies what heddle writes, and of texts that are broken by hand
// it verifies none. Where cvc5 is at hand it has to agree with every proof.
#include "analyzer/certificate/solver_program.hpp"
#include "codegen/verify/check_statically.hpp"
#include "tests/catch.hpp"
#include "tests/unit/codegen/kernel_harness.hpp"

namespace heddle::test {
namespace {

GenerateOptions cuda(const std::string& op, int head_dim = 64) {
  GenerateOptions options;
  options.ops = {op};
  options.target = ir::Target::kCuda;
  options.head_dim = head_dim;
  options.exact_to = 64;
  return options;
}

std::string told(const StaticReport& report) {
  std::string text;
  for (const StaticFailure& failure : report.failures) {
    text += failure.obligation + " " + failure.where + ": " + failure.message + "\n";
  }
  return text;
}

StaticReport report_of(const Artifact& artifact, const std::string& text,
                       const StaticOptions& options = {}) {
  return check_statically(text, artifact.files.at("device_prelude.cuh"), artifact.manifest,
                          artifact.manifest.kernels[0], options);
}

struct Break {
  std::string old;
  std::string fresh;
};

// Each change alone leaves a text that is read and not verified.
void none_is_verified(const Artifact& artifact, const std::vector<Break>& breaks) {
  const std::string& text = artifact.files.at(artifact.manifest.kernels[0].file);
  for (const Break& each : breaks) {
    const std::size_t at = text.find(each.old);
    INFO(each.old << " -> " << each.fresh);
    REQUIRE(at != std::string::npos);
    std::string broken = text;
    broken.replace(at, each.old.size(), each.fresh);
    const StaticReport report = report_of(artifact, broken);
    REQUIRE_FALSE(report.obligations.empty());
    CHECK(report.obligations[0].verdict == StaticVerdict::kVerified);  // it was read
    CHECK(report.verdict != StaticVerdict::kVerified);
    CHECK_FALSE(report.failures.empty());
  }
}

}  // namespace

TEST_CASE("kernels of heddle are verified for every launch") {
  for (const auto& [name, op] :
       {std::pair{"linear_attention", "prefill"}, std::pair{"linear_attention", "decode"},
        std::pair{"attention", "decode"}, std::pair{"log_cached", "prefill"},
        std::pair{"sqrt_attention", "decode"}}) {
    const Artifact artifact = artifact_of(builtin(name), cuda(op));
    const KernelEntry& entry = artifact.manifest.kernels[0];
    const StaticReport report = report_of(artifact, artifact.files.at(entry.file));
    INFO(entry.file << "\n" << told(report));
    CHECK(report.verdict == StaticVerdict::kVerified);
    CHECK(report.obligations.size() == 8);
  }
}

TEST_CASE("no broken matrix-state kernel is verified") {
  none_is_verified(artifact_of(builtin("linear_attention"), cuda("prefill")),
                   {{"if (d < 64)", "if (d + 1 <= 63)"},
                    {"if (d < 64)", "if (d < 63)"},
                    {"block / heads", "block % heads"},
                    {"block % heads", "block / heads"},
                    {"float column[64]", "float column[63]"},
                    {"const Index state_at = block * 4096", "const Index state_at = block * 4095"},
                    {"batch * tokens + token", "batch * tokens + token + 1"},
                    {"batch * tokens + token", "batch + token"},
                    {"const Index x_at = row * 64", "const Index x_at = row * 65"},
                    {"gate[row]", "gate[row - 1]"},
                    {"token < tokens", "token < tokens - 1"},
                    {"token < tokens", "token < tokens + 1"},
                    {"y[x_at + d] = sum;", "y[x_at] = sum;"},
                    {"y[x_at + d] = sum;", "final_state[state_at + d] = sum;"},
                    {"start > 0", "start > -1"},
                    {"for (Index s = 0", "for (Index s = 1"}});
}

TEST_CASE("no broken attention kernel is verified") {
  none_is_verified(artifact_of(builtin("attention"), cuda("prefill")),
                   {{"p <= start", "p < start"},
                    {"(p - 1) * token_stride", "(p - 2) * token_stride"},
                    {"(p - start - 1)", "(p - start)"},
                    {"p -= 1", "p -= 0"},
                    {"Index p = i;", "Index p = i + 1;"},
                    {"token += 4", "token += 3"},
                    {"cached ? initial_a_key : k", "cached ? k : initial_a_key"},
                    {"slot < start + tokens", "slot <= start + tokens"},
                    {"Index slot = warp", "Index slot = lane"}});
}

TEST_CASE("a barrier that not all threads reach is rejected") {
  const Artifact artifact = artifact_of(builtin("attention"), cuda("decode"));
  std::string text = artifact.files.at(artifact.manifest.kernels[0].file);
  const std::size_t at = text.find("  __syncthreads();");
  REQUIRE(at != std::string::npos);
  text.replace(at, 18, "  if (lane < 16) {\n    __syncthreads();\n  }");
  const StaticReport report = report_of(artifact, text);
  CHECK(report.verdict == StaticVerdict::kRejected);
  REQUIRE_FALSE(report.failures.empty());
  CHECK(report.failures[0].obligation == "barriers");
}

TEST_CASE("no decode kernel without its barriers is verified") {
  none_is_verified(artifact_of(builtin("attention"), cuda("decode")),
                   {{"  __syncthreads();\n", ""}, {"warp * 64 + d", "warp * 63 + d"}});
}

TEST_CASE("another prelude is not trusted") {
  const Artifact artifact = artifact_of(builtin("linear_attention"), cuda("decode"));
  const KernelEntry& entry = artifact.manifest.kernels[0];
  const StaticReport report =
      check_statically(artifact.files.at(entry.file),
                       artifact.files.at("device_prelude.cuh") + "\n", artifact.manifest, entry);
  CHECK(report.verdict == StaticVerdict::kUnknown);
}

TEST_CASE("cvc5 agrees with every proof") {
  const auto cvc5 = find_solver("cvc5");
  if (!cvc5) {
    WARN("cvc5 is not installed: its opinion is not asked for");
    return;
  }
  StaticOptions options;
  options.keep_scripts = true;
  const Artifact artifact = artifact_of(builtin("linear_attention"), cuda("prefill"));
  const KernelEntry& entry = artifact.manifest.kernels[0];
  const StaticReport report = report_of(artifact, artifact.files.at(entry.file), options);
  REQUIRE(report.scripts.size() > 10);
  for (const ReplayableScript& each : report.scripts) {
    INFO(each.script);
    CHECK(answer_of(*cvc5, each.script, 20) == "unsat");
  }
}

}  // namespace heddle::test
