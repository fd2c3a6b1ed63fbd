// SPDX-License-Identifier: Apache-2.0
// Dense attention on tensor cores: one launch with a block for each chunk of rows. What the
// generator writes is verified; texts that lose, repeat or mix up what belongs to a row, its window
// or the state are not, whether the kernel or the prelude is wrong.
#include "tests/unit/runtime/verify/tensor_edits.hpp"

namespace heddle::test {
namespace {

Artifact generated(ElementType dtype, int head_dim, std::int64_t chunk,
                   std::vector<std::string> ops = {"prefill"}) {
  Artifact artifact = on_tensor_cores("attention", dtype, head_dim, chunk, std::move(ops));
  REQUIRE(artifact.manifest.kernels[0].chunk_tokens == chunk);
  return artifact;
}

TEST_CASE("attention on tensor cores is verified, with the decode that goes on from it") {
  for (const auto& [dtype, head_dim, chunk] :
       {std::tuple{ElementType::kBF16, 64, 128}, std::tuple{ElementType::kF16, 128, 64},
        std::tuple{ElementType::kF16, 64, 256}}) {
    check_verified(generated(dtype, head_dim, chunk, {"prefill", "decode"}));
  }
}

TEST_CASE("attention over other positions, or in another order of events, is rejected") {
  reject(generated(ElementType::kBF16, 64, 64), "attention_prefill.cu",
         {// A window of keys is left out, or the last one of all.
          {"window = 0", "window = 64"},
          {"window < end", "window < before"},
          {"window < end", "window < end - 1"},
          // A row reads a position too many or too few, or a window too few.
          {"before + warp * 16 - window", "before + warp * 16 - window + 1"},
          {"before + warp * 16 - window", "before + warp * 16 - window - 1"},
          {"last < 63", "last < 48"},
          {"last < 63", "last < 62"},
          {"last < 63", "window < 64"},
          {"last + 16 > 0", "last + 15 > 0"},
          {"warp * 16 < size", "warp * 16 + 1 < size"},
          {"scale * scores[e]", "scores[e]"},
          // Another row's queries, and windows that are not where they are looked for.
          {"own_at = warp * 1152", "own_at = minimum(warp, 2) * 1152"},
          {"(1 - stage) * 4608", "stage * 4608"},
          {"stage * 4608 + 13824", "stage * 4608 + 4608"},
          {"part * 1152", "minimum(part, 2) * 1152"},
          // Positions of the state for those of the launch, and the other way round.
          {"p <= start;", "p < start;"},
          {"p <= start;", "p <= start + 1;"},
          {"(p - 1) * token_stride", "p * token_stride"},
          {"initial_a_val : x", "initial_a_val : k"},
          // Copies that nobody has waited for, and rows that change while others read them.
          {"await_batches<1>();", "await_batches<2>();", false},
          {"await_batches<1>();\n      __syncthreads();", "await_batches<1>();", false},
          {"      }\n      __syncthreads();\n    }", "      }\n    }", false},
          {"outputs);\n    __syncthreads();", "outputs);", false},
          // Chunks, their sizes and what they leave behind.
          {"(chunks - 1 - chunk) * 64", "(chunks - 1 - chunk) * 63"},
          {"minimum(64, tokens - first)", "64", false},
          {"piece < size * 8", "piece < size * 8 - 8"},
          {"slot < slots_a", "slot < slots_a - 1"},
          {"turn += chunks", "turn += chunks + 1"}});
}

TEST_CASE("a softmax of rows that is none is rejected") {
  reject(
      generated(ElementType::kBF16, 64, 64), "softmax_prelude.cuh",
      {// Lanes that share a row go by scores of their own, or sums are their own.
       {"risen = maximum_of_row(risen);", ""},
       {"sum_of_row(totals[half])", "totals[half]"},
       {"__shfl_xor_sync(0xffffffffu, x, 2);\n}\n\n", "__shfl_xor_sync(0xffffffffu, x, 1);\n}\n\n"},
       // What was summed before does not shrink, or the total does not.
       {"weight_of(highest[half], risen)", "1.0f"},
       {"totals[half] *= shrink", "totals[half] *= 1.0f"},
       {"e % 2] *= shrink", "e % 2] *= 1.0f"},
       {"highest[half] = risen;", ""},
       {"totals[e / 2 % 2] += scores[e];", "totals[e / 2 % 2] = scores[e];"},
       {"column > row + last", "column >= row + last"},
       {"e / 2 % 2 * 8", "0"}});
}

}  // namespace
}  // namespace heddle::test
