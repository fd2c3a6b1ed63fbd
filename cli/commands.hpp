// SPDX-License-Identifier: Apache-2.0
// The commands, one file each. add_NAME declares the command's options; when it is the one called,
// its exit code lands in `result`.
#pragma once

#include <string>

#include "cli/exit_code.hpp"

namespace CLI {
class App;
}

namespace heddle {

void add_list(CLI::App& app, ExitCode& result);
void add_show(CLI::App& app, ExitCode& result);
void add_analyze(CLI::App& app, ExitCode& result);
void add_generate(CLI::App& app, ExitCode& result);
void add_compare(CLI::App& app, ExitCode& result);
void add_prove(CLI::App& app, ExitCode& result);
void add_audit(CLI::App& app, ExitCode& result);
void add_explain(CLI::App& app, ExitCode& result);
void add_draw(CLI::App& app, ExitCode& result);
void add_profile(CLI::App& app, ExitCode& result);
void add_verify(CLI::App& app, ExitCode& result);
void add_bench(CLI::App& app, ExitCode& result);
void add_run(CLI::App& app, ExitCode& result);
void add_completion(CLI::App& app, ExitCode& result);

// heddle --explain E027
ExitCode explain_code(const std::string& code);

}  // namespace heddle
