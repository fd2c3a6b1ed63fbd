// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/analysis.hpp"
#include "cli/claims.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/pattern_argument.hpp"
#include "cli/rows.hpp"

namespace heddle {
namespace {

struct AnalyzeCommandOptions {
  PatternArgument pattern;
  std::int64_t n = 1024;
  std::int64_t cut = -1;
  std::int64_t copy = -1;
  bool json = false;
  bool evidence = false;
  bool measures_only = false;
};

ExitCode run(const AnalyzeCommandOptions& options) {
  if (options.cut > options.n) return fail(kWrongUsage, "--cut must be at most -n");
  const LoadedPattern loaded = load_pattern(options.pattern);
  if (!loaded.pattern) return loaded.code;
  const Pattern& pattern = *loaded.pattern;
  const RowsOrCode rows = rows_of(pattern, options.n);
  if (!rows.rows) return rows.code;
  MeasureOptions measure_options;
  if (options.cut >= 0) measure_options.cut = options.cut;
  if (options.copy >= 0) measure_options.copy = options.copy;
  measure_options.rank_evidence = options.evidence;
  const Analysis analysis = [&] {
    Progress progress(true);  // wiped before anything is printed
    measure_options.progress = [&](std::string_view part) { progress.show(part); };
    return analyze(pattern, *rows.rows, measure_options,
                   options.measures_only ? Proofs::kLeftOut : Proofs::kMade);
  }();
  if (options.json) {
    print_data(
        analysis_json(pattern, analysis, options.evidence ? Evidence::kShown : Evidence::kLeftOut) +
        "\n");
  } else {
    const bool colour = colour_on_stdout();
    print_data(toned(pattern.name(), Tone::kStrong, colour) + "\n\n" +
               text_table(measures_table(pattern, analysis), {2, colour, true, width_of_stdout()}) +
               "\n");
    if (!analysis.proofs.claims.empty()) {
      print_data(
          text_table(claims_table(analysis.proofs.claims), {2, colour, true, width_of_stdout()}));
    }
  }
  return worse(loaded.code, exit_code_of(analysis.proofs.claims));
}

}  // namespace

void add_analyze(CLI::App& app, ExitCode& result) {
  auto options = std::make_shared<AnalyzeCommandOptions>();
  Command command(app, "analyze", "the measures for 1..n and the verdict of every claim");
  add_pattern_argument(command, options->pattern);
  command.option("-n", options->n, "number of tokens").between(1, kMostRows).with_default();
  command.option("--cut", options->cut, "rank: rows after M against columns up to M; default n / 2")
      .called("M")
      .non_negative();
  command.option("--copy", options->copy, "congestion: copy M tokens; default min(n / 2, 64)")
      .called("M")
      .positive();
  command.flag("--evidence", options->evidence,
               "with --json: what proves the bounds of congestion (weights, paths) and of rank "
               "(disjoint paths, a cut)");
  command.flag("--measures", options->measures_only,
               "the measures alone, without classes and claims, which takes less time");
  command.flag("--json", options->json, "one JSON object");
  command.when_called([options, &result] { result = run(*options); });
}

}  // namespace heddle
