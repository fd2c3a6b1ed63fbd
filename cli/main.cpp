// SPDX-License-Identifier: Apache-2.0
// heddle COMMAND PATTERN [options]
#include <CLI/CLI.hpp>
#include <exception>
#include <new>

#include "cli/commands.hpp"
#include "cli/console.hpp"

int main(int argc, char** argv) {
  using namespace heddle;
  CLI::App app{
      "heddle: symbolic analysis and pattern design for token mixers\n"
      "Y = (I - B)^-1 A X, where a pattern says which entries of A and B may be non-zero\n",
      "heddle"};
  app.set_version_flag("--version", HEDDLE_VERSION);
  app.require_subcommand(0, 1);
  std::string code;
  app.add_option("--explain", code, "what a diagnostic code means, such as E027")
      ->type_name("CODE");
  app.failure_message([](const CLI::App*, const CLI::Error& error) {
    return std::string("heddle: error: ") + error.what() +
           "\nTry `heddle --help` or `heddle COMMAND --help`.\n";
  });
  app.footer(
      "PATTERN is a file (*.heddle) or the name of a built-in pattern (`heddle list`).\n"
      "Exit codes: 0 all holds, 1 refuted or rejected, 2 wrong usage, 3 pattern rejected,\n"
      "4 undecided, 5 no such device or tool, 70 a bug in heddle.");
  ExitCode result = kDone;
  add_list(app, result);
  add_show(app, result);
  add_analyze(app, result);
  add_compare(app, result);
  add_prove(app, result);
  add_audit(app, result);
  add_explain(app, result);
  add_draw(app, result);
  add_generate(app, result);
  add_verify(app, result);
  add_profile(app, result);
  add_bench(app, result);
  add_run(app, result);
  add_completion(app, result);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return finish_data(app.exit(error) == 0 ? kDone : kWrongUsage);
  } catch (const std::bad_alloc&) {
    return fail(kUndecided, "out of memory: try a smaller -n");
  } catch (const std::exception& error) {
    return fail(kInternalError, std::string("internal error: ") + error.what());
  }
  if (!code.empty()) return finish_data(explain_code(code));
  if (app.get_subcommands().empty()) {
    std::fputs(app.help().c_str(), stderr);
    return kWrongUsage;
  }
  return finish_data(result);
}
