// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <sstream>

#include "patterns/parser.hpp"
#include "tests/mutants/generator_mutator.hpp"
#include "tests/mutants/mutant_text.hpp"

namespace heddle::mutants {
namespace {

struct Edit {
  std::string rule;
  std::string source;
};

bool is_digit(char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; }
bool belongs_to_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// Every edit of the lines that say what a pattern is, one at a time.
std::vector<Edit> edits_of(const std::string& source) {
  std::vector<Edit> edits;
  const auto replace = [&](const char* rule, std::size_t at, std::size_t length,
                           const std::string& with) {
    std::string edited = source;
    edits.push_back({rule, edited.replace(at, length, with)});
  };
  std::size_t begin = 0;
  for (std::istringstream lines(source); !lines.eof();) {
    std::string line;
    std::getline(lines, line);
    const std::size_t first = line.find_first_not_of(' ');
    const bool told =
        first != std::string::npos && line[first] != '#' && line.compare(first, 5, "claim") != 0;
    for (std::size_t c = 0; told && c < line.size(); ++c) {
      const std::size_t at = begin + c;
      if (is_digit(line[c]) && (c == 0 || !belongs_to_word(line[c - 1]))) {
        std::size_t end = c;
        while (end < line.size() && is_digit(line[end])) ++end;
        const long value = std::strtol(line.c_str() + c, nullptr, 10);
        replace("misread_number", at, end - c, std::to_string(value + 1));
        if (value > 0) replace("misread_number", at, end - c, std::to_string(value - 1));
      }
      if (line.compare(c, 3, " - ") == 0) replace("misread_sign", at, 3, " + ");
      if (line.compare(c, 3, " + ") == 0) replace("misread_sign", at, 3, " - ");
      if (line.compare(c, 3, " < ") == 0) replace("misread_bound", at, 3, " <= ");
      if (line.compare(c, 4, " >= ") == 0) replace("misread_bound", at, 4, " > ");
      if (line.compare(c, 3, " | ") == 0) replace("misread_set", at, 3, " & ");
      if (line.compare(c, 7, "lattice") == 0) replace("misread_set", at, 7, "offsets");
      if (line.compare(c, 7, "offsets") == 0) replace("misread_set", at, 7, "lattice");
      if (line.compare(c, 8, "diagonal") == 0) replace("misread_set", at, 8, "window(2)");
      if (line.compare(c, 8, "B = none") == 0)
        replace("misread_set", at, 8, "B = { i - 1 : i > 1 }");
      if (line.compare(c, 9, "B = dense") == 0) replace("misread_set", at, 9, "B = none");
    }
    begin += line.size() + 1;
  }
  return edits;
}

}  // namespace

std::vector<Mutant> misreadings(const std::string& source, const GenerateOptions& options,
                                const std::string& op, const std::string& original) {
  std::vector<Mutant> mutants;
  for (const Edit& edit : edits_of(source)) {
    Diagnostics diagnostics;
    std::vector<PatternSyntax> parsed = parse(Source{"<misread>", edit.source}, diagnostics);
    if (parsed.size() != 1) continue;
    const std::optional<Pattern> pattern = resolve(std::move(parsed.front()), {}, diagnostics);
    if (!pattern) continue;
    const Result<Artifact> artifact = generate(*pattern, options);
    if (!artifact) continue;
    for (const KernelEntry& kernel : artifact->manifest.kernels) {
      if (kernel.op != op) continue;
      add_mutant(mutants, edit.rule, Danger::kMemory, original, artifact->files.at(kernel.file));
    }
  }
  return mutants;
}

}  // namespace heddle::mutants
