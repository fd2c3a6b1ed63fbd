// SPDX-License-Identifier: Apache-2.0
// Matrix states of nested rows on tensor cores: what the generator writes is verified; texts that
// mix up live states and the chunk's own rows, or leave states where the next chunk does not look
// for them, are not.
#include <tuple>

#include "tests/unit/runtime/verify/tensor_edits.hpp"

namespace heddle::test {
namespace {

// With more live states than a window has, and more of every chunk than are made at a time.
Pattern pattern_named(const std::string& name) {
  if (name != "wide_window") return builtin(name);
  return pattern_of({name, "pattern wide_window {\n  A = diagonal\n  B = window(90)\n}\n"});
}

Rows rows_named(const std::string& name) {
  MaterializeResult rows = materialize(pattern_named(name), kTensorRows);
  REQUIRE(std::holds_alternative<Rows>(rows));
  return std::get<Rows>(std::move(rows));
}

GenerateOptions options_of(ElementType dtype, int head_dim, int state_dim,
                           std::vector<std::string> ops = {"prefill"}) {
  GenerateOptions options;
  options.ops = std::move(ops);
  options.target = ir::Target::kCuda;
  options.weights = WeightKind::kLinear;
  options.dtype = dtype;
  options.head_dim = head_dim;
  options.state_dim = state_dim;
  options.exact_to = kTensorRows;
  options.plan_tokens = 256;
  options.schedule = "tensor";
  return options;
}

Artifact generated(const std::string& name, const GenerateOptions& options) {
  Result<Artifact> artifact = generate(pattern_named(name), options);
  INFO(name << ": " << (artifact ? "" : artifact.error().message));
  REQUIRE(artifact.ok());
  return *std::move(artifact);
}

}  // namespace

TEST_CASE("matrix states of nested rows on tensor cores are verified") {
  struct Case {
    const char* pattern;
    ElementType dtype;
    int head_dim, state_dim;
    std::vector<std::string> ops = {"prefill"};
  };
  for (const Case& one :
       {Case{"order_k_recurrence", ElementType::kBF16, 64, 64, {"prefill", "decode"}},
        Case{"log_cached", ElementType::kF16, 32, 48, {"prefill", "decode"}},
        Case{"fibonacci_cached", ElementType::kBF16, 16, 112},
        Case{"sqrt_cached", ElementType::kF16, 64, 128},  // two slices of the channels
        Case{"wide_window", ElementType::kBF16, 16, 16}}) {
    const Artifact artifact =
        generated(one.pattern, options_of(one.dtype, one.head_dim, one.state_dim, one.ops));
    CHECK(artifact.manifest.kernels.front().schedule == "tensor");
    check_verified(artifact, rows_named(one.pattern));
  }
}

TEST_CASE("what tensor cores cannot do of matrix states has the simple schedule") {
  const auto has = [](const char* pattern, const GenerateOptions& options, const char* why) {
    const Artifact artifact = generated(pattern, options);
    CHECK(artifact.manifest.kernels.front().schedule == "simple");
    const auto& remarks = artifact.remarks;
    INFO(pattern << ": " << why);
    CHECK(std::any_of(remarks.begin(), remarks.end(), [&](const std::string& remark) {
      return remark.find(why) != std::string::npos;
    }));
  };
  has("sqrt_cached", options_of(ElementType::kF32, 16, 16), "bf16 and f16 only");
  has("sqrt_cached", options_of(ElementType::kBF16, 24, 16), "whole sixteens");
  has("log_recurrence", options_of(ElementType::kBF16, 16, 16), "no rule says");
  GenerateOptions small = options_of(ElementType::kBF16, 64, 64);
  small.shared_limit = 48 * 1024;
  has("sqrt_cached", small, "does not fit into shared memory");
}

}  // namespace heddle::test
