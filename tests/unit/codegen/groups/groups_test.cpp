// SPDX-License-Identifier: Apache-2.0
// Rows on groups of lanes: what the builder writes is run, read back and proved, and no text passes
// in which a lane leaves its group or a vector lies beside its place.
#include <cstdint>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "codegen/ir/builder.hpp"
#include "codegen/ir/validate.hpp"
#include "codegen/verify/check_statically.hpp"
#include "runtime/emulator/emulated_kernel.hpp"
#include "runtime/load/nvrtc.hpp"
#include "tests/catch.hpp"
#include "tests/unit/codegen/groups/grouped_kernel.hpp"

namespace heddle::test {
namespace {

using emulator::EmulatedKernel;
using emulator::EmulationResult;
using emulator::LaneOrder;
using emulator::Scalars;

constexpr int kTokens = 45;
constexpr int kDim = 64;

std::uint16_t narrowed(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}
FieldElement in_field(float whole) {
  const auto number = static_cast<std::int64_t>(whole);
  const auto modulo = [&](std::uint64_t modulus) {
    return static_cast<std::uint64_t>(number < 0 ? static_cast<std::int64_t>(modulus) + number
                                                 : number);
  };
  return {modulo(kFieldP), modulo(kFieldQ)};
}

// Whole numbers, so small that all sums are exact.
std::vector<float> inputs() {
  std::vector<float> x(kTokens * kDim);
  for (std::size_t e = 0; e < x.size(); ++e) x[e] = static_cast<float>(e * 37 % 11 % 3) - 1.0F;
  return x;
}
std::vector<float> expected() {
  const std::vector<float> x = inputs();
  std::vector<float> y = x;
  const auto row = [&](int i) { return static_cast<std::size_t>(i * kDim); };
  for (int i = 0; i < kTokens; ++i) {
    for (int j = i / 32 * 32; j <= i; ++j) {
      float product = 0;
      for (std::size_t d = 0; d < kDim; ++d) product += x[row(i) + d] * x[row(j) + d];
      for (std::size_t d = 0; d < kDim; ++d) y[row(i) + d] += product * x[row(j) + d];
    }
  }
  return y;
}

EmulatedKernel built(const std::string& text, Scalars scalars = Scalars::kReal) {
  auto result = EmulatedKernel::build(
      {"kernel.cu", text, "kernel", preludes(), emulator::Dialect::kCuda, scalars});
  if (!result) FAIL(result.error().message);
  return std::move(*result);
}

emulator::Launch launch_of(const Grouped& kernel, std::size_t element, void* x, void* y) {
  emulator::Launch launch;
  launch.threads = kernel.entry().threads;
  launch.dynamic_shared_bytes = 32 * kDim * element;
  const std::size_t bytes = kTokens * kDim * element;
  launch.buffers = {{"x", x, bytes, Access::kRead, {}}, {"y", y, bytes, Access::kWrite, {}}};
  launch.arguments = {emulator::BufferArgument{0}, emulator::BufferArgument{1},
                      std::int32_t{kTokens}};
  launch.step_limit = 20'000'000;
  return launch;
}

// What the launches of a text in every order of the lanes leave, where they find nothing wrong.
struct Outcome {
  std::vector<std::string> findings;
  bool right = true;
};
Outcome emulated(const Grouped& kernel, const std::string& text) {
  Outcome outcome;
  EmulatedKernel emulated = built(text);
  for (const LaneOrder order : {LaneOrder::kForward, LaneOrder::kReverse, LaneOrder::kShuffled}) {
    std::vector<float> x = inputs(), y(x.size());
    std::vector<std::uint16_t> narrow_x, narrow_y(x.size());
    for (const float each : x) narrow_x.push_back(narrowed(each));
    const bool wide = kernel.manifest.dtype == ElementType::kF32;
    emulator::Launch launch = wide ? launch_of(kernel, 4, x.data(), y.data())
                                   : launch_of(kernel, 2, narrow_x.data(), narrow_y.data());
    launch.order = order;
    const auto result = emulated.run(launch);
    if (!result) FAIL(result.error().message);
    for (const emulator::Finding& each : result->findings) outcome.findings.push_back(each.message);
    const std::vector<float> wanted = expected();
    for (std::size_t e = 0; e < y.size(); ++e) {
      const bool same = wide ? y[e] == wanted[e] : narrow_y[e] == narrowed(wanted[e]);
      outcome.right = outcome.right && same;
    }
  }
  return outcome;
}

StaticReport report_of(const Grouped& kernel, const std::string& text, std::int64_t replay) {
  StaticOptions options;
  options.replay_work = replay;
  options.resource_limit = 500'000;
  return check_statically(text, preludes(), kernel.manifest, kernel.entry(), options);
}
std::string told(const StaticReport& report) {
  std::string text;
  for (const StaticFailure& failure : report.failures) {
    text += failure.obligation + " " + failure.where + ": " + failure.message + "\n";
  }
  return text;
}

struct Break {
  std::string old;
  std::string fresh;
};
std::string broken(const Grouped& kernel, const Break& each) {
  std::string text = kernel.text;
  const std::size_t at = text.find(each.old);
  INFO(each.old << " -> " << each.fresh << "\n" << kernel.text);
  REQUIRE(at != std::string::npos);
  return text.replace(at, each.old.size(), each.fresh);
}

// In bf16; what endangers memory, or has lanes wait for those that do not come.
const std::vector<Break>& unsafe() {
  static const std::string own = "load_elements<8>(query, rows + r * 64 + lane % 8 * 8)";
  static const std::string half = "store_elements<4>(sums + r * 64 + lane % 8 * 8 + 4, mixed + 4)";
  static const std::vector<Break> all = {
      {"group_sum<8>(part)", "group_sum<16>(part)"},
      {"group_sum<8>(part)", "warp_sum(part)"},
      {"group_sum<8>(part)", "warp_sum<8>(part)"},
      {"while (f < i)", "while (f < i - lane % 2)"},
      {"while (f < i)", "while (f < i + 1)"},
      {"Index r = group; r < size; r += 16", "Index r = thread / 4; r < size; r += 32"},
      {"group = warp * 4 + lane / 8", "group = warp * 8 + lane / 4"},
      {"group = warp * 4 + lane / 8", "group = warp * 2 + lane / 16"},
      {"while (f < i)", "while (f < i - 1)"},
      {"f += 1;", "f += 2;"},
      {"c < r + 1; ++c", "c < r + 2; ++c"},
      {"    __syncthreads();\n    for (Index d", "    for (Index d"},
      {"group_read<8>(kept, keeper)", "group_read<8>(kept, keeper + 1)"},
      {"group_read<8>(kept, keeper)", "group_read<8>(kept, keeper - 1)"},
      {"group_read<8>(kept, keeper)", "group_read<16>(kept, keeper)"},
      {"group_read<8>(kept, keeper)", "group_read<4>(kept, keeper)"},
      {"if (lane % 8 == 0) {", "if (lane % 8 < 2) {"},
      {"if (lane % 8 == 0) {", "if (lane == 0) {"},
      {"near_weights[r * 32 + c] = weight", "near_weights[r * 31 + c] = weight"},
      {"near_weights[r * 32 + c] = weight", "near_weights[r * 32 + c + 1] = weight"},
      {"near_weights[r * 32 + c] = weight", "near_weights[c * 32 + r] = weight"},
      {own, "load_elements<8>(query, rows + r * 64 + lane % 8 * 4)"},
      {own, "load_elements<8>(query, rows + r * 64 + lane % 8 * 8 + 1)"},
      {own, "load_elements<8>(query, rows + r * 64 + lane % 8 * 8 + 8)"},
      {own, "load_elements<8>(query + 1, rows + r * 64 + lane % 8 * 8)"},
      {own, "load_elements<4>(query, rows + r * 64 + lane % 8 * 8)"},
      {half, "store_elements<4>(sums + r * 64 + lane % 8 * 8, mixed + 4)"},
      {half, "store_elements<4>(sums + r * 64 + lane % 8 * 8 + 2, mixed + 4)"},
      {half, "store_elements<4>(sums + r * 64 + lane % 8 * 8 + 8, mixed + 4)"},
      {half, "store_elements<4>(sums + r * 64 + lane % 8 * 8 + 4, mixed + 6)"},
      {half + ";\n", "\n"}};
  return all;
}
// What is read or summed is another number, and as safe.
const std::vector<Break>& wrong() {
  static const std::vector<Break> all = {
      {"group_sum<8>(part)", "group_sum<4>(part)"},
      {"load_elements<8>(query, rows + r * 64 + lane % 8 * 8)",
       "load_elements<8>(query, rows + r * 64 + lane / 4 * 8)"},
      {"group_read<8>(kept, keeper)", "group_read<8>(kept, lane % 8)"},
      {"load_elements<8>(key, rows + c * 64", "load_elements<8>(key, rows + r * 64"}};
  return all;
}

}  // namespace

TEST_CASE("what groups of lanes do is written as calls of the prelude") {
  const std::string f32 = grouped(ElementType::kF32).text;
  INFO(f32);
  CHECK(f32.find("const float weight = group_sum<8>(part);") != std::string::npos);
  CHECK(f32.find("const float taken = group_read<8>(kept, keeper);") != std::string::npos);
  CHECK(f32.find("load_elements<4>(query + 4, rows + r * 64 + 32 + lane % 8 * 4);") !=
        std::string::npos);
  CHECK(f32.find("store_elements<4>(sums + r * 64 + lane % 8 * 4, mixed);") != std::string::npos);
  const std::string bf16 = grouped(ElementType::kBF16).text;
  CHECK(bf16.find("load_elements<8>(key, rows + c * 64 + lane % 8 * 8);") != std::string::npos);
  CHECK(ir::validate(grouped_kernel(ElementType::kBF16)).empty());
}

TEST_CASE("rows on groups of lanes come out right in every order of the lanes") {
  for (const ElementType element : {ElementType::kF32, ElementType::kBF16}) {
    const Grouped kernel = grouped(element);
    const Outcome outcome = emulated(kernel, kernel.text);
    for (const std::string& finding : outcome.findings) FAIL_CHECK(finding);
    CHECK(outcome.right);
  }
}

TEST_CASE("over a finite field rows on groups of lanes come out exactly") {
  for (const ElementType element : {ElementType::kF32, ElementType::kBF16}) {
    const Grouped kernel = grouped(element);
    std::vector<FieldElement> x, y(kTokens * kDim);
    for (const float each : inputs()) x.push_back(in_field(each));
    const auto result = built(kernel.text, Scalars::kField)
                            .run(launch_of(kernel, sizeof(FieldElement), x.data(), y.data()));
    if (!result) FAIL(result.error().message);
    for (const emulator::Finding& finding : result->findings) FAIL_CHECK(finding.message);
    const std::vector<float> wanted = expected();
    for (std::size_t e = 0; e < y.size(); ++e) {
      if (!(y[e].value == in_field(wanted[e]).value)) FAIL("y[" << e << "] is another number");
    }
  }
}

TEST_CASE("a kernel in which groups of lanes share rows is proved") {
  for (const ElementType element : {ElementType::kF32, ElementType::kBF16}) {
    const Grouped kernel = grouped(element);
    const StaticReport report = report_of(kernel, kernel.text, 20'000'000);
    INFO(kernel.text << told(report));
    CHECK(report.verdict == StaticVerdict::kVerified);
    CHECK(report.obligations.size() == 8);
  }
}

TEST_CASE("a row that a group takes at most is the one that it writes") {
  const Grouped kernel = grouped(ElementType::kBF16);
  const auto verdict = [&](const std::string& row) {
    const std::string text =
        broken(kernel, {"near_weights[r * 32 + c] = weight",
                        "near_weights[minimum(r, " + row + ") * 32 + c] = weight"});
    return report_of(kernel, text, 0).verdict;
  };
  CHECK(verdict("size - 1") == StaticVerdict::kVerified);
  CHECK(verdict("size - 2") == StaticVerdict::kUnknown);
}

TEST_CASE("no kernel in which a lane leaves its group or a vector its place is taken") {
  const Grouped kernel = grouped(ElementType::kBF16);
  for (const Break& each : unsafe()) {
    INFO(each.old << " -> " << each.fresh);
    const std::string text = broken(kernel, each);
    const StaticReport proofs = report_of(kernel, text, 0);
    REQUIRE_FALSE(proofs.obligations.empty());
    CHECK(proofs.obligations[0].verdict == StaticVerdict::kVerified);  // it was read
    CHECK(proofs.verdict != StaticVerdict::kVerified);
    // Replayed numbers have no addresses, which a vector would lie across.
    const bool across = told(proofs).find("begins where one may") != std::string::npos;
    const StaticReport launches = report_of(kernel, text, 20'000'000);
    CHECK((across || launches.verdict == StaticVerdict::kRejected));
    // Registers that nobody has written are no finding of the emulator's; what comes of them is.
    const Outcome outcome = emulated(kernel, text);
    CHECK((!outcome.findings.empty() || !outcome.right));
  }
  for (const Break& each : wrong()) {
    INFO(each.old << " -> " << each.fresh);
    const Outcome outcome = emulated(kernel, broken(kernel, each));
    CHECK((!outcome.findings.empty() || !outcome.right));
  }
}

TEST_CASE("texts that no group of lanes and no vector has are not read") {
  const Grouped kernel = grouped(ElementType::kBF16);
  const std::vector<Break> breaks = {
      {"group_sum<8>(part)", "group_sum<32>(part)"},
      {"group_sum<8>(part)", "group_sum<6>(part)"},
      {"group_sum<8>(part)", "group_sum(part)"},
      {"group_sum<8>(part)", "group_max<8>(part)"},
      {"group_read<8>(kept, keeper)", "group_read<8>(kept)"},
      {"group_read<8>(kept, keeper)", "group_read<8>(keeper, keeper)"},
      {"group_read<8>(kept, keeper)", "group_read<8>(kept, kept)"},
      {"load_elements<8>(key", "load_elements<16>(key"},
      {"load_elements<8>(key", "load_elements<3>(key"},
      {"load_elements<8>(key", "load_elements<4>(sums"},
      {"store_elements<4>(sums", "store_elements<8>(sums"},
      {"store_elements<4>(sums", "store_elements<4>(near_weights"},
      {"store_elements<4>(sums + r * 64", "store_elements<8>(x + r * 64"}};
  for (const Break& each : breaks) {
    INFO(each.old << " -> " << each.fresh);
    const StaticReport report = report_of(kernel, broken(kernel, each), 0);
    REQUIRE(report.obligations.size() == 1);
    CHECK(report.obligations[0].name == "reading");
    CHECK(report.verdict == StaticVerdict::kUnknown);
  }
}

TEST_CASE("the validator knows which lanes of a warp go together") {
  const auto problems = [](int lanes, int rows) {
    ir::Builder b("kernel", ir::Target::kCuda, 32);
    const ir::MemoryId y = b.buffer("y", ElementType::kF32, Access::kWrite, {"32"});
    const ir::Ex lane = b.let("lane", b.where(ir::Place::kLane));
    const ir::Var sum = b.variable("sum", b.f32(0));
    b.loop("r", lane / rows, b.i64(7),
           [&](ir::Ex) { b.assign(sum, b.reduce(ir::ReduceOperator::kSum, b.f32(1), lanes)); });
    b.store(y, lane, sum);
    return ir::validate(b.kernel());
  };
  CHECK(problems(8, 8).empty());
  CHECK(problems(4, 8).empty());
  CHECK(problems(16, 8) ==
        std::vector<std::string>{"a reduction stands where lanes of a group may diverge"});
  CHECK(problems(32, 8) ==
        std::vector<std::string>{"a warp reduction stands where lanes of a warp may diverge"});
  CHECK(problems(2, 3).size() == 1);
  ir::Builder b("kernel", ir::Target::kCuda, 32);
  const ir::Ex lane = b.let("lane", b.where(ir::Place::kLane));
  b.when(lane / 4 < 3, [&] { b.let("read", b.pick(b.f32(1), lane % 8, 8)); });
  CHECK(ir::validate(b.kernel()) ==
        std::vector<std::string>{"a lane is read where lanes of its group may diverge"});
}

TEST_CASE("sixteen bytes a lane are one request, and a quarter of a warp asks the banks at once") {
  const auto counted = [](const std::string& place) {
    const std::string text =
        "#include \"staging_prelude.cuh\"\nusing namespace heddle;\n"
        "extern \"C\" __global__ void kernel(const float* x, float* y) {\n"
        "  __shared__ __align__(16) float tile[256];\n"
        "  const Index lane = threadIdx.x;\n  float own[8];\n"
        "  load_elements<4>(own, x + lane * 8);\n  load_elements<4>(own + 4, x + lane * 8 + 4);\n"
        "  for (int e = 0; e < 8; ++e) tile[e * 32 + lane] = own[e];\n  __syncthreads();\n"
        "  load_elements<4>(own, tile + " +
        place + ");\n  store_elements<4>(y + lane * 4, own);\n}\n";
    std::vector<float> x(256, 1.0F), y(128);
    emulator::Launch launch;
    launch.threads = 32;
    launch.count_requests = true;
    launch.buffers = {{"x", x.data(), x.size() * 4, Access::kRead, {}},
                      {"y", y.data(), y.size() * 4, Access::kWrite, {}}};
    launch.arguments = {emulator::BufferArgument{0}, emulator::BufferArgument{1}};
    const auto result = built(text).run(launch);
    if (!result) FAIL(result.error().message);
    for (const emulator::Finding& finding : result->findings) FAIL_CHECK(finding.message);
    return result->counters;
  };
  const emulator::Counters side_by_side = counted("lane * 4");
  CHECK(side_by_side.global_requests == 3);
  CHECK(side_by_side.global_sectors == 32 + 32 + 16);
  CHECK(side_by_side.shared_requests == 8 + 1);
  CHECK(side_by_side.shared_bank_conflicts == 0);
  // Every other four banks, twice: one pass more for each eight lanes.
  CHECK(counted("lane * 8 % 256").shared_bank_conflicts == 4);
}

TEST_CASE("a vector is watched element by element") {
  const auto found = [](const std::string& writes, const std::string& place) {
    const std::string text =
        "#include \"staging_prelude.cuh\"\nusing namespace heddle;\n"
        "extern \"C\" __global__ void kernel(float* y) {\n"
        "  __shared__ __align__(16) float tile[128];\n"
        "  const Index lane = threadIdx.x;\n  float own[4];\n"
        "  for (int e = 0; e < 3; ++e) tile[lane * 4 + e] = 1.0f;\n  " +
        writes + "\n  load_elements<4>(own, tile + " + place +
        ");\n  store_elements<4>(y + lane * 4, own);\n}\n";
    std::vector<float> y(128);
    emulator::Launch launch;
    launch.threads = 32;
    launch.buffers = {{"y", y.data(), y.size() * 4, Access::kWrite, {}}};
    launch.arguments = {emulator::BufferArgument{0}};
    const auto result = built(text).run(launch);
    if (!result) FAIL(result.error().message);
    std::set<emulator::FindingKind> kinds;
    for (const emulator::Finding& finding : result->findings) kinds.insert(finding.kind);
    return kinds;
  };
  using Kinds = std::set<emulator::FindingKind>;
  const std::string last = "tile[lane * 4 + 3] = 1.0f;";
  const std::string of_neighbour = "tile[(lane + 1) % 32 * 4 + 3] = 1.0f;";
  CHECK(found(last, "lane * 4").empty());
  CHECK(found(of_neighbour + " __syncthreads();", "lane * 4").empty());
  CHECK(found("", "lane * 4") == Kinds{emulator::FindingKind::kUninitialisedRead});
  CHECK(found(of_neighbour, "lane * 4").count(emulator::FindingKind::kRaceShared) == 1);
  CHECK(found(last, "lane * 4 + 2") == Kinds{emulator::FindingKind::kMisaligned});
  CHECK(found(last, "lane / 31 * 128").count(emulator::FindingKind::kOutOfBounds) == 1);
}

TEST_CASE("what groups of a warp do at one place is one operation of the warp") {
  const std::string text =
      "#include \"device_prelude.cuh\"\nusing namespace heddle;\n"
      "extern \"C\" __global__ void kernel(float* y) {\n"
      "  const Index lane = threadIdx.x;\n  float sum = 0.0f;\n"
      "  for (Index r = lane / 8; r < 4; ++r) sum = group_sum<8>(1.0f) + group_max<8>(lane) +\n"
      "    group_read<8>(100.0f * lane, r);\n"
      "  y[lane] = sum;\n}\n";
  std::vector<float> y(32);
  emulator::Launch launch;
  launch.threads = 32;
  launch.buffers = {{"y", y.data(), y.size() * 4, Access::kWrite, {}}};
  launch.arguments = {emulator::BufferArgument{0}};
  const auto result = built(text).run(launch);
  if (!result) FAIL(result.error().message);
  for (const emulator::Finding& finding : result->findings) FAIL_CHECK(finding.message);
  for (std::size_t lane = 0; lane < 32; ++lane) {
    const std::size_t first = lane / 8 * 8;
    CHECK(y[lane] == 8.0F + static_cast<float>(first + 7 + 100 * (first + 3)));
  }
  CHECK(result->counters.collectives == 4 * (3 + 3 + 1));  // the first group is there four times
}

TEST_CASE("rows on groups of lanes compile and keep their numbers in registers") {
  const Result<Nvrtc> compiler = Nvrtc::open();
  if (!compiler) {
    WARN("skipped: " << compiler.error().message);
    return;
  }
  for (const ElementType element : {ElementType::kF32, ElementType::kBF16}) {
    const auto code = compiler->compile("kernel.cu", grouped(element).text, preludes(), "sm_90");
    if (!code) FAIL(code.error().message);
    const KernelResources& resources = code->resources.at("kernel");
    CHECK(spilled_bytes(resources) == 0);
    CHECK(resources.stack_bytes == 0);
  }
}

}  // namespace heddle::test
