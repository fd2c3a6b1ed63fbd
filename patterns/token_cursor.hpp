// SPDX-License-Identifier: Apache-2.0
// The parser's place in the token list: looking, expecting, ending statements and going on after
// an error. A line end ends a statement exactly when no bracket of an expression is open.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "patterns/diagnostic.hpp"
#include "patterns/lexer.hpp"

namespace heddle {

// Thrown after the diagnostic is recorded; caught at the next statement, never outside the parser.
struct SyntaxError {};

class TokenCursor {
 public:
  TokenCursor(const std::vector<Token>& tokens, Diagnostics& diagnostics)
      : tokens_(tokens), diagnostics_(diagnostics) {}

 protected:
  // While one lives, line ends do not end the statement. Too many at once are refused, which
  // bounds the parser's own recursion.
  class Brackets {
   public:
    explicit Brackets(TokenCursor& cursor);
    ~Brackets() { --cursor_.depth_; }
    Brackets(const Brackets&) = delete;
    Brackets& operator=(const Brackets&) = delete;

   private:
    TokenCursor& cursor_;
  };
  // The same bound for recursion without brackets: `- - - x`, `not not p`, `2^2^2`.
  class Nesting {
   public:
    explicit Nesting(TokenCursor& cursor);
    ~Nesting() { --cursor_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    TokenCursor& cursor_;
  };

  const Token& token() const { return tokens_[at_]; }
  // Whether the statement ended before the token here.
  bool statement_ended() const {
    return depth_ == 0 && token().after_line_end && at_ != statement_begin_;
  }
  // The token after this one.
  const Token& following() const { return tokens_[at_end() ? at_ : at_ + 1]; }
  bool at_end() const { return token().kind == TokenKind::kEndOfFile; }
  // False where the statement has ended, whatever the next line holds.
  bool peek(std::string_view symbol) const;
  bool peek_name(std::string_view name) const;
  bool peek_ahead_is_name() const;
  bool accept(std::string_view symbol);
  bool accept_name(std::string_view name);
  void advance();
  void refuse_division();  // fails if a `/` stands here
  void expect(std::string_view symbol, std::string_view why);
  std::string expect_name(std::string_view what);
  std::size_t previous_end() const;
  // The token here in words, for messages.
  std::string found() const;

  void begin_statement();
  void expect_statement_end();
  void skip_statement_ends();
  void skip_statement();
  void skip_to_pattern();
  void skip_to_body();
  void expect_open_body();
  bool accept_open_body();

  // Whether the parenthesis here encloses a whole condition rather than an expression.
  bool bracket_holds_condition() const;

  Diagnostics& diagnostics() { return diagnostics_; }
  void error_here(std::string_view code, std::string message, std::vector<std::string> notes = {});
  [[noreturn]] void fail(std::string_view code, std::string message,
                         std::vector<std::string> notes = {});
  [[noreturn]] void fail_at(std::string_view code, Span span, std::string message,
                            std::vector<std::string> notes = {});

 private:
  const std::vector<Token>& tokens_;
  Diagnostics& diagnostics_;
  std::size_t at_ = 0;
  std::size_t statement_begin_ = 0;
  int depth_ = 0;
  int nesting_ = 0;
};

}  // namespace heddle
