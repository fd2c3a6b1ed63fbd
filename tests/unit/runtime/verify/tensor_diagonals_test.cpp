// SPDX-License-Identifier: Apache-2.0
// Rows that reach the same distances back on tensor cores, by diagonals of products: what the
// generator writes is verified; texts that take another diagonal, lose what a row has summed when
// its highest score rises, or find rows in another place or too early, are not.
#include "tests/unit/runtime/verify/tensor_edits.hpp"

namespace heddle::test {
namespace {

Artifact generated(const char* pattern, ElementType dtype, int head_dim, std::int64_t rows,
                   std::vector<std::string> ops = {"prefill"}) {
  Artifact artifact = on_tensor_cores(pattern, dtype, head_dim, rows, std::move(ops));
  REQUIRE(artifact.manifest.kernels[0].threads == 2 * rows);
  return artifact;
}

TEST_CASE("diagonals on tensor cores are verified, with the decode that goes on from them") {
  check_verified(generated("log_recurrence", ElementType::kBF16, 64, 128, {"prefill", "decode"}));
  check_verified(generated("sqrt_recurrence", ElementType::kF16, 64, 64));
  check_verified(generated("log_recurrence", ElementType::kF16, 128, 64));
}

TEST_CASE("another diagonal, or a weight in another place of one, is rejected") {
  reject(generated("log_recurrence", ElementType::kBF16, 64, 64), "log_recurrence_prefill.cu",
         {{"owner = lane / 4 / 2", "owner = lane / 4 % 4"},
          {"owns = sharer == owner", "owns = sharer == 0"},
          {"even = lane / 4 % 2 == 0", "even = lane / 4 % 2 == 1"},
          {"scores[6] + scores_2[6] :", "scores[2] + scores_2[2] :"},
          {"scores[0] + scores_2[0] :", "scores[0] :"},
          {"weights[0] = even ? kept", "weights[2] = even ? kept"},
          {"weights[7] = even ? 0.0f", "weights[5] = even ? 0.0f"},
          {"multiply_rows_by_rows<2, 32>", "multiply_rows_by_rows<2, 16>"},
          {"staged + keys_at + 32", "staged + keys_at"},
          // Shares, and rows before the first one.
          {"distance == 0 ? 1.0f - gamma : gamma", "gamma"},
          {"distance <= before + row_above ? scale * product : kLowestScore", "scale * product"},
          {"distance <= before + row_below ?", "distance < before + row_below ?"},
          {"distance <= before + warp_row + 15", "distance <= before + warp_row + 14"},
          // What was summed before a score rises, and what is left.
          {"total *= shrink;", ""},
          {"highest_2 = risen_2;", ""},
          {"outputs[tile * 4 + 1] = outputs[tile * 4 + 1] * shrink;", ""},
          {"outputs[tile * 4 + 2] = outputs[tile * 4 + 2] * inverse_2;", ""}});
}

// The ring of recent chunks: that of another one, without its first rows behind its end, or without
// what a state holds. And copies that nobody has waited for.
TEST_CASE("rows of recent chunks from another place, or before they are there, are rejected") {
  reject(generated("log_recurrence", ElementType::kF16, 128, 64), "log_recurrence_prefill.cu",
         {{"ring_turn = first / 64 % 3", "ring_turn = (first / 64 + 1) % 3"},
          {"next_turn = (ring_turn + 1) % 3", "next_turn = (ring_turn + 2) % 3"},
          {"own_slot + warp_row - distance", "own_slot + warp_row - 1 - distance"},
          {"behind >= 192 ? behind - 192", "behind >= 192 ? behind - 191"},
          {"distance <= 128;", "distance <= 64;"},
          {"again_to = row * 136", "again_to = (15 - row) * 136"},
          {"next_turn == 0 && part == 0", "next_turn == 1 && part == 0"},
          {"start - 127 + row", "start - 128 + row"},
          {"next_turn * 8704", "ring_turn * 8704"},
          {"await_batches<0>();", "", false},
          {"await_batches<0>();\n      __syncthreads();", "await_batches<0>();", false},
          {"close_batch();", "", false}});
}

TEST_CASE("rows of distances beyond the ring from another place are rejected") {
  reject(generated("sqrt_recurrence", ElementType::kF16, 128, 64), "sqrt_recurrence_prefill.cu",
         {{"next > 128", "next > 145"},
          {"minimum(next - distance, 64)", "minimum(next - distance - 1, 64)"},
          {"found_at + 128 - coming", "found_at + 127 - coming"},
          {"found_at = next_at;", ""},
          {"% 128 + 208", "% 128 + 207"},
          {"before - next + row + 1", "before - next + row"},
          {"twice = to_slot < 16", "twice = to_slot < 4"},
          {"value_to + 17408, values", "value_to + 17408, keys"},
          {"p_2 <= start", "p_2 < start"},
          {"initial_b_val : y", "initial_b_val : x"}});
}

TEST_CASE("a chunk's own system with other weights is rejected") {
  reject(generated("log_recurrence", ElementType::kBF16, 64, 64), "log_recurrence_prefill.cu",
         {{"taken - 1 == column", "taken == column"},
          {"owns && !in_chunk ?", "owns ?"},
          {"in_chunk = distance > 0 && distance <= row_above", "in_chunk = distance <= row_above"},
          {"in_chunk = distance > 0 && distance <= row_above",
           "in_chunk = distance > 0 && distance < row_above"},
          {"near[column * 72 + row_above] = gamma *", "near[column * 72 + row_above] ="},
          {"(near_scores_2[part] - highest_2) * inverse_2", "(near_scores_2[part] - highest_2)"},
          {"near_scores[part] - highest)", "near_scores[part] - highest_2)"},
          // Earlier sixteens, by products.
          {"ring_turn * 64 + part + 560", "ring_turn * 64 + part + 561"},
          {"owns ? near[row_above + 288]", "owns ? near[row_above + 216]"},
          {"owns ? near[row_below + 288]", "near[row_below + 288] > 0.0f ? near[row_below + 288]"},
          {"warp_row == part", "warp_row == part + 16", false},
          // Nearer ones, by substitution.
          {"near + part + 72);", "near + part);"},
          {"weighs[49] * solved[18]", "weighs[49] * solved[16]"},
          {"+ weighs[15] * solved[60]", ""},
          {"solved[e] = solved[e + 32];", ""},
          {"store_elements<2>(staged + solved_at + 72, solved + 34)",
           "store_elements<2>(staged + solved_at + 72, solved + 32)"},
          {"part += 16", "part += 32", false},
          {"store_sums<8>(sums, 72, outputs);\n      }\n      __syncthreads();",
           "store_sums<8>(sums, 72, outputs);\n      }", false}});
}

// Sixteen rows that lie across the ring's end find the outputs of its first ones behind it.
TEST_CASE("outputs that are not behind the ring's end are rejected") {
  reject(generated("sqrt_recurrence", ElementType::kF16, 128, 64), "sqrt_recurrence_prefill.cu",
         {{"ring_turn == 0 && part == 0", "ring_turn == 1 && part == 0"},
          {"staged + again_at + 136, solved + 34", "staged + again_at + 136, solved + 32"}});
}

}  // namespace
}  // namespace heddle::test
