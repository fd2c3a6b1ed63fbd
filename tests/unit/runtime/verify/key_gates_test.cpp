// SPDX-License-Identifier: Apache-2.0
// Matrix states whose rows have gates of their own: generated kernels are verified, and edits of
// their texts are not, in either layer.
#include "codegen/generate.hpp"
#include "patterns/ast_print.hpp"
#include "runtime/verify/verify.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/explain_report.hpp"
#include "tests/unit/runtime/verify/reject_edits.hpp"

namespace heddle {
namespace {

using ir::Target;
using test::explain;

constexpr const char* kPattern = "linear_attention";
constexpr std::int64_t kRows = 270;

VerifyOptions quick() {
  VerifyOptions options;
  options.sizes = {1, 2, 63, 257};
  options.work_budget = 3'000'000;
  options.algebraic_budget = 800'000;
  return options;
}

GenerateOptions asked(Target target, std::vector<std::string> ops) {
  GenerateOptions options;
  options.ops = std::move(ops);
  options.target = target;
  options.head_dim = 8;
  options.state_dim = 6;
  options.exact_to = kRows;
  options.weights = WeightKind::kLinear;
  options.key_gates = true;
  return options;
}

Artifact generated(const GenerateOptions& options) {
  Result<Artifact> artifact = generate(test::builtin(kPattern), options);
  INFO((artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  return *std::move(artifact);
}

void check_verified(const GenerateOptions& options) {
  const Artifact artifact = generated(options);
  const VerifyReport report =
      verify(artifact.manifest, artifact.files, test::builtin_rows(kPattern, kRows), quick());
  INFO(artifact.manifest.target << ", " << name_of(options.dtype) << ", " << options.head_dim
                                << ": " << explain(report));
  CHECK(report.verdict == KernelVerdict::kVerified);
  CHECK(report.profiles.size() == options.ops.size());
}

TEST_CASE("kernels with a gate for each key are verified") {
  for (const Target target : {Target::kCuda, Target::kCpu}) {
    for (const ElementType dtype : {ElementType::kF32, ElementType::kBF16, ElementType::kF16}) {
      GenerateOptions options = asked(target, {"prefill", "decode", "backward"});
      options.dtype = dtype;
      check_verified(options);
    }
  }
}

// States of one row and of more than one run of tokens, and rows of one channel.
TEST_CASE("states of any size have gates for each key") {
  for (const auto& [head_dim, state_dim] : {std::pair{5, 1}, {1, 7}, {4, 40}, {24, 16}, {33, 9}}) {
    for (const Target target : {Target::kCuda, Target::kCpu}) {
      GenerateOptions options = asked(target, {"prefill", "backward"});
      options.head_dim = head_dim;
      options.state_dim = state_dim;
      check_verified(options);
    }
  }
}

TEST_CASE(
    "sequences with lengths of their own, several tokens and states have gates for each key") {
  for (const Target target : {Target::kCuda, Target::kCpu}) {
    GenerateOptions options = asked(target, {"prefill", "decode", "backward"});
    options.varlen = true;
    options.state_gradients = true;
    options.several_tokens = true;
    check_verified(options);
    options.varlen = false;
    options.dtype = ElementType::kBF16;
    check_verified(options);
  }
}

// Each must die in either layer alone.
void reject(const GenerateOptions& options, const std::vector<test::TextEdit>& edits) {
  const Artifact artifact = generated(options);
  const Rows rows = test::builtin_rows(kPattern, kRows);
  for (const Layer layer : {Layer::kEmulated, Layer::kAlgebraic}) {
    test::reject_edits(artifact, rows, quick(), layer, edits);
  }
}

TEST_CASE("edits of kernels with a gate for each key are rejected") {
  for (const char* op : {"prefill", "decode"}) {
    reject(asked(Target::kCuda, {op}), {{"= gate[key_at + s]", "= gate[key_at]"},
                                        {"= gate[key_at + s]", "= k[key_at + s]"},
                                        {"decay * column[s]", "column[s]"}});
  }
  reject(asked(Target::kCuda, {"backward"}),
         {{"= gate[key_at + s]", "= gate[key_at]"},
          {"= gate[key_at + thread]", "= gate[key_at]"},
          {"dgate[key_at + thread] = overlap", "dgate[key_at + thread] = 1.001f * overlap"}});
  reject(asked(Target::kCpu, {"prefill"}), {{"gate + key_at", "gate + row"}});
  reject(asked(Target::kCpu, {"decode"}), {{"= gate[key_at + s]", "= gate[key_at]"}});
  reject(asked(Target::kCpu, {"backward"}),
         {{"dgate + key_at", "dgate + row * 5"}, {" gate + row * 6", " gate + row"}});
}

TEST_CASE("only linear weights of first order have gates for each key") {
  GenerateOptions options = asked(Target::kCpu, {"prefill"});
  CHECK_FALSE(generate(test::builtin("log_recurrence"), options).ok());
  options.weights = WeightKind::kGiven;
  const Result<Artifact> given = generate(test::builtin("linear_recurrence"), options);
  REQUIRE_FALSE(given.ok());
  CHECK(given.error().message.find("gates for each key") != std::string::npos);
}

}  // namespace
}  // namespace heddle
