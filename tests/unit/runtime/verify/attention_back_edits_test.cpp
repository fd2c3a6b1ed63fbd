// SPDX-License-Identifier: Apache-2.0
// Backward of attention on tensor cores: texts that read other rows, weigh them otherwise or do not
// wait for them are not verified, whether the kernel or the prelude is wrong.
#include "tests/unit/runtime/verify/attention_back.hpp"

namespace heddle::test {
namespace {

using attention_back::generated;
using attention_back::of_all;
using attention_back::rows_of_window;
using attention_back::window;

TEST_CASE("gradients of queries from other tokens, or in another order of events, are rejected") {
  reject(of_all(ElementType::kBF16, 64, 64), "attention_backward_rows.cu",
         {// A window is left out, or others come by.
          {"window = 0", "window = 64"},
          {"window < end", "window < end - 64"},
          {"next < end", "next < end - 64"},
          {"top - next + row", "top - next + minimum(row, 62)"},
          // A row reads a token too many or too few.
          {"first + warp * 16 - top + window", "first + warp * 16 - top + window + 1"},
          {"first + warp * 16 - top + window", "first + warp * 16 - top + window - 1"},
          {"last < 63", "last < 48"},
          {"warp * 16 < size", "warp * 16 + 1 < size"},
          // Weights and slopes that are others.
          {"scale * scores[e]", "scores[e]"},
          {"changes[e] - means[e / 2 % 2]", "changes[e]"},
          {"means[e / 2 % 2]", "means[e % 2]"},
          {"scores[e] * (changes", "(changes"},
          {"sum_rows<2>(means);", ""},
          {"sum_rows<2>(totals);", ""},
          {"1.0f / total", "total"},
          {"scale * inverse[e]", "inverse[e]"},
          {"highest, totals, sums);", "highest, totals, changes);"},
          // Operands that are transposed, or those of another product.
          {"multiply_sums_by_columns<8>", "multiply_sums_by_rows<8>"},
          {"stage * 9216 + 13824, 72", "stage * 9216 + 9216, 72"},
          {"own_at + 18432", "own_at + 4608"},
          {"part * 16 * 72 + 9216", "part * 16 * 72 + 13824"},
          {"own_at = warp * 1152", "own_at = minimum(warp, 2) * 1152"},
          {"(1 - stage) * 9216", "stage * 9216"},
          // What is left for the columns.
          {"scratch_mean[statistic_at] = all_means", "scratch_mean[statistic_at] = all_inverse"},
          {"all_inverse[to + e * 32] = inverse", "all_inverse[to + e * 32] = totals"},
          {"thread / 8 * 32", "thread / 16 * 32"},
          {"(first + thread)) * heads", "(first + size - 1 - thread)) * heads"},
          // Chunks and their sizes.
          {"(chunks - 1 - chunk) * 64", "(chunks - 1 - chunk) * 63", false},
          {"minimum(64, tokens - first)", "64", false},
          {"piece < size * 8", "piece < size * 8 - 8"},
          // Copies that nobody has waited for, and rows that change while others read them.
          {"await_batches<0>();", "await_batches<1>();", false},
          {"await_batches<1>();", "await_batches<2>();", false},
          {"await_batches<1>();\n      __syncthreads();", "await_batches<1>();", false},
          {"sum_rows<2>(means);\n    __syncthreads();", "sum_rows<2>(means);", false},
          {"      }\n      __syncthreads();\n    }", "      }\n    }", false},
          {"sums);\n    __syncthreads();", "sums);", false}});
}

TEST_CASE("gradients of keys and inputs from other rows, or weighed otherwise, are rejected") {
  reject(
      of_all(ElementType::kBF16, 64, 64), "attention_backward_columns.cu",
      {// A window of rows is left out, or those of one are others.
       {"window < tokens", "window < tokens - 1"},
       {"window < tokens", "window < first + 64"},
       {"next < tokens", "next < tokens - 64"},
       {"own < 64", "own < 48"},
       {"token = next + row", "token = first + row"},
       // A row too many or too few reads a token.
       {"warp * 16 - past - column", "warp * 16 - past - column + 1"},
       {"warp * 16 - past - column", "warp * 16 - past - column - 1"},
       {"own + 15 > 0", "own > 0"},
       {"warp * 16 < size", "warp * 16 + 1 < size"},
       // Weights and slopes that are others.
       {"scale * scores[e]", "scores[e]"},
       {"highest + statistics, inverse + statistics", "means + statistics, inverse + statistics"},
       {"highest + statistics, inverse + statistics", "highest + statistics, means + statistics"},
       {"means + statistics", "inverse + statistics"},
       {"statistics = stage * 64 + column", "statistics = column"},
       {"scratch_mean + statistic_at", "scratch_inverse + statistic_at"},
       {"token) * heads + head", "first) * heads + head"},
       {"scale * own_dk[e]", "own_dk[e]"},
       // Operands that are transposed, or those of another product.
       {"multiply_sums_by_columns<8>(own_dx", "multiply_sums_by_rows<8>(own_dx"},
       {"multiply_sums_by_columns<8>(own_dk", "multiply_sums_by_rows<8>(own_dk"},
       {"own_dx, scores", "own_dx, changes"},
       {"own_dk, changes", "own_dk, scores"},
       {"own_at + 4608, 72, staged", "own_at, 72, staged"},
       {"column * 72 + 13824", "column * 72 + 9216"},
       {"own_at = warp * 1152", "own_at = minimum(warp, 2) * 1152"},
       {"(1 - stage) * 9216", "stage * 9216"},
       {"row * 72 + d + 4608", "row * 72 + d"},
       // Chunks and their sizes.
       {"chunk * 64", "chunk * 63", false},
       {"piece < size * 8", "piece < size * 8 - 8"},
       // Copies that nobody has waited for, and rows that change while others read them.
       {"await_batches<1>();", "await_batches<2>();", false},
       {"await_batches<1>();\n      __syncthreads();", "await_batches<1>();", false},
       {"      }\n      __syncthreads();\n    }", "      }\n    }", false},
       {"own_dx);\n    __syncthreads();", "own_dx);", false}});
}

TEST_CASE("gradients over another window are rejected") {
  constexpr std::int64_t kWidth = 70;
  const Artifact artifact = generated(window(kWidth), ElementType::kBF16, 64, 64);
  const Rows rows = rows_of_window(kWidth);
  reject(artifact, "window_backward_rows.cu",
         {{"first - 69, 0)", "first - 64, 0)"},
          {"last < 133", "last < 128"},
          {"last + 15 > 69", "last > 69"},
          {"last - 69", "last - 68"},
          {"last - 69", "last - 70"}},
         rows);
  reject(artifact, "window_backward_columns.cu",
         {{"first + size + 69", "first + size + 63"},
          {"own + 84 >= 0", "own + 69 >= 0"},
          {"own + 69 < 63", "own + 69 < 48"},
          {"scores, own + 69", "scores, own + 68"},
          {"scores, own + 69", "scores, own + 70"}},
         rows);
}

TEST_CASE("a prelude that mixes up rows and their numbers is rejected") {
  reject(of_all(ElementType::kBF16, 64, 64), "softmax_prelude.cuh",
         {// What was summed before does not shrink where the highest score rises.
          {"e % 2] *= shrink", "e % 2] *= 1.0f"},
          {"score = weight_of(score, above.element[e % 2])", "score = weight_of(score, 0.0f)"},
          {"above.element[e % 2]", "above.element[0]"},
          {"* factor.element[e % 2]", "* factor.element[e / 2]"},
          {"mean.element[e % 2]", "mean.element[0]"},
          {"highest + fragment_column() + tile * 8", "highest + fragment_column()"},
          {"means + fragment_column() + tile * 8", "means + fragment_column()"},
          {"weights[e] * (changes[e]", "(changes[e]"},
          {"right + row * right_stride", "right + fragment_row() * right_stride"},
          {"totals[row] = sum_of_row(totals[row])", "totals[row] = totals[row]"},
          {"column < row + first", "column <= row + first"}});
}

}  // namespace
}  // namespace heddle::test
