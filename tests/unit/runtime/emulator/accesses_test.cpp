// SPDX-License-Identifier: Apache-2.0
// That the compiler reports every load and store to the emulator: kernels that make a known number
// of accesses, of every width, are counted exactly. A compiler that merges, drops or fails to
// instrument one of them changes the count.
#include <cstdint>
#include <vector>

#include "runtime/emulator/emulated_kernel.hpp"
#include "tests/catch.hpp"

using namespace heddle;
using namespace heddle::emulator;

namespace {

constexpr int kThreads = 64;

// The counters of a clean run on `bytes` of input and as many of output.
Counters counted(const std::string& text, std::size_t bytes) {
  std::vector<std::uint8_t> x(bytes, 1), y(bytes);
  Launch launch;
  launch.threads = kThreads;
  launch.buffers = {{"x", x.data(), bytes, Access::kRead, {}},
                    {"y", y.data(), bytes, Access::kWrite, {}}};
  launch.arguments = {BufferArgument{0}, BufferArgument{1}};
  auto kernel = EmulatedKernel::build({"kernel.cu", text, "k", {}, Dialect::kCuda});
  if (!kernel) FAIL(kernel.error().message);
  auto result = kernel->run(launch);
  if (!result) FAIL(result.error().message);
  for (const Finding& finding : result->findings) FAIL_CHECK(finding.message);
  CHECK(result->completed);
  return result->counters;
}

}  // namespace

TEST_CASE("loads and stores of every width are reported once each") {
  const struct {
    const char* type;
    std::int64_t size;
  } types[] = {{"unsigned char", 1}, {"unsigned short", 2}, {"float", 4},
               {"double", 8},        {"long long", 8},      {"float4", 16}};
  for (const auto& [type, size] : types) {
    INFO(type);
    const std::string t = type;
    const Counters through_shared = counted(
        "extern \"C\" __global__ void k(const " + t + "* x, " + t + "* y) {\n  __shared__ " + t +
            " tile[64];\n  tile[threadIdx.x] = x[threadIdx.x];\n  __syncthreads();\n"
            "  y[threadIdx.x] = tile[63 - threadIdx.x];\n}\n",
        static_cast<std::size_t>(kThreads * size));
    CHECK(through_shared.global_bytes_read == kThreads * size);
    CHECK(through_shared.global_bytes_written == kThreads * size);
    CHECK(through_shared.shared_bytes_read == kThreads * size);
    CHECK(through_shared.shared_bytes_written == kThreads * size);
  }
}

TEST_CASE("neighbouring accesses stay apart") {
  // Two loads and two stores a thread, which could be merged into one each.
  const Counters pairs = counted(
      "extern \"C\" __global__ void k(const float* x, float* y) {\n"
      "  const int t = 2 * threadIdx.x;\n  y[t] = x[t];\n  y[t + 1] = x[t + 1];\n}\n",
      2 * 4 * kThreads);
  CHECK(pairs.accesses == 4 * kThreads);
  CHECK(pairs.global_bytes_read == 8 * kThreads);
  // A loop that could be vectorised.
  const Counters loop = counted(
      "extern \"C\" __global__ void k(const float* __restrict__ x, float* __restrict__ y) {\n"
      "  for (int e = 0; e < 16; ++e) y[16 * threadIdx.x + e] = 2.0f * x[16 * threadIdx.x + e];\n"
      "}\n",
      16 * 4 * kThreads);
  CHECK(loop.accesses == 32 * kThreads);
}
