// SPDX-License-Identifier: Apache-2.0
// Shell completion, generated from the commands and options that are really there.
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "patterns/builtin_patterns.hpp"

namespace heddle {
namespace {

std::string options_of(const CLI::App& command) {
  std::string words;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) words += " --" + name;
    for (const std::string& name : option->get_snames()) words += " -" + name;
  }
  return words.empty() ? words : words.substr(1);
}

// bash and zsh (through bashcompinit) both read this script.
std::string bash_script(const CLI::App& app) {
  std::string commands;
  std::string cases;
  for (const CLI::App* command : app.get_subcommands({})) {
    commands += (commands.empty() ? "" : " ") + command->get_name();
    cases += "    " + command->get_name() + ") words=\"" + options_of(*command) + "\" ;;\n";
  }
  std::string patterns;
  for (const BuiltinPattern& pattern : builtin_patterns()) {
    patterns += (patterns.empty() ? "" : " ") + std::string(pattern.name);
  }
  return "# heddle completion: source this file, or install it as "
         "/usr/share/bash-completion/completions/heddle\n"
         "# zsh: autoload -U +X bashcompinit && bashcompinit first\n"
         "_heddle() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} words=\"\"\n"
         "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
         "    COMPREPLY=($(compgen -W \"" +
         commands +
         "\" -- \"$current\"))\n"
         "    return\n"
         "  fi\n"
         "  case ${COMP_WORDS[1]} in\n" +
         cases +
         "  esac\n"
         "  if [[ $current == -* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  else\n"
         "    COMPREPLY=($(compgen -W \"" +
         patterns +
         "\" -- \"$current\") $(compgen -f -- \"$current\"))\n"
         "  fi\n"
         "}\n"
         "complete -o filenames -F _heddle heddle\n";
}

}  // namespace

void add_completion(CLI::App& app, ExitCode& result) {
  CLI::App* command = app.add_subcommand("completion", "a completion script for bash and zsh");
  command->callback([&app, &result] {
    print_data(bash_script(app));
    result = kDone;
  });
}

}  // namespace heddle
