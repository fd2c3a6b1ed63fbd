// SPDX-License-Identifier: Apache-2.0
// Groups of lanes share the rows of staged prefill with softmax. What the generator writes is
// verified, also where groups have no row of their own; a text in which a lane has other channels,
// another row or another group's number is not.
#include "tests/unit/runtime/verify/staged_texts.hpp"

namespace heddle {
namespace {

using Kind = test::StagedKind;

const test::StagedTexts kTexts{160, {1, 2, 33, 63, 100}, 2'000'000, 32, std::nullopt};
// For chunks of 128 rows or tokens, three of which a launch has.
const test::StagedTexts kLongTexts{400, {1, 2, 33, 63, 100}, 4'000'000, 32, std::nullopt};

}  // namespace

TEST_CASE("prefill whose rows groups of lanes share is verified") {
  kTexts.verify({Kind{"log_recurrence"}, Kind{"log_recurrence", ElementType::kBF16, 64},
                 Kind{"sqrt_recurrence", ElementType::kF16, 96},
                 Kind{"order_k_recurrence", ElementType::kBF16, 64, "prefill", true},
                 Kind{"local_attention", ElementType::kF32, 96},
                 Kind{"sqrt_cached", ElementType::kF32, 64},
                 Kind{"log_cached", ElementType::kBF16, 64, "prefill", true}});
  kLongTexts.verify({Kind{"strided_attention", ElementType::kBF16, 128},
                     Kind{"log_recurrence", ElementType::kBF16, 64, "backward"}});
}

TEST_CASE("eight lanes share a row of whole vectors, and come together where they can") {
  const auto has = [](const Kind& kind, const char* part) {
    return kTexts.text_of(kind).find(part) != std::string::npos;
  };
  CHECK(has({"log_recurrence", ElementType::kF32, 64}, "warp_sum<8>("));
  CHECK(has({"log_recurrence", ElementType::kBF16, 64}, "warp_sum<8>("));
  CHECK(has({"log_recurrence", ElementType::kBF16, 32}, "warp_sum("));
  CHECK(has({"log_recurrence", ElementType::kF32, 8}, "warp_sum("));
  CHECK(has({"sqrt_cached", ElementType::kF32, 64}, "group_sum<8>("));
}

TEST_CASE("lanes that mistake their row, their channels or their group are rejected") {
  kTexts.reject(
      {"log_recurrence"},
      {{"lane / 8", "lane / 16"},
       {"lane % 8", "lane % 4"},
       {"warp * 4", "warp * 3"},
       {"query, q + query_at", "query, k + query_at"},
       {"key_from + shown", "key_from + first_of_warp"},
       {"query, q + query_at + lane_of_row * 4", "query, q + query_at + (7 - lane_of_row) * 4"},
       {"sum_at + lane_of_row * 4", "sum_at + (7 - lane_of_row) * 4"},
       {"warp_sum<8>(product_2)", "warp_sum<4>(product_2)"},
       {"warp_sum<8>(product_2)", "warp_sum<16>(product_2)"},
       {"last_shown - shown", "last_shown - last_shown"},
       {"start + first + last_shown + 1", "start + first + last_shown"},
       {"lane_of_row == 2 ? 4", "lane_of_row == 2 ? 5"},
       {"near_weights[column * 68 + r] =", "near_weights[(7 - column) * 68 + r] ="},
       {"distances[part] == shown - from", "distances[part] == shown - from + 1"}},
      true);
  kTexts.reject(
      {"fibonacci_recurrence"},
      {{"distances[1] = lane_of_row + 8 == 8 ? 55", "distances[1] = lane_of_row + 8 == 9 ? 55"},
       {"lane_of_row + part * 8", "lane_of_row + part * 4"}},
      true);
  kTexts.reject(
      {"sqrt_cached"},
      {{"warp * 4 + group", "warp * 4"},
       {"group_sum<8>(product)", "group_sum<4>(product)"},
       {"live_row * 32 + lane_of_row * 4", "live_row * 32 + (7 - lane_of_row) * 4", false, true}},
      true);
}

TEST_CASE(
    "twice the rows of a chunk have twice the warps, and rows come in when none is asked for") {
  const Kind kind{"log_recurrence", ElementType::kBF16, 64};
  const Artifact artifact = kTexts.generated(kind);
  const KernelEntry& entry = artifact.manifest.kernels[0];
  CHECK(entry.threads == 512);
  CHECK(entry.shared_rows.front().multiple == 64);
  CHECK(kTexts.generated({"log_recurrence", ElementType::kF32, 8}).manifest.kernels[0].threads ==
        256);
  kTexts.reject(
      {"log_recurrence"},
      {{"first += 64", "first += 32"},
       {"key_rows - 64", "key_rows"},
       {"k + token_base + (first + 64 + row)", "k + token_base + (first + 63 + row)"},
       {"key_base * 32 + row * 32 + d, k + token_base + (", "row * 32 + d, k + token_base + ("},
       {"    await_batches<0>();\n    __syncthreads();", "    __syncthreads();"}},
      false);
  kTexts.reject(
      {"log_attention"},
      {{"    __syncthreads();\n    // the next chunk's rows", "    // the next chunk's rows"},
       {"    await_batches<0>();\n    __syncthreads();", "    __syncthreads();"}},
      false);
}

TEST_CASE("a group without a row leaves nothing, and no lane leaves its group") {
  kTexts.reject({"log_recurrence"},
                {{"minimum(r, size - 1)", "r"},
                 {"if (r < size)", "if (r <= size)"},
                 {"while (f < last_row)", "while (f < last_row - lane_of_row)"},
                 {"warp_sum<8>(product_2)", "(p_2 > 0 ? warp_sum<8>(product_2) : 0.0f)"}},
                false);
  kTexts.reject({"sqrt_cached"},
                {{"float product_2 = 0.0f;", "if (lane_of_row == 7 && i > 9) { continue; }"}},
                false);
}

}  // namespace heddle
