// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "analyzer/proof/certify.hpp"
#include "cli/claims.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/pattern_argument.hpp"

namespace heddle {
namespace {

struct ProveCommandOptions {
  PatternArgument pattern;
  std::string output;
  bool json = false;
};

ExitCode run(const ProveCommandOptions& options) {
  const LoadedPattern loaded = load_pattern(options.pattern);
  if (!loaded.pattern) return loaded.code;
  const Pattern& pattern = *loaded.pattern;
  const ProofReport report = prove(pattern);
  const std::filesystem::path file =
      std::filesystem::path(options.output) / (pattern.name() + ".certificate.json");
  const ExitCode written = write_file(file, to_json_text(certify(pattern, report)));
  if (written != kDone) return written;
  if (options.json) {
    nlohmann::ordered_json json = {{"pattern", pattern.name()},
                                   {"source_sha256", pattern.sha256()},
                                   {"certificate", file.string()},
                                   {"claims", nlohmann::ordered_json::array()}};
    for (const ClaimVerdict& claim : report.claims) {
      json["claims"].push_back(nlohmann::ordered_json::parse(claim_json(claim)));
    }
    print_data(json.dump(2) + "\n");
  } else {
    print_data(
        text_table(claims_table(report.claims), {0, colour_on_stdout(), true, width_of_stdout()}) +
        "\n" + file.string() + "\n");
    print_remark("the proofs in full: heddle explain " + file.string());
  }
  return worse(loaded.code, exit_code_of(report.claims));
}

}  // namespace

void add_prove(CLI::App& app, ExitCode& result) {
  auto options = std::make_shared<ProveCommandOptions>();
  Command command(app, "prove",
                  "certificates of every claim; refuted ones with a smallest counterexample");
  add_pattern_argument(command, options->pattern);
  command.option("-o", options->output, "the folder for the certificate").called("DIR").required();
  command.flag("--json", options->json, "one JSON object");
  command.when_called([options, &result] { result = run(*options); });
}

}  // namespace heddle
