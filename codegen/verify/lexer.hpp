// SPDX-License-Identifier: Apache-2.0
// Tokens of the C++ that generated CUDA kernels are written in. Whatever is outside that subset is
// refused with its place; nothing is skipped but white space.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "patterns/result.hpp"

namespace heddle::verify {

struct TextPlace {
  int line = 0;  // from 1; 0: nowhere in particular
  int column = 0;
};

enum class TokenKind { kName, kInteger, kReal, kSymbol, kComment, kDirective, kEnd };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  // of a comment: what follows the slashes; of a directive: the whole line
  TextPlace at;
};

// The error names `file`, line and column.
Result<std::vector<Token>> tokens_of(const std::string& text, const std::string& file);
Error refusal(const std::string& file, TextPlace at, const std::string& sentence);

}  // namespace heddle::verify
