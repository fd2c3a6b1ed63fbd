// SPDX-License-Identifier: Apache-2.0
// Backward of first order as a scan over chunks of tokens. What the generator writes is verified;
// texts that go over chunks the wrong way, lose what crosses them, or give gradients of other rows
// are not.
#include "patterns/ast_print.hpp"
#include "tests/unit/runtime/verify/scan_edits.hpp"

namespace heddle {
namespace {

using namespace test::scan;
using test::explain;

TEST_CASE("backward over chunks is verified") {
  struct Kind {
    WeightKind weights;
    ElementType dtype;
    int head_dim;
  };
  for (const Kind& kind : {Kind{WeightKind::kGiven, ElementType::kF32, 40},
                           Kind{WeightKind::kGiven, ElementType::kBF16, 96},
                           Kind{WeightKind::kGated, ElementType::kF32, 5},
                           Kind{WeightKind::kGated, ElementType::kBF16, 33}}) {
    for (const bool states : {false, true}) {
      const Artifact artifact =
          generated(kind.weights, kind.dtype, kind.head_dim, {"backward", "prefill"}, states);
      REQUIRE(artifact.manifest.kernels[0].steps.size() == 3);
      const VerifyReport report =
          verify(artifact.manifest, artifact.files, test::builtin_rows(kPattern, kRows), quick());
      INFO(name_of(kind.weights) << ", " << kind.head_dim << ", states " << states << ": "
                                 << explain(report));
      CHECK(report.verdict == KernelVerdict::kVerified);
    }
  }
}

TEST_CASE("backward goes over chunks where prefill is expected to be faster so") {
  GenerateOptions options;
  options.ops = {"backward"};
  options.target = ir::Target::kCuda;
  options.weights = WeightKind::kGiven;
  options.schedule = "auto";
  for (const auto& [heads, schedule] : {std::pair{1, "scan"}, std::pair{4096, "gather"}}) {
    options.plan_heads = heads;
    const Result<Artifact> artifact = generate(test::builtin(kPattern), options);
    REQUIRE(artifact.ok());
    CHECK(artifact->manifest.kernels[0].schedule == schedule);
  }
}

TEST_CASE("sums of chunks from their ends that are not what they should be are rejected") {
  reject(
      generated(WeightKind::kGiven, ElementType::kF32, 8, {"backward"}),
      {{"sums", "product = decay * product", "product = r > 0 ? decay * product : product"},
       {"sums", "product = decay * product", "product = r + 1 < size ? decay * product : product"},
       {"sums", "product = 1.0f", "product = 0.0f"},
       // From the beginning, or a token too few.
       {"sums", "size - 1 - done", "done"},
       {"sums", "Index done = 0", "Index done = 1"},
       {"sums", "done < size", "done < size - 1"},
       // The coefficient of the row itself, of another head, or none.
       {"sums", "(batch * tokens + (token + 1)) * heads", "(batch * tokens + token) * heads"},
       {"sums", "token + 1 < tokens", "token + 2 < tokens"},
       {"sums", "token + 1 < tokens", "token < tokens", false},
       {"sums", "token + 1 < tokens", "r + 1 < size"},
       {"sums", "__syncthreads();", "", false},
       {"sums", "minimum(32, tokens - first)", "32", false},
       {"sums", "if (thread == 0)", "if (thread == 0 && chunk > 0)", false}});
}

TEST_CASE("a chain that does not go from the last chunk to the first is rejected") {
  reject(generated(WeightKind::kGiven, ElementType::kF32, 8, {"backward"}),
         {{"chain", "chunks - 1 - (first + c)", "(first + c)"},
          {"chain", "chunks - 1 - (first + c)", "chunks - 1 - minimum(first + c + 1, chunks - 1)"},
          {"chain", "product[part] = factor * product[part]", "product[part] = product[part]"},
          {"chain", "* own[part] + end", "* own[part]"},
          {"chain", "scratch_carry[unit * 8 + d] = own[part]", "scratch_carry[unit * 8 + d] = end"},
          {"chain", "round < chunks", "round < minimum(chunks, 64)"}});
}

TEST_CASE("gradients of rows that begin with something else, or of other rows, are rejected") {
  reject(generated(WeightKind::kGiven, ElementType::kF32, 8, {"backward"}),
         {{"rows", "scratch_carry[block * 8 + thread]", "0.0f"},
          {"rows", "scratch_carry[block * 8 + thread]",
           "scratch_carry[minimum(block + 1, chunks - 1) * 8 + thread]", false},
          {"rows", "size - 1 - done", "done"},
          {"rows", "weights[r] * lambda", "lambda"},
          {"rows", "scratch_lambda[at + thread] = lambda",
           "scratch_lambda[at + thread] = dy[at + thread]"},
          {"rows", "y[at - token_stride + d]", "y[at + d]"},
          {"rows", "if (token > 0)", "if (r > 0)"},
          {"rows", "if (token > 0)", "if (token > 1)"},
          {"rows", "entries = 1", "entries = 0", false},
          {"rows", "Index r = warp", "Index r = warp + 1", false},
          {"rows", "rest = 1 + lane", "rest = lane", false}});
  // States that are not what lies on either side.
  const Artifact between = generated(WeightKind::kGiven, ElementType::kF32, 8, {"backward"}, true);
  reject(between,
         {{"sums", ": 1.0f", ": 0.0f"},
          {"chain", "== length", "== length - 1"},
          {"chain", "carry[part] + dfinal_b_val", "dfinal_b_val[handed_at + d] + dfinal_b_val"},
          {"rows", "chunk == 0", "chunk == chunks - 1"},
          {"rows", "slot + 1 == found_before", "slot + 1 >= found_before"},
          {"rows", "decay * lambda", "lambda"},
          {"rows", "found_before = found", "found_before = 1"},
          {"rows", "found_before - 1", "found_before", false},
          {"rows", "start + token > 0", "token > 0"},
          {"rows", "before = token == 0", "before = token <= 1", false}});
  // One warp would find what it has written itself.
  const Artifact wide = generated(WeightKind::kGiven, ElementType::kF32, 40, {"backward"});
  reject(wide, {{"rows", "__syncthreads();\n  // a warp", "// a warp", false}});
  reject(generated(WeightKind::kGated, ElementType::kF32, 5, {"backward"}),
         {{"sums", "scratch_product[block * 5 + thread]", "scratch_product[block * 5]", false},
          {"rows", "lambda * x[at + thread]", "lambda * y[at + thread]"},
          {"rows", "y[at - token_stride + thread]", "y[at + thread]"}});
}

TEST_CASE("backward of matrix states over chunks is verified, also between states") {
  for (const bool states : {false, true}) {
    const Artifact artifact = generated_of_matrices({"backward"}, states);
    REQUIRE(artifact.manifest.kernels[0].steps.size() == 4);
    const VerifyReport report =
        verify(artifact.manifest, artifact.files, test::builtin_rows(kPattern, kRows), quick());
    INFO(explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
  }
}

TEST_CASE("backward of matrix states that mistakes chunks, states or gates is rejected") {
  reject(generated_of_matrices({"backward"}, true),
         {{"sums", "product *= left", "product *= 1.0f"},
          {"slopes", "entering *= decays", "entering = decays"},
          {"slopes", "24, decays + 4672", "24, decays + 4608"},
          {"slopes", "scratch_slope + block", "scratch_slope + whole_block * chunks", false},
          {"chain", "chunks - 1 - (first + e)", "(first + e)"},
          {"chain", "products_2[e] * slope", "slope"},
          {"chain", "slope = dfinal_state[", "slope = 0.0f * dfinal_state["},
          {"chain", "state = initial_state[", "state = 0.0f * initial_state["},
          {"rows", "i > thread", "i > thread + 1"},
          {"rows", "scores[e] * others[e]", "scores[e] + others[e]"},
          {"rows", "near = row_tile; near < 4", "near = row_tile; near < row_tile + 1"},
          {"rows", "near < row_tile + 1", "near < maximum(row_tile, 1)"},
          {"rows", "overlap += ", "overlap = "},
          {"rows", "reads = next", "reads = reads"},
          {"rows", "thread < 65", "thread < 64"},
          {"rows", "row = thread; row < 65", "row = thread; row < 64"},
          {"rows", "scratch_slope + states_at", "scratch_carry + states_at"}});
}

}  // namespace
}  // namespace heddle
