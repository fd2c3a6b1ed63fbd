// SPDX-License-Identifier: Apache-2.0
// What the static layer's rules say that helpers on tensor cores touch, against what their own text
// touches in the emulator, which watches every access.
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "codegen/prelude/prelude.hpp"
#include "codegen/verify/lift.hpp"
#include "patterns/result.hpp"
#include "runtime/emulator/emulated_kernel.hpp"
#include "tests/catch.hpp"

namespace heddle::test {
namespace {

constexpr int kHalves = 4096;  // of bf16 in shared memory
constexpr int kFloats = 2048;  // behind them
constexpr int kSums = 12;      // three tiles

// By memory, the elements that the warp reads and writes.
struct Touched {
  std::map<std::string, std::set<std::int64_t>> read, written;
};

// Carries a lifted text out for one thread after another: loops over loads and stores.
class Walk {
 public:
  explicit Walk(const ir::Kernel& kernel) : kernel_(kernel) {}

  Touched run() {
    for (thread_ = 0; thread_ < 32; ++thread_) body(kernel_.body);
    return touched_;
  }

 private:
  std::string name_of(ir::MemoryId memory) const {
    return match(memory, [&](auto id) { return kernel_[id].name; });
  }
  std::int64_t whole(ir::ValueId id) {
    return match(
        kernel_[id].node, [](const ir::IntegerLiteral& node) { return node.value; },
        [&](const ir::Read& node) { return counters_.at(node.variable.index); },
        [&](const ir::Where&) { return thread_; },
        [&](const ir::Binary& node) {
          const std::int64_t x = whole(node.left), y = whole(node.right);
          switch (node.op) {
            case ir::BinaryOperator::kAdd:
              return x + y;
            case ir::BinaryOperator::kMultiply:
              return x * y;
            case ir::BinaryOperator::kDivide:
              return x / y;
            case ir::BinaryOperator::kModulo:
              return x % y;
            default:
              FAIL("an operator that no rule has");
              return std::int64_t{0};
          }
        },
        [](const auto&) {
          FAIL("an index that no rule has");
          return std::int64_t{0};
        });
  }
  void real(ir::ValueId id) {
    match(
        kernel_[id].node,
        [&](const ir::Load& node) {
          touched_.read[name_of(node.memory)].insert(whole(node.index));
        },
        [&](const ir::Reduce& node) { real(node.operand); }, [](const auto&) {});
  }
  void body(const ir::Body& statements) {
    for (const ir::Statement& each : statements) {
      match(
          each.node,
          [&](const ir::For& node) {
            for (std::int64_t c = whole(node.begin); c < whole(node.end); c += whole(node.step)) {
              counters_[node.variable.index] = c;
              body(node.body);
            }
          },
          [&](const ir::Define& node) { real(node.value); },
          [&](const ir::Store& node) {
            real(node.value);
            touched_.written[name_of(node.memory)].insert(whole(node.index));
          },
          [](const auto&) {});
    }
  }

  const ir::Kernel& kernel_;
  std::int64_t thread_ = 0;
  std::map<std::int32_t, std::int64_t> counters_;
  Touched touched_;
};

Touched by_rule(const std::string& call) {
  KernelEntry entry;
  entry.op = "prefill";
  entry.file = "rule.cu";
  entry.symbol = "kernel";
  entry.threads = 32;
  entry.alignment = 16;
  entry.shared_rows = {{"rows", 1, 1, kHalves * 2 + kFloats * 4, ""}};
  const std::string text =
      "#include \"tensor_prelude.cuh\"\n\nusing namespace heddle;\n\n"
      "extern \"C\" __global__ void __launch_bounds__(32)\nkernel() {\n"
      "  extern __shared__ __align__(16) bf16 staged[];\n"
      "  float* const reals = reinterpret_cast<float*>(staged + 4096);\n"
      "  float sums[12];\n  " +
      call + "\n}\n";
  const Result<verify::Lifted> lifted = verify::lift(text, entry);
  INFO(call << ": " << (lifted ? "" : lifted.error().message));
  REQUIRE(lifted.ok());
  return Walk(lifted->kernel).run();
}

// The helper's own text: elements of the two memories exist where `halves` and `floats` say so, and
// what they are afterwards comes out, 7 where nobody has touched them.
class OwnText {
 public:
  explicit OwnText(const std::string& call) {
    const std::map<std::string, std::string> includes = {
        {"device_prelude.cuh", std::string(device_prelude())},
        {"staging_prelude.cuh", std::string(staging_prelude())},
        {"tensor_prelude.cuh", std::string(tensor_prelude())}};
    const std::string text =
        "#include \"tensor_prelude.cuh\"\nusing namespace heddle;\n"
        "extern \"C\" __global__ void kernel(const float* a, const float* b, float* c) {\n"
        "  __shared__ __align__(16) bf16 staged[4096];\n"
        "  __shared__ __align__(16) float reals[2048];\n"
        "  for (int i = threadIdx.x; i < 4096; i += 32) {\n"
        "    if (a[i] > 0.0f) staged[i] = to_bf16(7.0f);\n  }\n"
        "  for (int i = threadIdx.x; i < 2048; i += 32) {\n"
        "    if (b[i] > 0.0f) reals[i] = 7.0f;\n  }\n"
        "  __syncthreads();\n"
        "  float sums[12];\n"
        "  for (int e = 0; e < 12; ++e) sums[e] = 1.0f;\n  " +
        call +
        "\n  __syncthreads();\n"
        "  for (int i = threadIdx.x; i < 4096; i += 32) {\n"
        "    if (a[i] > 0.0f) c[i] = to_float(staged[i]);\n  }\n"
        "  for (int i = threadIdx.x; i < 2048; i += 32) {\n"
        "    if (b[i] > 0.0f) c[4096 + i] = reals[i];\n  }\n"
        "}\n";
    auto built = emulator::EmulatedKernel::build(
        {"rule.cu", text, "kernel", includes, emulator::Dialect::kCuda});
    if (!built) FAIL(built.error().message);
    kernel_.emplace(std::move(*built));
  }

