// SPDX-License-Identifier: Apache-2.0
// The stand-in for mma.sync.m16n8k16 against the tables of the PTX manual, and the products of the
// tensor prelude, which are built on it, against their definitions.
#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "codegen/prelude/prelude.hpp"
#include "runtime/emulator/emulated_kernel.hpp"
#include "tests/catch.hpp"

using namespace heddle;
using namespace heddle::emulator;

namespace {

// Launches one warp with two arrays in and one out.
std::vector<float> launched(const std::string& text, std::vector<float> a, std::vector<float> b,
                            std::size_t outputs) {
  const std::map<std::string, std::string> includes = {
      {"device_prelude.cuh", std::string(device_prelude())},
      {"staging_prelude.cuh", std::string(staging_prelude())},
      {"tensor_prelude.cuh", std::string(tensor_prelude())},
      {"softmax_prelude.cuh", std::string(softmax_prelude())}};
  auto kernel = EmulatedKernel::build({"product.cu", text, "kernel", includes, Dialect::kCuda});
  if (!kernel) FAIL(kernel.error().message);
  std::vector<float> c(outputs, -99.0F);
  Launch launch;
  launch.blocks = 1;
  launch.threads = 32;
  launch.buffers = {{"a", a.data(), a.size() * 4, Access::kRead, {}},
                    {"b", b.data(), b.size() * 4, Access::kRead, {}},
                    {"c", c.data(), c.size() * 4, Access::kWrite, {}}};
  launch.arguments = {BufferArgument{0}, BufferArgument{1}, BufferArgument{2}};
  launch.order = LaneOrder::kShuffled;
  launch.step_limit = 1'000'000;
  const auto result = kernel->run(launch);
  if (!result) FAIL(result.error().message);
  for (const Finding& finding : result->findings) UNSCOPED_INFO(finding.message);
  CHECK(result->findings.empty());
  return c;
}

// Whole numbers that bf16 holds, so that every sum is exact.
std::vector<float> numbers(std::size_t count, int seed) {
  std::vector<float> result(count);
  for (std::size_t e = 0; e < count; ++e) {
    result[e] = static_cast<float>((static_cast<int>(e) * 37 + seed) % 23 - 11);
  }
  return result;
}

using Element = std::function<float(int, int)>;
float sum_of(const Element& left, const Element& right, int m, int n, int depth) {
  float sum = 0;
  for (int k = 0; k < depth; ++k) sum += left(m, k) * right(k, n);
  return sum;
}

}  // namespace

TEST_CASE("the product of a warp has the operands where the PTX manual has them") {
  const std::vector<float> a = numbers(16 * 16, 1), b = numbers(16 * 8, 5);
  std::vector<float> left(32 * 8), right(32 * 4);
  for (int lane = 0; lane < 32; ++lane) {
    const int group = lane / 4, in_group = lane % 4;
    for (int i = 0; i < 8; ++i) {
      const int row = i < 2 || (4 <= i && i < 6) ? group : group + 8;
      const int column = i < 4 ? in_group * 2 + (i & 1) : in_group * 2 + (i & 1) + 8;
      left[static_cast<std::size_t>(lane * 8 + i)] = a[static_cast<std::size_t>(row * 16 + column)];
    }
    for (int i = 0; i < 4; ++i) {
      const int row = i < 2 ? in_group * 2 + (i & 1) : in_group * 2 + (i & 1) + 8;
      right[static_cast<std::size_t>(lane * 4 + i)] = b[static_cast<std::size_t>(row * 8 + group)];
    }
  }
  const std::vector<float> c = launched(
      "extern \"C\" __global__ void kernel(const float* a, const float* b, float* c) {\n"
      "  const int lane = threadIdx.x;\n"
      "  float left[8], right[4], sums[4];\n"
      "  for (int e = 0; e < 8; ++e) left[e] = a[lane * 8 + e];\n"
      "  for (int e = 0; e < 4; ++e) right[e] = b[lane * 4 + e];\n"
      "  for (int e = 0; e < 4; ++e) sums[e] = static_cast<float>(e);\n"
      "  heddle_matrix_product(sums, left, right);\n"
      "  for (int e = 0; e < 4; ++e) c[lane * 4 + e] = sums[e];\n"
      "}\n",
      left, right, 32 * 4);
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i) {
      const int row = i < 2 ? lane / 4 : lane / 4 + 8, column = lane % 4 * 2 + (i & 1);
      const float expected =
          static_cast<float>(i) +
          sum_of([&](int m, int k) { return a[static_cast<std::size_t>(m * 16 + k)]; },
                 [&](int k, int n) { return b[static_cast<std::size_t>(k * 8 + n)]; }, row, column,
                 16);
      INFO(lane << ", " << i);
      CHECK(c[static_cast<std::size_t>(lane * 4 + i)] == expected);
    }
  }
}

