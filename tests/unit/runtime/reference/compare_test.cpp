// SPDX-License-Identifier: Apache-2.0
// Storage types against their definitions, buffers and states, and what a comparison lets through.
#include "runtime/reference/compare.hpp"

#include <bit>
#include <cmath>
#include <limits>
#include <set>

#include "tests/unit/runtime/reference/reference_test_support.hpp"

namespace heddle {
namespace {

// Rounding by search: the nearest of all finite values of the type, the even one on a tie.
std::uint16_t nearest_by_search(float value, float (*decode)(std::uint16_t)) {
  std::uint16_t best = 0;
  double best_distance = INFINITY;
  for (std::uint32_t bits = 0; bits < 0x8000U; ++bits) {
    const auto candidate = static_cast<std::uint16_t>(bits);
    const double decoded = decode(candidate);
    if (!std::isfinite(decoded)) continue;
    const double distance = std::fabs(std::fabs(static_cast<double>(value)) - decoded);
    if (distance < best_distance || (distance == best_distance && bits % 2 == 0)) {
      best = candidate;
      best_distance = distance;
    }
  }
  return static_cast<std::uint16_t>(best | (std::signbit(value) ? 0x8000U : 0U));
}

TEST_CASE("16-bit types decode and encode every value to itself") {
  for (std::uint32_t bits = 0; bits <= 0xFFFFU; ++bits) {
    const auto pattern = static_cast<std::uint16_t>(bits);
    if (std::isnan(float_from_bf16(pattern))) {
      CHECK(std::isnan(float_from_bf16(bf16_from(float_from_bf16(pattern)))));
    } else if (bf16_from(float_from_bf16(pattern)) != pattern) {
      FAIL("bf16 " << bits);
    }
    if (std::isnan(float_from_f16(pattern))) {
      CHECK(std::isnan(float_from_f16(f16_from(float_from_f16(pattern)))));
    } else if (f16_from(float_from_f16(pattern)) != pattern) {
      FAIL("f16 " << bits);
    }
  }
  CHECK(float_from_f16(0x3C00) == 1.0F);
  CHECK(float_from_f16(0x7BFF) == 65504.0F);
  CHECK(float_from_f16(0x0001) == 0x1p-24F);
  CHECK(float_from_bf16(0x3F80) == 1.0F);
}

TEST_CASE("16-bit types round to nearest, ties to even") {
  RandomSource random(1);
  for (int round = 0; round < 60; ++round) {
    const double magnitude = std::exp2(random.uniform(-26.0, 15.0));
    float value = static_cast<float>(random.sign() * magnitude);
    if (round % 3 == 0) {  // a tie between two neighbours
      const auto low = static_cast<std::uint16_t>(random.below(0x7B00));
      value = (float_from_f16(low) + float_from_f16(static_cast<std::uint16_t>(low + 1))) / 2.0F;
    }
    CHECK(f16_from(value) == nearest_by_search(value, float_from_f16));
    if (round % 3 == 0) {
      const auto low = static_cast<std::uint16_t>(0x3000 + random.below(0x1000));
      value = (float_from_bf16(low) + float_from_bf16(static_cast<std::uint16_t>(low + 1))) / 2.0F;
    }
    CHECK(bf16_from(value) == nearest_by_search(value, float_from_bf16));
  }
  CHECK(f16_from(65519.0F) == 0x7BFF);
  CHECK(f16_from(65520.0F) == 0x7C00);
  CHECK(bf16_from(std::numeric_limits<float>::max()) == 0x7F80);
  CHECK(bf16_from(-INFINITY) == 0xFF80);
}

TEST_CASE("the generator is reproducible and its distributions are what they say") {
  RandomSource first(42);
  RandomSource second(42);
  double sum = 0.0;
  double square = 0.0;
  std::set<std::int64_t> seen;
  for (int round = 0; round < 20000; ++round) {
    const double value = first.normal();
    CHECK(value == second.normal());
    sum += value;
    square += value * value;
    seen.insert(first.below(7));
    second.below(7);
  }
  CHECK(std::fabs(sum / 20000.0) < 0.03);
  CHECK(square / 20000.0 == Approx(1.0).epsilon(0.03));
  CHECK(seen == std::set<std::int64_t>{0, 1, 2, 3, 4, 5, 6});
}

TEST_CASE("buffers start poisoned and slices take the tokens asked for") {
  HostBuffer buffer(ElementType::kBF16, {2, 5, 3});
  for (std::int64_t e = 0; e < buffer.count(); ++e) {
    CHECK(buffer.poisoned(e));
    CHECK(std::isnan(buffer.get(e)));
    buffer.set(e, static_cast<double>(e));
    CHECK_FALSE(buffer.poisoned(e));
  }
  const HostBuffer slice = slice_tokens(buffer, 1, 2);
  CHECK(slice.shape() == std::vector<std::int64_t>{2, 2, 3});
  CHECK(slice.get(0) == 3.0);
  CHECK(slice.get(6) == 18.0);
  CHECK(slice.get(11) == 23.0);
  CHECK(slice_tokens(buffer, 0, 5) == buffer);
  // A NaN that arithmetic makes is not poison.
  buffer.set(0, std::numeric_limits<double>::quiet_NaN());
  CHECK_FALSE(buffer.poisoned(0));
}

TEST_CASE("sizes are found by name or digits") {
  const Sizes sizes{.batch = 2, .tokens = 7, .slots_b = 9};
  CHECK(sizes.extent("tokens").value() == 7);
  CHECK(sizes.extent("slots_b").value() == 9);
  CHECK(sizes.extent("64").value() == 64);
  CHECK_FALSE(sizes.extent("token").ok());
  CHECK_FALSE(sizes.extent("-1").ok());
  CHECK_FALSE(sizes.extent("1x").ok());
  CHECK_FALSE(sizes.extent("").ok());
}

TEST_CASE("given coefficients have absolute row sum 1 and poison behind each row") {
  const Rows rows = test::random_rows(20, 3, 5);
  ProblemOptions options;
  options.weights = WeightMode::kGiven;
  options.sizes = {.batch = 2, .tokens = 20, .heads = 2, .head_dim = 3};
  const Problem problem = make_problem(options, rows);
  const HostBuffer& a = problem.inputs.at("coef_a");
  const HostBuffer& b = problem.inputs.at("coef_b");
  for (std::int64_t row = 0; row < 80; ++row) {
    const std::int64_t i = row / 2 % 20 + 1;
    double sum = 0.0;
    for (std::int64_t e = 0; e < problem.sizes.width_a; ++e) {
      const std::int64_t at = row * problem.sizes.width_a + e;
      CHECK(a.poisoned(at) == (e >= rows.a.size(i)));
      if (!a.poisoned(at)) sum += std::fabs(a.get(at));
    }
    for (std::int64_t e = 0; e < problem.sizes.width_b; ++e) {
      const std::int64_t at = row * problem.sizes.width_b + e;
      CHECK(b.poisoned(at) == (e >= rows.b.size(i)));
      if (!b.poisoned(at)) sum += std::fabs(b.get(at));
    }
    if (rows.a.size(i) + rows.b.size(i) > 0) CHECK(sum == Approx(1.0).epsilon(1e-6));
  }
}

TEST_CASE("a state holds exactly the live set") {
  const std::int64_t n = 30;
  const Rows rows = test::builtin_rows("sqrt_cached", n);
  ProblemOptions options;
  options.sizes = {.batch = 2, .tokens = n, .heads = 2, .head_dim = 3};
  const Problem problem = make_problem(options, rows);
  std::vector<double> y(static_cast<std::size_t>(2 * n * 2 * 3));
  for (std::size_t e = 0; e < y.size(); ++e) y[e] = static_cast<double>(e);
  const CacheLayout none;
  const CacheLayout next{.retention = CacheRetention::kNextRow};
  const std::int64_t tokens = 20;
  const std::int64_t slots = rows.b.size(tokens + 1) + 2;
  const StateSource source{problem, rows, none, next, y, {}};
  CHECK_FALSE(make_state(source, tokens, 0, slots - 3, 3).ok());
  const auto made = make_state(source, tokens, 0, slots, 3);
  REQUIRE(made.ok());
  const HostBuffers& state = *made;
  CHECK(state.count("a_val") == 0);
  const HostBuffer& pos = state.at("b_pos");
  std::vector<std::int64_t> held;
  for (std::int64_t slot = 0; slot < slots; ++slot) {
    const std::int64_t head = 1 * 2 + 1;
    const auto p = static_cast<std::int64_t>(pos.get(head * slots + slot));
    const std::int64_t at = ((1 * slots + slot) * 2 + 1) * 3;
    if (p == 0) {
      CHECK(state.at("b_val").poisoned(at));
      continue;
    }
    held.push_back(p);
    CHECK(state.at("b_val").get(at) == y[static_cast<std::size_t>(((n + p - 1) * 2 + 1) * 3)]);
    CHECK(state.at("b_key").get(at) == problem.inputs.at("k").get(((n + p - 1) * 2 + 1) * 3));
  }
  std::sort(held.begin(), held.end());
  CHECK(held == live_positions(CacheRetention::kNextRow, rows.b, tokens));
  CHECK(held.size() + 2 == static_cast<std::size_t>(slots));
}

HostBuffer stored(ElementType type, const std::vector<double>& values) {
  HostBuffer buffer(type, {static_cast<std::int64_t>(values.size())});
  for (std::size_t e = 0; e < values.size(); ++e) {
    buffer.set(static_cast<std::int64_t>(e), values[e]);
  }
  return buffer;
}

TEST_CASE("rounding to storage passes and everything larger does not") {
  RandomSource random(9);
  std::vector<double> reference(4096);
  for (double& value : reference) value = random.normal();
  for (const ElementType type : {ElementType::kF32, ElementType::kBF16, ElementType::kF16}) {
    const Tolerance tolerance = tolerance_for(type);
    const HostBuffer rounded = stored(type, reference);
    CHECK(compare(rounded, reference, 64).within(tolerance));

    // One row scaled by 1.2 among 64 hides in the total but not in its row.
    HostBuffer row_wrong = rounded;
    for (std::int64_t e = 640; e < 704; ++e) row_wrong.set(e, 1.2 * rounded.get(e));
    const Agreement wrong = compare(row_wrong, reference, 64);
    CHECK_FALSE(wrong.within(tolerance));
    CHECK(wrong.worst_element / 64 == 10);

    HostBuffer all_wrong = rounded;
    for (std::int64_t e = 0; e < 4096; ++e) all_wrong.set(e, 1.02 * rounded.get(e));
    CHECK_FALSE(compare(all_wrong, reference, 64).within(tolerance));
  }
}

TEST_CASE("a rounding to fewer bits than are stored does not pass") {
  RandomSource random(10);
  std::vector<double> reference(4096);
  for (double& value : reference) value = random.normal();
  const HostBuffer coarse = stored(ElementType::kBF16, reference);
  CHECK(compare(coarse, reference, 64).within(tolerance_for(ElementType::kBF16)));
  CHECK_FALSE(compare(coarse, reference, 64).within(tolerance_for(ElementType::kF16)));
  const HostBuffer fine = stored(ElementType::kF16, reference);
  CHECK(compare(fine, reference, 64).within(tolerance_for(ElementType::kF16)));
  CHECK_FALSE(compare(fine, reference, 64).within(tolerance_for(ElementType::kF32)));
}

TEST_CASE("NaN, infinity and poison never pass") {
  const std::vector<double> reference(128, 1.0);
  const HostBuffer good = stored(ElementType::kF32, reference);
  const Tolerance generous{1e9, 1e9};
  CHECK(compare(good, reference, 64).within(generous));
  for (const double bad : {std::nan(""), static_cast<double>(INFINITY)}) {
    HostBuffer buffer = good;
    buffer.set(70, bad);
    const Agreement agreement = compare(buffer, reference, 64);
    CHECK_FALSE(agreement.within(generous));
    CHECK(agreement.not_finite == 1);
    CHECK(agreement.unwritten == 0);
    CHECK(agreement.worst_element == 70);
  }
  HostBuffer untouched(ElementType::kF32, {128});
  for (std::int64_t e = 0; e < 127; ++e) untouched.set(e, 1.0);
  const Agreement agreement = compare(untouched, reference, 64);
  CHECK(agreement.unwritten == 1);
  CHECK(agreement.describe(64) == "1 elements unwritten, the first in row 1, column 63");
  CHECK_FALSE(agreement.within(generous));
}

TEST_CASE("a zero reference allows no error") {
  const std::vector<double> zero(8, 0.0);
  CHECK(compare(stored(ElementType::kF32, zero), zero, 4).within({1.0, 1.0}));
  HostBuffer off = stored(ElementType::kF32, zero);
  off.set(3, 1e-30);
  CHECK_FALSE(compare(off, zero, 4).within({1.0, 1.0}));
  off.set(3, 1e4 * std::exp(-87.0));  // the least weight of a cpu kernel, of a large input
  CHECK(compare(off, zero, 4).within({0.0, 0.0}));
}

TEST_CASE("a sum that cancels is judged by what it was a sum of") {
  // 20 terms of size 1 of both signs: a rounding of the terms is large beside what is left of them.
  const std::vector<double> left = {0.02}, terms = {20.0};
  for (const auto& [type, rounding] :
       {std::pair(ElementType::kF32, 20.0 * 0x1p-24), std::pair(ElementType::kBF16, 0x1p-8)}) {
    const Tolerance tolerance = tolerance_for(type);
    const double share = cancelled_share(type);
    const HostBuffer rounded = stored(ElementType::kF32, {0.02 + rounding});
    CHECK_FALSE(compare(rounded, left, 1).within(tolerance));
    CHECK(compare(rounded, left, 1, terms, share).within(tolerance));
    CHECK(compare(stored(ElementType::kF32, {0.0}), {0.0}, 1, terms, share).relative_error == 0.0);
    // A term that is missing, or a twentieth too large, is no rounding.
    for (const double wrong : {1.02, -0.98, 0.07}) {
      const Agreement agreement =
          compare(stored(ElementType::kF32, {wrong}), left, 1, terms, share);
      if (type == ElementType::kF32 || wrong != 0.07) CHECK_FALSE(agreement.within(tolerance));
    }
  }
}

TEST_CASE("logits widen the tolerance by what float32 cannot know") {
  CHECK(tolerance_for(ElementType::kF32, 60.0).relative < 1e-4);
  CHECK(tolerance_for(ElementType::kF32, 60.0).relative >
        tolerance_for(ElementType::kF32).relative);
}

}  // namespace
}  // namespace heddle
