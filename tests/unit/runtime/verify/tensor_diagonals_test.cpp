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
          {"scores[6] : scores[7]", "scores[2] : scores[3]"},
          {"weights[0] = even ? kept", "weights[2] = even ? kept"},
          {"weights[7] = even ? 0.0f", "weights[5] = even ? 0.0f"},
          {"multiply_rows_by_rows<2, 64>", "multiply_rows_by_rows<2, 48>"},
          // Shares, and rows before the first one.
          {"distance == 0 ? 1.0f - gamma : gamma", "gamma"},
          {"distance <= before + row_above ? scale * product : kLowestScore", "scale * product"},
          {"distance <= before + row_below ?", "distance < before + row_below ?"},
          {"distance <= before + warp_row + 15", "distance <= before + warp_row + 14"},
          // What was summed before a score rises, and what is left.
          {"total *= shrink;", ""},
          {"outputs[tile * 4 + 1] = outputs[tile * 4 + 1] * shrink;", ""},
          {"outputs[tile * 4 + 2] = outputs[tile * 4 + 2] * inverse_2;", ""}});
}

// The ring of two chunks: that of another one, without its first rows behind its end, or without
// what a state holds. And copies that nobody has waited for.
TEST_CASE("rows of a chunk from another place, or before they are there, are rejected") {
  reject(generated("log_recurrence", ElementType::kBF16, 64, 64), "log_recurrence_prefill.cu",
         {{"ring_turn = first / 64 % 2", "ring_turn = (first / 64 + 1) % 2"},
          {"own_slot - minimum(distance, 64)", "own_slot - 1 - minimum(distance, 64)"},
          {"row < 16 && 0 == 0", "row < 8 && 0 == 0", false},
          {"row < 16 && 1 - ring_turn == 0", "row < 8 && 1 - ring_turn == 0"},
          {"start - 63 + row", "start - 64 + row"},
          {"(1 - ring_turn) * 4608", "ring_turn * 4608"},
          {"await_batches<0>();", "", false},
          {"await_batches<0>();\n      __syncthreads();", "await_batches<0>();", false},
          {"close_batch();", "", false}});
}

TEST_CASE("rows of distances beyond a chunk from another place are rejected") {
  reject(generated("sqrt_recurrence", ElementType::kBF16, 64, 64), "sqrt_recurrence_prefill.cu",
         {{"next > 64", "next > 65"},
          {"minimum(next - distance, 64)", "minimum(next - distance - 1, 64)"},
          {"found_at + 128 - coming", "found_at + 127 - coming"},
          {"found_at = next_at;", ""},
          {"before - next + row + 1", "before - next + row"},
          {"twice = to_slot < 16", "twice = to_slot < 4"},
          {"value_to + 9216, values", "value_to + 9216, keys"},
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
          {"below < 4", "below < 5"},
          {"staged[solved_at + (r - 16) * 72 + d]", "staged[solved_at + (r - 15) * 72 + d]"},
          {"near[72 + r_3] * solved[0]", "near[r_3] * solved[0]"},
          {"sum_4 += near[r_4] * solved[2];", ""},
          {"part += 16", "part += 32", false},
          {"sums[at] = sum;\n      }\n      __syncthreads();", "sums[at] = sum;\n      }", false}});
}

}  // namespace
}  // namespace heddle::test
