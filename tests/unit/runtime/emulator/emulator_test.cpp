// SPDX-License-Identifier: Apache-2.0
// The emulator on small kernels: right results, one finding of each kind, exact counters.
#include "runtime/emulator/emulated_kernel.hpp"

#include <cmath>
#include <numeric>

#include "tests/catch.hpp"

using namespace heddle;
using namespace heddle::emulator;

namespace {

EmulatedKernel build(const std::string& text, const std::string& symbol = "k",
                     Dialect dialect = Dialect::kCuda) {
  KernelText kernel{"kernel.cu", text, symbol, {}, dialect};
  auto built = EmulatedKernel::build(kernel);
  if (!built) FAIL(built.error().message);
  return std::move(*built);
}

std::string refusal(const std::string& text, const std::string& symbol = "k",
                    Dialect dialect = Dialect::kCuda) {
  const auto built = EmulatedKernel::build(KernelText{"kernel.cu", text, symbol, {}, dialect});
  REQUIRE_FALSE(built.ok());
  return built.error().message;
}

template <typename T>
LaunchBuffer buffer(const char* name, std::vector<T>& data, Access access) {
  return {name, data.data(), data.size() * sizeof(T), access, {}};
}

EmulationResult run(EmulatedKernel& kernel, const Launch& launch) {
  auto result = kernel.run(launch);
  if (!result) FAIL(result.error().message);
  return std::move(*result);
}

std::string shown(const EmulationResult& result) {
  std::string text;
  for (const Finding& finding : result.findings) {
    text +=
        std::string(name_of(finding.kind)) + " " + finding.where + ": " + finding.message + "\n";
  }
  return text;
}

// y[i] = the sum over the block of x, scaled; two warps, shuffles, shared memory, a barrier.
const char* const kBlockSum = R"(
__device__ float warp_sum(float v) {
  for (int k = 16; k > 0; k >>= 1) v += __shfl_xor_sync(0xffffffffu, v, k);
  return v;
}
extern "C" __global__ void __launch_bounds__(64) k(const float* __restrict__ x, float* y, float scale, int n) {
  __shared__ float part[2];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const float s = warp_sum(i < n ? x[i] : 0.0f);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = s;
  __syncthreads();
  if (i < n) y[i] = scale * (part[0] + part[1]);
}
)";

}  // namespace

TEST_CASE("what no launch has come to is told by its lines") {
  auto kernel = build(R"(extern "C" __global__ void k(const int* x, int* y, int n) {
  const int i = threadIdx.x;
  if (n > 40) {
    y[i] = x[0];
    for (int j = 1; j < n; ++j) {
      y[i] += x[j];
    }
  } else {
    y[i] = 1;
  }
  if (i > 100) {
    y[i] = 2;
  }
})");
  using Lines = std::vector<std::pair<int, int>>;
  std::vector<int> x(64, 1), y(8, 0);
  const auto launch = [&](int n) {
    Launch one;
    one.threads = 8;
    one.buffers = {buffer("x", x, Access::kRead), buffer("y", y, Access::kReadWrite)};
    one.arguments = {BufferArgument{0}, BufferArgument{1}, std::int32_t{n}};
    return run(kernel, one);
  };
  launch(3);
  CHECK(kernel.lines_never_run() == Lines{{4, 6}, {12, 12}});
  launch(64);
  CHECK(kernel.lines_never_run() == Lines{{12, 12}});
}

TEST_CASE("a block sum is right, clean and the same in every lane order") {
  auto kernel = build(kBlockSum);
  const int n = 150;
  std::vector<float> x(n);
  for (int i = 0; i < n; ++i) x[static_cast<std::size_t>(i)] = static_cast<float>(i % 7) - 2.5f;
  for (const LaneOrder order : {LaneOrder::kForward, LaneOrder::kReverse, LaneOrder::kShuffled}) {
    std::vector<float> y(n, std::nanf(""));
    Launch launch;
    launch.blocks = 3;
    launch.threads = 64;
    launch.buffers = {buffer("x", x, Access::kRead), buffer("y", y, Access::kWrite)};
    launch.arguments = {BufferArgument{0}, BufferArgument{1}, 2.0f, n};
    launch.order = order;
    launch.count_requests = true;
    const auto result = run(kernel, launch);
    INFO(shown(result));
    CHECK(result.completed);
    CHECK(result.findings.empty());
    for (int i = 0; i < n; ++i) {
      const int first = i / 64 * 64, last = std::min(first + 64, n);
      const float sum = std::accumulate(x.begin() + first, x.begin() + last, 0.0f);
      REQUIRE(y[static_cast<std::size_t>(i)] == 2.0f * sum);
    }
    CHECK(result.counters.global_bytes_read == 4 * n);
    CHECK(result.counters.global_bytes_written == 4 * n);
    CHECK(result.counters.barriers == 3);
    CHECK(result.counters.collectives == 3 * 2 * 5);
    // 150 floats are 4 full warps and one of 22: 5 requests each way, 4 sectors of 8 floats each.
    CHECK(result.counters.global_requests == 10);
    CHECK(result.counters.global_sectors == 2 * 19);
    CHECK(result.counters.shared_bank_conflicts == 0);
  }
}

