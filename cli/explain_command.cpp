// SPDX-License-Identifier: Apache-2.0

#include "analyzer/audit/explain.hpp"
#include "analyzer/proof/certify.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/input_file.hpp"
#include "cli/pattern_argument.hpp"

namespace heddle {
namespace {

bool is_certificate(const std::string& argument) {
  return std::filesystem::path(argument).extension() == ".json";
}

ExitCode run(const PatternArgument& argument, const std::string& output) {
  std::string text;
  if (is_certificate(argument.pattern)) {
    const ExitCode read = read_input_file(argument.pattern, "a certificate", text);
    if (read != kDone) return read;
  } else {
    const LoadedPattern loaded = load_pattern(argument);
    if (!loaded.pattern) return loaded.code;
    text = to_json_text(certify(*loaded.pattern, prove_and_derive(*loaded.pattern)));
  }
  const Result<Certificate> certificate = parse_certificate(text);
  if (!certificate.ok()) return fail(kRefuted, certificate.error().message);
  const AuditReport report = audit(text);
  const std::string markdown = explain(*certificate, report);
  if (output.empty()) {
    print_data(markdown);
  } else if (const ExitCode written = write_file(output, markdown); written != kDone) {
    return written;
  }
  if (report.verdict == AuditReport::Verdict::kAccepted) return kDone;
  return report.verdict == AuditReport::Verdict::kRejected ? kRefuted : kUndecided;
}

}  // namespace

void add_explain(CLI::App& app, ExitCode& result) {
  auto pattern = std::make_shared<PatternArgument>();
  auto output = std::make_shared<std::string>();
  Command command(app, "explain",
                  "the proofs about a pattern, or in a certificate (*.json), as Markdown");
  add_pattern_argument(command, *pattern);
  command.option("-o", *output, "write to this file instead").called("FILE");
  command.when_called([pattern, output, &result] { result = run(*pattern, *output); });
}

}  // namespace heddle
