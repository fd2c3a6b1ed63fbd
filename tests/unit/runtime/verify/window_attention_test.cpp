// SPDX-License-Identifier: Apache-2.0
// Attention over a window of inputs on tensor cores. What the generator writes is verified, for
// windows narrower than a warp's rows, wider than a chunk and longer than any sequence; texts that
// read a position too many or too few, or take a slot for another, are not.
#include "tests/unit/runtime/verify/tensor_edits.hpp"

namespace heddle::test {
namespace {

Pattern window(std::int64_t width) {
  return pattern_of(Source{"window.heddle", "pattern window {\n A = window(" +
                                                std::to_string(width) + ")\n B = none\n}\n"});
}

Rows rows_of_window(std::int64_t width) {
  return rows_of(
      kTensorRows,
      [&](std::int64_t i) {
        return IntervalList{{std::max<std::int64_t>(i - width + 1, 1), i}};
      },
      [](std::int64_t) { return IntervalList{}; });
}

TEST_CASE("attention over a window on tensor cores is verified, with the decode that goes on") {
  struct Case {
    std::int64_t width;
    ElementType dtype;
    int head_dim;
    std::int64_t chunk;
  };
  for (const Case& one :
       {Case{5, ElementType::kF16, 64, 64}, Case{64, ElementType::kBF16, 64, 128},
        Case{2, ElementType::kBF16, 128, 64}, Case{97, ElementType::kF16, 64, 64},
        Case{200, ElementType::kBF16, 64, 128}, Case{1000, ElementType::kBF16, 64, 64}}) {
    INFO("a window of " << one.width);
    const Artifact artifact = on_tensor_cores(window(one.width), one.dtype, one.head_dim, one.chunk,
                                              {"prefill", "decode"});
    REQUIRE(artifact.manifest.kernels[0].chunk_tokens == one.chunk);
    check_verified(artifact, rows_of_window(one.width));
  }
}

TEST_CASE("a window of other positions, or with a state read amiss, is rejected") {
  constexpr std::int64_t kWidth = 70;
  const Artifact artifact = on_tensor_cores(window(kWidth), ElementType::kBF16, 64, 64);
  const Rows rows = rows_of_window(kWidth);
  reject(artifact, "window_prefill.cu",
         {// Windows of tokens or slots that are left out, or come by where others should.
          {"first - 69, 0)", "first - 64, 0)"},
          {"first - low + 64", "first - low"},
          {"first < 69 &&", "first < 64 &&"},
          {"start > 0 ?", "start > 1 ?"},
          {"window < end", "window < own"},
          {"first - next + row", "first - next + row - 1"},
          {"next - own + row", "next - own + row + 1"},
          {"next < own", "next < own - 64"},
          {"last < 133", "last < 128"},
          {"last + 16 > 0", "last + 16 > 16"},
          {"from < 0", "from < -64"},
          {"warp * 16 < size", "warp * 16 + 1 < size"},
          // A row reads a position too many or too few of a window or of the slots.
          {"last < 63", "last < 48"},
          {"last + 15 > 69", "last + 15 > 80"},
          {"(scores, last)", "(scores, last + 1)"},
          {"(scores, last - 69)", "(scores, last - 68)"},
          {"(scores, last - 69)", "(scores, last - 70)"},
          {"* 64, from)", "* 64, from + 1)"},
          {"* 64, from)", "* 64, from - 1)"},
          {"held - start - 1", "held - start"},
          // Free slots, and slots that are not where they are looked for.
          {"slot < slots_a && held > 0", "held > 0"},
          {"-1099511627776LL", "0"},
          {"slot < slots_a && held > 0", "slot < slots_a", false},
          {"initial_a_pos[pos_base_a + near]", "initial_a_pos[pos_base_a]"},
          {"taken ? initial_a_val : x", "taken ? initial_a_key : x"},
          {"if (d == 0)", "if (row == 0)", false},
          {"positions[(1 - stage) * 64", "positions[stage * 64", false},
          {"positions + stage * 64", "positions + (1 - stage) * 64", false},
          // Copies that nobody has waited for, and rows that change while others read them.
          {"await_batches<1>();", "await_batches<2>();", false},
          {"await_batches<1>();\n      __syncthreads();", "await_batches<1>();", false},
          {"      }\n      __syncthreads();\n    }", "      }\n    }", false},
          // What the next row reads.
          {"minimum(69, last_token)", "minimum(68, last_token)"},
          {"last_token - slot", "last_token - slot - 1"},
          {"p > start", "p >= start"},
          {"slot < kept", "slot < kept - 1"},
          {"turn += chunks", "turn += chunks + 1"}},
         rows);
  reject(artifact, "softmax_prelude.cuh",
         {{"column < row + first", "column <= row + first"},
          {"column < row + first", "column < first"},
          {"positions[column] < row + first", "positions[column] <= row + first"},
          {"positions[column] < row + first", "positions[row] < row + first"}},
         rows);
}

TEST_CASE("sequences of different lengths have chunks of their own on tensor cores") {
  const auto of_lengths = [](const Pattern& pattern) {
    return on_tensor_cores(pattern, ElementType::kBF16, 64, 64, {"prefill"}, /*varlen=*/true);
  };
  const Pattern one = window(70);
  const Artifact dense = of_lengths(builtin("attention"));
  const Artifact windows = of_lengths(one);
  check_verified(dense);
  check_verified(windows, rows_of_window(70));
  const std::vector<TensorEdit> edits = {
      {"maximum(offsets[batch], 0)", "maximum(offsets[0], 0)", false},
      {"offsets[batch + 1]", "offsets[batch + 1] + 1", false},
      {"starts[batch]", "starts[0]"},
      {"first < own_tokens", "first < own_tokens - 1", false},
      {"minimum(64, own_tokens - first)", "minimum(64, tokens - first)", false},
      {"(first_token * heads + head)", "(batch * own_tokens * heads + head)", false}};
  reject(dense, "attention_prefill.cu", edits);
  reject(windows, "window_prefill.cu", edits, rows_of_window(70));
  reject(
      windows, "window_prefill.cu",
      {{"held - own_start - 1", "held - start - 1", false}, {"p > own_start", "p > start", false}},
      rows_of_window(70));
}

}  // namespace
}  // namespace heddle::test
