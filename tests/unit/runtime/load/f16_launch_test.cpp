// SPDX-License-Identifier: Apache-2.0
// Launches in f16, on the cpu for real: every f16 goes through a kernel, subnormal ones and 65504
// among them, and what a kernel computes is stored as the nearest one.
#include <cmath>
#include <numeric>

#include "codegen/generate.hpp"
#include "runtime/load/kernel.hpp"
#include "tests/unit/runtime/reference/reference_test_support.hpp"

namespace heddle {
namespace {

using Halves = std::vector<std::uint16_t>;
constexpr std::size_t kAll = 65536;  // 64 channels of 1024 tokens
constexpr std::int64_t kTokens = 1024;

// y_i = a_i x_i.
KernelArtifact artifact_of(WeightKind weights) {
  GenerateOptions options;
  options.ops = {"prefill", "backward"};
  options.dtype = ElementType::kF16;
  options.weights = weights;
  const Result<Artifact> artifact =
      generate(test::pattern_of({"p", "pattern p {\n A = diagonal\n B = none\n}\n"}), options);
  REQUIRE(artifact.ok());
  LoadOptions trusting;
  trusting.allow_unverified = true;
  Result<KernelArtifact> loaded =
      KernelArtifact::load(artifact->manifest, artifact->files, trusting);
  if (!loaded) FAIL(loaded.error().message);
  return *std::move(loaded);
}

// What comes of `in`, channel by channel, times `factor`: y of x, or dx of dy.
Halves scaled(const KernelArtifact& artifact, const std::string& op, Halves in, float factor,
              std::size_t factors) {
  const bool forward = op == "prefill";
  Halves coef_a(factors, f16_from(factor)), coef_b, out(kAll), x(kAll), y(kAll);
  Halves dcoef_a(factors), dcoef_b;
  LaunchValues values;
  values.sizes = {{"batch", 1},   {"tokens", kTokens}, {"heads", 1},   {"start", 0},
                  {"slots_a", 0}, {"slots_b", 0},      {"width_a", 1}, {"width_b", 0}};
  for (auto& [name, array] : std::map<std::string, Halves*>{{"x", forward ? &in : &x},
                                                            {"y", forward ? &out : &y},
                                                            {"dy", &in},
                                                            {"dx", &out},
                                                            {"coef_a", &coef_a},
                                                            {"coef_b", &coef_b},
                                                            {"dcoef_a", &dcoef_a},
                                                            {"dcoef_b", &dcoef_b}}) {
    values.buffers[name] = {array->data(), 2 * array->size(), ElementType::kF16};
  }
  const auto failure = artifact.launch(op, values);
  if (failure) FAIL(failure->message);
  return out;
}

bool same(std::uint16_t x, std::uint16_t y) {
  const float first = float_from_f16(x), second = float_from_f16(y);
  return std::isnan(first) ? std::isnan(second) : x == y;
}

TEST_CASE("every f16 goes through a kernel, and products are stored as the nearest one") {
  Halves all(kAll);
  std::iota(all.begin(), all.end(), std::uint16_t{0});
  for (const WeightKind weights : {WeightKind::kGiven, WeightKind::kGated}) {
    const KernelArtifact artifact = artifact_of(weights);
    const std::size_t factors = weights == WeightKind::kGiven ? kAll / 64 : kAll;
    for (const char* op : {"prefill", "backward"}) {
      // Unchanged; ties among subnormals; ties elsewhere; ten bits more than there are; past 65504.
      for (const float factor : {1.0F, 0.5F, 1.5F, 1.0F + 0x1p-10F, -3.0F}) {
        const Halves out = scaled(artifact, op, all, factor, factors);
        for (std::size_t bits = 0; bits < kAll; ++bits) {
          const std::uint16_t exact = f16_from(float_from_f16(all[bits]) * factor);
          if (!same(out[bits], exact)) FAIL(op << ": " << bits << " times " << factor);
        }
      }
    }
  }
}

}  // namespace
}  // namespace heddle
