// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/scalar_replay.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "patterns/integer.hpp"
#include "patterns/result.hpp"

namespace heddle::verify {

using ir::BinaryOperator;
using ir::Helper;

std::optional<std::int64_t> replayed(Helper helper, std::int64_t x, std::int64_t y) {
  const auto exact = [](const Integer& value) { return value.to_int64(); };
  switch (helper) {
    case Helper::kMinimum:
      return std::min(x, y);
    case Helper::kMaximum:
      return std::max(x, y);
    case Helper::kAbsolute:
      return x < 0 ? replayed(BinaryOperator::kSubtract, 0, x) : x;
    case Helper::kFloorDivide:
    case Helper::kCeilDivide:
    case Helper::kFloorModulo: {
      if (y < 1) return std::nullopt;
      const std::int64_t quotient = x / y - (x % y < 0 ? 1 : 0);
      if (helper == Helper::kFloorDivide) return quotient;
      if (helper == Helper::kFloorModulo) return x - y * quotient;
      return x / y + (x % y > 0 ? 1 : 0);
    }
    case Helper::kPower: {
      if (y < 0) return std::nullopt;
      if (x == 0 || x == 1 || y == 0) return x == 0 && y > 0 ? 0 : 1;
      if (x == -1) return y % 2 == 0 ? 1 : -1;
      Integer result(1);
      for (std::int64_t count = 0; count < y && result.bit_length() <= 64; ++count) {
        result = result * Integer(x);
      }
      return exact(result);
    }
    case Helper::kSquareRoot: {
      if (x < 0 || x >= std::int64_t{1} << 62) return std::nullopt;
      std::int64_t root = 0;
      for (std::int64_t bit = std::int64_t{1} << 30; bit > 0; bit /= 2) {
        if ((root + bit) * (root + bit) <= x) root += bit;
      }
      return root;
    }
    case Helper::kLogarithm:
      if (x < 1) return std::nullopt;
      return 63 - __builtin_clzll(static_cast<unsigned long long>(x));
    case Helper::kPopcount:
      if (x < 0) return std::nullopt;
      return __builtin_popcountll(static_cast<unsigned long long>(x));
    case Helper::kLowbit:
      if (x < 1) return std::nullopt;
      return x & -x;
    case Helper::kExponential:
    case Helper::kRoundToBf16:
    case Helper::kRoundToF16:
      break;
  }
  unreachable("a helper on integers");
}

namespace {

// The nearest multiple of the last bit that f16 has there, ties to even; infinite past 65504.
float rounded_to_f16(float x) {
  if (x == 0.0f || !std::isfinite(x)) return x;
  const int exponent = std::max(std::ilogb(x), -14);
  const float rounded = std::ldexp(std::nearbyint(std::ldexp(x, 10 - exponent)), exponent - 10);
  return std::fabs(rounded) > 65504.0f ? std::copysign(HUGE_VALF, x) : rounded;
}

}  // namespace

float replayed(Helper helper, float x, float y) {
  if (helper == Helper::kMaximum) return std::max(x, y);
  if (helper == Helper::kExponential) return std::exp(x);
  if (helper == Helper::kRoundToF16) return rounded_to_f16(x);
  assert_that(helper == Helper::kRoundToBf16, "a helper on reals");
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  bits += 0x7fff + (bits >> 16 & 1);  // to the nearest, ties to even
  bits &= 0xffff0000;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

}  // namespace heddle::verify
