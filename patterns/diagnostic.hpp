// SPDX-License-Identifier: Apache-2.0
// What is wrong with the user's input, where, and what to write instead. Codes are registered in
// diagnostic_codes.cpp; render() is the only place that draws a caret.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "patterns/source.hpp"

namespace heddle {

enum class Severity { kError, kWarning };

struct Diagnostic {
  std::string code;  // "E012"
  Severity severity = Severity::kError;
  Span span;
  std::string message;  // one lower-case sentence, no full stop
  std::vector<std::string> notes;
};

class Diagnostics {
 public:
  void error(std::string_view code, Span span, std::string message,
             std::vector<std::string> notes = {});
  bool has_errors() const { return !list_.empty(); }
  const std::vector<Diagnostic>& list() const { return list_; }
  // Sorts by place; the order in which passes found things is of no interest to the reader.
  void sort();

 private:
  std::vector<Diagnostic> list_;
};

// file:line:column: error[E012]: message, the line, a caret span, notes. Control bytes of the
// input are shown as '?', long lines are cut around the span. `colour` adds ANSI escapes.
std::string render(const Diagnostic& diagnostic, const Source& source, bool colour = false);
std::string render(const Diagnostics& diagnostics, const Source& source, bool colour = false);

// One registered code, with the longer text that `heddle explain E012` shows.
struct DiagnosticCode {
  std::string_view code;
  std::string_view title;
  std::string_view explanation;
};
const std::vector<DiagnosticCode>& diagnostic_codes();

}  // namespace heddle
