// SPDX-License-Identifier: Apache-2.0
// Matrix states whose rows have gates of their own: generated kernels are verified, and edits of
// their texts are not, in either layer.
#include <map>

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
constexpr std::int64_t kRows = 600;  // of more chunks than a chain goes over at a time

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

// Sizes of every kind: warps without channels, threads that share a column of weights by twos, and
// a state that is wider than a head.
TEST_CASE("gates for each key on tensor cores are verified") {
  for (const auto& [head_dim, state_dim, dtype, schedule] :
       {std::tuple{16, 16, ElementType::kF16, "tensor"},
        {32, 48, ElementType::kBF16, "tensor"},
        {80, 16, ElementType::kBF16, "tensor"},
        {16, 32, ElementType::kBF16, "scan"}}) {
    GenerateOptions options = asked(Target::kCuda, {"prefill"});
    options.head_dim = head_dim;
    options.state_dim = state_dim;
    options.dtype = dtype;
    options.schedule = schedule;
    options.plan_heads = 1;
    CHECK(generated(options).manifest.kernels[0].schedule == schedule);
    check_verified(options);
  }
}

GenerateOptions asked_on_tensor_cores(const char* op, const char* schedule = "tensor") {
  GenerateOptions options = asked(Target::kCuda, {op});
  options.head_dim = options.state_dim = 16;
  options.dtype = ElementType::kBF16;
  options.schedule = schedule;
  options.plan_heads = 1;
  return options;
}

TEST_CASE("gradients with gates for each key on tensor cores are verified") {
  for (const auto& [head_dim, state_dim] : {std::pair{16, 16}, {32, 48}, {80, 16}}) {
    GenerateOptions options = asked_on_tensor_cores("backward");
    options.head_dim = head_dim;
    options.state_dim = state_dim;
    CHECK(generated(options).manifest.kernels[0].schedule == "scan");
    check_verified(options);
  }
}

TEST_CASE("sequences with lengths of their own and states have them on tensor cores as well") {
  for (const char* schedule : {"tensor", "scan"}) {
    GenerateOptions options = asked_on_tensor_cores("prefill", schedule);
    options.varlen = true;
    check_verified(options);
  }
  for (const bool varlen : {false, true}) {
    GenerateOptions options = asked_on_tensor_cores("backward");
    options.varlen = varlen;
    options.state_gradients = true;
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
         {{"dgate + row * 6", "dgate + row * 5"}, {" gate + row * 6", " gate + row"}});
}

TEST_CASE("edits of gates for each key on tensor cores are rejected") {
  const GenerateOptions options = asked_on_tensor_cores("prefill");
  reject(options, {{"key *= i > j ?", "key *= i >= j ?"},
                   {"(from + i) * 16 + s] : 1.0f", "(from + j) * 16 + s] : 1.0f"},
                   {"s = part; s < 16", "s = 0; s < 16"},
                   {"i < j ? 0.0f : sum", "i <= j ? 0.0f : sum"},
                   {"i < j ? 0.0f : sum", "sum"},
                   {"to_float(staged[at]) * entering", "to_float(staged[at])"},
                   {"decay *= gates[row * 16 + s]", "decay *= gates[from * 16 + s]"},
                   {"gates[item + 1024] = decay", "gates[item + 1024] = 1.0f"},
                   {"gates + part * 16 + 1024", "gates + 1024"},
                   {"gates[to + e] = 1.0f", "gates[to + e] = 0.0f"}});
  // What rounding leaves of keys is nothing over the field.
  test::reject_edits(generated(options), test::builtin_rows(kPattern, kRows), quick(),
                     Layer::kEmulated,
                     {{"staged + keys_from + 3072", "staged + keys_from + 1536"},
                      {"to_bf16(key - to_float(", "to_bf16(0.0f * to_float("}});
}

// The first occurrence, of one of the launches.
TEST_CASE("edits of gradients with gates for each key on tensor cores are rejected") {
  struct Edit {
    const char *step, *from, *to;
  };
  const Artifact artifact = generated(asked_on_tensor_cores("backward"));
  const Rows rows = test::builtin_rows(kPattern, kRows);
  for (const Edit& edit :
       std::vector<Edit>{{"rows", "decay *= t > i ?", "decay *= t >= i ?"},
                         {"rows", "rest[t] = gate_here * rest[t]", "rest[t] = rest[t]"},
                         {"rows", "of_gate + decay * behind", "of_gate + behind"},
                         {"rows", "slope + decay * write", "slope + write"},
                         {"rows", "behind = gate_here * behind", "behind = behind"},
                         {"rows", "slopes[t] + entering * gates[", "slopes[t] + gates["},
                         {"rows", "i < j ? 0.0f : sum", "sum"}}) {
    const std::string file = std::string(kPattern) + "_backward_" + edit.step + ".cu";
    std::map<std::string, std::string> files = artifact.files;
    const std::size_t at = files.at(file).find(edit.from);
    INFO(edit.step << ": " << edit.from << " -> " << edit.to);
    REQUIRE(at != std::string::npos);
    files[file].replace(at, std::string(edit.from).size(), edit.to);
    for (const bool emulated : {true, false}) {
      VerifyOptions options = quick();
      options.stop_early = true;
      options.emulated = emulated;
      options.algebraic = !emulated;
      const VerifyReport report = verify(artifact.manifest, files, rows, options);
      INFO((emulated ? "emulated" : "algebraic") << ": " << explain(report));
      CHECK(report.verdict == KernelVerdict::kRejected);
    }
  }
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
