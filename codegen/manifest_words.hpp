// SPDX-License-Identifier: Apache-2.0
// What a manifest calls things, for reading and for writing.
#pragma once

#include <array>
#include <string_view>

#include "codegen/manifest.hpp"

namespace heddle::words {

template <typename Enum>
struct Word {
  Enum value;
  const char* text;
};
inline constexpr std::array<Word<ElementType>, 4> kTypes{{{ElementType::kF32, "f32"},
                                                          {ElementType::kBF16, "bf16"},
                                                          {ElementType::kF16, "f16"},
                                                          {ElementType::kI32, "i32"}}};
inline constexpr std::array<Word<ArgumentKind>, 3> kKinds{{{ArgumentKind::kBuffer, "buffer"},
                                                           {ArgumentKind::kSize, "size"},
                                                           {ArgumentKind::kScalar, "scalar"}}};
inline constexpr std::array<Word<Access>, 3> kAccesses{
    {{Access::kRead, "read"}, {Access::kWrite, "write"}, {Access::kReadWrite, "read_write"}}};
inline constexpr std::array<Word<CacheRetention>, 3> kRetentions{
    {{CacheRetention::kNone, "none"},
     {CacheRetention::kAll, "all"},
     {CacheRetention::kNextRow, "next_row"}}};

inline constexpr std::array<Word<Causality>, 3> kCausalities{{{Causality::kUnknown, "unknown"},
                                                              {Causality::kChecked, "checked"},
                                                              {Causality::kProved, "proved"}}};

template <typename Table, typename Enum>
const char* word_for(const Table& table, Enum value) {
  for (const auto& word : table) {
    if (word.value == value) return word.text;
  }
  unreachable("a manifest word that has no text");
}

// Do kernels take arrays of coefficients?
inline bool has_coefficients(const Manifest& manifest) {
  return manifest.weights == "given" || manifest.weights == "gated";
}

// Do rows mix matrix states, of which each entry of B has a coefficient?
inline bool mixes_states(const Manifest& manifest) {
  return manifest.weights == "linear" && manifest.width_b.stated();
}

}  // namespace heddle::words