// Rows of 24 bf16 numbers, of which a matrix has eight; what a lane gets is written down in floats.
TEST_CASE("matrices come out of shared memory as the PTX manual has them") {
  const std::vector<float> a = numbers(32 * 24, 4);
  for (const bool transposed : {false, true}) {
    const std::vector<float> c = launched(
        std::string(
            "#include \"tensor_prelude.cuh\"\n"
            "using namespace heddle;\n"
            "extern \"C\" __global__ void kernel(const float* a, const float* b, float* c) {\n"
            "  __shared__ __align__(16) bf16 rows[32 * 24];\n"
            "  for (int e = threadIdx.x; e < 32 * 24; e += 32) rows[e] = to_bf16(a[e]);\n"
            "  __syncthreads();\n"
            "  Pair<bf16> pairs[4];\n"
            "  load_matrices<") +
            (transposed ? "true" : "false") +
            ">(rows + threadIdx.x * 24 + 8, pairs);\n"
            "  for (int e = 0; e < 8; ++e) {\n"
            "    c[threadIdx.x * 8 + e] = to_float(pairs[e / 2].element[e % 2]);\n"
            "  }\n"
            "}\n",
        a, {0}, 32 * 8);
    for (int lane = 0; lane < 32; ++lane) {
      for (int e = 0; e < 8; ++e) {
        int row = lane / 4, column = lane % 4 * 2 + e % 2;
        if (transposed) std::swap(row, column);
        row += e / 2 * 8;  // of the next matrix
        INFO(transposed << ", " << lane << ", " << e);
        CHECK(c[static_cast<std::size_t>(lane * 8 + e)] ==
              a[static_cast<std::size_t>(row * 24 + column + 8)]);
      }
    }
  }
}

