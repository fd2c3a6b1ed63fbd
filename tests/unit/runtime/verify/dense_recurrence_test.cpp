// SPDX-License-Identifier: Apache-2.0
// Dense feedback on tensor cores: what the generator writes is verified; texts that mix up earlier
// outputs with a row's own input, or lose, repeat or rush a part of the chunk's own system, are
// not.
#include "tests/unit/runtime/verify/tensor_edits.hpp"

namespace heddle::test {
namespace {

Artifact generated(ElementType dtype, int head_dim, std::int64_t rows,
                   std::vector<std::string> ops = {"prefill"}) {
  Artifact artifact = on_tensor_cores("dense_recurrence", dtype, head_dim, rows, std::move(ops));
  REQUIRE(artifact.manifest.kernels[0].threads == 2 * rows);
  return artifact;
}

TEST_CASE("dense feedback on tensor cores is verified, with the decode that goes on from it") {
  check_verified(generated(ElementType::kBF16, 64, 64, {"prefill", "decode"}));
  check_verified(generated(ElementType::kF16, 128, 128, {"prefill", "decode"}));
}

// The last chunk has rows in one window, in some, or in all of them.
TEST_CASE("dense feedback in chunks of many rows is verified") {
  const Artifact artifact = generated(ElementType::kBF16, 64, 256);
  VerifyOptions options = few_sizes(artifact);
  options.sizes = {130, 257};
  const VerifyReport report = verify(artifact.manifest, artifact.files,
                                     builtin_rows("dense_recurrence", kTensorRows), options);
  INFO(explain(report));
  CHECK(report.verdict == KernelVerdict::kVerified);
}

TEST_CASE("dense feedback from other rows, or before they are there, is rejected") {
  reject(generated(ElementType::kBF16, 64, 128), "dense_recurrence_prefill.cu",
         {// Windows of earlier outputs: one is left out, or shows what is not there.
          {"window = 0", "window = 64"},
          {"window < before", "window < before - 1"},
          {"next > before", "next > before + 63"},
          {"before - window);", "before - window + 1);"},
          {"before - window);", "before - window - 1);"},
          {"p <= before", "p < before"},
          {"p <= start;", "p < start;"},
          {"initial_b_val : y", "initial_b_val : x"},
          {"(1 - stage) * 4608", "stage * 4608"},
          // Shares of inputs and outputs.
          {"gamma * outputs[e]", "outputs[e]"},
          {"gamma * totals[e]", "totals[e]"},
          {"mask_scores<8>(scores, diagonal)", "mask_scores<8>(scores, diagonal + 1)"},
          {"mask_scores<8>(scores, diagonal)", "mask_scores<8>(scores, diagonal - 1)"},
          {"totals, diagonal, gamma", "totals, diagonal + 1, gamma"},
          {"divide_rows<8>(scores, totals);", ""},
          // The chunk's own system.
          {"near[r * 21] * to_float", "to_float"},
          {"r = c + 1; r < 16", "r = c + 2; r < 16"},
          {"Index c = 0", "Index c = 1"},
          {"diagonal > part * 16", "diagonal > part * 16 + 16"},
          // Windows of the chunk's own rows: those of another, or rows that take none or no end.
          {"own = 0", "own = 64"},
          {"own < size", "own < size - 64"},
          {"warp * 16 - own", "warp * 16"},
          {"diagonal < 64", "diagonal < 128"},
          {"staged + own * 72 + 9216", "staged + 9216"},
          {"keys_at = own * 72 + 9216", "keys_at = own * 72"},
          {"diagonal > 0 && ", "diagonal > 64 && "},
          {"own * 72 + 18432 + part * 1152", "18432 + part * 1152"},
          {"warp / 4 * 64 < size", "warp / 4 * 64 + 64 < size"},
          {"first += 128", "first += 64", false},
          {"scores + part * 8);\n        }\n        __syncthreads();",
           "scores + part * 8);\n        }", false},
          {"          }\n        }\n        __syncthreads();\n        if (diagonal > part",
           "          }\n        }\n        if (diagonal > part", false},
          // Copies that nobody has waited for, and outputs that are read before they are written.
          {"await_batches<1>();", "await_batches<2>();", false},
          {"await_batches<0>();", "", false},
          {"await_batches<0>();\n    __syncthreads();", "await_batches<0>();", false},
          {"minimum(128, tokens - first)", "128", false}});
}

TEST_CASE("weights of outputs and inputs in other shares are rejected") {
  reject(generated(ElementType::kBF16, 64, 128), "softmax_prelude.cuh",
         {{"? rest : gamma", "? gamma : rest"},
          {"? rest : gamma", "? rest : 1.0f"},
          {"= 1.0f - gamma", "= 1.0f"},
          {"column == row + own", "column >= row + own - 1"},
          {"e / 4 * 8 >= count", "e / 4 * 8 > count"}});
}

// All inputs and all earlier outputs.
Artifact with_inputs(ElementType dtype, int head_dim, std::int64_t rows) {
  return on_tensor_cores("chacal", dtype, head_dim, rows);
}

TEST_CASE("all inputs and dense feedback on tensor cores are verified") {
  check_verified(with_inputs(ElementType::kBF16, 64, 128));
  check_verified(with_inputs(ElementType::kF16, 128, 64));
}

TEST_CASE("inputs and outputs in each other's place, or twice, are rejected") {
  reject(with_inputs(ElementType::kBF16, 64, 128), "chacal_prefill.cu",
         {// Shares of inputs and outputs.
          {"share * outputs[e]", "outputs[e]"},
          {"share * totals[e]", "totals[e]"},
          {"1.0f - gamma", "1.0f"},
          {"weigh_mixed<8>(scores, highest, totals, 64, gamma);\n        divide",
           "weigh_mixed<8>(scores, highest, totals, 64, share);\n        divide"},
          // Another side's values, and a row's own input left out, or its output read.
          {"initial_a_val : x", "initial_a_val : k"},
          {"initial_b_val : y", "initial_b_val : x"},
          {"mask_scores<8>(scores, diagonal);", "mask_scores<8>(scores, diagonal - 1);"},
          {"mask_scores<8>(scores, diagonal - 1)", "mask_scores<8>(scores, diagonal)"},
          {"diagonal < 64)", "diagonal < 48)"},
          {"diagonal >= 0 && warp", "diagonal > 0 && warp"},
          {"own = 0", "own = 64"},
          {"values_at = own * 72 + 18432", "values_at = own * 72 + 9216"}});
}

}  // namespace
}  // namespace heddle::test
