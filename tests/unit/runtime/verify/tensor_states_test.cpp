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

TEST_CASE("states of other rows, or weighed by others, are rejected") {
  reject(generated("log_cached", options_of(ElementType::kBF16, 16, 16)), "log_cached_prefill.cu",
         {// The chunk's system.
          {"i == thread ? 1.0f : 0.0f", "1.0f"},
          {"Index c = nearest[i]", "Index c = nearest[i] + 1"},
          {"entry += 1;", ""},
          {"if (p > before) {\n                    near",
           "if (p > before + 1) {\n                    near"},
          {"held[cursor] > p", "held[cursor] >= p"},
          {"thread < count + 64", "thread < count + 63"},
          {"place = 0 - window", "place = 1 - window"},
          // What is read of live states and of the chunk's own.
          {"outputs[e] + products[e]", "products[e]"},
          {"scale_rows<1>(products, weights + l * 65", "scale_rows<1>(products, weights + 65"},
          {"scale_sums<2>(scores, weights + row_tile * 1152 + near * 16, 72);", ""},
          {"near < row_tile + 1", "near < row_tile"},
          // Which states stay, and where.
          {"weight * state[e]", "state[e]"},
          {"staged + s + 1536", "staged + s"},
          {"weights + fresh_row * 72", "weights + fresh_row * 71"},
          {"fresh_rows[rank_2] = p - before - 1", "fresh_rows[rank_2] = p - before - 2"},
          {"moved[place] = rank_2", "moved[place] = rank_2 + 1"},
          {"(1 - half)) * live_states + moved_to", "half) * live_states + moved_to"},
          {"first / 64 % 2", "0"},
          {"(tokens + 63) / 64 % 2", "tokens / 64 % 2"},
          {"live = counts[1];", "live = counts[0];"},
          {"if (found > 0) {", "if (found > 1) {"},
          {"minimum(slots_b, live)", "minimum(slots_b, live - 1)"},
          {"static_cast<int>(p)", "static_cast<int>(p + 1)"},
          // Too early.
          {"counts[1] = rank_2;\n    }\n    __syncthreads();", "counts[1] = rank_2;\n    }", false},
          {"l % 2 * 384 + 4608", "4608", false},
          {"__syncthreads();\n            #pragma unroll", "#pragma unroll", false}});
}

TEST_CASE("windows of live states and groups of new ones are not left out") {
  reject(generated("wide_window", options_of(ElementType::kBF16, 16, 16)), "wide_window_prefill.cu",
         {{"group += 8", "group += 9"},
          {"window += 64", "window += 65"},
          {"group == 0 || live > 64", "group == 0"},
          {"live_states + (window + l)", "live_states + l"}},
         rows_named("wide_window"));
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
