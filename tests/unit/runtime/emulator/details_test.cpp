// SPDX-License-Identifier: Apache-2.0
// The emulator's corners: atomics, partly initialised inputs, block copies, small elements, bank
// conflicts, runaway recursion, the order of blocks.
#include <algorithm>
#include <cstdint>

#include "runtime/emulator/emulated_kernel.hpp"
#include "tests/catch.hpp"

using namespace heddle;
using namespace heddle::emulator;

namespace {

EmulationResult run(const std::string& text, const Launch& launch,
                    Dialect dialect = Dialect::kCuda) {
  auto kernel = EmulatedKernel::build({"kernel.cu", text, "k", {}, dialect});
  if (!kernel) FAIL(kernel.error().message);
  auto result = kernel->run(launch);
  if (!result) FAIL(result.error().message);
  return std::move(*result);
}

bool has(const EmulationResult& result, FindingKind kind) {
  return std::any_of(result.findings.begin(), result.findings.end(),
                     [&](const Finding& finding) { return finding.kind == kind; });
}

std::string shown(const EmulationResult& result) {
  std::string text;
  for (const Finding& finding : result.findings) {
    text +=
        std::string(name_of(finding.kind)) + " " + finding.where + ": " + finding.message + "\n";
  }
  return text;
}

template <typename T>
LaunchBuffer buffer(const char* name, std::vector<T>& data, Access access) {
  return {name, data.data(), data.size() * sizeof(T), access, {}};
}

}  // namespace

TEST_CASE("atomics race with plain accesses and not with each other") {
  std::vector<std::int32_t> count = {5};
  Launch launch;
  launch.blocks = 3;
  launch.threads = 40;
  launch.buffers = {buffer("count", count, Access::kReadWrite)};
  launch.arguments = {BufferArgument{0}};
  const auto clean =
      run(R"(extern "C" __global__ void k(int* count) { atomicAdd(count, 2); })", launch);
  CHECK(shown(clean) == "");
  CHECK(count[0] == 5 + 2 * 120);
  launch.blocks = 1;
  const auto mixed = run(R"(extern "C" __global__ void k(int* count) {
  if (threadIdx.x == 7) *count = 0; else atomicAdd(count, 2);
})",
                         launch);
  CHECK(has(mixed, FindingKind::kRaceGlobal));
}

TEST_CASE("parts of an input may hold nothing to read") {
  std::vector<float> x(8, 1.0F), y(8);
  Launch launch;
  launch.threads = 8;
  launch.buffers = {buffer("x", x, Access::kReadWrite), buffer("y", y, Access::kWrite)};
  launch.buffers[0].uninitialised = {{12, 16}};
  launch.arguments = {BufferArgument{0}, BufferArgument{1}};
  const char* const text =
      "extern \"C\" __global__ void k(float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }";
  const auto result = run(text, launch);
  REQUIRE(result.findings.size() == 1);
  CHECK(result.findings[0].kind == FindingKind::kUninitialisedRead);
  CHECK(result.findings[0].element == 3);
  CHECK(result.findings[0].count == 1);
  // Written first, it may be read.
  const auto filled = run(
      R"(extern "C" __global__ void k(float* x, float* y) {
  if (threadIdx.x == 3) x[3] = 2.0f;
  y[threadIdx.x] = x[threadIdx.x];
})",
      launch);
  CHECK(shown(filled) == "");
  CHECK(y[3] == 2.0F);
}

TEST_CASE("neighbouring small elements are told apart") {
  std::vector<std::uint16_t> y(64);
  Launch launch;
  launch.threads = 64;
  launch.buffers = {buffer("y", y, Access::kWrite)};
  launch.arguments = {BufferArgument{0}};
  const auto clean = run(
      R"(extern "C" __global__ void k(unsigned short* y) {
  __shared__ unsigned char flag[64];
  flag[threadIdx.x] = threadIdx.x;
  __syncthreads();
  y[threadIdx.x] = flag[63 - threadIdx.x];
})",
      launch);
  CHECK(shown(clean) == "");
  CHECK(y[0] == 63);
  const auto gap = run(
      R"(extern "C" __global__ void k(unsigned short* y) {
  if (threadIdx.x != 9) y[threadIdx.x] = 1;
})",
      launch);
  REQUIRE(gap.findings.size() == 1);
  CHECK(gap.findings[0].kind == FindingKind::kUnwritten);
  CHECK(gap.findings[0].element == 9);
}

