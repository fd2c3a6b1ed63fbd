// SPDX-License-Identifier: Apache-2.0
// Text to syntax. Reports every error it can place and goes on after each at the next statement.
#pragma once

#include <vector>

#include "patterns/ast.hpp"
#include "patterns/diagnostic.hpp"

namespace heddle {

// The patterns of a file, in order. When `diagnostics` has errors afterwards, the result is not
// to be used. Never throws, never hangs, whatever the bytes.
std::vector<PatternSyntax> parse(const Source& source, Diagnostics& diagnostics);

}  // namespace heddle