  // Whether the emulator found nothing wrong.
  bool fine(const std::set<std::int64_t>& halves, const std::set<std::int64_t>& floats,
            std::vector<float>* after = nullptr) {
    std::vector<float> a(kHalves, 0.0F), b(kFloats, 0.0F), c(kHalves + kFloats, 0.0F);
    for (const std::int64_t each : halves) a.at(static_cast<std::size_t>(each)) = 1.0F;
    for (const std::int64_t each : floats) b.at(static_cast<std::size_t>(each)) = 1.0F;
    emulator::Launch launch;
    launch.blocks = 1;
    launch.threads = 32;
    launch.buffers = {{"a", a.data(), a.size() * 4, Access::kRead, {}},
                      {"b", b.data(), b.size() * 4, Access::kRead, {}},
                      {"c", c.data(), c.size() * 4, Access::kReadWrite, {}}};
    launch.arguments = {emulator::BufferArgument{0}, emulator::BufferArgument{1},
                        emulator::BufferArgument{2}};
    launch.step_limit = 10'000'000;
    const auto result = kernel_->run(launch);
    if (!result) FAIL(result.error().message);
    if (after != nullptr) *after = c;
    return result->findings.empty();
  }

 private:
  std::optional<emulator::EmulatedKernel> kernel_;
};

std::set<std::int64_t> all(int count) {
  std::set<std::int64_t> result;
  for (int index = 0; index < count; ++index) result.insert(index);
  return result;
}
std::set<std::int64_t> without_last(std::set<std::int64_t> some) {
  some.erase(std::prev(some.end()));
  return some;
}

}  // namespace

TEST_CASE("the rules of helpers name what the helpers touch") {
  // Three tiles: two at once, and one by itself.
  for (const char* call :
       {"multiply_rows_by_rows<3, 32>(sums, staged + 16, 72, staged + 1600, 40);",
        "multiply_rows_by_columns<3, 32>(sums, staged + 16, 72, staged + 1600, 40);",
        "multiply_columns_by_columns<3, 32>(sums, staged + 16, 40, reals + 5, staged + 1600, 72);",
        "multiply_sums_by_columns<3>(sums, sums + 4, staged + 24, 72);",
        "multiply_sums_by_rows<3>(sums, sums + 4, staged + 24, 72);",
        "multiply_columns_by_rows<3>(sums, staged + 16, 72, staged + 1600, 40);",
        "multiply_columns<3>(sums, staged + 16, 40, staged + 1600, 72);",
        "scale_sums<3>(sums, reals + 6, 26);", "scale_sums_across<3>(sums, reals + 6, 26);",
        "scale_rows<3>(sums, reals + 5);", "scale_columns<3>(sums, reals + 6);",
        "load_sums<3>(sums, reals + 2, 30);", "load_sums_across<3>(sums, reals + 3, 31);"}) {
    INFO(call);
    Touched touched = by_rule(call);
    const std::set<std::int64_t>& halves = touched.read["staged"];
    const std::set<std::int64_t>& floats = touched.read["reals"];
    CHECK(touched.written["staged"].empty());
    CHECK(touched.written["reals"].empty());
    CHECK(touched.written["sums"] == all(kSums));
    OwnText own(call);
    CHECK(own.fine(halves, floats));
    // Each of them is needed; the last one stands for all.
    REQUIRE(halves.size() + floats.size() > 0);
    if (!halves.empty()) CHECK_FALSE(own.fine(without_last(halves), floats));
    if (!floats.empty()) CHECK_FALSE(own.fine(halves, without_last(floats)));
  }
  {
    const std::string call = "dot_rows<3>(sums, sums, staged + 16, 72);";
    Touched touched = by_rule(call);
    const std::set<std::int64_t>& halves = touched.read["staged"];
    CHECK(touched.read["sums"] == all(kSums));
    CHECK(touched.written["sums"] == all(2));
    OwnText own(call);
    CHECK(own.fine(halves, {}));
    CHECK_FALSE(own.fine(without_last(halves), {}));
  }
  for (const char* call :
       {"store_sums<3>(staged + 16, 40, sums);", "store_sums<3>(reals + 4, 30, sums);",
        "store_sums_across<3>(staged + 17, 41, sums);"}) {
    INFO(call);
    Touched touched = by_rule(call);
    CHECK(touched.read["sums"] == all(kSums));
    std::vector<float> after;
    CHECK(OwnText(call).fine(all(kHalves), all(kFloats), &after));
    std::set<std::int64_t> halves, floats;
    for (std::size_t place = 0; place < after.size(); ++place) {
      if (after[place] == 7.0F) continue;
      const auto at = static_cast<std::int64_t>(place);
      at < kHalves ? halves.insert(at) : floats.insert(at - kHalves);
    }
    CHECK(halves == touched.written["staged"]);
    CHECK(floats == touched.written["reals"]);
  }
}

}  // namespace heddle::test
