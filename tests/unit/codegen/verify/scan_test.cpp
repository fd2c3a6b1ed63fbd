// SPDX-License-Identifier: Apache-2.0
// The steps of a scan over chunks in the static layer: each is proved for every launch, and texts
// or manifests with which a step would leave its part, or miss some of it, are not.
#include "tests/unit/codegen/verify/static_support.hpp"

namespace heddle {
namespace {

using test::told;

Artifact scan_of(int head_dim, ElementType dtype = ElementType::kF32,
                 const std::string& op = "prefill", bool states = false) {
  GenerateOptions options = test::cuda_given(op);
  options.head_dim = head_dim;
  options.dtype = dtype;
  options.schedule = "scan";
  options.plan_heads = 1;
  options.state_gradients = states;
  Artifact artifact = test::artifact_of(test::builtin("linear_recurrence"), options);
  REQUIRE(artifact.manifest.kernels[0].steps.size() == 3);
  REQUIRE(artifact.manifest.kernels[0].chunk_tokens == 32);
  return artifact;
}

StaticReport report_of(const Artifact& artifact, const KernelEntry& step, const std::string& text,
                       const StaticOptions& options = {}) {
  return check_statically(text, artifact.files, artifact.manifest, step, options);
}

TEST_CASE("every step of a scan is proved for every launch") {
  for (const auto& [head_dim, dtype] :
       {std::pair{5, ElementType::kF32}, std::pair{64, ElementType::kF32},
        std::pair{200, ElementType::kBF16}}) {
    for (const char* const op : {"prefill", "backward", "backward between states"}) {
      const bool states = std::string(op) == "backward between states";
      const Artifact artifact = scan_of(head_dim, dtype, states ? "backward" : op, states);
      for (const KernelEntry& step : artifact.manifest.kernels[0].steps) {
        const StaticReport report = report_of(artifact, step, artifact.files.at(step.file));
        INFO(op << ", " << step.symbol << ", " << head_dim << "\n" << told(report));
        CHECK(report.verdict == StaticVerdict::kVerified);
      }
    }
  }
}

Artifact matrix_scan_of(int head_dim, int state_dim, std::int64_t heads = 1,
                        const std::string& op = "prefill", bool states = false) {
  GenerateOptions options = test::cuda_given(op);
  options.state_gradients = states;
  options.weights = WeightKind::kLinear;
  options.head_dim = head_dim;
  options.state_dim = state_dim;
  options.dtype = ElementType::kBF16;
  options.schedule = "scan";
  options.plan_heads = heads;
  Artifact artifact = test::artifact_of(test::builtin("linear_attention"), options);
  REQUIRE(artifact.manifest.kernels[0].steps.size() == (op == "prefill" ? 3 : 4));
  return artifact;
}

void check_proved(const Artifact& artifact) {
  for (const KernelEntry& step : artifact.manifest.kernels[0].steps) {
    const StaticReport report = report_of(artifact, step, artifact.files.at(step.file),
                                          test::proofs_only(StaticOptions().resource_limit));
    INFO(step.symbol << ", " << artifact.manifest.head_dim << ", " << artifact.manifest.state_dim
                     << "\n"
                     << told(report));
    CHECK(report.verdict == StaticVerdict::kVerified);
  }
}

// Chunks of a scan that are one chunk of products, and several.
TEST_CASE("every step of a scan of matrix states is proved for every launch") {
  for (const auto& [head_dim, state_dim, heads] :
       {std::tuple{64, 64, 1}, std::tuple{48, 16, 1}, std::tuple{32, 128, 100}}) {
    const Artifact artifact = matrix_scan_of(head_dim, state_dim, heads);
    CHECK((artifact.manifest.kernels[0].chunk_tokens > 64) == (heads > 1));
    check_proved(artifact);
  }
}

TEST_CASE("every step of a scan back through matrix states is proved for every launch") {
  for (const int dim : {64, 128}) check_proved(matrix_scan_of(dim, dim, 1, "backward", true));
}

struct StepBreak {
  int step;
  const char* old;
  const char* fresh;
};

// With launches replayed on numbers, and by the proofs alone.
void refuse(const Artifact& artifact, const std::vector<StepBreak>& breaks) {
  // A change leaves most questions as they are.
  std::map<std::string, smt::Answer> answered, answered_alone;
  StaticOptions with_replays, proofs_alone = test::proofs_only();
  with_replays.answered = &answered;
  proofs_alone.answered = &answered_alone;
  with_replays.until_a_failure = proofs_alone.until_a_failure = true;
  for (const StepBreak& each : breaks) {
    const KernelEntry& step = artifact.manifest.kernels[0].steps[each.step];
    std::string text = artifact.files.at(step.file);
    const std::size_t at = text.find(each.old);
    INFO(step.symbol << ": " << each.old << " -> " << each.fresh);
    REQUIRE(at != std::string::npos);
    text.replace(at, std::string(each.old).size(), each.fresh);
    for (const StaticOptions& options : {with_replays, proofs_alone}) {
      const StaticReport report = report_of(artifact, step, text, options);
      REQUIRE_FALSE(report.obligations.empty());
      CHECK(report.obligations[0].verdict == StaticVerdict::kVerified);  // it was read
      CHECK(report.verdict != StaticVerdict::kVerified);
    }
  }
}

TEST_CASE("broken steps of a scan are not verified") {
  refuse(scan_of(40),
         {
             StepBreak{0, "minimum(32, tokens - first)", "32"},
             StepBreak{0, "if (thread == 0)", "if (thread <= 1)"},
             StepBreak{0, "if (thread == 0)", "if (thread == 0 && chunk > 0)"},
             StepBreak{0, "thread < 40", "thread < 39"},
             StepBreak{1, "minimum(4, chunks - first)", "4"},
             StepBreak{1, "warp * 4", "warp * 3"},
             StepBreak{1, "initial_b_val[at + d]", "initial_b_val[at + d + 1]"},
             StepBreak{1, "block * chunks + (first", "(block + 1) * chunks + (first"},
             StepBreak{1, "other * 40 + d", "other * 41 + d"},
             StepBreak{1, "__syncthreads();\n    for", "for"},
             StepBreak{1, "__syncthreads();\n  }\n}", "}\n}"},
             StepBreak{2, "minimum(32, tokens - first)", "tokens - first"},
             StepBreak{2, "minimum(32, tokens - first)", "minimum(31, tokens - first)"},
             StepBreak{2, "chunk * 32", "chunk * 16"},
             StepBreak{2, "chunk * 32", "chunk * 33"},
             StepBreak{2, "chunk == chunks - 1", "chunk == 0"},
             StepBreak{2, "chunk == chunks - 1", "chunk == chunks"},
             StepBreak{2, "chunk == chunks - 1", "chunk >= chunks - 2"},
             StepBreak{2, "chunk == chunks - 1", "chunk == chunks - 2"},
             StepBreak{0, "__syncthreads();", ""},
             StepBreak{0, "r = thread; r < size", "r = thread; r < size - 1"},
             StepBreak{0, "r = thread; r < size", "r = thread + 1; r < size"},
             StepBreak{0, "float decay = decays[r]", "float decay = decays[r + 1]"},
             StepBreak{2, "__syncthreads();", ""},
             StepBreak{2, "__syncthreads();\n  if (chunk", "if (chunk"},
         });
}

TEST_CASE("broken steps of a scan backwards are not verified") {
  refuse(scan_of(40, ElementType::kF32, "backward"),
         {{0, "token + 1 < tokens", "token < tokens"},
          {0, "size - 1 - done", "size - done"},
          {0, "__syncthreads();", ""},
          {1, "chunks - 1 - (first + c)", "chunks - (first + c)"},
          {2, "size - 1 - done", "size - 2 - done"},
          {2, "__syncthreads();\n  // a warp", "// a warp"},
          {2, "Index r = warp", "Index r = warp + 1"},
          {2, "r += 2", "r += 3"},
          {2, "r += 2", "r += 1"},
          {2, "if (token > 0)", "if (token >= 0)"},
          {2, "entries = 1", "entries = 0"},
          {2, "rest = entries + lane", "rest = 1 + lane"},
          {2, "rest += 32", "rest += 33"},
          {2, "if (lane == 0)", "if (lane <= 1)"}});
  refuse(scan_of(40, ElementType::kF32, "backward", true),
         {{1, "slot < slots_b", "slot <= slots_b"},
          {2, "chunk == 0", "chunk == 1"},
          {2, "chunk == 0", "chunk <= 1"},
          {2, "if (start > 0) {\n      if", "if (start >= 0) {\n      if"},
          {2, "slot = 0; slot < slots_b", "slot = 1; slot < slots_b"},
          {2, "candidate + 1", "candidate + 2"},
          {2, "start + token > 0", "start + token >= 0"},
          {2, "before = token == 0", "before = token < 0"}});
}

TEST_CASE("broken steps of a scan of matrix states are not verified") {
  refuse(matrix_scan_of(32, 16),
         {{0, "minimum(64, tokens - first_token)", "64"},
          {0, "block * 512", "block * 511"},
          {0, "block * 512", "whole_block * 512"},
          {0, "if (thread == 0)", "if (thread <= 1)"},
          {0, "if (thread == 0)", "if (thread == 0 && chunk > 0)"},
          {0, "__syncthreads();\n    if (thread < 64)", "if (thread < 64)"},
          {1, "first + e < chunks", "first + e <= chunks"},
          {1, "block / 16", "block / 15"},
          {1, "block % 16", "block % 15"},
          {1, "unit * 512 + s * 32", "unit * 512 + s * 31"},
          {1, "whole_block * 512", "block * 512"},
          {2, "minimum(64, tokens - first_token)", "64"},
          {2, "chunk * 64", "chunk * 63"},
          {2, "block * 512", "block * 513"},
          {2, "__syncthreads();\n    for (Index piece", "for (Index piece"}});
  // Where a block has several chunks of products.
  refuse(matrix_scan_of(32, 16, 100),
         {{0, "__syncthreads();\n    product", "product"},
          {2, "__syncthreads();\n    for (Index piece", "for (Index piece"}});
}

TEST_CASE("broken steps of a scan back through matrix states are not verified") {
  refuse(matrix_scan_of(16, 16, 1, "backward", true),
         {{1, "minimum(64, tokens - first_token)", "64"},
          {1, "block * 256", "block * 255"},
          {2, "chunks - 1 - (first + e)", "chunks - (first + e)"},
          {2, "dinitial_state[state_at", "dinitial_state[16 + state_at"},
          {3, "minimum(64, tokens - first_token)", "64"},
          {3, "row < chunk_tokens", "row <= chunk_tokens"},
          {3, "__syncthreads();\n  if (thread < 64)", "if (thread < 64)"},
          {3, "near < row_tile + 1", "near < row_tile"},
          {3, "if (thread < chunk_tokens) {\n    float sum", "if (thread < 64) {\n    float sum"},
          {3, "row = thread; row < 65", "row = 0; row < 65"}});
}

TEST_CASE("chunks of another length than the text's are not verified") {
  const Artifact artifact = scan_of(8);
  for (const int length : {16, 31, 33, 64}) {
    KernelEntry step = artifact.manifest.kernels[0].steps[2];
    step.chunk_tokens = length;
    for (const StaticOptions& options : {StaticOptions{}, test::proofs_only()}) {
      INFO(length);
      CHECK(report_of(artifact, step, artifact.files.at(step.file), options).verdict !=
            StaticVerdict::kVerified);
    }
  }
}

TEST_CASE("scratch that a step leaves has to be all there") {
  const Artifact artifact = scan_of(8);
  KernelEntry step = artifact.manifest.kernels[0].steps[0];
  std::string text = artifact.files.at(step.file);
  const std::string store = "scratch_carry[block * 8 + thread] = sum;";
  const std::size_t at = text.find(store);
  REQUIRE(at != std::string::npos);
  text.erase(at, store.size());
  CHECK(report_of(artifact, step, text).verdict != StaticVerdict::kVerified);
}

}  // namespace
}  // namespace heddle
