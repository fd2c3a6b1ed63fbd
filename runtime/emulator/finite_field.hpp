// SPDX-License-Identifier: Apache-2.0
// The two prime fields of the algebraic layer, for the host. Written apart from the kernels' own
// arithmetic (emulator/device/field.hpp) so that neither can hide a mistake of the other.
#pragma once

#include <cstdint>

namespace heddle {

// Both prime, and p = 2 q + 1, so that the squares modulo p are a group of q elements; 4 = 2^2
// generates it, q being prime.
constexpr std::uint64_t kFieldP = (std::uint64_t{1} << 61) - 2373;
constexpr std::uint64_t kFieldQ = (std::uint64_t{1} << 60) - 1187;
constexpr std::uint64_t kFieldGenerator = 4;

// One number of a kernel: as a value modulo p and as an exponent modulo q, drawn independently.
struct FieldElement {
  std::uint64_t value = 0;
  std::uint64_t exponent = 0;
  friend bool operator==(const FieldElement&, const FieldElement&) = default;
};
// What memory holds that nobody has written; no arithmetic makes a number of it.
constexpr FieldElement kFieldPoison = {~std::uint64_t{0}, ~std::uint64_t{0}};

// All arguments and results are below the modulus.
constexpr std::uint64_t add_modulo(std::uint64_t x, std::uint64_t y, std::uint64_t modulus) {
  return (x + y) % modulus;  // both moduli are below 2^61
}
constexpr std::uint64_t subtract_modulo(std::uint64_t x, std::uint64_t y, std::uint64_t modulus) {
  return (x + (modulus - y)) % modulus;
}
constexpr std::uint64_t multiply_modulo(std::uint64_t x, std::uint64_t y, std::uint64_t modulus) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(static_cast<Wide>(x) * y % modulus);
}
constexpr std::uint64_t power_modulo(std::uint64_t base, std::uint64_t exponent,
                                     std::uint64_t modulus) {
  std::uint64_t result = 1;
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) result = multiply_modulo(result, base, modulus);
    base = multiply_modulo(base, base, modulus);
  }
  return result;
}
// Fermat: x^(p-1) = 1. The inverse of 0 comes out as 0.
constexpr std::uint64_t inverse_modulo(std::uint64_t x, std::uint64_t modulus) {
  return power_modulo(x, modulus - 2, modulus);
}

}  // namespace heddle
