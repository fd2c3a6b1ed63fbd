// SPDX-License-Identifier: Apache-2.0
// All of heddle for one pattern, into one folder with a report that opens from disk.
#include <fmt/format.h>

#include "analyzer/proof/certify.hpp"
#include "cli/analysis.hpp"
#include "cli/benchmark.hpp"
#include "cli/claims.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/pattern_argument.hpp"
#include "cli/pictures.hpp"
#include "cli/rows.hpp"
#include "cli/run_report.hpp"
#include "cli/verification.hpp"

namespace heddle {
namespace {

struct RunCommandOptions {
  PatternArgument pattern;
  KernelOptions kernel;
  std::string output;
};

// One step after another; each leaves its files in the folder and its part in the report.
class Run {
 public:
  Run(const LoadedPattern& loaded, const RunCommandOptions& options)
      : loaded_(loaded), pattern_(*loaded.pattern), options_(options), folder_(options.output) {}

  ExitCode all() {
    report_.pattern = &pattern_;
    // Rows up to n + 1: a benchmark of decode reads the row after the last token.
    rows_ = rows_of(pattern_, n() + 1);
    if (!rows_.rows) return rows_.code;
    write("pattern.heddle", pattern_.canonical_text());
    step("measures and proofs", [&] { analysis(); });
    step("pictures", [&] { draw(); });
    step("cuda kernels", [&] { kernels("cuda"); });
    step("cpu kernels", [&] { kernels("cpu"); });
    write("verification.json", verify_json(report_.verification) + "\n");
    write("profile.json", profile_json(report_.verification) + "\n");
    step("benchmark", [&] { benchmark(); });
    write("report.html", report_html(report_of(report_)));
    print_data((folder_ / "report.html").string() + "\n");
    return code_;
  }

 private:
  std::int64_t n() const { return options_.kernel.n > 0 ? options_.kernel.n : 1024; }

  template <typename Work>
  void step(const char* name, Work&& work) {
    print_remark(std::string(name) + " ...");
    work();
  }

  void write(const std::string& name, const std::string& text) {
    code_ = worse(code_, write_file(folder_ / name, text));
  }

  void analysis() {
    const RowsOrCode rows = rows_of(pattern_, n());
    report_.analysis = analyze(pattern_, *rows.rows, {});
    write("analysis.json", analysis_json(pattern_, report_.analysis) + "\n");
    report_.certificate = to_json_text(certify(pattern_, report_.analysis.proofs));
    report_.certificate_file = pattern_.name() + ".certificate.json";
    write(report_.certificate_file, report_.certificate);
    code_ = worse(code_, exit_code_of(report_.analysis.proofs.claims));
    print_data(
        text_table(measures_table(pattern_, report_.analysis), {0, colour_on_stdout(), true}) +
        "\n");
    if (!report_.analysis.proofs.claims.empty()) {
      print_data(
          text_table(claims_table(report_.analysis.proofs.claims), {0, colour_on_stdout(), true}) +
          "\n");
    }
  }

  void draw() {
    report_.pictures = pictures_of(pattern_);
    for (const Picture& picture : report_.pictures) write(picture.name + ".svg", picture.svg);
  }

  void kernels(const std::string& target) {
    ArtifactOrCode generated = generate_for(loaded_, options_.kernel, target);
    if (!generated.artifact) {
      report_.kernel_note =
          "This pattern has no kernels with these options; the terminal says why.";
      code_ = worse(code_, generated.code);
      return;
    }
    VerifyReport verified = verify_artifact(pattern_, *generated.artifact, 0, target);
    add_resources(*generated.artifact, verified);
    for (const auto& [name, text] : generated.artifact->files)
      write("kernels/" + target + "/" + name, text);
    print_data(fmt::format("{} kernels: {}\n", target, name_of(verified.verdict)));
    code_ = worse(code_, exit_code_of(verified.verdict));
    report_.artifacts.push_back({target, std::move(*generated.artifact)});
    append(report_.verification, target, std::move(verified));
  }

  void benchmark() {
    for (const auto& [target, artifact] : report_.artifacts) {
      if (target != "cpu" || artifact.manifest.verdict != "verified") continue;
      BenchOptions options;
      options.tokens = n();
      options.batch = options_.kernel.batch;
      options.heads = options_.kernel.heads;
      options.threads = threads_of_machine();
      for (const KernelEntry& kernel : artifact.manifest.kernels) {
        Result<std::vector<BenchRow>> timed =
            bench_artifact(artifact, kernel.op, *rows_.rows, options, false);
        if (!timed) {
          report_.timing_note = timed.error().message;
          print_remark(timed.error().message);
          continue;
        }
        report_.timings.insert(report_.timings.end(), timed->begin(), timed->end());
      }
    }
    if (report_.timings.empty()) return;
    write("bench.json", bench_json(machine_facts(), report_.timings) + "\n");
    print_data("\n" + text_table(bench_table(report_.timings), {0, colour_on_stdout(), true}) +
               "\n");
  }

  const LoadedPattern& loaded_;
  const Pattern& pattern_;
  const RunCommandOptions& options_;
  const std::filesystem::path folder_;
  RowsOrCode rows_;
  RunReport report_;
  ExitCode code_ = kDone;
};

ExitCode run(const RunCommandOptions& options) {
  const LoadedPattern loaded = load_pattern(options.pattern);
  if (!loaded.pattern) return loaded.code;
  return worse(loaded.code, Run(loaded, options).all());
}

}  // namespace

void add_run(CLI::App& app, ExitCode& result) {
  auto options = std::make_shared<RunCommandOptions>();
  Command command(app, "run", "all of it for one pattern, and a report that opens from disk");
  add_pattern_argument(command, options->pattern);
  add_kernel_options(command, options->kernel);
  command.option("-o", options->output, "the folder to write to").called("DIR").required();
  command.when_called([options, &result] { result = run(*options); });
}

}  // namespace heddle
