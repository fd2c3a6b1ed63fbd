// SPDX-License-Identifier: Apache-2.0
// Compiled behind the text of a kernel: one way into a function of any signature. Arguments arrive
// as an array of pointers to their values, as the CUDA driver takes them, and the parameter types
// come from the function. It includes nothing.
#pragma once

namespace heddle_entry_point {

// p pointer, c pointer to constants, i 32-bit integer, f float, ? anything else.
template <typename T>
struct Letter {
  static constexpr char value = '?';
};
template <typename T>
struct Letter<T*> {
  static constexpr char value = 'p';
};
template <typename T>
struct Letter<const T*> {
  static constexpr char value = 'c';
};
template <>
struct Letter<int> {
  static constexpr char value = 'i';
};
template <>
struct Letter<float> {
  static constexpr char value = 'f';
};
// Top-level const and restrict of a parameter are no part of its function's type.

template <typename Function>
struct Parameters;
template <typename... P>
struct Parameters<void (*)(P...)> {
  static constexpr int kCount = sizeof...(P);
  static constexpr char kLetters[] = {Letter<P>::value..., '\0'};

  template <int... kIndex>
  struct Indices {};
  template <int kLeft, int... kIndex>
  struct Count : Count<kLeft - 1, kLeft - 1, kIndex...> {};
  template <int... kIndex>
  struct Count<0, kIndex...> {
    using Type = Indices<kIndex...>;
  };

  // Reading the caller's argument array is no access of the kernel, should it be under observation.
  template <int... kIndex>
  __attribute__((no_sanitize("thread"), no_sanitize("address"),
                 no_sanitize("undefined"))) static void
  call(void (*kernel)(P...), void** arguments, Indices<kIndex...>) {
    kernel(*static_cast<P*>(arguments[kIndex])...);
  }
};

}  // namespace heddle_entry_point

#define HEDDLE_KERNEL_ENTRY(kernel)                                                            \
  extern "C" __attribute__((visibility("default"))) void heddle_entry(void** arguments) {      \
    using Kernel = heddle_entry_point::Parameters<decltype(&kernel)>;                          \
    Kernel::call(&kernel, arguments, typename Kernel::template Count<Kernel::kCount>::Type{}); \
  }                                                                                            \
  extern "C" __attribute__((visibility("default"))) const char* const heddle_signature =       \
      heddle_entry_point::Parameters<decltype(&kernel)>::kLetters;
