// SPDX-License-Identifier: Apache-2.0
// Dense feedback on tensor cores: what the generator writes is verified; texts that mix up earlier
// outputs with a row's own input, or lose, repeat or rush a part of the chunk's own system, are
// not.
#include "tests/unit/runtime/verify/tensor_edits.hpp"

namespace heddle::test {
namespace {

Artifact generated(ElementType dtype, int head_dim, std::vector<std::string> ops = {"prefill"}) {
  return on_tensor_cores("dense_recurrence", dtype, head_dim, 128, std::move(ops));
}

TEST_CASE("dense feedback on tensor cores is verified, with the decode that goes on from it") {
  check_verified(generated(ElementType::kBF16, 64, {"prefill", "decode"}));
  check_verified(generated(ElementType::kF16, 128, {"prefill", "decode"}));
}

TEST_CASE("dense feedback from other rows, or before they are there, is rejected") {
  reject(generated(ElementType::kBF16, 64), "dense_recurrence_prefill.cu",
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
          {"near[r * 24 + r] * to_float(staged[at])", "to_float(staged[at])"},
          {"c < r;", "c + 1 < r;"},
          {"Index c = 0", "Index c = 1"},
          {"warp > part", "warp > part + 1"},
          {"scores + part * 8);\n      }\n      __syncthreads();", "scores + part * 8);\n      }",
           false},
          {"        }\n      }\n      __syncthreads();\n      if (warp > part)",
           "        }\n      }\n      if (warp > part)", false},
          // Copies that nobody has waited for, and outputs that are read before they are written.
          {"await_batches<1>();", "await_batches<2>();", false},
          {"await_batches<0>();", "", false},
          {"await_batches<0>();\n    __syncthreads();", "await_batches<0>();", false},
          {"minimum(64, tokens - first)", "64", false}});
}

TEST_CASE("weights of outputs and inputs in other shares are rejected") {
  reject(generated(ElementType::kBF16, 64), "softmax_prelude.cuh",
         {{"? rest : gamma", "? gamma : rest"},
          {"? rest : gamma", "? rest : 1.0f"},
          {"= 1.0f - gamma", "= 1.0f"},
          {"column == row + own", "column >= row + own - 1"},
          {"e / 4 * 8 >= count", "e / 4 * 8 > count"}});
}

}  // namespace
}  // namespace heddle::test