TEST_CASE("block copies are accesses like others") {
  std::vector<float> x(64, 3.0F), y(64);
  Launch launch;
  launch.buffers = {buffer("x", x, Access::kRead), buffer("y", y, Access::kWrite)};
  const char* const text = R"(#include <cstring>
extern "C" void k(const float* x, float* y, int bytes, int first, int last) {
  std::memcpy(y, x, bytes);
})";
  launch.arguments = {BufferArgument{0}, BufferArgument{1}, 256};
  CHECK(shown(run(text, launch, Dialect::kCpu)) == "");
  CHECK(y[63] == 3.0F);
  launch.arguments = {BufferArgument{0}, BufferArgument{1}, 260};
  CHECK(has(run(text, launch, Dialect::kCpu), FindingKind::kOutOfBounds));
  launch.arguments = {BufferArgument{0}, BufferArgument{1}, 252};
  CHECK(has(run(text, launch, Dialect::kCpu), FindingKind::kUnwritten));
}

// A compiler moves constant sizes by itself, where no sanitizer sees it.
TEST_CASE("block copies of a constant size are accesses like others") {
  std::vector<float> x(64, 3.0F), y(64);
  Launch launch;
  launch.buffers = {buffer("x", x, Access::kRead), buffer("y", y, Access::kReadWrite)};
  launch.arguments = {BufferArgument{0}, BufferArgument{1}};
  const auto findings = [&](const std::string& statement) {
    return run(
        "#include <algorithm>\n#include <cstring>\n"
        "extern \"C\" void k(const float* x, float* y, int first, int last) {\n  " +
            statement + "\n}",
        launch, Dialect::kCpu);
  };
  for (const char* const copy :
       {"std::memcpy(y, x, 256);", "std::memcpy(y + 64, x, 96);", "std::memcpy(y, x + 63, 96);",
        "__builtin_memcpy(y + 63, x, 8);", "std::memmove(y + 60, x, 20);",
        "__builtin_memset(y + 50, 0, 100);", "std::copy(x, x + 24, y + 60);"}) {
    INFO(copy);
    const bool inside = std::string(copy) == "std::memcpy(y, x, 256);";
    CHECK(has(findings(copy), FindingKind::kOutOfBounds) != inside);
  }
  CHECK(y[63] == 3.0F);
  launch.buffers[1].access = Access::kWrite;
  CHECK(has(findings("std::memcpy(y, x, 96);"), FindingKind::kUnwritten));
  // What they write, they have written.
  launch.buffers[1].uninitialised = {{0, 256}};
  launch.buffers[1].access = Access::kReadWrite;
  CHECK(shown(findings("std::memcpy(y, x, 96); y[0] = y[23];")) == "");
  CHECK(has(findings("std::memcpy(y, x, 96); y[0] = y[24];"), FindingKind::kUninitialisedRead));
}

TEST_CASE("a text cannot ask not to be watched") {
  std::vector<float> y(4);
  Launch launch;
  launch.buffers = {buffer("y", y, Access::kWrite)};
  launch.arguments = {BufferArgument{0}};
  for (const char* const attribute :
       {"__attribute__((no_sanitize(\"thread\")))", "__attribute__((no_sanitize_thread))",
        "[[gnu::no_sanitize(\"thread\", \"undefined\")]]",
        "__attribute__((__no_sanitize_thread__))"}) {
    INFO(attribute);
    const std::string text = std::string(attribute) +
                             " void store(float* y, int at) { y[at] = 1.0f; }\n"
                             "extern \"C\" __global__ void k(float* y) { store(y, 4); }";
    CHECK(has(run(text, launch), FindingKind::kOutOfBounds));
  }
}

