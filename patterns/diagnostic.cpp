// SPDX-License-Identifier: Apache-2.0
#include "patterns/diagnostic.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "patterns/result.hpp"

namespace heddle {
namespace {

constexpr std::size_t kLineWidth = 100;  // of the quoted source line
constexpr std::size_t kKept = 1000;      // diagnostics of one run; nobody reads more
constexpr std::size_t kShown = 50;       // diagnostics rendered before the rest is only counted

// Control bytes and bytes outside ASCII would garble a terminal or shift the caret.
std::string printable(std::string_view text) {
  std::string shown;
  for (char c : text) shown += c == '\t' ? ' ' : (c >= 0x20 && c < 0x7f) ? c : '?';
  return shown;
}

struct Quote {
  std::string line;
  std::size_t caret = 0;  // column of the first caret, from 0
  std::size_t width = 1;  // number of carets
};

// The part of the line around the span that fits kLineWidth.
Quote quote(const Source& source, Span span) {
  const std::string_view line = source.line_at(span.begin);
  const std::size_t column = std::min(source.place_of(span.begin).column - 1, line.size());
  const std::size_t first =
      column > kLineWidth * 3 / 4 && line.size() > kLineWidth ? column - kLineWidth / 2 : 0;
  const std::string_view part = line.substr(first, kLineWidth);
  Quote result;
  const std::string before = first > 0 ? "..." : "";
  const std::string after = first + part.size() < line.size() ? "..." : "";
  result.line = before + printable(part) + after;
  result.caret = before.size() + column - first;
  const std::size_t wanted = span.end > span.begin ? span.end - span.begin : 1;
  const std::size_t room =
      std::max<std::size_t>(1, part.size() - std::min(part.size(), column - first));
  result.width = std::clamp<std::size_t>(wanted, 1, room);
  return result;
}

}  // namespace

void Diagnostics::error(std::string_view code, Span span, std::string message,
                        std::vector<std::string> notes) {
  if (list_.size() >= kKept) return;
  const auto& codes = diagnostic_codes();
  assert_that(std::any_of(codes.begin(), codes.end(),
                          [&](const DiagnosticCode& known) { return known.code == code; }),
              "a diagnostic code is not registered");
  list_.push_back(
      {std::string(code), Severity::kError, span, std::move(message), std::move(notes)});
}

void Diagnostics::sort() {
  std::stable_sort(list_.begin(), list_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return a.span.begin < b.span.begin;
  });
}

std::string render(const Diagnostic& diagnostic, const Source& source, bool colour) {
  const char* red = colour ? "\x1b[1;31m" : "";
  const char* bold = colour ? "\x1b[1m" : "";
  const char* plain = colour ? "\x1b[0m" : "";
  const Place place = source.place_of(diagnostic.span.begin);
  const Quote part = quote(source, diagnostic.span);
  const std::string number = std::to_string(place.line);
  const std::string margin(number.size(), ' ');
  std::string text = fmt::format("{}{}:{}:{}:{} {}error[{}]:{} {}{}{}\n", bold, source.name,
                                 place.line, place.column, plain, red, diagnostic.code, plain, bold,
                                 printable(diagnostic.message), plain);
  text += fmt::format(" {} | {}\n", number, part.line);
  text += fmt::format(" {} | {}{}{}{}\n", margin, std::string(part.caret, ' '), red,
                      std::string(part.width, '^'), plain);
  for (const std::string& note : diagnostic.notes) {
    text += fmt::format(" {} = note: {}\n", margin, printable(note));
  }
  return text;
}

std::string render(const Diagnostics& diagnostics, const Source& source, bool colour) {
  std::string text;
  std::size_t shown = 0;
  for (const Diagnostic& diagnostic : diagnostics.list()) {
    if (shown++ == kShown) {
      text += fmt::format("... and {} more errors\n", diagnostics.list().size() - kShown);
      break;
    }
    text += render(diagnostic, source, colour);
  }
  return text;
}

}  // namespace heddle
