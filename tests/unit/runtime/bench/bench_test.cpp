// SPDX-License-Identifier: Apache-2.0
// A benchmark times what is right and nothing else. The kernel is a stand-in written here, so that
// it can be made wrong at will.
#include "runtime/bench/bench.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/unit/runtime/reference/reference_test_support.hpp"
#include "tests/unit/runtime/verify/verify_artifact.hpp"

namespace heddle {
namespace {

// The first-order recurrence under softmax on host buffers; `factor` other than 1 makes it wrong.
void first_order(const LaunchRecipe& recipe, double factor) {
  const Sizes& s = recipe.sizes;
  HostBuffers& buffers = recipe.buffers;
  const bool decode = recipe.entry.op == "decode";
  for (std::int64_t b = 0; b < s.batch; ++b) {
    for (std::int64_t h = 0; h < s.heads; ++h) {
      std::vector<double> key(8, 0.0);
      std::vector<double> before(8, 0.0);
      const std::int64_t held = (b * s.heads + h) * 8;  // one slot
      for (std::int64_t c = 0; c < 8 && decode; ++c) {
        key[static_cast<std::size_t>(c)] = buffers.at("cache_b_key").get(held + c);
        before[static_cast<std::size_t>(c)] = buffers.at("cache_b_val").get(held + c);
      }
      for (std::int64_t t = 0; t < s.tokens; ++t) {
        const std::int64_t at = ((b * s.tokens + t) * s.heads + h) * 8;
        double s_a = 0.0;
        double s_b = 0.0;
        for (std::int64_t c = 0; c < 8; ++c) {
          const double q = buffers.at("q").get(at + c);
          s_a += recipe.scale * q * buffers.at("k").get(at + c);
          s_b += recipe.scale * q * key[static_cast<std::size_t>(c)];
        }
        const double e_a = (1.0 - recipe.gamma) * std::exp(s_a);
        const double e_b = s.start + t == 0 ? 0.0 : recipe.gamma * std::exp(s_b);
        for (std::int64_t c = 0; c < 8; ++c) {
          double& y = before[static_cast<std::size_t>(c)];
          y = factor * (e_a * buffers.at("x").get(at + c) + e_b * y) / (e_a + e_b);
          buffers.at("y").set(at + c, y);
          key[static_cast<std::size_t>(c)] = buffers.at("k").get(at + c);
          if (decode) {  // the state moves on, as a real decode kernel's does
            buffers.at("cache_b_key").set(held + c, key[static_cast<std::size_t>(c)]);
            buffers.at("cache_b_val").set(held + c, y);
          }
        }
      }
    }
  }
}

LaunchFactory stand_in(double factor) {
  return [factor](const LaunchRecipe& recipe) -> Result<PreparedLaunch> {
    return PreparedLaunch{[recipe, factor] {
      first_order(recipe, factor);
      return std::optional<Error>();
    }};
  };
}

BenchOptions quick() {
  BenchOptions options;
  options.tokens = 60;
  options.batch = 2;
  options.heads = 3;
  options.gamma = 0.3F;
  options.budget_seconds = 0.05;
  return options;
}

struct Fixture {
  Manifest manifest = test::first_order_manifest();
  const KernelEntry& decode = manifest.kernels[0];
  const KernelEntry& prefill = manifest.kernels[1];
  Rows rows = test::builtin_rows("linear_recurrence", 61);
};

TEST_CASE_METHOD(Fixture, "a right kernel is timed next to the baselines") {
  const auto result = bench(manifest, prefill, rows, quick(), stand_in(1.0));
  REQUIRE(result.ok());
  REQUIRE(result->size() == 4);
  const std::vector<std::string> names = {"heddle", "eigen-sparse", "eigen-dense"};
  for (std::size_t r = 0; r < 3; ++r) {
    const BenchRow& row = (*result)[r];
    INFO(row.remark);
    CHECK(row.name == names[r]);
    REQUIRE(row.timing.has_value());
    CHECK(row.timing->samples == (*result)[0].timing->samples);
    CHECK(row.timing->p10_ms <= row.timing->median_ms);
    CHECK(row.timing->median_ms <= row.timing->p90_ms);
    CHECK(row.max_rel_error.value() < 1e-5);
    // 4 N d s bytes and 4 d N m flops, N = 2 * 3 * 60 tokens with m = 2 entries but the first.
    CHECK(row.gb_per_s * row.timing->median_ms * 1e6 == Approx(4.0 * 360 * 8 * 4));
    CHECK(row.gflop_per_s * row.timing->median_ms * 1e6 == Approx(4.0 * 8 * 6 * (2 * 60 - 1)));
  }
}

TEST_CASE_METHOD(Fixture, "beside a kernel stands one pass over its bytes") {
  const auto result = bench(manifest, prefill, rows, quick(), stand_in(1.0));
  REQUIRE(result.ok());
  const BenchRow& pass = result->back();
  CHECK(pass.name == "memory-pass");
  CHECK(pass.remark.empty());
  REQUIRE(pass.timing.has_value());
  // q, k, x and y of 360 tokens, the state of 6 heads before and after them, 8 channels each.
  const double rows_moved = 4.0 * 360 + 2.0 * 6;
  CHECK(pass.gb_per_s * pass.timing->median_ms * 1e6 == Approx(rows_moved * 8 * 4));
  CHECK(pass.gflop_per_s == 0.0);
}

TEST_CASE_METHOD(Fixture, "a wrong kernel has no timing, the baselines beside it have theirs") {
  const auto result = bench(manifest, prefill, rows, quick(), stand_in(1.001));
  REQUIRE(result.ok());
  CHECK_FALSE((*result)[0].timing.has_value());
  CHECK((*result)[0].remark.rfind("wrong result", 0) == 0);
  CHECK((*result)[0].max_rel_error.value() > 1e-4);
  CHECK((*result)[1].timing.has_value());
  const auto json = nlohmann::json::parse(bench_json(machine_facts(), *result));
  CHECK(json["results"][0]["median_ms"].is_null());
  CHECK(json["results"][0]["gb_per_s"].is_null());
  CHECK(json["results"][1]["median_ms"].is_number());
  CHECK(json["results"][1]["name"] == "eigen-sparse");
  CHECK(json["machine"]["logical_cores"].get<int>() >= 1);
}

TEST_CASE_METHOD(Fixture, "a kernel that writes nothing has no timing") {
  const LaunchFactory idle = [](const LaunchRecipe&) -> Result<PreparedLaunch> {
    return PreparedLaunch{[] { return std::optional<Error>(); }};
  };
  const auto result = bench(manifest, prefill, rows, quick(), idle);
  REQUIRE(result.ok());
  CHECK_FALSE((*result)[0].timing.has_value());
  CHECK((*result)[0].remark.find("unwritten") != std::string::npos);
}

TEST_CASE_METHOD(Fixture, "a kernel that could not be run has no timing but a reason") {
  const LaunchFactory failing = [](const LaunchRecipe&) -> Result<PreparedLaunch> {
    return PreparedLaunch{[] { return std::optional<Error>(Error{"out of threads"}); }};
  };
  const auto result = bench(manifest, prefill, rows, quick(), failing);
  REQUIRE(result.ok());
  CHECK_FALSE((*result)[0].timing.has_value());
  CHECK((*result)[0].remark == "out of threads");
  CHECK((*result)[1].timing.has_value());
}

TEST_CASE_METHOD(Fixture, "decode starts from the same state in every run") {
  const auto result = bench(manifest, decode, rows, quick(), stand_in(1.0));
  REQUIRE(result.ok());
  REQUIRE(result->size() == 1);
  INFO((*result)[0].remark);
  CHECK((*result)[0].timing.has_value());
}

TEST_CASE_METHOD(Fixture, "what cannot be timed is refused with a reason") {
  BenchOptions options = quick();
  options.tokens = 62;
  CHECK_FALSE(bench(manifest, prefill, rows, options, stand_in(1.0)).ok());
  options.tokens = 0;
  CHECK_FALSE(bench(manifest, prefill, rows, options, stand_in(1.0)).ok());
  const LaunchFactory refusing = [](const LaunchRecipe&) -> Result<PreparedLaunch> {
    return Error{"no compiler"};
  };
  const auto refused = bench(manifest, prefill, rows, quick(), refusing);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message == "no compiler");
}

}  // namespace
}  // namespace heddle
