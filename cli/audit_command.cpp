// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "analyzer/audit/audit.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/input_file.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {
namespace {

const char* word_of(AuditReport::Verdict verdict) {
  switch (verdict) {
    case AuditReport::Verdict::kAccepted:
      return "accepted";
    case AuditReport::Verdict::kRejected:
      return "rejected";
    case AuditReport::Verdict::kUndecided:
      return "undecided";
  }
  return "undecided";
}

ExitCode exit_code_of(AuditReport::Verdict verdict) {
  switch (verdict) {
    case AuditReport::Verdict::kAccepted:
      return kDone;
    case AuditReport::Verdict::kRejected:
      return kRefuted;
    case AuditReport::Verdict::kUndecided:
      return kUndecided;
  }
  return kInternalError;
}

void print_json(const AuditReport& report) {
  nlohmann::ordered_json json = {{"verdict", word_of(report.verdict)},
                                 {"scripts", report.scripts},
                                 {"steps", report.steps},
                                 {"steps_with_evidence", report.steps_with_evidence},
                                 {"claims", nlohmann::ordered_json::array()},
                                 {"solvers", nlohmann::ordered_json::array()},
                                 {"problems", report.problems},
                                 {"checked", report.checked},
                                 {"trusted", report.trusted},
                                 {"not_checked", report.not_checked}};
  for (const SolverTally& solver : report.solvers) {
    json["solvers"].push_back({{"version", solver.version},
                               {"confirmed", solver.confirmed},
                               {"undecided", solver.undecided}});
  }
  for (const ClaimTally& claim : report.claims) {
    nlohmann::ordered_json confirmed;
    for (const auto& [checker, steps] : claim.confirmed) confirmed[checker] = steps;
    json["claims"].push_back(
        {{"text", claim.text}, {"steps", claim.steps}, {"confirmed", std::move(confirmed)}});
  }
  print_data(json.dump(2) + "\n");
}

void print_text(const AuditReport& report) {
  std::string text;
  for (const std::string& problem : report.problems)
    text += "problem      " + printable(problem) + "\n";
  for (const std::string& item : report.checked) text += "checked      " + item + "\n";
  for (const SolverTally& solver : report.solvers) {
    text += fmt::format("solver       {}: {} of {} scripts confirmed, {} undecided\n",
                        solver.version, solver.confirmed, report.scripts, solver.undecided);
  }
  for (const ClaimTally& claim : report.claims) {
    text += fmt::format("proved       {}: {} steps,", printable(claim.text), claim.steps);
    for (const auto& [checker, steps] : claim.confirmed) {
      text += fmt::format(" {} by {}{}", steps == claim.steps ? "all" : std::to_string(steps),
                          checker, checker == "arithmetic" ? "\n" : ",");
    }
  }
  for (const std::string& item : report.trusted) text += "trusted      " + printable(item) + "\n";
  for (const std::string& item : report.not_checked) text += "not checked  " + item + "\n";
  print_data(text + word_of(report.verdict) + "\n");
}

ExitCode run(const std::string& path, bool json) {
  std::string text;
  const ExitCode read = read_input_file(path, "a certificate", text);
  if (read != kDone) return read;
  const AuditReport report = audit(text);
  json ? print_json(report) : print_text(report);
  return exit_code_of(report.verdict);
}

}  // namespace

void add_audit(CLI::App& app, ExitCode& result) {
  auto path = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  Command command(app, "audit", "re-check a certificate without the prover");
  command.option("FILE", *path, "a certificate written by prove").required();
  command.flag("--json", *json, "one JSON object");
  command.when_called([path, json, &result] { result = run(*path, *json); });
}

}  // namespace heddle
