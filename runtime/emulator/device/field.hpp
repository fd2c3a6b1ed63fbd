// SPDX-License-Identifier: Apache-2.0
// The scalar type of the algebraic layer: included before the text of a kernel, which is then
// compiled with `float` defined as Field. Nothing here rounds, so that a kernel and its definition
// must agree exactly. It includes nothing, like emulated_device.hpp.
//
// A Field is one number seen twice: `a` modulo the prime p, as a value, and `e` modulo the prime q,
// as an exponent. p = 2 q + 1 and g = 4 has order q modulo p, so exp(x) := (g^e mod p, nothing)
// turns sums into products exactly: exp(x + y) = exp(x) exp(y) and exp(0) = 1.
// A part outside its range is poison: all memory starts as poison, and what is computed from poison
// is poison, so a value that nobody wrote reaches the comparison. An exponential has no exponent.
//
// Finite fields have no order. Comparisons take the one that `heddle_field_state.seed` draws, the
// same for all threads; no correct kernel's results depend on it. What a kernel may rely on is
// kept: `lowest` (what -FLT_MAX and -infinity are read as) lies below everything, exp(lowest - x) =
// 0, and next to a literal zero every other number is positive, as sums of weights are.
#pragma once

// Arithmetic is not under observation: it touches no memory and takes no steps of a launch.
#define HEDDLE_QUIET __attribute__((unused, no_sanitize("thread,undefined"), no_sanitize_coverage))
#define HEDDLE_PLAIN HEDDLE_QUIET __attribute__((noinline))
#define HEDDLE_FIELD_INLINE inline __attribute__((always_inline))

// What the emulator sets and reads; defined with the hooks.
struct HeddleFieldState {
  unsigned long long seed;
  long long additions, multiplications, divisions, exponentials;
};
extern "C" HeddleFieldState heddle_field_state __attribute__((visibility("hidden")));

namespace heddle_field {

using Word = unsigned long long;
__extension__ using Wide = unsigned __int128;

constexpr Word kP = (Word(1) << 61) - 2373;
constexpr Word kQ = (Word(1) << 60) - 1187;
constexpr Word kPoison = ~Word(0);
constexpr Word kLowest = Word(1) << 62;  // of `e` only
constexpr Word kMinusInfinity = kLowest + 1;

// x modulo 2^kBits - kLess for x < 2^(2 kBits): 2^kBits is kLess, twice over.
template <int kBits, Word kLess>
HEDDLE_QUIET constexpr Word reduced(Wide x) {
  constexpr Word kMask = (Word(1) << kBits) - 1;
  x = (x >> kBits) * kLess + (Word(x) & kMask);
  Word y = Word(x >> kBits) * kLess + (Word(x) & kMask);
  constexpr Word kModulus = (Word(1) << kBits) - kLess;
  return y >= kModulus ? y - kModulus : y;
}
HEDDLE_QUIET constexpr Word times_p(Word x, Word y) { return reduced<61, 2373>(Wide(x) * y); }
HEDDLE_QUIET constexpr Word times_q(Word x, Word y) { return reduced<60, 1187>(Wide(x) * y); }

HEDDLE_QUIET constexpr Word power_p(Word base, Word exponent) {
  Word result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = times_p(result, base);
    base = times_p(base, base);
  }
  return result;
}
HEDDLE_QUIET constexpr Word power_q(Word base, Word exponent) {
  Word result = 1;
  for (; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = times_q(result, base);
    base = times_q(base, base);
  }
  return result;
}

struct Parts {
  Word a, e;
};
constexpr Parts kPoisoned = {kPoison, kPoison};

