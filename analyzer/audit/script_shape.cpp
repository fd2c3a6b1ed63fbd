// SPDX-License-Identifier: Apache-2.0
// One command a line, and nothing but the four commands that the certificate needs: no options, no
// definitions, no quoted symbols in which something could hide.
#include "analyzer/audit/script_shape.hpp"

#include <vector>

namespace heddle::auditing {
namespace {

struct Shape {
  std::vector<std::string> assertions;
  std::string error;
};

bool starts_with(const std::string& text, const std::string& prefix) {
  return text.rfind(prefix, 0) == 0;
}

bool is_one_command(const std::string& line) {
  int depth = 0;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char c = line[at];
    if (c == '|' || c == '"' || c == ';' || c < ' ' || c > '~') return false;
    if (c == '(') ++depth;
    if (c == ')') --depth;
    if (depth < 0 || (depth == 0 && at + 1 != line.size())) return false;
  }
  return depth == 0;
}

Shape shape_of(const std::string& script) {
  enum { kLogic, kDeclarations, kAssertions, kEnd } stage = kLogic;
  Shape shape;
  for (std::size_t at = 0; at < script.size() && shape.error.empty();) {
    const std::size_t end = std::min(script.find('\n', at), script.size());
    const std::string line = script.substr(at, end - at);
    at = end + 1;
    if (line.empty() || line[0] == ';') continue;
    if (!is_one_command(line)) {
      shape.error = "a line is not one plain command";
    } else if (stage == kLogic &&
               (line == "(set-logic QF_LIA)" || line == "(set-logic QF_NIA)" ||
                line == "(set-logic QF_UFLIA)" || line == "(set-logic QF_UFNIA)")) {
      stage = kDeclarations;
    } else if (stage == kDeclarations && starts_with(line, "(declare-fun ")) {
      continue;
    } else if ((stage == kDeclarations || stage == kAssertions) && starts_with(line, "(assert ")) {
      stage = kAssertions;
      shape.assertions.push_back(line);
    } else if ((stage == kDeclarations || stage == kAssertions) && line == "(check-sat)") {
      stage = kEnd;
    } else {
      shape.error = "an unexpected command: " + line.substr(0, 60);
    }
  }
  if (shape.error.empty() && stage != kEnd) shape.error = "the script does not end in (check-sat)";
  return shape;
}

}  // namespace

std::optional<std::string> malformed(const Obligation& obligation) {
  if (obligation.expected != "unsat") return "the expected answer is not unsat";
  Shape script = shape_of(obligation.script);
  const Shape companion = shape_of(obligation.companion);
  if (!script.error.empty()) return script.error;
  if (!companion.error.empty()) return "companion: " + companion.error;
  if (script.assertions.empty() || !starts_with(script.assertions.back(), "(assert (not ")) {
    return "the last assertion is not a negated goal";
  }
  script.assertions.pop_back();
  if (script.assertions != companion.assertions) {
    return "the companion does not hold the same hypotheses";
  }
  return std::nullopt;
}

}  // namespace heddle::auditing
