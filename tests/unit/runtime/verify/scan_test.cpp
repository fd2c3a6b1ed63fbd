// SPDX-License-Identifier: Apache-2.0
// First order as a scan over chunks of tokens: an operation of three launches. What the generator
// writes is verified; texts that mistake a chunk for another, lose what crosses chunks or count it
// twice are not, nor are manifests whose steps do not fit together.
#include <algorithm>

#include "patterns/ast_print.hpp"
#include "tests/unit/runtime/verify/scan_edits.hpp"

namespace heddle {
namespace {

using namespace test::scan;
using test::explain;

TEST_CASE("a scan over chunks is verified, with the decode that goes on from it") {
  struct Kind {
    WeightKind weights;
    ElementType dtype;
    int head_dim;
  };
  for (const Kind& kind : {Kind{WeightKind::kGiven, ElementType::kF32, 40},
                           Kind{WeightKind::kGiven, ElementType::kBF16, 8},
                           Kind{WeightKind::kGated, ElementType::kF32, 5},
                           Kind{WeightKind::kGated, ElementType::kBF16, 33}}) {
    const Artifact artifact =
        generated(kind.weights, kind.dtype, kind.head_dim, {"prefill", "decode"});
    const VerifyReport report =
        verify(artifact.manifest, artifact.files, test::builtin_rows(kPattern, kRows), quick());
    INFO(name_of(kind.weights) << ", " << kind.head_dim << ": " << explain(report));
    CHECK(report.verdict == KernelVerdict::kVerified);
    REQUIRE(report.profiles.size() == 2);
    // Counters of each launch, and of all together.
    const KernelProfile& profile = report.profiles[0];
    std::int64_t read = 0;
    std::vector<std::string> launches;
    for (const ProfilePhase& phase : profile.phases) {
      read += phase.global_bytes_read;
      if (launches.empty() || launches.back() != phase.launch) launches.push_back(phase.launch);
    }
    CHECK(read == profile.global_bytes_read);
    const std::string symbol = profile.symbol;
    CHECK(launches ==
          std::vector<std::string>{symbol + "_sums", symbol + "_chain", symbol + "_rows"});
  }
}

TEST_CASE("sums of chunks that are not what they should be are rejected") {
  reject(
      generated(WeightKind::kGiven, ElementType::kF32, 8),
      {// A coefficient is missing from the product, at either end; or all of them.
       {"sums", "product = decay * product", "product = r > 0 ? decay * product : product"},
       {"sums", "product = decay * product", "product = r + 1 < size ? decay * product : product"},
       {"sums", "product = decay * product", "product = product"},
       {"sums", "product = 1.0f", "product = 0.0f"},
       // A token too few, another chunk's, or more than there are.
       {"sums", "Index r = 0", "Index r = 1"},
       {"sums", "Index r = 0; r < size", "Index r = 0; r < size - 1"},
       // Coefficients of a row that nobody has fetched, or of another one.
       {"sums", "Index r = thread; r < size", "Index r = thread; r < size - 1"},
       {"sums", "decays[r];", "decays[maximum(r - 1, 0)];"},
       {"sums", "__syncthreads();", "", false},
       {"sums", "chunk * 32", "maximum(chunk - 1, 0) * 32"},
       {"sums", "chunk * 32", "minimum(chunk + 1, chunks - 1) * 32"},
       {"sums", "minimum(32, tokens - first)", "32", false},
       // The first row of a sequence has no coefficient; later launches begin with one.
       {"sums", "start + token > 0", "token > 0"},
       {"sums", "start + token > 0", "start + token >= 0", false},
       // What nobody has written is read by the next launch.
       {"sums", "if (thread == 0)", "if (thread == 0 && chunk > 0)"},
       {"sums", "if (thread < 8)", "if (thread < 7)"}});
}

TEST_CASE("a chain that hands on something else is rejected") {
  reject(generated(WeightKind::kGiven, ElementType::kF32, 8),
         {// The product of a chunk, of a warp's chunks, or what they end in, is left out.
          {"chain", "product[part] = factor * product[part]", "product[part] = product[part]"},
          {"chain", "own[part] = factor * own[part] +", "own[part] = own[part] +"},
          {"chain", "factors[at] * carry[part]", "carry[part]"},
          {"chain", "* carry[part] + ends[at]", "* carry[part]"},
          {"chain", "* own[part] + end", "* own[part]"},
          {"chain", "scratch_product[unit] * own[part]", "own[part]"},
          // A chunk begins with another one's, or with what itself ends in.
          {"chain", "scratch_carry[unit * 8 + d] = own[part]", "scratch_carry[unit * 8 + d] = end"},
          {"chain", "other == warp", "other == warp - 1"},
          {"chain", "other == warp", "other == maximum(warp - 1, 0)"},
          {"chain", "own[part] = carry[part]", "own[part] = 0.0f"},
          // What comes after the first chunks that are gone over together.
          {"chain", "round < chunks", "round < minimum(chunks, 64)"},
          {"chain", "other < 16", "other < maximum(warp + 1, 15)"},
          {"chain", "scratch_product[unit]", "scratch_product[block * chunks]"},
          {"chain", "block * chunks + (first + c)", "first + c", false},
          // The initial state is left out, or that of another slot is taken.
          {"chain", "start > 0", "start > 4"},
          {"chain", "found = warp_max(by_lane)", "found = 1"},
          {"chain", "__syncthreads();\n    for", "for", false},
          {"chain", "__syncthreads();\n  }\n}", "}\n}", false}});
}

TEST_CASE("rows that begin with something else, and other final states, are rejected") {
  reject(generated(WeightKind::kGiven, ElementType::kF32, 8),
         {{"rows", "scratch_carry[block * 8 + thread]", "0.0f"},
          {"rows", "scratch_carry[block * 8 + thread]",
           "scratch_carry[maximum(block - 1, 0) * 8 + thread]"},
          {"rows", "scratch_carry[block * 8 + thread]",
           "(chunk < 2 ? scratch_carry[block * 8 + thread] : 0.0f)"},
          // The chunk's first token twice.
          {"rows", "scratch_carry[block * 8 + thread];",
           "scratch_carry[block * 8 + thread] + (chunk > 0 ? coef_a[((batch * tokens + first) * "
           "heads + head) * width_a] * x[token_base + first * token_stride + thread] : 0.0f);"},
          {"rows", "minimum(32, tokens - first)", "32", false},
          {"rows", "minimum(32, tokens - first)", "tokens - first", false},
          {"rows", "Index r = 0; r < size", "Index r = 0; r < size - 1"},
          {"rows", "Index r = thread; r < size", "Index r = thread; r < size - 1"},
          {"rows", "= decays[r]", "= decays[maximum(r - 1, 0)]"},
          {"rows", "__syncthreads();", "", false},
          {"rows", "start + token > 0", "token > 0"},
          // The final state of another chunk, of none, of all of them, or before it is there.
          {"rows", "chunk == chunks - 1", "chunk == 0"},
          {"rows", "chunk == chunks - 1", "chunk == chunks"},
          {"rows", "chunk == chunks - 1", "chunk >= 0", false}});
  // One warp would find what it has written itself.
  reject(generated(WeightKind::kGiven, ElementType::kF32, 40),
         {{"rows", "__syncthreads();\n  if (chunk", "if (chunk", false}});
}

TEST_CASE("gated scans keep the products of channels apart") {
  reject(generated(WeightKind::kGated, ElementType::kF32, 5),
         {{"sums", "scratch_product[block * 5 + thread]", "scratch_product[block * 5]", false},
          {"chain", "scratch_product[unit * 5 + d]", "scratch_product[unit * 5]"},
          {"sums", "product = decay * product", "product = r > 0 ? decay * product : product"}});
}

TEST_CASE("a scan of matrix states is verified, with the decode that goes on from it") {
  const Artifact artifact = generated_of_matrices({"prefill", "decode"});
  const VerifyReport report =
      verify(artifact.manifest, artifact.files, test::builtin_rows(kPattern, kRows), quick());
  INFO(explain(report));
  CHECK(report.verdict == KernelVerdict::kVerified);
}

TEST_CASE("a scan of matrix states that mistakes chunks, states or gates is rejected") {
  reject(generated_of_matrices(),
         {{"sums", "product *= left", "product *= 1.0f"},
          {"sums", "product = 1.0f", "product = 0.0f"},
          {"sums", "chunk * 64", "maximum(chunk - 1, 0) * 64"},
          {"sums", "chunk * 64", "chunk * 63"},
          {"sums", "gate_here = gate[", "gate_here = 0.5f + 0.0f * gate["},
          {"sums", "minimum(64, tokens - first_token)", "64", false},
          {"sums", "if (thread == 0)", "if (thread == 0 && chunk > 0)"},
          {"sums", "entering *= decays", "entering = decays"},
          {"sums", "i > thread", "i > thread + 1"},
          {"sums", "__syncthreads();\n    if (thread < 64)", "if (thread < 64)", false},
          {"chain", "products[e] * state", "state"},
          {"chain", "* state + ends[e]", "* state"},
          {"chain", "start > 0", "start > 4"},
          {"chain", "first < chunks", "first < minimum(chunks, 8)"},
          {"chain", "first += 8", "first += 7"},
          {"chain", "first += 8", "first += 9"},
          {"chain", "scratch_product[unit]", "scratch_product[whole_block * chunks]"},
          {"chain", "s * 16 + d] = state", "s * 16 + d] = ends[e]"},
          {"chain", "initial_state[state_at", "initial_state[0", false},
          {"rows", "scratch_carry + block", "scratch_carry + whole_block * chunks"},
          {"rows", "chunk * 64", "minimum(chunk, 1) * 64", false},
          {"rows", "minimum(64, tokens - first_token)", "tokens - first_token", false},
          {"rows", "i > thread", "i > thread + 1"}});
}

TEST_CASE("steps in another order, other chunks and other accesses are rejected") {
  const Artifact artifact = generated(WeightKind::kGiven, ElementType::kF32, 8);
  const Rows rows = test::builtin_rows(kPattern, kRows);
  Manifest manifest = artifact.manifest;
  KernelEntry& scan = manifest.kernels[0];
  const auto of_length = [&](std::int64_t tokens) {
    scan.chunk_tokens = tokens;
    for (KernelEntry& step : scan.steps) step.chunk_tokens = tokens;
  };
  SECTION("chunks shorter than those of the text") { of_length(31); }
  SECTION("longer chunks") { of_length(33); }
  SECTION("half as long") { of_length(16); }
  SECTION("the chain last") { std::swap(scan.steps[1], scan.steps[2]); }
  SECTION("no chain") { scan.steps.erase(scan.steps.begin() + 1); }
  SECTION("the chain twice") { scan.steps.insert(scan.steps.begin() + 1, scan.steps[1]); }
  SECTION("rows alone") { scan.steps.erase(scan.steps.begin(), scan.steps.begin() + 2); }
  SECTION("scratch that holds something before") {
    for (Argument& argument : scan.steps[0].arguments) {
      if (argument.name == "scratch_carry") argument.access = Access::kReadWrite;
    }
  }
  SECTION("one block for all chunks") { scan.steps[2].grid = {"batch", "heads"}; }
  const VerifyReport report = verify(manifest, artifact.files, rows, quick());
  INFO(explain(report));
  CHECK(report.verdict == KernelVerdict::kRejected);
}

TEST_CASE("where no launch has more than two chunks nothing is decided") {
  const Artifact artifact = generated(WeightKind::kGiven, ElementType::kF32, 8);
  VerifyOptions options = quick();
  options.sizes = {1, 2, 40};
  const VerifyReport report =
      verify(artifact.manifest, artifact.files, test::builtin_rows(kPattern, 60), options);
  INFO(explain(report));
  CHECK(report.verdict == KernelVerdict::kUnknown);
  const auto undecided = [&](const std::string& layer) {
    return std::any_of(report.obligations.begin(), report.obligations.end(),
                       [&](const VerifyObligation& obligation) {
                         return obligation.layer == layer &&
                                obligation.verdict == KernelVerdict::kUnknown;
                       });
  };
  CHECK(undecided("emulated"));
  CHECK(undecided("algebraic"));
}

}  // namespace
}  // namespace heddle
