// SPDX-License-Identifier: Apache-2.0
#include "patterns/lexer.hpp"

#include <algorithm>
#include <array>

namespace heddle {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v'; }

// Longest first.
constexpr std::array<std::string_view, 22> kSymbols = {"..", "<=", ">=", "!=", "==", "(", ")", "{",
                                                       "}",  "=",  "<",  ">",  "+",  "-", "*", "/",
                                                       "^",  "|",  "&",  ",",  ":",  ";"};

std::string_view symbol_at(std::string_view rest) {
  for (std::string_view symbol : kSymbols) {
    if (rest.starts_with(symbol)) return rest.substr(0, symbol.size());
  }
  return {};
}

bool starts_something(std::string_view rest) {
  const char c = rest.front();
  return is_letter(c) || is_digit(c) || is_blank(c) || c == '\n' || c == '#' ||
         !symbol_at(rest).empty();
}

class Lexer {
 public:
  Lexer(const Source& source, Diagnostics& diagnostics)
      : text_(source.text), diagnostics_(diagnostics) {}

  std::vector<Token> run() {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;  // a byte order mark is harmless
    while (at_ < text_.size()) step();
    push(TokenKind::kEndOfFile, 0);
    return std::move(tokens_);
  }

 private:
  void step() {
    const char c = text_[at_];
    if (is_blank(c)) {
      ++at_;
    } else if (c == '\n') {
      after_line_end_ = true;
      ++at_;
    } else if (c == '#') {
      at_ = std::min(text_.find('\n', at_), text_.size());
    } else if (is_letter(c)) {
      push(TokenKind::kName, word_length());
    } else if (is_digit(c)) {
      number();
    } else if (const std::string_view symbol = symbol_at(text_.substr(at_)); !symbol.empty()) {
      push(TokenKind::kSymbol, symbol.size());
    } else {
      unknown();
    }
  }

  std::size_t word_length() const {
    std::size_t end = at_;
    while (end < text_.size() && (is_letter(text_[end]) || is_digit(text_[end]))) ++end;
    return end - at_;
  }

  void number() {
    const std::size_t word = word_length();
    std::size_t digits = 0;
    while (digits < word && is_digit(text_[at_ + digits])) ++digits;
    if (digits < word) {
      diagnostics_.error("E002", {at_, at_ + word}, "a number runs into a name",
                         {"a product needs its `*`, and a name starts with a letter"});
    }
    push(TokenKind::kNumber, word);
    tokens_.back().text = tokens_.back().text.substr(0, digits);
  }

  void unknown() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && !starts_something(text_.substr(at_))) ++at_;
    diagnostics_.error("E001", {begin, at_},
                       at_ - begin == 1 ? "this character has no meaning here"
                                        : "these characters have no meaning here",
                       {"a pattern file is ASCII text; names are letters, digits and `_`"});
  }

  void push(TokenKind kind, std::size_t length) {
    tokens_.push_back({kind, text_.substr(at_, length), {at_, at_ + length}, after_line_end_});
    at_ += length;
    after_line_end_ = false;
  }

  std::string_view text_;
  Diagnostics& diagnostics_;
  std::size_t at_ = 0;
  bool after_line_end_ = false;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(const Source& source, Diagnostics& diagnostics) {
  return Lexer(source, diagnostics).run();
}

}  // namespace heddle