// A whole number below 2^64 in magnitude times 2^exponent, exactly.
HEDDLE_QUIET constexpr Parts scaled(bool negative, Word magnitude, int exponent) {
  const Word half_p = (kP + 1) / 2, half_q = (kQ + 1) / 2;
  const Word steps = Word(exponent < 0 ? -exponent : exponent);
  Word a = times_p(magnitude % kP, power_p(exponent < 0 ? half_p : 2, steps));
  Word e = times_q(magnitude % kQ, power_q(exponent < 0 ? half_q : 2, steps));
  if (negative && a != 0) a = kP - a;
  if (negative && e != 0) e = kQ - e;
  return {a, e};
}
HEDDLE_QUIET constexpr Parts from_integer(long long value) {
  return scaled(value < 0, value < 0 ? -Word(value) : Word(value), 0);
}
// The number that the bits of an IEEE double stand for.
HEDDLE_QUIET constexpr Parts from_real(double value) {
  if (value == 0) return {0, 0};
  if (value != value) return kPoisoned;
  if (value < -1.7976931348623157e308) return {kPoison, kMinusInfinity};
  if (value == -double(3.40282347e+38f)) return {kPoison, kLowest};
  const Word bits = __builtin_bit_cast(Word, value);
  const int exponent = int(bits >> 52 & 2047);
  const Word fraction = bits & ((Word(1) << 52) - 1);
  if (exponent == 2047) return kPoisoned;
  return exponent == 0 ? scaled(value < 0, fraction, -1074)
                       : scaled(value < 0, fraction | Word(1) << 52, exponent - 1075);
}

HEDDLE_QUIET constexpr bool is_low(Word e) { return e == kLowest || e == kMinusInfinity; }

HEDDLE_PLAIN static Parts add(Parts x, Parts y) {
  ++heddle_field_state.additions;
  Parts sum = kPoisoned;
  if (x.a < kP && y.a < kP) sum.a = x.a + y.a >= kP ? x.a + y.a - kP : x.a + y.a;
  if (x.e < kQ && y.e < kQ) {
    sum.e = x.e + y.e >= kQ ? x.e + y.e - kQ : x.e + y.e;
  } else if ((is_low(x.e) && (y.e < kQ || is_low(y.e))) || (is_low(y.e) && x.e < kQ)) {
    sum.e = x.e == kMinusInfinity || y.e == kMinusInfinity ? kMinusInfinity : kLowest;
  }
  return sum;
}
HEDDLE_PLAIN static Parts subtract(Parts x, Parts y) {
  ++heddle_field_state.additions;
  Parts difference = kPoisoned;
  if (x.a < kP && y.a < kP) difference.a = x.a >= y.a ? x.a - y.a : x.a + kP - y.a;
  if (x.e < kQ && y.e < kQ) {
    difference.e = x.e >= y.e ? x.e - y.e : x.e + kQ - y.e;
  } else if (is_low(x.e) && y.e < kQ) {
    difference.e = x.e;
  } else if (x.e == kLowest && y.e == kLowest) {
    difference.e = 0;
  }
  return difference;
}
HEDDLE_PLAIN static Parts multiply(Parts x, Parts y) {
  ++heddle_field_state.multiplications;
  Parts product = kPoisoned;
  if (x.a < kP && y.a < kP) product.a = times_p(x.a, y.a);
  if (x.e < kQ && y.e < kQ) product.e = times_q(x.e, y.e);
  return product;
}
// Only values are divided: a quotient has no exponent.
HEDDLE_PLAIN static Parts divide(Parts x, Parts y) {
  ++heddle_field_state.divisions;
  Parts quotient = kPoisoned;
  if (x.a < kP && y.a < kP && y.a != 0) quotient.a = times_p(x.a, power_p(y.a, kP - 2));
  return quotient;
}
HEDDLE_PLAIN static Parts exponential(Parts x) {
  ++heddle_field_state.exponentials;
  if (is_low(x.e)) return {0, kPoison};
  if (x.e >= kQ) return kPoisoned;
  return {power_p(4, x.e), kPoison};
}
// A place in the order that the seed draws.
HEDDLE_PLAIN static Word rank(Word value) {
  Word z = value + heddle_field_state.seed * 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);  // one to one, so that different values never tie
}
HEDDLE_PLAIN static bool less(Parts x, Parts y) {
  const bool literal_x = x.a == 0 && x.e == 0;
  const bool literal_y = y.a == 0 && y.e == 0;
  if (literal_y) return is_low(x.e);
  if (literal_x) return !is_low(y.e) && y.a != 0;
  const bool exponents = (x.e < kQ || is_low(x.e)) && (y.e < kQ || is_low(y.e));
  if (!exponents) return x.a < kP && y.a < kP && rank(x.a) < rank(y.a);
  if (is_low(x.e) || is_low(y.e)) {
    return is_low(x.e) && (!is_low(y.e) || (x.e == kMinusInfinity && y.e == kLowest));
  }
  return rank(x.e) < rank(y.e);
}
HEDDLE_PLAIN static bool equal(Parts x, Parts y) {
  const bool values = x.a < kP && y.a < kP;
  return values ? x.a == y.a : x.e == y.e && x.e != kPoison;
}

