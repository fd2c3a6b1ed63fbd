// SPDX-License-Identifier: Apache-2.0
// The static layer's own arithmetic on numbers, against that of the text that kernels include.
#include "codegen/verify/scalar_replay.hpp"

#include <cmath>
#include <cstring>

#include "codegen/cpu/cpu_prelude.hpp"
#include "tests/catch.hpp"

namespace heddle {

TEST_CASE("rounding is replayed as kernels round") {
  const auto same = [](float x, float y) { return std::isnan(x) ? std::isnan(y) : x == y; };
  for (std::uint64_t bits = 0; bits < std::uint64_t{1} << 32; bits += 0x7ff) {  // all exponents
    const auto word = static_cast<std::uint32_t>(bits);
    float x;
    std::memcpy(&x, &word, sizeof x);
    if (!same(verify::replayed(ir::Helper::kRoundToF16, x, 0.0F), rounded_to_f16(x))) FAIL(x);
    if (std::isnan(x)) continue;
    if (!same(verify::replayed(ir::Helper::kRoundToBf16, x, 0.0F), rounded_to_bf16(x))) FAIL(x);
  }
  for (int half = -4100; half < 4100; ++half) {  // subnormals, and ties between them
    const float x = std::ldexp(static_cast<float>(half), -25);
    if (verify::replayed(ir::Helper::kRoundToF16, x, 0.0F) != rounded_to_f16(x)) FAIL(x);
  }
}

}  // namespace heddle
