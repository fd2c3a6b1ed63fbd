// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "analyzer/draw/raster.hpp"
#include "cli/claims.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/comparison.hpp"
#include "cli/console.hpp"
#include "cli/pattern_argument.hpp"
#include "cli/rows.hpp"
#include "patterns/builtin_patterns.hpp"

namespace heddle {
namespace {

struct CompareCommandOptions {
  std::vector<std::string> patterns;
  std::vector<std::int64_t> lengths = {1024};
  std::int64_t cut = -1;
  std::int64_t copy = -1;
  std::string output;
  bool json = false;
  bool csv = false;
  bool fresh = false;
};

// "FILE_OR_NAME:w=4,s=16" with its parameters taken apart.
PatternArgument argument_of(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || text.find('=', colon) == std::string::npos) {
    return {text, "", {}};
  }
  PatternArgument argument{text.substr(0, colon), "", {}};
  for (std::size_t from = colon + 1; from <= text.size();) {
    const std::size_t comma = std::min(text.find(',', from), text.size());
    argument.overrides.push_back(text.substr(from, comma - from));
    from = comma + 1;
  }
  return argument;
}

// Every pattern that the arguments name, or why not (printed).
ExitCode load_all(const std::vector<std::string>& arguments,
                  std::vector<LabelledPattern>& patterns) {
  ExitCode code = kDone;
  for (const std::string& text : arguments) {
    const PatternArgument argument = argument_of(text);
    std::string parameters;
    for (const std::string& item : argument.overrides) {
      parameters += (parameters.empty() ? ":" : ",") + item;
    }
    for (LoadedPattern& one : load_patterns(argument)) {
      if (!one.pattern) return one.code;
      code = worse(code, one.code);
      patterns.push_back({one.pattern->name() + parameters, std::move(*one.pattern)});
    }
  }
  return code;
}

ExitCode write_picture(const CompareCommandOptions& options,
                       const std::vector<ComparedPattern>& cells) {
  const std::string svg = comparison_svg(cells);
  if (options.output.ends_with(".svg")) return write_file(options.output, svg);
  const Result<std::string> png = png_of_svg(svg);
  if (!png) return fail(kNoDevice, png.error().message);
  return write_file(options.output, *png);
}

ExitCode run(CompareCommandOptions options) {
  if (options.json && options.csv) return fail(kWrongUsage, "choose --json or --csv, not both");
  if (!options.output.empty() && !options.output.ends_with(".svg") &&
      !options.output.ends_with(".png")) {
    return fail(kWrongUsage, "-o takes a file ending in .svg or .png");
  }
  if (options.patterns.empty()) {
    for (const BuiltinPattern& builtin : builtin_patterns()) {
      options.patterns.emplace_back(builtin.name);
    }
  }
  const std::set<std::int64_t> lengths(options.lengths.begin(), options.lengths.end());
  if (options.cut > *lengths.begin()) return fail(kWrongUsage, "--cut must be at most every -n");

  ComparisonTask task;
  task.lengths.assign(lengths.begin(), lengths.end());
  task.use_cache = !options.fresh;
  if (options.cut >= 0) task.measures.cut = options.cut;
  if (options.copy >= 0) task.measures.copy = options.copy;
  const ExitCode loaded = load_all(options.patterns, task.patterns);
  if (loaded != kDone && loaded != kUndecided) return loaded;
  Progress progress(!options.json && !options.csv);
  task.progress = [&](const std::string& text) { progress.show(text); };
  const Result<std::vector<ComparedPattern>> cells = compare(task);
  if (!cells) return fail(kUndecided, cells.error().message);

  if (options.json) {
    print_data(comparison_json(*cells) + "\n");
  } else if (options.csv) {
    print_data(comparison_csv(*cells));
  } else {
    print_data(text_table(comparison_table(*cells), {0, colour_on_stdout(), true}));
    print_data("\n* no other pattern here is as good in time, cache and congestion\n");
  }
  if (options.output.empty()) return loaded;
  const ExitCode written = write_picture(options, *cells);
  return written == kDone ? loaded : written;
}

}  // namespace

void add_compare(CLI::App& app, ExitCode& result) {
  auto options = std::make_shared<CompareCommandOptions>();
  Command command(app, "compare", "patterns side by side: time, cache, hops, congestion, rank");
  command.option("PATTERN", options->patterns,
                 "pattern files (all their patterns) and names of built-in patterns, each with "
                 "parameters if need be: local_attention:w=8; without any, all built-in ones");
  command.option("-n", options->lengths, "numbers of tokens, separated by commas")
      .by_commas()
      .between(1, kMostRows)
      .with_default();
  command.option("--cut", options->cut, "rank: rows after M against columns up to M; default n / 2")
      .called("M")
      .non_negative();
  command.option("--copy", options->copy, "congestion: copy M tokens; default min(n / 2, 64)")
      .called("M")
      .positive();
  command.flag("--json", options->json, "one JSON object");
  command.flag("--csv", options->csv, "comma-separated values");
  command
      .option("-o", options->output,
              "draw time against cache at the largest n into FILE.svg or FILE.png")
      .called("FILE");
  command.flag("--fresh", options->fresh, "compute again what an earlier run has kept");
  command.when_called([options, &result] { result = run(*options); });
}

}  // namespace heddle
