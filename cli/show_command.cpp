// SPDX-License-Identifier: Apache-2.0
#include <nlohmann/json.hpp>

#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/pattern_argument.hpp"
#include "codegen/rows/row_shape.hpp"
#include "patterns/expression.hpp"

namespace heddle {
namespace {

struct ShowCommandOptions {
  PatternArgument pattern;
  std::vector<std::int64_t> rows;
  bool json = false;
};

std::string counted(std::int64_t count) {
  return std::to_string(count) + (count == 1 ? " position" : " positions");
}

// 1..4, 9: intervals of one or two positions are written out.
std::string text_of(const IntervalList& positions) {
  std::string text;
  for (const Interval& part : positions) {
    if (!text.empty()) text += ", ";
    text += std::to_string(part.low);
    if (part.high > part.low)
      text += (part.high > part.low + 1 ? ".." : ", ") + std::to_string(part.high);
  }
  return text.empty() ? "none" : text;
}

bool is_first_order(const Pattern& pattern) {
  const Result<rows::RowPlan> a = rows::plan_row(pattern, Side::kA);
  const Result<rows::RowPlan> b = rows::plan_row(pattern, Side::kB);
  return a && b && rows::is_first_order(pattern, *a, *b);
}

ExitCode show(const ShowCommandOptions& options) {
  const LoadedPattern loaded = load_pattern(options.pattern);
  if (!loaded.pattern) return loaded.code;
  const Pattern& pattern = *loaded.pattern;
  const Evaluator evaluator(pattern);
  nlohmann::ordered_json json = {{"pattern", pattern.name()},
                                 {"text", pattern.canonical_text()},
                                 {"source_sha256", pattern.sha256()},
                                 {"weights", name_of(pattern.weights().kind)},
                                 {"first_order", is_first_order(pattern)},
                                 {"rows", nlohmann::ordered_json::array()}};
  std::string text = options.rows.empty() ? pattern.canonical_text() : "";
  for (const std::int64_t i : options.rows) {
    nlohmann::ordered_json entry = {{"row", i}};
    for (const Side side : {Side::kA, Side::kB}) {
      const char* name = side == Side::kA ? "A" : "B";
      const Result<Row> row = evaluator.row(side, i);
      if (!row) return fail(kPatternRejected, row.error().message);
      if (row->violation) {
        return fail(kPatternRejected, "row " + std::to_string(i) + " of " + name +
                                          " reads position " +
                                          row->violation->position.to_string());
      }
      text += std::string(name) + "(" + std::to_string(i) + ")  " +
              counted(count_of(row->positions)) + ": " + text_of(row->positions) + "\n";
      nlohmann::ordered_json intervals = nlohmann::ordered_json::array();
      for (const Interval& part : row->positions) intervals.push_back({part.low, part.high});
      entry[name] = {{"size", count_of(row->positions)}, {"intervals", intervals}};
    }
    json["rows"].push_back(entry);
  }
  print_data(options.json ? json.dump(2) + "\n" : text);
  return loaded.code;
}

}  // namespace

void add_show(CLI::App& app, ExitCode& result) {
  auto options = std::make_shared<ShowCommandOptions>();
  Command command(app, "show", "the pattern in canonical form, or single rows");
  add_pattern_argument(command, options->pattern);
  command.option("--row", options->rows, "show what row i reads; may be repeated")
      .called("i")
      .once_each()
      .between(std::int64_t{1}, std::int64_t{1} << 40);
  command.flag("--json", options->json, "one JSON object");
  command.when_called([options, &result] { result = show(*options); });
}

}  // namespace heddle