TEST_CASE("the emulator names the place and the parties of a race") {
  auto kernel = build(R"(extern "C" __global__ void k(float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = threadIdx.x;
  y[threadIdx.x] = tile[63 - threadIdx.x];
})");
  std::vector<float> y(64);
  Launch launch;
  launch.threads = 64;
  launch.buffers = {buffer("y", y, Access::kWrite)};
  launch.arguments = {BufferArgument{0}};
  const auto result = run(kernel, launch);
  INFO(shown(result));
  REQUIRE(result.findings.size() >= 2);
  // Thread 0 reads what nobody has written yet; thread 32 is the first to read another's write.
  CHECK(result.findings[0].kind == FindingKind::kUninitialisedRead);
  const auto race = std::find_if(result.findings.begin(), result.findings.end(),
                                 [](const auto& f) { return f.kind == FindingKind::kRaceShared; });
  REQUIRE(race != result.findings.end());
  CHECK(race->array == "tile");
  CHECK((race->where == "kernel.cu:3" || race->where == "kernel.cu:4"));
  CHECK(race->thread >= 0);
  CHECK(race->other_thread >= 0);
  CHECK(race->thread != race->other_thread);
}

TEST_CASE("an index out of an array is caught before it does harm") {
  auto kernel = build(R"(extern "C" __global__ void k(const float* x, float* y, int at) {
  y[threadIdx.x] = x[at];
})");
  std::vector<float> x(10, 1.0f), y(1);
  for (const int at : {-1, 10, 1 << 30, -(1 << 30)}) {
    Launch launch;
    launch.buffers = {buffer("x", x, Access::kRead), buffer("y", y, Access::kWrite)};
    launch.arguments = {BufferArgument{0}, BufferArgument{1}, at};
    const auto result = run(kernel, launch);
    INFO(at << "\n" << shown(result));
    CHECK_FALSE(result.completed);
    REQUIRE(result.findings.size() == 1);
    CHECK(result.findings[0].kind == FindingKind::kOutOfBounds);
    CHECK(result.findings[0].where == "kernel.cu:2");
    CHECK(result.findings[0].array == "x");
  }
  Launch launch;
  launch.buffers = {buffer("x", x, Access::kRead), buffer("y", y, Access::kWrite)};
  launch.arguments = {BufferArgument{0}, BufferArgument{1}, 9};
  CHECK(run(kernel, launch).findings.empty());
  launch.arguments = {NullArgument{}, BufferArgument{1}, 2};
  CHECK(run(kernel, launch).findings.at(0).message.find("null pointer") != std::string::npos);
}

TEST_CASE("static extents are checked, in shared and in local memory") {
  auto kernel = build(R"(extern "C" __global__ void k(float* y, int at) {
  __shared__ float first[8], second[8];
  float local[4];
  first[threadIdx.x] = second[threadIdx.x] = 1;
  for (int i = 0; i < 4; ++i) local[i] = i;
  __syncthreads();
  y[threadIdx.x] = at < 100 ? first[at] : local[at - 100];
})");
  std::vector<float> y(8);
  for (const int at : {8, -1, 104, 99}) {
    Launch launch;
    launch.threads = 8;
    launch.buffers = {buffer("y", y, Access::kWrite)};
    launch.arguments = {BufferArgument{0}, at};
    const auto result = run(kernel, launch);
    INFO(at << "\n" << shown(result));
    REQUIRE(result.findings.size() == 1);
    CHECK(result.findings[0].kind == FindingKind::kOutOfBounds);
    CHECK(result.findings[0].where == "kernel.cu:7");
  }
}

TEST_CASE("a warp barrier orders a warp and nobody else") {
  const auto text = [](int distance) {
    return R"(extern "C" __global__ void k(float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = threadIdx.x;
  __syncwarp();
  y[threadIdx.x] = tile[threadIdx.x ^ )" +
           std::to_string(distance) + R"(];
})";
  };
  std::vector<float> y(64);
  Launch launch;
  launch.threads = 64;
  launch.buffers = {buffer("y", y, Access::kWrite)};
  launch.arguments = {BufferArgument{0}};
  auto within = build(text(1));
  CHECK(shown(run(within, launch)) == "");
  auto across = build(text(32));
  const auto result = run(across, launch);
  INFO(shown(result));
  CHECK(std::any_of(result.findings.begin(), result.findings.end(),
                    [](const auto& f) { return f.kind == FindingKind::kRaceShared; }));
}