// Trivial, so that it may stand wherever a float may: shared memory, unions, uninitialised arrays.
struct Field {
  Parts parts;

  Field() = default;
  constexpr Field(Parts given) : parts(given) {}
  constexpr Field(float value) : parts(from_real(value)) {}
  constexpr Field(double value) : parts(from_real(value)) {}
  constexpr Field(bool value) : parts(from_integer(value)) {}
  constexpr Field(int value) : parts(from_integer(value)) {}
  constexpr Field(unsigned value) : parts(from_integer(value)) {}
  constexpr Field(long value) : parts(from_integer(value)) {}
  constexpr Field(unsigned long value) : parts(scaled(false, value, 0)) {}
  constexpr Field(long long value) : parts(from_integer(value)) {}
  constexpr Field(unsigned long long value) : parts(scaled(false, value, 0)) {}

  HEDDLE_FIELD_INLINE Field& operator+=(Field y) { return *this = Field(add(parts, y.parts)); }
  HEDDLE_FIELD_INLINE Field& operator-=(Field y) { return *this = Field(subtract(parts, y.parts)); }
  HEDDLE_FIELD_INLINE Field& operator*=(Field y) { return *this = Field(multiply(parts, y.parts)); }
  HEDDLE_FIELD_INLINE Field& operator/=(Field y) { return *this = Field(divide(parts, y.parts)); }

  friend HEDDLE_FIELD_INLINE Field operator+(Field x, Field y) { return add(x.parts, y.parts); }
  friend HEDDLE_FIELD_INLINE Field operator-(Field x, Field y) {
    return subtract(x.parts, y.parts);
  }
  friend HEDDLE_FIELD_INLINE Field operator*(Field x, Field y) {
    return multiply(x.parts, y.parts);
  }
  friend HEDDLE_FIELD_INLINE Field operator/(Field x, Field y) { return divide(x.parts, y.parts); }
  friend HEDDLE_FIELD_INLINE Field operator+(Field x) { return x; }
  friend HEDDLE_FIELD_INLINE Field operator-(Field x) { return subtract({0, 0}, x.parts); }
  friend HEDDLE_FIELD_INLINE bool operator<(Field x, Field y) { return less(x.parts, y.parts); }
  friend HEDDLE_FIELD_INLINE bool operator>(Field x, Field y) { return less(y.parts, x.parts); }
  friend HEDDLE_FIELD_INLINE bool operator<=(Field x, Field y) { return !less(y.parts, x.parts); }
  friend HEDDLE_FIELD_INLINE bool operator>=(Field x, Field y) { return !less(x.parts, y.parts); }
  friend HEDDLE_FIELD_INLINE bool operator==(Field x, Field y) { return equal(x.parts, y.parts); }
  friend HEDDLE_FIELD_INLINE bool operator!=(Field x, Field y) { return !equal(x.parts, y.parts); }

  friend HEDDLE_FIELD_INLINE Field expf(Field x) { return exponential(x.parts); }
  friend HEDDLE_FIELD_INLINE Field fmaxf(Field x, Field y) { return x < y ? y : x; }
  friend HEDDLE_FIELD_INLINE Field fminf(Field x, Field y) { return y < x ? y : x; }
  friend HEDDLE_FIELD_INLINE Field fmaf(Field x, Field y, Field z) { return x * y + z; }
};

}  // namespace heddle_field

// A text that calls any other function of reals (sqrtf, tanhf, ...) does not compile: there is no
// such function of a finite field.
#define HEDDLE_FIELD 1
#define HEDDLE_PLAIN_LANES 1  // vectors of floats are the machine's, not these
#define float heddle_field::Field