// Two tiles side by side, thirty-two deep; rows of 40 elements in shared memory.
TEST_CASE("products of rows and columns are what their names say") {
  constexpr int kStride = 40;
  const std::vector<float> a = numbers(32 * kStride, 3), b = numbers(32 * kStride, 8);
  const auto at = [](const std::vector<float>& of, int row, int column) {
    return of[static_cast<std::size_t>(row * kStride + column)];
  };
  const Element a_rows = [&](int m, int k) { return at(a, m, k); };
  const Element a_columns = [&](int m, int k) { return at(a, k, m) * (k % 2 == 0 ? 2.0F : 1.0F); };
  const Element a_turned = [&](int m, int k) { return at(a, k, m); };
  const Element b_rows = [&](int k, int n) { return at(b, n, k); };
  const Element b_columns = [&](int k, int n) { return at(b, k, n); };
  struct Case {
    const char* call;
    Element left, right;
  };
  for (const Case& one :
       {Case{"multiply_rows_by_rows<2, 32>(sums, left, 40, right, 40);", a_rows, b_rows},
        Case{"multiply_rows_by_columns<2, 32>(sums, left, 40, right, 40);", a_rows, b_columns},
        Case{"multiply_columns_by_columns<2, 32>(sums, left, 40, weights, right, 40);", a_columns,
             b_columns},
        Case{"float kept[8];\n"
             "  load_sums<2>(kept, a, 40);\n"
             "  multiply_sums_by_columns<2>(sums, kept, right, 40);\n"
             "  load_sums<2>(kept, a + 16, 40);\n"
             "  multiply_sums_by_columns<2>(sums, kept, right + 16 * 40, 40);",
             a_rows, b_columns},
        Case{"float kept[8];\n"
             "  load_sums<2>(kept, a, 40);\n"
             "  multiply_sums_by_rows<2>(sums, kept, right, 40);\n"
             "  load_sums<2>(kept, a + 16, 40);\n"
             "  multiply_sums_by_rows<2>(sums, kept, right + 16, 40);",
             a_rows, b_rows},
        Case{"multiply_columns_by_rows<2>(sums, left, 40, right, 40);\n"
             "  multiply_columns_by_rows<2>(sums, left + 16 * 40, 40, right + 16, 40);",
             a_turned, b_rows},
        Case{"multiply_columns<2>(sums, left, 40, right, 40);\n"
             "  multiply_columns<2>(sums, left + 16 * 40, 40, right + 16 * 40, 40);",
             a_turned, b_columns}}) {
    const std::vector<float> c = launched(
        std::string(
            "#include \"tensor_prelude.cuh\"\n"
            "using namespace heddle;\n"
            "extern \"C\" __global__ void kernel(const float* a, const float* b, float* c) {\n"
            "  __shared__ __align__(16) bf16 left[32 * 40];\n"
            "  __shared__ __align__(16) bf16 right[32 * 40];\n"
            "  __shared__ __align__(16) float weights[32];\n"
            "  for (int e = threadIdx.x; e < 32 * 40; e += 32) {\n"
            "    left[e] = to_bf16(a[e]);\n"
            "    right[e] = to_bf16(b[e]);\n"
            "  }\n"
            "  weights[threadIdx.x] = threadIdx.x % 2 == 0 ? 2.0f : 1.0f;\n"
            "  __syncthreads();\n"
            "  float sums[8] = {0, 0, 0, 0, 0, 0, 0, 0};\n  ") +
            one.call +
            "\n  scale_rows<2>(sums, weights);\n"
            "  store_sums<2>(c, 16, sums);\n"
            "}\n",
        a, b, 16 * 16);
    for (int m = 0; m < 16; ++m) {
      for (int n = 0; n < 16; ++n) {
        INFO(one.call << " at " << m << ", " << n);
        CHECK(c[static_cast<std::size_t>(m * 16 + n)] ==
              (m % 2 == 0 ? 2.0F : 1.0F) * sum_of(one.left, one.right, m, n, 32));
      }
    }
  }
}

TEST_CASE("sums are loaded, scaled and stored across") {
  const std::vector<float> a = numbers(32 * 40, 3), b = numbers(16, 8);
  const std::vector<float> c = launched(
      "#include \"tensor_prelude.cuh\"\n"
      "using namespace heddle;\n"
      "extern \"C\" __global__ void kernel(const float* a, const float* b, float* c) {\n"
      "  __shared__ __align__(16) float factors[16];\n"
      "  if (threadIdx.x < 16) factors[threadIdx.x] = b[threadIdx.x];\n"
      "  __syncthreads();\n"
      "  float sums[8];\n"
      "  load_sums_across<2>(sums, a, 40);\n"
      "  scale_columns<2>(sums, factors);\n"
      "  store_sums_across<2>(c, 16, sums);\n"
      "}\n",
      a, b, 16 * 16);
  for (int m = 0; m < 16; ++m) {
    for (int n = 0; n < 16; ++n) {
      const auto column = static_cast<std::size_t>(n), row = static_cast<std::size_t>(m);
      CHECK(c[column * 16 + row] == a[column * 40 + row] * b[column]);
    }
  }
}

