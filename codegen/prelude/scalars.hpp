// SPDX-License-Identifier: Apache-2.0
// The scalars of generated kernels: exact integer arithmetic, bf16 and f16, the same on host and
// device. Every function is total on the domain its comment states; callers prove that they stay in
// it.
namespace heddle {

using Index = long long;

// Below every score; exp(kLowestScore - score) is 0 and never NaN.
constexpr float kLowestScore = -3.402823466e+38f;

HEDDLE_FUNCTION Index minimum(Index x, Index y) { return x < y ? x : y; }
HEDDLE_FUNCTION Index maximum(Index x, Index y) { return x > y ? x : y; }
HEDDLE_FUNCTION Index absolute(Index x) { return x < 0 ? -x : x; }

// y > 0; C++ truncates towards zero.
HEDDLE_FUNCTION Index floor_div(Index x, Index y) { return x / y - (x % y < 0 ? 1 : 0); }
HEDDLE_FUNCTION Index ceil_div(Index x, Index y) { return x / y + (x % y > 0 ? 1 : 0); }
HEDDLE_FUNCTION Index floor_mod(Index x, Index y) { return x - y * floor_div(x, y); }

// x^y for y >= 0.
HEDDLE_FUNCTION Index power(Index x, Index y) {
  Index result = 1;
  while (true) {
    if (y % 2 == 1) result *= x;
    y /= 2;
    if (y == 0) return result;
    x *= x;
  }
}

// floor(sqrt(x)) for 0 <= x < 2^62: the largest r with r^2 <= x, bit by bit.
HEDDLE_FUNCTION Index integer_sqrt(Index x) {
  Index root = 0;
  for (Index bit = Index(1) << 30; bit > 0; bit /= 2) {
    if ((root + bit) * (root + bit) <= x) root += bit;
  }
  return root;
}

// floor(log2(x)) for x >= 1.
HEDDLE_FUNCTION Index integer_log2(Index x) {
  Index log = 0;
  for (; x > 1; x /= 2) ++log;
  return log;
}

// The number of one bits of x >= 0, and the largest power of two that divides x >= 1.
HEDDLE_FUNCTION Index popcount(Index x) {
  Index count = 0;
  for (; x > 0; x /= 2) count += x % 2;
  return count;
}
HEDDLE_FUNCTION Index lowbit(Index x) { return x & -x; }

HEDDLE_FUNCTION float to_float(float x) { return x; }

#ifndef HEDDLE_FIELD
struct bf16 {
  unsigned short bits;
};
union FloatBits {
  float value;
  unsigned bits;
};

HEDDLE_FUNCTION float to_float(bf16 x) {
  FloatBits word;
  word.bits = unsigned(x.bits) << 16;
  return word.value;
}
// Round to nearest, ties to even; a NaN stays a quiet NaN.
#ifdef __CUDA_ARCH__  // which has an instruction for it, and for f16
HEDDLE_FUNCTION bf16 to_bf16(float x) {
  bf16 result;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
  return result;
}
#else
HEDDLE_FUNCTION bf16 to_bf16(float x) {
  FloatBits word;
  word.value = x;
  bf16 result;
  if ((word.bits & 0x7fffffffu) > 0x7f800000u) {
    result.bits = static_cast<unsigned short>((word.bits >> 16) | 0x0040u);
  } else {
    result.bits =
        static_cast<unsigned short>((word.bits + 0x7fffu + ((word.bits >> 16) & 1u)) >> 16);
  }
  return result;
}
#endif

struct f16 {
  unsigned short bits;
};
#if defined(__F16C__) && defined(__GNUC__) && !defined(__CUDACC__) && !defined(HEDDLE_PLAIN_LANES)
#define HEDDLE_CONVERTS_F16  // the processor does, and rounds as below
HEDDLE_FUNCTION float to_float(f16 x) {
  typedef short Halves __attribute__((vector_size(16)));
  return __builtin_ia32_vcvtph2ps(Halves{static_cast<short>(x.bits)})[0];
}
HEDDLE_FUNCTION f16 to_f16(float x) {
  typedef float Reals __attribute__((vector_size(16)));
  return {static_cast<unsigned short>(__builtin_ia32_vcvtps2ph(Reals{x}, 0)[0])};
}
#elif defined(__CUDA_ARCH__)
HEDDLE_FUNCTION float to_float(f16 x) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(x.bits));
  return result;
}
HEDDLE_FUNCTION f16 to_f16(float x) {
  f16 result;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
  return result;
}
#else
// Five bits of exponent where a float has eight: scaled by 2^112, which is exact below one, too.
HEDDLE_FUNCTION float to_float(f16 x) {
  const unsigned magnitude = x.bits & 0x7fffu;
  FloatBits word;
  word.bits = magnitude << 13;
  if (magnitude < 0x7c00u) {
    word.value *= 5.192296858534828e+33f;
  } else {
    word.bits |= 0x7f800000u;
  }
  word.bits |= unsigned(x.bits & 0x8000u) << 16;
  return word.value;
}
// Round to nearest, ties to even; from 65520 on infinite; a NaN stays a quiet NaN.
HEDDLE_FUNCTION f16 to_f16(float x) {
  FloatBits word;
  word.value = x;
  const unsigned sign = (word.bits >> 16) & 0x8000u;
  word.bits &= 0x7fffffffu;
  unsigned magnitude;
  if (word.bits > 0x7f800000u) {
    magnitude = 0x7e00u;
  } else if (word.bits >= 0x477ff000u) {
    magnitude = 0x7c00u;
  } else if (word.bits < 0x38800000u) {
    word.value += 0.5f;  // whose last bit is the smallest f16
    magnitude = word.bits - 0x3f000000u;
  } else {
    magnitude = ((word.bits + 0xfffu + ((word.bits >> 13) & 1u)) >> 13) - 0x1c000u;
  }
  f16 result;
  result.bits = static_cast<unsigned short>(sign | magnitude);
  return result;
}
#endif
#else
// Verification over a finite field, where `float` is another type and storing does not round.
struct bf16 {
  float value;
};
HEDDLE_FUNCTION float to_float(bf16 x) { return x.value; }
HEDDLE_FUNCTION bf16 to_bf16(float x) { return {x}; }
struct f16 {
  float value;
};
HEDDLE_FUNCTION float to_float(f16 x) { return x.value; }
HEDDLE_FUNCTION f16 to_f16(float x) { return {x}; }
#endif
HEDDLE_FUNCTION float rounded_to_bf16(float x) { return to_float(to_bf16(x)); }
HEDDLE_FUNCTION float rounded_to_f16(float x) { return to_float(to_f16(x)); }

}  // namespace heddle
