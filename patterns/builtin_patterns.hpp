// SPDX-License-Identifier: Apache-2.0
// The built-in patterns: the files of patterns/library, compiled into the program.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "patterns/source.hpp"

namespace heddle {

struct BuiltinPattern {
  std::string_view name;
  std::string_view summary;  // the file's first comment line
  std::string_view text;
};

// In the order in which `heddle list` shows them.
const std::vector<BuiltinPattern>& builtin_patterns();
// Null when there is none of that name.
const BuiltinPattern* find_builtin(std::string_view name);
Source source_of(const BuiltinPattern& pattern);

}  // namespace heddle