// Positions that fall, with one that is further back than any row reads.
TEST_CASE("scores outside of a row's window are none") {
  std::vector<float> a(16 * 16), positions(16);
  for (std::size_t e = 0; e < a.size(); ++e) a[e] = static_cast<float>(e);
  for (int n = 0; n < 16; ++n) {
    positions[static_cast<std::size_t>(n)] = n == 5 ? -100.0F : static_cast<float>(9 - n);
  }
  for (const bool by_position : {false, true}) {
    const std::vector<float> c = launched(
        std::string(
            "#include \"softmax_prelude.cuh\"\n"
            "using namespace heddle;\n"
            "extern \"C\" __global__ void kernel(const float* a, const float* b, float* c) {\n"
            "  __shared__ Index positions[16];\n"
            "  if (threadIdx.x < 16) {\n"
            "    positions[threadIdx.x] = static_cast<Index>(b[threadIdx.x]);\n  }\n"
            "  __syncthreads();\n"
            "  float scores[8];\n"
            "  load_sums<2>(scores, a, 16);\n  ") +
            (by_position ? "mask_scores_by_position<2>(scores, positions, -6);\n"
                         : "mask_scores_before<2>(scores, -3);\n") +
            "  store_sums<2>(c, 16, scores);\n}\n",
        a, positions, 16 * 16);
    for (int m = 0; m < 16; ++m) {
      for (int n = 0; n < 16; ++n) {
        INFO(by_position << ", " << m << ", " << n);
        const auto place = static_cast<std::size_t>(m * 16 + n);
        const bool read = by_position
                              ? positions[static_cast<std::size_t>(n)] >= static_cast<float>(m - 6)
                              : n >= m - 3;
        CHECK((c[place] == a[place]) == read);
        if (!read) CHECK(c[place] < -1e30F);
      }
    }
  }
}

// Two steps of sixteen columns, the second one masked above a diagonal; outputs were summed with
// the highest scores of the first.
TEST_CASE("the softmax of rows of sums is what its definition says") {
  constexpr int kColumns = 32, kLast = 3;
  std::vector<float> a(16 * kColumns);
  for (std::size_t e = 0; e < a.size(); ++e) {
    a[e] = static_cast<float>(static_cast<int>(e * 29 % 41) - 20) / 8.0F;
  }
  const std::vector<float> b = numbers(16 * 8, 2);
  const std::vector<float> c = launched(
      "#include \"softmax_prelude.cuh\"\n"
      "using namespace heddle;\n"
      "extern \"C\" __global__ void kernel(const float* a, const float* b, float* c) {\n"
      "  float scores[8], outputs[4] = {0, 0, 0, 0}, totals[2] = {0, 0};\n"
      "  float highest[2] = {kLowestScore, kLowestScore};\n"
      "  load_sums<2>(scores, a, 32);\n"
      "  raise_highest<2, 1>(scores, highest, totals, outputs);\n"
      "  weigh_scores<2>(scores, highest, totals);\n"
      "  load_sums<1>(outputs, b, 8);\n"
      "  load_sums<2>(scores, a + 16, 32);\n"
      "  mask_scores<2>(scores, 3);\n"
      "  raise_highest<2, 1>(scores, highest, totals, outputs);\n"
      "  weigh_scores<2>(scores, highest, totals);\n"
      "  divide_rows<1>(outputs, totals);\n"
      "  store_sums<1>(c, 24, outputs);\n"
      "  store_sums<2>(c + 8, 24, scores);\n"
      "}\n",
      a, b, 16 * 24);
  for (int m = 0; m < 16; ++m) {
    const auto score = [&](int n) {
      return n >= 16 && n - 16 > m + kLast ? -INFINITY
                                           : a[static_cast<std::size_t>(m * kColumns + n)];
    };
    float first = score(0), highest = score(0), total = 0;
    for (int n = 0; n < kColumns; ++n) {
      if (n < 16) first = std::max(first, score(n));
      highest = std::max(highest, score(n));
    }
    for (int n = 0; n < kColumns; ++n) total += std::exp(score(n) - highest);
    for (int n = 0; n < 24; ++n) {
      INFO(m << ", " << n);
      const float expected =
          n < 8 ? b[static_cast<std::size_t>(m * 8 + n)] * std::exp(first - highest) / total
                : std::exp(score(n + 8) - highest);
      CHECK(c[static_cast<std::size_t>(m * 24 + n)] == Approx(expected).margin(1e-6));
    }
  }
}
