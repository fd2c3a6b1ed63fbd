// SPDX-License-Identifier: Apache-2.0
// Lattices on tensor cores: what the generator writes is verified; texts that list other positions
// or take them for read by other rows, find them in another place or too early, or lose a part of
// the chunk's own system, are not.
#include "patterns/materialize.hpp"
#include "tests/unit/runtime/verify/tensor_edits.hpp"

namespace heddle::test {
namespace {

// More terms within few rows than are kept from chunk to chunk: others come by in windows.
constexpr const char* kSteps =
    "pattern steps_of_three {\n  f(k) = 3 * k + 1\n  A = diagonal\n  B = lattice(f)\n}\n";

Artifact generated(const char* pattern, ElementType dtype, int head_dim,
                   std::vector<std::string> ops = {"prefill"}, bool varlen = false) {
  return on_tensor_cores(builtin(pattern), dtype, head_dim, 64, std::move(ops), varlen);
}

TEST_CASE("lattices on tensor cores are verified, with the decode that goes on from them") {
  check_verified(generated("log_cached", ElementType::kBF16, 64, {"prefill", "decode"}));
  check_verified(generated("fibonacci_cached", ElementType::kBF16, 64));
  check_verified(generated("sqrt_cached", ElementType::kF16, 128));
}

TEST_CASE("lattices on tensor cores of sequences of different lengths are verified") {
  check_verified(generated("log_cached", ElementType::kF16, 64, {"prefill"}, true));
}

// Fewer windows of terms than could be kept: those of slots come behind them all the same.
TEST_CASE("lattices on tensor cores that are planned for more tokens are verified") {
  check_verified(on_tensor_cores(builtin("sqrt_cached"), ElementType::kBF16, 64, 64, {"prefill"},
                                 false, 8192));
}

// Several windows of terms, and of slots behind them, which are listed by parts.
TEST_CASE("lattices on tensor cores of many terms are verified") {
  const Artifact artifact = generated("sqrt_cached", ElementType::kBF16, 64);
  VerifyOptions options = few_sizes(artifact);
  options.sizes = {330};
  const VerifyReport report =
      verify(artifact.manifest, artifact.files, builtin_rows("sqrt_cached", kTensorRows), options);
  INFO(explain(report));
  CHECK(report.verdict == KernelVerdict::kVerified);
}

TEST_CASE("other positions, or other rows that read them, are rejected") {
  reject(generated("sqrt_cached", ElementType::kBF16, 64), "sqrt_cached_prefill.cu",
         {{"position = start + 1 + item", "position = start + item"},
          {"position = next_before + 1 + item", "position = next_before + item"},
          {"next_before + 1 - p <= term_f[term_at]", "next_before + 1 - p < term_f[term_at]"},
          {"position = p > start ?", "position = p >= start ?"},
          {"reach = last_f[dividing - 1]", "reach = last_f[dividing - 1] - 1"},
          {"(part == 2 ? 2 : 1)", "1"},
          {"own_last_reader, first_row", "own_last_reader, first_row - 1"},
          {"last_reader + window, first_row", "last_reader + window, first_row + 1"},
          {"mask_scores<8>(own_scores, warp_row)", "mask_scores<8>(own_scores, warp_row + 1)"},
          {"mask_scores<8>(own_scores, warp_row)", "mask_scores<8>(own_scores, warp_row - 1)"}});
}

TEST_CASE("kept columns from another place, or before they are there, are rejected") {
  reject(
      generated("sqrt_cached", ElementType::kBF16, 64), "sqrt_cached_prefill.cu",
      {{"row_of_chunk = position - next_before + 63", "row_of_chunk = position - next_before + 62"},
       {"16 + (next_column - 1)])", "16 + next_column])"},
       {"position < led_to[(1 - next_turn)", "position <= led_to[(1 - next_turn)"},
       {"led_to[(1 - next_turn)", "led_to[next_turn"},
       {"row_of_chunk < 0 ? column_before", "row_of_chunk < 0 ? column_before + 1"},
       {"led_to[next_turn * 16 + column] = leads_to", "led_to[next_turn * 16 + column] = position"},
       {"minimum(source[row], 79)", "minimum(source[row], 78)"},
       {"from < 0", "from < 1"},
       {"from < 16", "from < 40"},
       {"own_before = turn_before", "own_before = turn"},
       {"own_before + (from - 16)", "own_before + (from - 17)"},
       {"kept_before = turn_before", "kept_before = turn"},
       {"staged + row_at + 4608", "staged + row_at"},
       {"staged + column_at + 1152", "staged + column_at"},
       {"kept_columns * 8", "kept_columns * 8 - 8"},
       {"__syncthreads();\n    if (has_rows) {\n      for (Index window",
        "if (has_rows) {\n      for (Index window", false}});
}

TEST_CASE("listed positions from another place, or before they are there, are rejected") {
  const Pattern steps = pattern_of({"steps_of_three", kSteps});
  const Rows rows = std::get<Rows>(materialize(steps, kTensorRows));
  const Artifact artifact = on_tensor_cores(steps, ElementType::kBF16, 64, 64);
  check_verified(artifact, rows);
  reject(artifact, "steps_of_three_prefill.cu",
         {{"p - start - 1 : first", "p - start : first"},
          {"values = here ? y : x", "values = here ? k : x"},
          {"initial_b_val : x", "initial_b_key : x"},
          {"slot = listed + from + row - of_terms", "slot = listed + from + row - of_terms + 1"},
          {"from = is_first ? kept_columns : 0", "from = is_first ? 0 : 0"},
          {"from = is_first ? kept_columns : 0", "from = is_first ? kept_columns : kept_columns"},
          {"(1 - stage) * 2304", "stage * 2304"},
          {"next_turn * 13824", "turn * 13824"},
          {"row_2 < size)", "row_2 < size - 1)", false},
          {"await_batches<0>();\n          __syncthreads();\n          if (next",
           "__syncthreads();\n          if (next", false},
          {"await_batches<0>();\n  __syncthreads();", "await_batches<0>();", false},
          {"close_batch();", "", false}},
         rows);
}

TEST_CASE("a lattice's own system with other weights is rejected") {
  reject(generated("log_cached", ElementType::kF16, 64), "log_cached_prefill.cu",
         {{"gamma * outputs[e]", "outputs[e]"},
          {"gamma * totals[e]", "totals[e]"},
          {"totals, warp_row, gamma", "totals, warp_row + 1, gamma"},
          {"divide_rows<8>(own_scores, totals);", ""},
          {"near[r * 21]", "near[r * 20]"},
          {"weighs + next_column % 2 * 16", "weighs + c % 2 * 16"},
          {"weighs[c % 2 * 16 + r] * output", "weighs[r] * output"},
          {"warp_row == part * 16", "warp_row == part * 16 + 16", false},
          {"warp_row > part * 16", "warp_row > part * 16 + 16"}});
}

}  // namespace
}  // namespace heddle::test
