// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "patterns/builtin_patterns.hpp"

namespace heddle {
namespace {

ExitCode list(bool json) {
  if (json) {
    nlohmann::ordered_json all = nlohmann::ordered_json::array();
    for (const BuiltinPattern& pattern : builtin_patterns()) {
      all.push_back({{"name", pattern.name}, {"summary", pattern.summary}});
    }
    print_data(nlohmann::ordered_json{{"patterns", all}}.dump(2) + "\n");
    return kDone;
  }
  for (const BuiltinPattern& pattern : builtin_patterns()) {
    std::string line(pattern.name);
    line.resize(std::max<std::size_t>(line.size() + 2, 22), ' ');
    print_data(line + std::string(pattern.summary) + "\n");
  }
  return kDone;
}

}  // namespace

void add_list(CLI::App& app, ExitCode& result) {
  auto json = std::make_shared<bool>(false);
  Command command(app, "list", "the built-in patterns, one line each");
  command.flag("--json", *json, "one JSON object");
  command.when_called([json, &result] { result = list(*json); });
}

}  // namespace heddle
