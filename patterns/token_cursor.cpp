// SPDX-License-Identifier: Apache-2.0
#include "patterns/token_cursor.hpp"

namespace heddle {
namespace {

constexpr int kMaxNesting = 200;                   // brackets and prefixes open at once
constexpr std::size_t kMaxStatementTokens = 4000;  // bounds the height of every tree

// A name that begins a statement wherever it begins a line.
bool begins_statement(const Token& token) {
  return token.text == "A" || token.text == "B" || token.text == "claim" ||
         token.text == "weights" || token.text == "pattern";
}

}  // namespace

TokenCursor::Brackets::Brackets(TokenCursor& cursor) : cursor_(cursor) {
  if (cursor.depth_ >= kMaxNesting) {
    cursor.fail("E004", "brackets are nested more than 200 deep");
  }
  ++cursor.depth_;
}

TokenCursor::Nesting::Nesting(TokenCursor& cursor) : cursor_(cursor) {
  if (cursor.nesting_ >= kMaxNesting) {
    cursor.fail("E004", "operators are nested more than 200 deep");
  }
  ++cursor.nesting_;
}

bool TokenCursor::peek(std::string_view symbol) const {
  return token().kind == TokenKind::kSymbol && token().text == symbol && !statement_ended();
}

bool TokenCursor::peek_name(std::string_view name) const {
  return token().kind == TokenKind::kName && token().text == name && !statement_ended();
}

bool TokenCursor::peek_ahead_is_name() const {
  return !at_end() && tokens_[at_ + 1].kind == TokenKind::kName;
}

bool TokenCursor::accept(std::string_view symbol) {
  if (!peek(symbol)) return false;
  advance();
  return true;
}

bool TokenCursor::accept_name(std::string_view name) {
  if (!peek_name(name)) return false;
  advance();
  return true;
}

void TokenCursor::advance() {
  if (at_end()) return;
  ++at_;
  if (at_ - statement_begin_ > kMaxStatementTokens && statement_begin_ != 0) {
    fail("E005", "this statement is longer than 4000 symbols");
  }
}

void TokenCursor::refuse_division() {
  if (!peek("/")) return;
  fail("E006", "`/` may only stand inside `floor(x / y)` or `ceil(x / y)`",
       {"integers have no exact quotient: say which way to round"});
}

void TokenCursor::expect(std::string_view symbol, std::string_view why) {
  if (accept(symbol)) return;
  refuse_division();
  fail("E003", "expected `" + std::string(symbol) + "` " + std::string(why) + ", found " + found());
}

std::string TokenCursor::expect_name(std::string_view what) {
  if (token().kind != TokenKind::kName || statement_ended()) {
    fail("E003", "expected " + std::string(what) + ", found " + found());
  }
  std::string name(token().text);
  if (name.size() > 64) fail("E003", "names have at most 64 letters");
  advance();
  return name;
}

std::size_t TokenCursor::previous_end() const { return at_ == 0 ? 0 : tokens_[at_ - 1].span.end; }

std::string TokenCursor::found() const {
  if (at_end()) return "the end of the file";
  if (statement_ended()) return "the end of the line";
  const std::string_view text = token().text;
  return "`" + std::string(text.substr(0, 40)) + (text.size() > 40 ? "...`" : "`");
}

void TokenCursor::begin_statement() { statement_begin_ = at_; }

void TokenCursor::expect_statement_end() {
  if (at_end() || peek(";") || peek("}") || statement_ended()) return;
  refuse_division();
  fail("E003", "expected the end of the statement, found " + found(),
       {"a statement ends at the end of its line or at `;`"});
}

void TokenCursor::skip_statement_ends() {
  while (token().kind == TokenKind::kSymbol && token().text == ";") ++at_;
  statement_begin_ = at_;
}

// To the next line or `;` after the statement's first token at which a statement can begin. A line
// that clearly begins something new ends the statement even inside a bracket left open by mistake.
void TokenCursor::skip_statement() {
  depth_ = 0;
  nesting_ = 0;
  int parentheses = 0;
  int braces = 0;
  for (at_ = statement_begin_; !at_end(); ++at_) {
    const Token& here = token();
    const bool fresh_line = here.after_line_end && at_ != statement_begin_;
    const bool inside = parentheses > 0 || braces > 0;
    if (fresh_line && (!inside || begins_statement(here))) break;
    if (here.kind != TokenKind::kSymbol) continue;
    if (here.text == "(") ++parentheses;
    if (here.text == ")") --parentheses;
    if (here.text == "{") ++braces;
    if (here.text == "}" && --braces < 0) break;
    if (here.text == ";" && !inside) break;
  }
  statement_begin_ = at_;
}

void TokenCursor::skip_to_pattern() {
  if (!at_end()) ++at_;
  while (!at_end() && !(token().kind == TokenKind::kName && token().text == "pattern")) ++at_;
  statement_begin_ = at_;
}

void TokenCursor::skip_to_body() {
  depth_ = 0;
  nesting_ = 0;
  while (!at_end() && token().text != "{" && token().text != "pattern") ++at_;
}

void TokenCursor::expect_open_body() {
  statement_begin_ = at_;  // `{` may stand on a line of its own
  expect("{", "to open the pattern");
  skip_statement_ends();
}

bool TokenCursor::accept_open_body() {
  if (token().text != "{") return false;
  ++at_;
  skip_statement_ends();
  return true;
}

bool TokenCursor::bracket_holds_condition() const {
  int open = 0;
  std::size_t at = at_;
  for (; tokens_[at].kind != TokenKind::kEndOfFile; ++at) {
    if (tokens_[at].kind != TokenKind::kSymbol) continue;
    if (tokens_[at].text == "(") ++open;
    if (tokens_[at].text == ")" && --open == 0) break;
  }
  if (tokens_[at].kind == TokenKind::kEndOfFile) return false;
  const Token& next = tokens_[at + 1];
  static constexpr std::string_view kContinues[] = {"+", "-", "*",  "/",  "^",  "<",
                                                    ">", "=", "<=", ">=", "!=", "=="};
  if (next.text == "mod") return false;
  for (std::string_view symbol : kContinues) {
    if (next.kind == TokenKind::kSymbol && next.text == symbol) return false;
  }
  return true;
}

void TokenCursor::error_here(std::string_view code, std::string message,
                             std::vector<std::string> notes) {
  diagnostics_.error(code, token().span, std::move(message), std::move(notes));
}

void TokenCursor::fail(std::string_view code, std::string message, std::vector<std::string> notes) {
  fail_at(code, token().span, std::move(message), std::move(notes));
}

void TokenCursor::fail_at(std::string_view code, Span span, std::string message,
                          std::vector<std::string> notes) {
  diagnostics_.error(code, span, std::move(message), std::move(notes));
  throw SyntaxError{};
}

}  // namespace heddle