// By a helper that is not told how long the array is.
TEST_CASE("a cpu text is watched for overruns of a thread's own arrays") {
  std::vector<float> y(4);
  Launch launch;
  launch.buffers = {buffer("y", y, Access::kReadWrite)};
  const auto findings = [&](const std::string& body, int count) {
    launch.arguments = {BufferArgument{0}, count};
    return run(
        "#include <cstring>\n"
        "#define APART static __attribute__((noinline, noipa))\n"
        "APART float sum(const float* p, int n) { float s = 0; while (n-- > 0) s += *p++; return "
        "s; }\n"
        "APART void fill(float* p, int n) { while (n-- > 0) *p++ = 1.0f; }\n"
        "APART void copy(float* p, const float* q, int n) { std::memcpy(p, q, n * sizeof *p); }\n"
        "APART __attribute__((no_sanitize_address)) void quiet(float* p, int n) { p[n - 1] = 1.0f; "
        "}\n"
        "extern \"C\" void k(float* y, int count, int first, int last) {\n"
        "  float before[8], own[5], after[8];\n"
        "  fill(before, 8); fill(own, 5); fill(after, 8);\n"
        "  y[0] = before[1] + own[1] + after[1];\n" +
            body + "\n}",
        launch, Dialect::kCpu);
  };
  for (const char* const body :
       {"fill(own, count);", "y[1] = sum(own, count);", "copy(own, before, count);",
        "copy(before, own, count);", "quiet(own, count);", "fill(own + 5 - count, count);",
        "float many[count]; fill(many, 5);",
        "float* kept = 0; { float block[5]; fill(block, 5); kept = block; }\n"
        "fill(count > 5 ? kept : own, 5);"}) {
    INFO(body);
    CHECK(shown(findings(body, 5)) == "");
    const int wrong = std::string(body).find("many") != std::string::npos ? 4 : 6;
    const auto found = findings(body, wrong);
    INFO(shown(found));
    CHECK(has(found, FindingKind::kOutOfBounds));
  }
}

TEST_CASE("working memory is bounded, and holds nothing each time it is asked for") {
  std::vector<float> y(4);
  Launch launch;
  launch.buffers = {buffer("y", y, Access::kReadWrite)};
  const auto findings = [&](const std::string& body, int count) {
    launch.arguments = {BufferArgument{0}, count};
    return run(
        "extern \"C\" void* heddle_reserve(int number, unsigned long bytes);\n"
        "extern \"C\" void k(float* y, int count, int first, int last) {\n"
        "  float* rows = (float*)heddle_reserve(0, 8 * sizeof(float));\n" +
            body + "\n}",
        launch, Dialect::kCpu);
  };
  const std::string fill = "for (int i = 0; i < count; ++i) rows[i] = i;\n";
  CHECK(shown(findings(fill + "y[0] = rows[7];", 8)) == "");
  CHECK(y[0] == 7.0F);
  CHECK(has(findings(fill, 9), FindingKind::kOutOfBounds));
  CHECK(has(findings("y[0] = rows[-count];", 1), FindingKind::kOutOfBounds));
  const auto unwritten = findings(fill + "y[0] = rows[7];", 7);
  CHECK(has(unwritten, FindingKind::kUninitialisedRead));
  CHECK(shown(unwritten).find("working memory 0[7]") != std::string::npos);
  CHECK(has(findings(fill + "rows = (float*)heddle_reserve(0, 32); y[0] = rows[1];", 8),
            FindingKind::kUninitialisedRead));
  CHECK(shown(findings(fill + "float* others = (float*)heddle_reserve(1, 32); others[2] = 5;\n"
                              "y[0] = rows[2] + others[2];",
                       8)) == "");
  CHECK(y[0] == 7.0F);
}

TEST_CASE("bank conflicts and sectors are those of the stride") {
  for (const int stride : {1, 2, 8, 32, 33}) {
    std::vector<float> y(32 * 33);
    Launch launch;
    launch.threads = 32;
    launch.count_requests = true;
    launch.buffers = {buffer("y", y, Access::kReadWrite)};
    launch.arguments = {BufferArgument{0}, stride};
    const auto result = run(
        R"(extern "C" __global__ void k(float* y, int stride) {
  __shared__ float tile[32 * 33];
  tile[threadIdx.x * stride] = 1.0f;
  __syncwarp();
  y[threadIdx.x * stride] = tile[threadIdx.x * stride];
})",
        launch);
    INFO(stride);
    const int together = stride == 33 ? 1 : stride;  // threads that fall on one bank
    CHECK(result.counters.shared_requests == 2);
    CHECK(result.counters.shared_bank_conflicts == 2 * (together - 1));
    CHECK(result.counters.global_requests == 1);
    CHECK(result.counters.global_sectors == std::min(32, 4 * stride));
  }
}

