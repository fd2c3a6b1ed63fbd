// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/lexer.hpp"

#include <algorithm>
#include <array>

namespace heddle::verify {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

class Lexer {
 public:
  Lexer(const std::string& text, const std::string& file) : text_(text), file_(file) {}

  Result<std::vector<Token>> run() {
    std::vector<Token> tokens;
    while (true) {
      while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) step(1);
      Token token;
      token.at = {line_, column_};
      if (at_ == text_.size()) {
        tokens.push_back(token);
        return tokens;
      }
      if (const auto error = read(token)) return *error;
      tokens.push_back(std::move(token));
    }
  }

 private:
  void step(std::size_t count) {
    for (; count > 0; --count, ++at_) {
      column_ = text_[at_] == '\n' ? 1 : column_ + 1;
      if (text_[at_] == '\n') ++line_;
    }
  }
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  std::string take(std::size_t count) {
    const std::string taken = text_.substr(at_, count);
    step(count);
    return taken;
  }
  // A backslash would continue the line, other bytes have no business in a kernel.
  bool readable_line() const {
    for (std::size_t at = at_; at < text_.size() && text_[at] != '\n'; ++at) {
      if (text_[at] < ' ' || text_[at] > '~' || text_[at] == '\\') return false;
    }
    return true;
  }
  std::size_t line_length() const { return std::min(text_.find('\n', at_), text_.size()) - at_; }

  std::optional<Error> read(Token& token) {
    const char c = peek();
    const bool comment = c == '/' && peek(1) == '/';
    if (comment || c == '#') {
      if (!readable_line()) return refusal(file_, token.at, "this line has an unreadable byte");
      token.kind = comment ? TokenKind::kComment : TokenKind::kDirective;
      token.text = take(line_length());
      if (comment) token.text = token.text.substr(token.text.rfind("// ", 0) == 0 ? 3 : 2);
      return std::nullopt;
    }
    if (is_letter(c)) {
      std::size_t length = 1;
      while (is_letter(peek(length)) || is_digit(peek(length))) ++length;
      token.kind = TokenKind::kName;
      token.text = take(length);
      return std::nullopt;
    }
    if (is_digit(c)) return read_number(token);
    if (c == '"') {
      token.kind = TokenKind::kSymbol;
      token.text = take(text_.compare(at_, 3, "\"C\"") == 0 ? 3 : 1);
      return std::nullopt;
    }
    static constexpr std::array<const char*, 12> kLong = {"<=", ">=", "==", "!=", "&&", "||",
                                                          "++", "+=", "-=", "*=", "::", "--"};
    for (const char* symbol : kLong) {
      if (text_.compare(at_, 2, symbol) != 0) continue;
      token.kind = TokenKind::kSymbol;
      token.text = take(2);
      return std::nullopt;
    }
    if (std::string("+-*/%<>=!?:;,.(){}[]").find(c) == std::string::npos) {
      return refusal(file_, token.at, "no kernel of heddle has this character");
    }
    token.kind = TokenKind::kSymbol;
    token.text = take(1);
    return std::nullopt;
  }

  std::optional<Error> read_number(Token& token) {
    std::size_t length = 0;
    while (is_digit(peek(length))) ++length;
    const bool real = peek(length) == '.' || peek(length) == 'e';
    if (!real) {
      if (length > 1 && peek() == '0') return refusal(file_, token.at, "an octal number");
      if (length > 19) return refusal(file_, token.at, "this number exceeds 64 bits");
      token.kind = TokenKind::kInteger;
      token.text = take(length);
      if (peek() == 'L' && peek(1) == 'L') token.text += take(2);
    } else {
      if (peek(length) == '.') ++length;
      while (is_digit(peek(length))) ++length;
      if (peek(length) == 'e') {
        ++length;
        if (peek(length) == '+' || peek(length) == '-') ++length;
        if (!is_digit(peek(length))) return refusal(file_, token.at, "an exponent is missing");
        while (is_digit(peek(length))) ++length;
      }
      token.kind = TokenKind::kReal;
      token.text = take(length);
      if (peek() != 'f') return refusal(file_, token.at, "a real number without its f is a double");
      step(1);
    }
    if (is_letter(peek()) || is_digit(peek()) || peek() == '.') {
      return refusal(file_, token.at, "this number has an unknown suffix");
    }
    return std::nullopt;
  }

  const std::string& text_;
  const std::string& file_;
  std::size_t at_ = 0;
  int line_ = 1;
  int column_ = 1;
};

}  // namespace

Error refusal(const std::string& file, TextPlace at, const std::string& sentence) {
  return Error{file + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " +
               sentence};
}

Result<std::vector<Token>> tokens_of(const std::string& text, const std::string& file) {
  return Lexer(text, file).run();
}

}  // namespace heddle::verify
