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
  const ProofReport report = prove_and_derive(pattern);
  const std::filesystem::path file =
      std::filesystem::path(options.output) / (pattern.name() + ".certificate.json");
  const ExitCode written = write_file(file, to_json_text(certify(pattern, report)));
  if (written != kDone) return written;
  if (options.json) {
    nlohmann::ordered_json json = {{"pattern", pattern.name()},
                                   {"source_sha256", pattern.sha256()},
                                   {"certificate", file.string()},
                                   {"claims", nlohmann::ordered_json::array()},
                                   {"derived", nlohmann::ordered_json::array()}};
    for (const ClaimVerdict& claim : report.claims) {
      json["claims"].push_back(nlohmann::ordered_json::parse(claim_json(claim)));
    }
    for (const ClaimVerdict& claim : report.derived) {
      json["derived"].push_back(nlohmann::ordered_json::parse(claim_json(claim)));
    }
    print_data(json.dump(2) + "\n");
  } else {
    const auto print_claims = [](const std::vector<ClaimVerdict>& claims) {
      print_data(
          text_table(claims_table(claims), {0, colour_on_stdout(), true, width_of_stdout()}) +
          "\n");
    };
    if (!report.claims.empty()) print_claims(report.claims);
    if (!report.derived.empty()) {
      print_data("Not claimed, and proved as well:\n\n");
      print_claims(report.derived);
    }
    print_data(file.string() + "\n");
    print_remark("the proofs in full: heddle explain " + file.string());
  }
  return worse(loaded.code, exit_code_of(report.claims));
}

}  // namespace

void add_prove(CLI::App& app, ExitCode& result) {
  auto options = std::make_shared<ProveCommandOptions>();
  Command command(app, "prove",
                  "a certificate of every claim, with a smallest counterexample where it is "
                  "refuted, and of the\n"
                  "sharpest bounds that can be proved without being claimed");
  add_pattern_argument(command, options->pattern);
  command.option("-o", options->output, "the folder for the certificate").called("DIR").required();
  command.flag("--json", options->json, "one JSON object");
  command.when_called([options, &result] { result = run(*options); });
}

}  // namespace heddle
