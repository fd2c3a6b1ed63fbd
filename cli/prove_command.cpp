// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "analyzer/coq/coq_file.hpp"
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
  std::string coq;
  bool json = false;
};

std::vector<coq::Judged> judged(const ProofReport& report) {
  std::vector<coq::Judged> claims;
  for (const auto* list : {&report.claims, &report.derived}) {
    for (const ClaimVerdict& claim : *list) claims.push_back({claim.text, &claim.verdict});
  }
  return claims;
}

nlohmann::ordered_json as_json(const std::vector<ClaimVerdict>& claims) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const ClaimVerdict& claim : claims) {
    json.push_back(nlohmann::ordered_json::parse(claim_json(claim)));
  }
  return json;
}

nlohmann::ordered_json as_json(const coq::CoqFile& file, const std::string& path) {
  nlohmann::ordered_json json = {
      {"file", path}, {"written", file.written}, {"unwritten", nlohmann::ordered_json::array()}};
  for (const coq::Unwritten& missing : file.unwritten) {
    json["unwritten"].push_back({{"claim", missing.claim}, {"reason", missing.reason}});
  }
  return json;
}

void print_claims(const std::vector<ClaimVerdict>& claims) {
  print_data(text_table(claims_table(claims), {0, colour_on_stdout(), true, width_of_stdout()}) +
             "\n");
}

void print_coq_file(const coq::CoqFile& file, const std::string& path) {
  print_data(path + "\n");
  for (const coq::Unwritten& missing : file.unwritten) {
    print_remark("not written for Coq: " + missing.claim + " (" + missing.reason + ")");
  }
  print_remark(
      fmt::format("{} of {} proved claims are written for Coq, which has yet to check them",
                  file.written.size(), file.written.size() + file.unwritten.size()));
}

ExitCode run(const ProveCommandOptions& options) {
  if (options.output.empty() && options.coq.empty()) {
    return fail(kWrongUsage, "-o or --coq is required");
  }
  const LoadedPattern loaded = load_pattern(options.pattern);
  if (!loaded.pattern) return loaded.code;
  const Pattern& pattern = *loaded.pattern;
  const ProofReport report = prove_and_derive(pattern);
  const std::filesystem::path file =
      std::filesystem::path(options.output) / (pattern.name() + ".certificate.json");
  if (!options.output.empty()) {
    const ExitCode written = write_file(file, to_json_text(certify(pattern, report)));
    if (written != kDone) return written;
  }
  coq::CoqFile coq;
  if (!options.coq.empty()) {
    coq = coq::coq_file(pattern, judged(report));
    const ExitCode written = write_file(options.coq, coq.text);
    if (written != kDone) return written;
  }
  if (options.json) {
    nlohmann::ordered_json json = {{"pattern", pattern.name()},
                                   {"source_sha256", pattern.sha256()}};
    if (!options.output.empty()) json["certificate"] = file.string();
    if (!options.coq.empty()) json["coq"] = as_json(coq, options.coq);
    json["claims"] = as_json(report.claims);
    json["derived"] = as_json(report.derived);
    print_data(json.dump(2) + "\n");
  } else {
    if (!report.claims.empty()) print_claims(report.claims);
    if (!report.derived.empty()) {
      print_data("Not claimed, and proved as well:\n\n");
      print_claims(report.derived);
    }
    if (!options.output.empty()) {
      print_data(file.string() + "\n");
      print_remark("the proofs in full: heddle explain " + file.string());
    }
    if (!options.coq.empty()) print_coq_file(coq, options.coq);
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
  command.option("-o", options->output, "the folder for the certificate").called("DIR");
  command
      .option("--coq", options->coq,
              "write what is proved as a file that Coq checks; -o may then be left out")
      .called("FILE");
  command.flag("--json", options->json, "one JSON object");
  command.when_called([options, &result] { result = run(*options); });
}

}  // namespace heddle