TEST_CASE("shuffles follow the programming guide") {
  auto kernel = build(R"(extern "C" __global__ void k(int* y) {
  const int t = threadIdx.x;
  y[t] = __shfl_sync(0xffffffffu, t, 5);
  y[32 + t] = __shfl_up_sync(0xffffffffu, t, 3);
  y[64 + t] = __shfl_down_sync(0xffffffffu, t, 3, 8);
  y[96 + t] = __shfl_xor_sync(0xffffffffu, t, 9);
  y[128 + t] = __ballot_sync(0xffffffffu, t % 3 == 0);
  y[160 + t] = __any_sync(0xffffffffu, t == 7) + 2 * __all_sync(0xffffffffu, t < 31);
  y[192 + t] = __reduce_max_sync(0xffffffffu, t == 4 ? -1 : -t - 2);
})");
  std::vector<std::int32_t> y(224);
  Launch launch;
  launch.threads = 32;
  launch.buffers = {buffer("y", y, Access::kWrite)};
  launch.arguments = {BufferArgument{0}};
  CHECK(shown(run(kernel, launch)) == "");
  std::int32_t votes = 0;
  for (int t = 0; t < 32; t += 3) votes |= static_cast<std::int32_t>(1u << t);
  for (int t = 0; t < 32; ++t) {
    const auto at = [&](int row) { return y[static_cast<std::size_t>(row * 32 + t)]; };
    REQUIRE(at(0) == 5);
    REQUIRE(at(1) == (t < 3 ? t : t - 3));
    REQUIRE(at(2) == (t % 8 < 5 ? t + 3 : t));
    REQUIRE(at(3) == (t ^ 9));
    REQUIRE(at(4) == votes);
    REQUIRE(at(5) == 1);
    REQUIRE(at(6) == -1);
  }
}

TEST_CASE("a launch that does not end is ended") {
  auto loop = build(R"(extern "C" __global__ void k(float* y, int step) {
  int i = 0;
  while (i < 10) i += step;
  y[0] = i;
})");
  std::vector<float> y(1);
  Launch launch;
  launch.buffers = {buffer("y", y, Access::kWrite)};
  launch.arguments = {BufferArgument{0}, 0};
  launch.step_limit = 100'000;
  const auto result = run(loop, launch);
  REQUIRE(result.findings.size() == 1);
  CHECK(result.findings[0].kind == FindingKind::kHang);
  launch.arguments = {BufferArgument{0}, 1};
  CHECK(shown(run(loop, launch)) == "");
}

TEST_CASE("a cpu text runs under the same eyes") {
  const char* const text = R"(#include <cstdint>
extern "C" void k(const float* x, float* y, std::int32_t n, std::int32_t first, std::int32_t last) {
  for (std::int32_t block = first; block < last; ++block) {
    float running = 0;
    for (std::int32_t i = 0; i < n; ++i) y[block * n + i] = running += x[block * n + i];
  }
})";
  auto kernel = build(text, "k", Dialect::kCpu);
  std::vector<float> x(30, 1.0f), y(30);
  Launch launch;
  launch.blocks = 3;
  launch.buffers = {buffer("x", x, Access::kRead), buffer("y", y, Access::kWrite)};
  launch.arguments = {BufferArgument{0}, BufferArgument{1}, 10};
  const auto result = run(kernel, launch);
  CHECK(shown(result) == "");
  CHECK(y[9] == 10.0f);
  CHECK(y[29] == 10.0f);
  CHECK(result.counters.global_bytes_read == 120);
  launch.blocks = 2;
  const auto partial = run(kernel, launch);
  REQUIRE(partial.findings.size() == 1);
  CHECK(partial.findings[0].kind == FindingKind::kUnwritten);
  CHECK(partial.findings[0].element == 20);
}

TEST_CASE("what does not fit is refused in a sentence") {
  CHECK(refusal("this is no kernel").find("kernel.cu:1") != std::string::npos);
  CHECK(refusal(kBlockSum, "k)").find("not the name") != std::string::npos);
  CHECK(refusal("extern \"C\" __global__ void k(double x) {}").find("parameter 1") !=
        std::string::npos);
  CHECK(refusal("extern \"C\" void k(float* x, int first) {}", "k", Dialect::kCpu)
            .find("range of blocks") != std::string::npos);
  const std::string assembly =
      refusal("// asm\nextern \"C\" __global__ void k(float* x) {\n  asm(\"\");\n}");
  CHECK(assembly.find("kernel.cu:3") != std::string::npos);
  CHECK(assembly.find("assembly_cannot_be_watched") != std::string::npos);
  // Nor may a text ask whether it is watched.
  CHECK(refusal("#ifdef HEDDLE_EMULATED\n#endif\nextern \"C\" __global__ void k(float* x) {}")
            .find("speaks of HEDDLE_EMULATED") != std::string::npos);
  auto kernel = build(kBlockSum);
  Launch launch;
  CHECK_FALSE(kernel.run(launch).ok());
  std::vector<float> x(4);
  launch.buffers = {buffer("x", x, Access::kRead)};
  launch.arguments = {BufferArgument{0}, BufferArgument{7}, 1.0f, 4};
  CHECK_FALSE(kernel.run(launch).ok());
  launch.arguments = {BufferArgument{0}, BufferArgument{0}, 1, 4};
  CHECK_FALSE(kernel.run(launch).ok());
}
