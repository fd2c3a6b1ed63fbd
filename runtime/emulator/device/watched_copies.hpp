// SPDX-License-Identifier: Apache-2.0
// Block copies of a kernel text as the emulator sees them. A compiler makes moves of its own out of
// those of a constant size, behind the sanitizer's back; here it makes loads and stores of the
// small ones, which are watched, and leaves all others as calls.
#pragma once

#define HEDDLE_COPIES(name) extern "C" inline __attribute__((always_inline, gnu_inline)) void* name
#define HEDDLE_IS_SCALAR(size) \
  (__builtin_constant_p(size) && ((size) == 1 || (size) == 2 || (size) == 4 || (size) == 8))

extern "C" void* heddle_memcpy(void* to, const void* from, unsigned long size);
extern "C" void* heddle_memmove(void* to, const void* from, unsigned long size);
extern "C" void* heddle_memset(void* to, int value, unsigned long size);

HEDDLE_COPIES(memcpy)(void* to, const void* from, unsigned long size) noexcept {
  return HEDDLE_IS_SCALAR(size) ? __builtin_memcpy(to, from, size) : heddle_memcpy(to, from, size);
}
HEDDLE_COPIES(memmove)(void* to, const void* from, unsigned long size) noexcept {
  return HEDDLE_IS_SCALAR(size) ? __builtin_memmove(to, from, size)
                                : heddle_memmove(to, from, size);
}
HEDDLE_COPIES(memset)(void* to, int value, unsigned long size) noexcept {
  return HEDDLE_IS_SCALAR(size) ? __builtin_memset(to, value, size)
                                : heddle_memset(to, value, size);
}
// As standard headers call them.
#define __builtin_memcpy memcpy
#define __builtin_memmove memmove
#define __builtin_memset memset