TEST_CASE("what is counted between barriers is told apart and adds up") {
  std::vector<float> x(64, 1.0F), y(64);
  Launch launch;
  launch.blocks = 2;
  launch.threads = 32;
  launch.count_requests = true;
  launch.buffers = {buffer("x", x, Access::kRead), buffer("y", y, Access::kWrite)};
  launch.arguments = {BufferArgument{0}, BufferArgument{1}};
  const auto result = run(
      R"(extern "C" __global__ void k(const float* x, float* y) {
  __shared__ float tile[1024];
  tile[threadIdx.x * 32] = x[blockIdx.x * 32 + threadIdx.x];
  __syncthreads();
  float sum = 0.0f;
  for (int step = 0; step < 3; ++step) {
    sum += tile[step * 32];
    __syncthreads();
  }
  y[blockIdx.x * 32 + threadIdx.x] = sum;
})",
      launch);
  CHECK(shown(result) == "");
  REQUIRE(result.phases.size() == 3);  // the start, behind line 4, behind line 8
  CHECK(result.phases[0].from == "");
  CHECK(result.phases[1].from == "kernel.cu:4");
  CHECK(result.phases[2].from == "kernel.cu:8");
  CHECK(result.phases[0].counters.global_bytes_read == 256);
  CHECK(result.phases[0].counters.shared_bank_conflicts == 2 * 31);
  CHECK(result.phases[1].counters.shared_bytes_read == 2 * 32 * 4);
  CHECK(result.phases[2].counters.shared_bytes_read == 2 * 2 * 32 * 4);
  CHECK(result.phases[2].counters.global_bytes_written == 256);
  CHECK(result.phases[2].counters.barriers == 2 * 2);  // the last phase ends with the kernel
  for (const auto counter : kAllCounters) {
    if (counter == &Counters::steps) continue;
    std::int64_t sum = 0;
    for (const Phase& phase : result.phases) sum += phase.counters.*counter;
    CHECK(sum == result.counters.*counter);
  }
}

TEST_CASE("runaway recursion ends the launch, not the program") {
  std::vector<std::int32_t> y(1);
  Launch launch;
  launch.buffers = {buffer("y", y, Access::kWrite)};
  launch.arguments = {BufferArgument{0}, 3};
  const char* const text = R"(
__device__ __noinline__ int deep(int n) { return n == 0 ? 0 : 1 + 2 * deep(n - 1) % 7; }
extern "C" __global__ void k(int* y, int n) { y[0] = deep(n); })";
  CHECK(shown(run(text, launch)) == "");
  launch.arguments = {BufferArgument{0}, -1};
  const auto result = run(text, launch);
  CHECK_FALSE(result.completed);
  CHECK((has(result, FindingKind::kHang) || has(result, FindingKind::kArithmetic)));
}

TEST_CASE("copies that are never awaited end the launch, where those that arrive make room") {
  std::vector<float> x(4, 1.0F);
  std::vector<float> y(1);
  Launch launch;
  launch.buffers = {buffer("x", x, Access::kRead), buffer("y", y, Access::kWrite)};
  const char* const text = R"(
extern "C" __global__ void k(const float* x, float* y, int n, int left) {
  __shared__ float tile[700];
  for (int i = 0; i < n; ++i) {
    __pipeline_memcpy_async(&tile[i], x + i % 4, 4);
    __pipeline_commit();
    if (left == 2) __pipeline_wait_prior(2);
  }
  __pipeline_wait_prior(0);
  y[0] = tile[0] + tile[n - 1];
})";
  for (const auto& [count, left] : {std::pair{512, 700}, std::pair{700, 2}}) {
    launch.arguments = {BufferArgument{0}, BufferArgument{1}, count, left};
    CHECK(shown(run(text, launch)) == "");
    CHECK(y[0] == 2.0F);
  }
  launch.arguments = {BufferArgument{0}, BufferArgument{1}, 513, 700};
  const auto result = run(text, launch);
  CHECK_FALSE(result.completed);
  CHECK(shown(result).find("thread 0 has started 513 copies and awaited none of them") !=
        std::string::npos);
}

TEST_CASE("a race between blocks is found whichever runs first") {
  std::vector<float> y(64);
  for (const LaneOrder order : {LaneOrder::kForward, LaneOrder::kReverse, LaneOrder::kShuffled}) {
    Launch launch;
    launch.blocks = 2;
    launch.threads = 32;
    launch.order = order;
    launch.buffers = {buffer("y", y, Access::kReadWrite)};
    launch.arguments = {BufferArgument{0}};
    const auto result = run(
        R"(extern "C" __global__ void k(float* y) {
  if (blockIdx.x == 0) y[threadIdx.x] = 1.0f;
  else y[32 + threadIdx.x] = y[threadIdx.x];
})",
        launch);
    INFO(name_of(order) << "\n" << shown(result));
    REQUIRE(has(result, FindingKind::kRaceGlobal));
    CHECK(result.findings[0].message.find("blocks have no order") != std::string::npos);
  }
}
