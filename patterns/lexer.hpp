// SPDX-License-Identifier: Apache-2.0
// Bytes to tokens. Line ends are no tokens: each token says whether one stands before it, and the
// parser, which knows the brackets, decides whether it ends a statement.
#pragma once

#include <string_view>
#include <vector>

#include "patterns/diagnostic.hpp"

namespace heddle {

enum class TokenKind { kName, kNumber, kSymbol, kEndOfFile };

struct Token {
  TokenKind kind;
  std::string_view text;  // of the source; a symbol is recognised by it
  Span span;
  bool after_line_end = false;
};

// The last token is always kEndOfFile. Bytes that start no token are reported once per run of them.
std::vector<Token> tokenize(const Source& source, Diagnostics& diagnostics);

}  // namespace heddle
