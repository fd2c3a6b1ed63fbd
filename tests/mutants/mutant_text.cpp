// SPDX-License-Identifier: Apache-2.0
#include "tests/mutants/mutant_text.hpp"

#include <sstream>

namespace heddle::mutants {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The line that opens the kernel's body.
std::size_t body_of(const std::vector<std::string>& lines) {
  std::size_t line = 0;
  while (line < lines.size() && lines[line].find(") {") == std::string::npos) ++line;
  return line;
}

std::string without_indent(const std::string& line) {
  const std::size_t begin = line.find_first_not_of(" \t");
  return begin == std::string::npos ? "" : line.substr(begin);
}

}  // namespace

void add_mutant(std::vector<Mutant>& mutants, const std::string& rule, Danger danger,
                const std::string& original, const std::string& text) {
  const std::vector<std::string> was = lines_of(original), is = lines_of(text);
  std::size_t old_line = body_of(was), new_line = body_of(is);
  while (old_line < was.size() && new_line < is.size() && was[old_line] == is[new_line]) {
    ++old_line;
    ++new_line;
  }
  if (old_line >= was.size() && new_line >= is.size()) return;
  Mutant mutant;
  mutant.rule = rule;
  mutant.danger = danger;
  mutant.line = static_cast<int>(old_line) + 1;
  if (old_line < was.size()) mutant.before = without_indent(was[old_line]);
  if (new_line < is.size()) mutant.after = without_indent(is[new_line]);
  mutant.text = text;
  mutants.push_back(std::move(mutant));
}

}  // namespace heddle::mutants
