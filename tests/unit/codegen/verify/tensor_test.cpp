// SPDX-License-Identifier: Apache-2.0
// Prefill on tensor cores: what whole warps load, multiply and store is proved for every launch,
// and no text is believed whose matrices lie elsewhere, come too early or meet each other.
#include "codegen/verify/followed.hpp"
#include "codegen/verify/lift.hpp"
#include "tests/unit/codegen/verify/static_support.hpp"

namespace heddle::test {
namespace {

Artifact on_tensor_cores(const Pattern& pattern, ElementType dtype = ElementType::kBF16,
                         int head_dim = 64, std::int64_t tile_rows = 0, int state_dim = 64) {
  GenerateOptions options = cuda("prefill", head_dim);
  options.dtype = dtype;
  options.schedule = "tensor";
  options.tile_rows = tile_rows;
  options.state_dim = state_dim;
  Artifact artifact = artifact_of(pattern, options);
  REQUIRE(artifact.manifest.kernels[0].schedule == "tensor");
  return artifact;
}
Artifact on_tensor_cores(const char* pattern, ElementType dtype = ElementType::kBF16,
                         int head_dim = 64, std::int64_t tile_rows = 0, int state_dim = 64) {
  return on_tensor_cores(builtin(pattern), dtype, head_dim, tile_rows, state_dim);
}
Pattern window(std::int64_t width) {
  return pattern_of("pattern window {\n A = window(" + std::to_string(width) + ")\n B = none\n}\n");
}

void check_verified(const Artifact& artifact, const StaticOptions& options = {}) {
  const StaticReport report =
      report_of(artifact, artifact.files.at(artifact.manifest.kernels[0].file), options);
  INFO(artifact.manifest.pattern << ", " << name_of(artifact.manifest.dtype) << ", "
                                 << artifact.manifest.head_dim << "\n"
                                 << told(report));
  CHECK(report.verdict == StaticVerdict::kVerified);
  CHECK(report.obligations.size() == 8);
}

}  // namespace

TEST_CASE("matrix states on tensor cores are verified for every launch") {
  const auto verified = [](int head_dim, int state_dim) {
    check_verified(on_tensor_cores("linear_attention", ElementType::kF16, head_dim, 0, state_dim),
                   proofs_only());
  };
  check_verified(on_tensor_cores("linear_attention"));
  verified(128, 64);
  verified(16, 128);
  verified(64, 128);
  verified(32, 16);
  verified(48, 64);  // rows of six vectors are shared by two threads each
  // Larger states rest on the layers that run the text, and are said to.
  for (const auto& [head_dim, state_dim] :
       {std::pair{128, 128}, std::pair{256, 32}, std::pair{16, 256}}) {
    const Artifact large =
        on_tensor_cores("linear_attention", ElementType::kF16, head_dim, 0, state_dim);
    CHECK(not_followed(large.manifest, large.manifest.kernels[0]).has_value());
  }
}

TEST_CASE("attention on tensor cores is verified for every launch") {
  check_verified(on_tensor_cores("attention"));
  // Chunks of fewer rows, and rows of twice as many channels.
  check_verified(on_tensor_cores("attention", ElementType::kF16, 64, 128), proofs_only());
  check_verified(on_tensor_cores("attention", ElementType::kF16, 128, 64), proofs_only());
}

// Windows within a warp's rows, and wider than a chunk; chunks of 128 rows and of 64.
TEST_CASE("attention over a window on tensor cores is verified for every launch") {
  check_verified(on_tensor_cores("local_attention"));
  check_verified(on_tensor_cores(window(5), ElementType::kF16, 64, 64), proofs_only());
  check_verified(on_tensor_cores(window(200), ElementType::kF16, 128), proofs_only());
}

TEST_CASE("a dense recurrence on tensor cores is verified for every launch") {
  check_verified(on_tensor_cores("dense_recurrence"));
  // Chunks of half as many rows, as they have twice as many channels, and of a quarter.
  check_verified(on_tensor_cores("dense_recurrence", ElementType::kF16, 128), proofs_only());
  check_verified(on_tensor_cores("dense_recurrence", ElementType::kF16, 64, 64), proofs_only());
}

TEST_CASE("all inputs and a dense recurrence on tensor cores are verified for every launch") {
  check_verified(on_tensor_cores("chacal"));
  check_verified(on_tensor_cores("chacal", ElementType::kF16, 64, 64), proofs_only());
}

TEST_CASE("diagonals on tensor cores are verified for every launch") {
  check_verified(on_tensor_cores("log_recurrence"));
  check_verified(on_tensor_cores("sqrt_recurrence", ElementType::kF16, 64, 64), proofs_only());
  check_verified(on_tensor_cores("log_recurrence", ElementType::kF16, 128), proofs_only());
}

TEST_CASE("no diagonals are verified whose rows lie elsewhere or come too early") {
  none_is_verified(on_tensor_cores("log_recurrence"),
                   {{"close_batch();", ""},
                    {"await_batches<0>();\n      __syncthreads();", "await_batches<0>();"},
                    {"minimum(next - distance, 64)", "minimum(next - distance, 65)"},
                    {"row * 72 + d + 46080", "row * 72 + d + 46088"},
                    {"store_sums<8>(sums, 72, outputs);\n      }\n      __syncthreads();",
                     "store_sums<8>(sums, 72, outputs);\n      }"}});
}

TEST_CASE("helpers are given nothing but what they are made for") {
  const auto refused = [](const Artifact& artifact, const Break& each, const std::string& why) {
    const KernelEntry& entry = artifact.manifest.kernels[0];
    const Result<verify::Lifted> lifted = verify::lift(broken(artifact, each), entry);
    INFO(each.old << " -> " << each.fresh);
    REQUIRE_FALSE(lifted.ok());
    INFO(lifted.error().message);
    CHECK(lifted.error().message.find(why) != std::string::npos);
  };
  const Artifact linear = on_tensor_cores("linear_attention");
  refused(linear, {"tensor_prelude.cuh", "staging_prelude.cuh"}, "'load_sums' is not declared");
  refused(linear, {"outputs, staged + queries_at", "staged, staged + queries_at"}, "reals");
  refused(linear, {"outputs, staged + queries_at", "decays, staged + queries_at"}, "own");
  refused(linear, {"outputs, staged + queries_at", "outputs, q + queries_at"}, "shared memory");
  refused(linear, {"outputs, staged + queries_at", "outputs, decays + queries_at"}, "bf16 or f16");
  refused(linear, {"<8, 64>(outputs", "<0, 64>(outputs"}, "no such matrices");
  refused(linear, {"<8, 64>(outputs", "<8>(outputs"}, ",");
  refused(linear, {"store_sums<8>(final_state", "store_sums<8>(initial_state"}, "read only");
  refused(linear, {"staged + 18432", "staged + 18436"}, "pairs begin");
  refused(linear, {"clear_elements<8>", "clear_elements<16>"}, "so many elements");
  const Artifact recurrence = on_tensor_cores("dense_recurrence");
  refused(recurrence, {"__align__(16) float sums", "float sums"}, "pairs begin");
  refused(recurrence, {"__align__(16) float sums", "__align__(8) float sums"}, "16");
  refused(recurrence, {"start_copy<8>(staged + to, q", "start_copy<1>(scores + to, q"},
          "different types");
  const Artifact windows = on_tensor_cores("local_attention");
  refused(windows, {"(scores, positions + stage", "(scores, staged + stage"}, "whole numbers");
  refused(windows, {"(scores, positions + stage", "(scores, initial_a_pos + stage"}, "shared");
}

TEST_CASE("another prelude of kernels on tensor cores is not trusted") {
  for (const char* file : {"tensor_prelude.cuh", "softmax_prelude.cuh"}) {
    Artifact artifact = on_tensor_cores("attention");
    artifact.files.at(file) += "\n";
    const StaticReport report =
        report_of(artifact, artifact.files.at(artifact.manifest.kernels[0].file));
    CHECK(report.verdict == StaticVerdict::kUnknown);
  }
}

TEST_CASE("no matrix-state kernel whose matrices lie elsewhere is verified") {
  none_is_verified(
      on_tensor_cores("linear_attention"),
      {// Elsewhere, or in other rows.
       {"s * 72 + d + 13824", "s * 72 + d + 13832"},
       {"s * 72 + d + 13824, 72", "s * 72 + d + 13824, 73"},
       {"s * 72 + d + 13824, 72", "s * 72 + d + 13824, 64"},
       {"row * 72 + d + 4608", "row * 72 + d + 4600"},
       {"staged + 18432", "staged + 18400"},
       {"decays[i + 4672] = entering", "decays[i + 4671] = entering"},
       {"decays + row_tile * 16 + 4672", "decays + row_tile * 16 + 4673"},
       {"decays + row_tile * 1152 + near * 16, 72", "decays + row_tile * 1152 + near * 16, 74"},
       {"state_at + s * 64 + d, 64, state", "state_at + s * 32 + d, 64, state"},
       {"state_at + s * 64 + d, 64, state", "state_at + s * 64 + d, 62, state"},
       // More or fewer of them.
       {"multiply_rows_by_columns<8, 64>", "multiply_rows_by_columns<8, 80>"},
       {"multiply_rows_by_columns<8, 64>", "multiply_rows_by_columns<9, 64>"},
       {"multiply_rows_by_rows<2, 64>", "multiply_rows_by_rows<3, 64>"},
       {"multiply_rows_by_rows<2, 64>", "multiply_rows_by_rows<2, 65>"},
       {"multiply_columns_by_columns<8, 64>", "multiply_columns_by_columns<8, 80>"},
       {"load_sums<8>", "load_sums<9>"},
       {"store_sums<8>(final_state", "store_sums<7>(final_state"},
       {"scale_sums<2>", "scale_sums<3>"},
       {"scale_rows<8>(outputs", "scale_rows<9>(outputs"},
       {"clear_elements<8>(staged + to)", "clear_elements<4>(staged + to)"},
       // Too early, or all at once.
       {"    __syncthreads();\n    if (thread < 64) {\n      float decay",
        "    if (thread < 64) {\n"
        "      float decay"},
       {"    __syncthreads();\n    // what the rows read", "    // what the rows read"},
       {"    __syncthreads();\n    // outputs go out", "    // outputs go out"},
       {"72, outputs);\n    __syncthreads();", "72, outputs);"},
       {"if (thread == 64) {", "if (thread >= 64) {"},
       // Not by all lanes of a warp.
       {"    multiply_rows_by_columns", "    if (thread % 2 == 0) multiply_rows_by_columns"},
       {"near < row_tile + 1", "near < thread + 1"}},
      proofs_only());
}

TEST_CASE("no attention kernel that takes a window for another is verified") {
  none_is_verified(on_tensor_cores("attention", ElementType::kBF16, 64, 128),
                   {{"warp * 1152", "warp * 1160"},
                    {"(1 - stage) * 4608", "stage * 4608"},
                    {"stage * 4608 + 18432", "stage * 4608 + 18440"},
                    {"stage * 4608 + 18432", "stage * 4608 + 23040"},
                    {"multiply_rows_by_rows<8, 64>", "multiply_rows_by_rows<10, 64>"},
                    {"multiply_sums_by_columns<8>", "multiply_sums_by_columns<9>"},
                    {"scores + part * 8", "scores + part * 9"},
                    {"raise_highest<8, 8>", "raise_highest<8, 9>"},
                    {"weigh_scores<8>", "weigh_scores<9>"},
                    {"mask_scores<8>", "mask_scores<9>"},
                    {"divide_rows<8>", "divide_rows<9>"},
                    {"float totals[2]", "float totals[1]"},
                    {"if (next < end)", "if (next + 1 < end)"},
                    {"p = row + 1", "p = row"},
                    {"minimum(128, tokens - first)", "minimum(129, tokens - first)"},
                    {"clear_elements<8>(staged + key_to)", "clear_elements<4>(staged + key_to)"},
                    // What is still coming in.
                    {"await_batches<1>", "await_batches<2>"},
                    {"await_batches<1>();\n      __syncthreads();", "await_batches<1>();"},
                    {"      }\n      __syncthreads();\n    }", "      }\n    }"},
                    {"outputs);\n    __syncthreads();", "outputs);"},
                    // Chunks of rows, and of slots.
                    {"(chunks - 1 - chunk) * 128", "(chunks - 1 - chunk) * 127"},
                    {"(chunks - 1 - chunk) * 128", "(chunks - 2 - chunk) * 128"},
                    {"(chunks - 1 - chunk) * 128", "(chunks - 1 - chunk) * 129"},
                    {"turn * 32", "turn * 31"},
                    {"turn * 32", "turn * 33"},
                    {"turn = chunk", "turn = chunk + 1"},
                    {"turn += chunks", "turn += chunks + 1"},
                    // Not by all lanes of a warp.
                    {"divide_rows<8>", "if (thread % 4 < 2) divide_rows<8>"},
                    {"last + 16 > 0 &&", "last + 16 > thread &&"}},
                   proofs_only());
}

TEST_CASE("no kernel over a window of inputs that takes a place for another is verified") {
  none_is_verified(
      on_tensor_cores(window(70), ElementType::kBF16, 64, 64),
      {// Windows, slots and positions that lie elsewhere, or are not there.
       {"maximum(first - 69, 0)", "(first - 69)"},
       {"first - low + 64", "first - low + 128"},
       {"first - next + row", "first - next + row - 64"},
       {"next - own + row", "next - own + row - 1"},
       {"minimum(slot, slots_a - 1)", "slot"},
       {"slot < slots_a && held > 0", "slot < slots_a"},
       {"slot < slots_a && held > 0", "slot < slots_a && held >= 0"},
       {"slot_base_a + near * token_stride", "slot_base_a + (near + 1) * token_stride"},
       {"start > 0 ?", "start >= 0 ?"},
       {"positions[(1 - stage) * 64", "positions[stage * 64"},
       {"positions[(1 - stage) * 64 + row]", "positions[(1 - stage) * 64 + row + 1]"},
       {"positions + stage * 64", "positions + stage * 64 + 1"},
       {"mask_scores_by_position<8>(scores, positions",
        "mask_scores_by_position<9>(scores, positions"},
       {"if (d == 0)", "if (row == 0)"},
       {"next < end", "next < end - 64"},
       // What is still coming in, or not there yet.
       {"await_batches<1>", "await_batches<2>"},
       {"await_batches<1>();\n      __syncthreads();", "await_batches<1>();"},
       {"      }\n      __syncthreads();\n    }", "      }\n    }"},
       // What the next row reads.
       {"p > start", "p >= start"},
       {"turn * 4 + warp", "turn * 3 + warp"},
       {"turn += chunks", "turn += chunks + 1"}},
      proofs_only());
}

TEST_CASE("no dense recurrence whose warps meet is verified") {
  none_is_verified(
      on_tensor_cores("dense_recurrence", ElementType::kBF16, 64, 64),
      {{"if (diagonal == part * 16)", "if (diagonal >= part * 16)"},
       {"store_sums_across<2>(near, 20", "store_sums_across<2>(near, 22"},
       {"store_sums<8>(sums, 72", "store_sums<8>(sums, 74"},
       {"near + next_column * 20", "near + next_column * 24"},
       {"9216 + part * 1152", "9224 + part * 1152"},
       {"p <= before)", "p <= before + 1)"},
       {"window < before", "window < before + 1"},
       {"    await_batches<0>();\n", ""},
       {"part * 8);\n      }\n      __syncthreads();", "part * 8);\n      }"},
       {"      __syncthreads();\n      if (diagonal > part", "      if (diagonal > part"},
       {"weigh_mixed<8>", "weigh_mixed<9>"},
       {"    __syncthreads();\n  }\n  // final", "  }\n  // final"}},
      proofs_only());
}

TEST_CASE("no dense recurrence whose warps meet in another window of a chunk is verified") {
  none_is_verified(
      on_tensor_cores("dense_recurrence"),
      {{"if (diagonal == part * 16)", "if (diagonal >= part * 16)"},
       {"own < size", "own < size + 64"},
       {"own * 72 + 18432", "own * 72 + 18436"},
       {"own * 72 + 36864 + part * 1152", "own * 72 + 50688 + part * 1152"},
       {"minimum(256, tokens - first)", "minimum(257, tokens - first)"},
       {"first += 256", "first += 255"},
       {"part * 8);\n        }\n        __syncthreads();", "part * 8);\n        }"},
       {"        __syncthreads();\n        if (diagonal > part", "        if (diagonal > part"},
       {"    await_batches<0>();\n", ""},
       {"if (diagonal > part * 16 &&", "if (diagonal > thread &&"},
       {"    __syncthreads();\n  }\n  // final", "  }\n  // final"}},
      proofs_only());
}

TEST_CASE("no kernel whose outputs take the place of inputs too early is verified") {
  none_is_verified(on_tensor_cores("chacal", ElementType::kBF16, 64, 128),
                   {{"    await_batches<0>();\n    __syncthreads();\n    if (before",
                     "    await_batches<0>();\n    if (before"},
                    {"    await_batches<0>();\n    __syncthreads();\n    if (before",
                     "    __syncthreads();\n    if (before"},
                    {"slot_base_a + (p - 1)", "slot_base_a + p"},
                    {"keys_at = own * 72 + 9216", "keys_at = own * 72 + 9220"},
                    {"values_at = own * 72 + 18432", "values_at = own * 72 + 32256"},
                    {"if (diagonal >= 0 && warp", "if (diagonal >= 0 && thread"},
                    {"if (diagonal == part * 16)", "if (diagonal >= part * 16)"}},
                   proofs_only());
}

}  // namespace heddle::test
