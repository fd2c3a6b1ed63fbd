// SPDX-License-Identifier: Apache-2.0

#include "analyzer/draw/block_picture.hpp"
#include "analyzer/draw/dependency_picture.hpp"
#include "analyzer/draw/raster.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/pattern_argument.hpp"
#include "cli/pictures.hpp"
#include "cli/rows.hpp"

namespace heddle {
namespace {

struct DrawCommandOptions {
  PatternArgument pattern;
  std::string kind = "matrix";
  std::int64_t n = 64;
  std::int64_t cut = -1;
  std::string output;
  bool ascii = false;
};

ExitCode draw(const DrawCommandOptions& options) {
  const std::string extension = std::filesystem::path(options.output).extension().string();
  if (!options.output.empty() && extension != ".svg" && extension != ".dot" &&
      extension != ".png") {
    return fail(kWrongUsage, "-o takes a file ending in .svg, .dot or .png");
  }
  if (extension == ".dot" && options.kind != "graph") {
    return fail(kWrongUsage, "only --kind graph can be written as .dot");
  }
  if (options.cut > options.n) return fail(kWrongUsage, "--cut must be at most -n");
  const LoadedPattern loaded = load_pattern(options.pattern);
  if (!loaded.pattern) return loaded.code;
  const RowsOrCode rows = rows_of(*loaded.pattern, options.n);
  if (!rows.rows) return rows.code;
  if (options.output.empty()) {
    if (options.kind != "matrix") {
      return fail(kWrongUsage,
                  "--kind " + options.kind + " needs -o FILE; the terminal shows the matrix only");
    }
    print_data(block_picture(loaded.pattern->name(), *rows.rows, {20, options.ascii}));
    return loaded.code;
  }
  const auto picture = [&]() -> Result<std::string> {
    if (extension == ".dot") return dependency_dot(loaded.pattern->name(), *rows.rows);
    if (options.kind == "cut" && options.cut >= 0) {
      return cut_picture(*loaded.pattern, *rows.rows, options.cut);
    }
    return picture_svg(*loaded.pattern, *rows.rows, options.kind);
  };
  const Result<std::string> text = picture();
  if (!text) return fail(kWrongUsage, text.error().message);
  if (extension != ".png") {
    const ExitCode written = write_file(options.output, *text);
    return written == kDone ? loaded.code : written;
  }
  const Result<std::string> png = png_of_svg(*text);
  if (!png) return fail(kNoDevice, png.error().message);
  const ExitCode written = write_file(options.output, *png);
  return written == kDone ? loaded.code : written;
}

}  // namespace

void add_draw(CLI::App& app, ExitCode& result) {
  auto options = std::make_shared<DrawCommandOptions>();
  Command command(app, "draw", "pictures: graph, matrix, cache, hops, congestion, growth, cut");
  add_pattern_argument(command, options->pattern);
  command.option("--kind", options->kind, "graph, matrix, cache, hops, congestion, growth or cut")
      .one_of({"graph", "matrix", "cache", "hops", "congestion", "growth", "cut"})
      .with_default();
  command.option("-n", options->n, "number of tokens").between(1, kMostRows).with_default();
  command.option("--cut", options->cut, "cut: between tokens M and M + 1; default n / 2")
      .called("M")
      .non_negative();
  command
      .option("-o", options->output,
              "write to FILE.svg, FILE.dot or FILE.png; without it the matrix is shown here")
      .called("FILE");
  command.flag("--ascii", options->ascii, "no block characters in the terminal");
  command.when_called([options, &result] { result = draw(*options); });
}

}  // namespace heddle
