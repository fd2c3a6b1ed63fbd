// SPDX-License-Identifier: Apache-2.0
// The functions that generated kernels call, from the very header they include, against slow and
// obvious definitions.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "codegen/cpu/cpu_prelude.hpp"
#include "tests/catch.hpp"

namespace heddle {

TEST_CASE("integer division floors and rounds up for every sign of the dividend") {
  for (Index y = 1; y <= 9; ++y) {
    for (Index x = -40; x <= 40; ++x) {
      const Index floor =
          static_cast<Index>(std::floor(static_cast<double>(x) / static_cast<double>(y)));
      const Index ceil =
          static_cast<Index>(std::ceil(static_cast<double>(x) / static_cast<double>(y)));
      if (floor_div(x, y) != floor || ceil_div(x, y) != ceil) FAIL(x << " / " << y);
      if (floor_mod(x, y) != x - y * floor) FAIL(x << " mod " << y);
    }
  }
  CHECK(ceil_div(std::numeric_limits<Index>::max(), 2) == Index(1) << 62);
}

TEST_CASE("powers, roots, logarithms and bits") {
  CHECK(power(7, 0) == 1);
  CHECK(power(0, 0) == 1);
  CHECK(power(-3, 5) == -243);
  CHECK(power(2, 62) == Index(1) << 62);
  CHECK(power(3037000499, 2) == Index(3037000499) * 3037000499);
  for (Index x = 0; x < 5000; ++x) {
    const Index root = integer_sqrt(x);
    if (root * root > x || (root + 1) * (root + 1) <= x) FAIL("the root of " << x);
  }
  for (const Index root : {Index(46341), Index(1) << 30, (Index(1) << 31) - 1}) {
    CHECK(integer_sqrt(root * root) == root);
    CHECK(integer_sqrt(root * root - 1) == root - 1);
  }
  for (Index log = 0; log < 62; ++log) {
    const Index x = Index(1) << log;
    if (integer_log2(x) != log || integer_log2(2 * x - 1) != log) FAIL("the logarithm of " << x);
    if (popcount(x) != 1 || popcount(2 * x - 1) != log + 1) FAIL("the bits of " << x);
  }
  for (Index x = 1; x < 300; ++x) {
    Index divisor = 1;
    while (x % (2 * divisor) == 0) divisor *= 2;
    if (lowbit(x) != divisor) FAIL("the lowest bit of " << x);
  }
}

TEST_CASE("bf16 rounds to the nearest, ties to even, and keeps every bf16") {
  const auto widened = [](unsigned bits) {
    bf16 value;
    value.bits = static_cast<unsigned short>(bits);
    return to_float(value);
  };
  for (unsigned bits = 0; bits < 65536; ++bits) {
    const float value = widened(bits);
    if (std::isnan(value)) {
      if (!std::isnan(rounded_to_bf16(value))) FAIL("a NaN became a number");
    } else if (to_bf16(value).bits != bits) {
      FAIL("bf16 " << bits << " does not survive");
    }
  }
  for (unsigned bits = 0x3f00; bits < 0x4100; ++bits) {
    const float low = widened(bits);
    const float high = widened(bits + 1);
    const float middle = low + (high - low) / 2;
    const float even = bits % 2 == 0 ? low : high;
    if (rounded_to_bf16(middle) != even || rounded_to_bf16(-middle) != -even) FAIL("a tie");
    if (rounded_to_bf16(std::nextafter(middle, low)) != low) FAIL("below a tie");
    if (rounded_to_bf16(std::nextafter(middle, high)) != high) FAIL("above a tie");
  }
  CHECK(std::isinf(rounded_to_bf16(std::numeric_limits<float>::max())));
}

TEST_CASE("a dot product of any length is the sum of its products") {
  std::vector<float> x;
  std::vector<bf16> y;
  for (int d = 0; d < 80; ++d) {
    x.push_back(static_cast<float>(d % 7 - 3));
    y.push_back(to_bf16(static_cast<float>(d % 5 - 1)));
  }
  const auto exact = [&](int length) {
    float sum = 0;
    for (int d = 0; d < length; ++d)
      sum += x[static_cast<std::size_t>(d)] * to_float(y[static_cast<std::size_t>(d)]);
    return sum;  // small integers: exact in any order
  };
  CHECK(dot<1>(x.data(), y.data()) == exact(1));
  CHECK(dot<15>(x.data(), y.data()) == exact(15));
  CHECK(dot<16>(x.data(), y.data()) == exact(16));
  CHECK(dot<33>(x.data(), y.data()) == exact(33));
  CHECK(dot<80>(x.data(), y.data()) == exact(80));
}

TEST_CASE("the exponential is exact to a few roundings and total below") {
  double worst = 0.0;
  for (float x = 0.0f; x > -87.0f; x -= 0.00371f) {
    worst = std::max(worst, std::abs(exponential(x) / std::exp(static_cast<double>(x)) - 1.0));
  }
  CHECK(worst < 2e-7);
  CHECK(exponential(0.0f) == 1.0f);
  for (const float x : {-88.0f, -1e30f, kLowestScore, -std::numeric_limits<float>::infinity()}) {
    const float value = exponential(x);
    if (!(value >= 0.0f && value < 2e-38f)) FAIL("exp(" << x << ") = " << value);
  }
}

TEST_CASE("a softmax row is the weighted mean of its entries, however many there are") {
  constexpr int kLength = 19;
  for (const int entries : {0, 1, 7, 8, kGathered - 1, kGathered, kGathered + 1, 3 * kGathered}) {
    const auto number = [](int seed) {
      return static_cast<float>(seed * 7919 % 257 - 128) / 64.0f;
    };
    std::vector<float> query, key, value;
    for (int d = 0; d < kLength; ++d) query.push_back(number(d + 3));
    for (int at = 0; at < entries * kLength; ++at) {
      key.push_back(number(at * at % 1009 + at));
      value.push_back(number(at + 11));
    }
    SoftmaxRow<float, kLength> row(query.data(), 0.5f);
    std::vector<double> sum(kLength, 0.0);
    double total = 0.0;
    for (int e = 0; e < entries; ++e) {
      const float factor = e % 3 == 0 ? 0.25f : 0.75f;
      const float* own_key = key.data() + e * kLength;
      const float* own_value = value.data() + e * kLength;
      row.add(own_key, own_value, factor);
      double score = 0.0;
      for (int d = 0; d < kLength; ++d)
        score += 0.5 * static_cast<double>(query[static_cast<std::size_t>(d)]) * own_key[d];
      const double weight = factor * std::exp(score);
      total += weight;
      for (int d = 0; d < kLength; ++d) sum[static_cast<std::size_t>(d)] += weight * own_value[d];
    }
    std::vector<float> mean(kLength, -1.0f);
    row.finish(mean.data());
    for (std::size_t d = 0; d < kLength; ++d) {
      const double exact = entries == 0 ? 0.0 : sum[d] / total;
      if (!(std::abs(mean[d] - exact) <= 1e-5)) FAIL(entries << " entries, channel " << d);
    }
  }
}

}  // namespace heddle
