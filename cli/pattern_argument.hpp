// SPDX-License-Identifier: Apache-2.0
// The PATTERN argument of almost every command, with -p and -P, and how it becomes a Pattern.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/exit_code.hpp"
#include "codegen/manifest.hpp"
#include "patterns/pattern.hpp"

namespace heddle {

class Command;

struct PatternArgument {
  std::string pattern;                 // a file or a built-in name
  std::string name;                    // -p: which pattern of the file
  std::vector<std::string> overrides;  // -P name=value
};

// Declares PATTERN, -p and -P on a command.
void add_pattern_argument(Command& command, PatternArgument& argument);

struct LoadedPattern {
  std::optional<Pattern> pattern;
  // Why there is no pattern; kUndecided beside a pattern that is causal as far as it was checked.
  ExitCode code = kDone;
  Causality causality = Causality::kUnknown;  // kProved or kChecked where there is a pattern
  std::int64_t causality_rows = 0;            // kChecked: rows without a violation
};
// Reads, resolves and proves causal. What is wrong has been printed when there is no pattern.
LoadedPattern load_pattern(const PatternArgument& argument);
// All patterns of the file, or the one that `name` names; the first that is refused ends the list.
std::vector<LoadedPattern> load_patterns(const PatternArgument& argument);

}  // namespace heddle
