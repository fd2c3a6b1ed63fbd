// SPDX-License-Identifier: Apache-2.0
// Rows on groups of lanes: what the builder writes is read back, run and proved, and no layer takes
// a text in which a lane leaves its group or a vector lies beside its place.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <vector>

#include "codegen/ir/builder.hpp"
#include "codegen/ir/print.hpp"
#include "codegen/ir/validate.hpp"
#include "runtime/emulator/emulated_kernel.hpp"
#include "tests/catch.hpp"
#include "tests/unit/codegen/groups/grouped_kernel.hpp"

namespace heddle::test {
namespace {

using emulator::EmulatedKernel;
using emulator::EmulationResult;

std::uint16_t narrowed(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return static_cast<std::uint16_t>((bits + 0x7fffU + (bits >> 16 & 1U)) >> 16);
}
float widened(std::uint16_t x) {
  const std::uint32_t bits = static_cast<std::uint32_t>(x) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof result);
  return result;
}

constexpr int kTokens = 45;
constexpr int kDim = 64;

std::vector<float> inputs() {
  std::vector<float> x(kTokens * kDim);
  for (std::size_t e = 0; e < x.size(); ++e) x[e] = static_cast<float>(e * 37 % 11 % 3) - 1.0F;
  return x;
}
std::vector<float> expected(const std::vector<float>& x) {
  std::vector<float> y = x;
  for (int i = 0; i < kTokens; ++i) {
    for (int j = i / 32 * 32; j <= i; ++j) {
      float product = 0;
      for (int d = 0; d < kDim; ++d) product += x[i * kDim + d] * x[j * kDim + d];
      for (int d = 0; d < kDim; ++d) y[i * kDim + d] += product * x[j * kDim + d];
    }
  }
  return y;
}

EmulatedKernel built(const Grouped& kernel, const std::string& text) {
  auto result = EmulatedKernel::build({"kernel.cu", text, "kernel", kernel.preludes});
  if (!result) FAIL(result.error().message);
  return std::move(*result);
}

EmulationResult launched(const Grouped& kernel, const std::string& text,
                         emulator::LaneOrder order = emulator::LaneOrder::kForward,
                         std::vector<float>* outputs = nullptr) {
  const bool wide = kernel.manifest.dtype == ElementType::kF32;
  std::vector<float> x = inputs(), y(x.size());
  std::vector<std::uint16_t> narrow_x, narrow_y(x.size());
  for (const float each : x) narrow_x.push_back(narrowed(each));
  const std::size_t bytes = x.size() * (wide ? 4 : 2);
  emulator::Launch launch;
  launch.threads = kernel.entry().threads;
  launch.dynamic_shared_bytes = static_cast<std::size_t>(kernel.entry().shared_rows[0].most *
                                                         kernel.entry().shared_rows[0].row_bytes);
  void* const in = wide ? static_cast<void*>(x.data()) : narrow_x.data();
  void* const out = wide ? static_cast<void*>(y.data()) : narrow_y.data();
  launch.buffers = {{"x", in, bytes, Access::kRead, {}}, {"y", out, bytes, Access::kWrite, {}}};
  launch.arguments = {emulator::BufferArgument{0}, emulator::BufferArgument{1},
                      std::int32_t{kTokens}};
  launch.order = order;
  launch.count_requests = true;
  launch.step_limit = 20'000'000;
  auto result = built(kernel, text).run(launch);
  if (!result) FAIL(result.error().message);
  if (!wide) {
    for (std::size_t e = 0; e < y.size(); ++e) y[e] = widened(narrow_y[e]);
  }
  if (outputs != nullptr) *outputs = y;
  return *result;
}

}  // namespace

TEST_CASE("what groups of lanes do is written as calls of the prelude") {
  const std::string f32 = grouped(ElementType::kF32).text;
  INFO(f32);
  CHECK(f32.find("const float weight = group_sum<8>(part);") != std::string::npos);
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
    const std::vector<float> wanted = expected(inputs());
    for (const auto order : {emulator::LaneOrder::kForward, emulator::LaneOrder::kReverse,
                             emulator::LaneOrder::kShuffled}) {
      std::vector<float> y;
      const EmulationResult result = launched(kernel, kernel.text, order, &y);
      for (const emulator::Finding& finding : result.findings) FAIL_CHECK(finding.message);
      for (std::size_t e = 0; e < y.size(); ++e) {
        const float rounded =
            element == ElementType::kF32 ? wanted[e] : widened(narrowed(wanted[e]));
        if (y[e] != rounded) FAIL("y[" << e << "] is " << y[e] << ", not " << rounded);
      }
    }
  }
}

}  // namespace heddle::test
