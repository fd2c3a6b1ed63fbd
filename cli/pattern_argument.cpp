// SPDX-License-Identifier: Apache-2.0
#include "cli/pattern_argument.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "analyzer/proof/causality.hpp"
#include "cli/command.hpp"
#include "cli/console.hpp"
#include "patterns/builtin_patterns.hpp"
#include "patterns/parser.hpp"

namespace heddle {
namespace {

constexpr std::uintmax_t kMaxFileBytes = 4 << 20;

LoadedPattern refused(ExitCode code) { return {std::nullopt, code}; }

bool looks_like_path(const std::string& text) {
  return text.find('/') != std::string::npos || text.ends_with(".heddle");
}

// Edit distance, for suggestions.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string unknown_pattern(const std::string& name) {
  std::string text = "`" + name.substr(0, 80) + "` is neither a file nor a built-in pattern";
  const BuiltinPattern* nearest = nullptr;
  std::size_t best = 4;
  for (const BuiltinPattern& pattern : builtin_patterns()) {
    const std::size_t edits = name.size() < 80 ? distance(name, pattern.name) : 99;
    if (edits < best) {
      best = edits;
      nearest = &pattern;
    }
  }
  if (nearest) return text + "; did you mean `" + std::string(nearest->name) + "`?";
  return text + "; `heddle list` shows the built-in ones";
}

std::optional<Source> read_source(const std::string& name, ExitCode& code) {
  std::error_code error;
  const bool exists = std::filesystem::exists(name, error) && !error;
  if (!exists && !looks_like_path(name)) {
    if (const BuiltinPattern* builtin = find_builtin(name)) return source_of(*builtin);
    code = fail(kWrongUsage, unknown_pattern(name));
    return std::nullopt;
  }
  if (!exists && find_builtin(name) == nullptr) {
    code = fail(kWrongUsage, "there is no file " + name);
    return std::nullopt;
  }
  // A folder that happens to be called like a built-in pattern does not hide it.
  if (std::filesystem::is_directory(name, error)) {
    if (const BuiltinPattern* builtin = find_builtin(name)) return source_of(*builtin);
    code = fail(kWrongUsage, name + " is a folder");
    return std::nullopt;
  }
  std::ifstream file(name, std::ios::binary);
  std::string text;
  char buffer[1 << 16];
  while (file && text.size() <= kMaxFileBytes) {
    file.read(buffer, sizeof buffer);
    text.append(buffer, static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad() || (text.empty() && !file.eof())) {
    code = fail(kWrongUsage, "cannot read " + name);
    return std::nullopt;
  }
  if (text.size() > kMaxFileBytes) {
    code =
        fail(kPatternRejected, name + ":1:1: the file is larger than 4 MiB, which no pattern is");
    return std::nullopt;
  }
  return Source{name, std::move(text)};
}

// name=value pairs; nothing and a message if one is malformed.
std::optional<std::map<std::string, Integer>> parse_overrides(
    const std::vector<std::string>& list) {
  std::map<std::string, Integer> values;
  for (const std::string& item : list) {
    const std::size_t equal = item.find('=');
    const auto value =
        equal == std::string::npos ? std::nullopt : Integer::parse(item.substr(equal + 1));
    if (!value || equal == 0) {
      fail(kWrongUsage,
           "-P takes name=value with a whole number, found `" + item.substr(0, 80) + "`");
      return std::nullopt;
    }
    values[item.substr(0, equal)] = *value;
  }
  return values;
}

LoadedPattern report(const Diagnostics& diagnostics, const Source& source) {
  const std::string text = render(diagnostics, source, colour_on_stderr());
  std::fwrite(text.data(), 1, text.size(), stderr);
  return refused(kPatternRejected);
}

// The set whose rows are at fault, as far as the verdict says.
Span span_of(const Pattern& pattern, const CausalityVerdict& verdict) {
  const Side side = verdict.violation ? verdict.violation->side : Side::kB;
  return pattern.set(side)->span;
}

LoadedPattern require_causal(Pattern pattern, const Source& source) {
  const CausalityVerdict verdict = prove_causal(pattern);
  switch (verdict.status) {
    case CausalityVerdict::Status::kProved:
      break;
    case CausalityVerdict::Status::kRejected: {
      Diagnostics diagnostics;
      std::vector<std::string> notes;
      if (verdict.violation) {
        notes.push_back(
            "add a condition that leaves this position out, or use a built-in shape, "
            "which is clipped at 1");
      }
      diagnostics.error(verdict.code, span_of(pattern, verdict), verdict.message, notes);
      return report(diagnostics, source);
    }
    case CausalityVerdict::Status::kUnknown:
      print_remark("not proved that every row reads earlier positions only (" + verdict.message +
                   "); rows 1.." + std::to_string(verdict.rows_checked) + " do");
      return {std::move(pattern), kUndecided, Causality::kChecked, verdict.rows_checked};
  }
  return {std::move(pattern), kDone, Causality::kProved, 0};
}

}  // namespace

void add_pattern_argument(Command& command, PatternArgument& argument) {
  command.option("PATTERN", argument.pattern, "a pattern file or the name of a built-in pattern")
      .required();
  command.option("-p", argument.name, "which pattern of a file that holds several").called("NAME");
  command.option("-P", argument.overrides, "set a parameter of the pattern; may be repeated")
      .called("name=value")
      .once_each();
}

namespace {

enum class Several { kAllowed, kRefused };

std::vector<LoadedPattern> load(const PatternArgument& argument, Several several) {
  ExitCode code = kDone;
  const auto overrides = parse_overrides(argument.overrides);
  if (!overrides) return {refused(kWrongUsage)};
  const std::optional<Source> source = read_source(argument.pattern, code);
  if (!source) return {refused(code)};
  Diagnostics diagnostics;
  std::vector<PatternSyntax> patterns = parse(*source, diagnostics);
  if (diagnostics.has_errors()) return {report(diagnostics, *source)};

  std::string names;
  for (const PatternSyntax& pattern : patterns) names += (names.empty() ? "" : ", ") + pattern.name;
  if (several == Several::kRefused && argument.name.empty() && patterns.size() > 1) {
    return {refused(
        fail(kWrongUsage,
             argument.pattern + " holds several patterns: choose one with -p (" + names + ")"))};
  }
  std::vector<LoadedPattern> loaded;
  for (PatternSyntax& syntax : patterns) {
    if (!argument.name.empty() && syntax.name != argument.name) continue;
    std::optional<Pattern> pattern = resolve(std::move(syntax), *overrides, diagnostics);
    loaded.push_back(pattern ? require_causal(std::move(*pattern), *source)
                             : report(diagnostics, *source));
    if (!loaded.back().pattern) return loaded;
  }
  if (loaded.empty()) {
    loaded.push_back(refused(fail(kWrongUsage, argument.pattern + " holds no pattern `" +
                                                   argument.name + "`, but " + names)));
  }
  return loaded;
}

}  // namespace

LoadedPattern load_pattern(const PatternArgument& argument) {
  return std::move(load(argument, Several::kRefused).back());
}

std::vector<LoadedPattern> load_patterns(const PatternArgument& argument) {
  return load(argument, Several::kAllowed);
}

}  // namespace heddle
