// SPDX-License-Identifier: Apache-2.0
// verify and profile: the same emulated runs, read for verdicts or for counters.
#include <CLI/CLI.hpp>
#include <fstream>
#include <iterator>

#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/pattern_argument.hpp"
#include "cli/verification.hpp"
#include "patterns/sha256.hpp"

namespace heddle {
namespace {

struct Options {
  PatternArgument pattern;
  KernelOptions kernel;
  std::string target = "both";
  std::string file;
  bool json = false;
};

// Puts the text of --kernel in the place of the one generated kernel of its target.
ExitCode substitute(Artifact& artifact, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(kWrongUsage, "cannot read " + path);
  if (artifact.manifest.kernels.size() != 1) {
    return fail(kWrongUsage, "--kernel needs --op prefill or --op decode");
  }
  KernelEntry& kernel = artifact.manifest.kernels.front();
  std::string& text = artifact.files[kernel.file];
  text.assign(std::istreambuf_iterator<char>(file), {});
  kernel.sha256 = sha256_hex(text);
  return kDone;
}

struct ReportOrCode {
  std::optional<VerifyReport> report;
  ExitCode code = kDone;
};

ReportOrCode verify_all(const Options& options) {
  std::vector<std::string> targets = {"cuda", "cpu"};
  if (options.target != "both") targets = {options.target};
  if (!options.file.empty()) {
    const bool cuda = std::filesystem::path(options.file).extension() == ".cu";
    targets = {cuda ? "cuda" : "cpu"};
  }
  const LoadedPattern loaded = load_pattern(options.pattern);
  if (!loaded.pattern) return {std::nullopt, loaded.code};
  VerifyReport all;
  for (const std::string& target : targets) {
    ArtifactOrCode generated = generate_for(*loaded.pattern, options.kernel, target);
    if (!generated.artifact) return {std::nullopt, generated.code};
    if (!options.file.empty()) {
      const ExitCode code = substitute(*generated.artifact, options.file);
      if (code != kDone) return {std::nullopt, code};
    }
    append(all, verify_artifact(*loaded.pattern, *generated.artifact, options.kernel.n, target));
  }
  return {std::move(all), loaded.code};
}

ExitCode verify_kernels(const Options& options) {
  const ReportOrCode result = verify_all(options);
  if (!result.report) return result.code;
  const VerifyReport& report = *result.report;
  if (options.json) {
    print_data(verify_json(report) + "\n");
    return exit_code_of(report.verdict);
  }
  const bool colour = colour_on_stdout();
  print_data(text_table(obligations_table(report), {0, colour, true}));
  for (const VerifyFailure& failure : report.failures) {
    print_data("\n" + toned(failure.kind, Tone::kBad, colour) + "  " + failure.message + "\n");
    if (!failure.where.empty()) print_data("  at " + failure.where + "\n");
  }
  print_data("\n" + std::string(name_of(report.verdict)) + "\n");
  return exit_code_of(report.verdict);
}

ExitCode profile_kernels(const Options& options) {
  const ReportOrCode result = verify_all(options);
  if (!result.report) return result.code;
  const VerifyReport& report = *result.report;
  if (report.verdict != KernelVerdict::kVerified) {
    print_remark(std::string("these counters are of a kernel that is ") + name_of(report.verdict));
  }
  print_data(options.json ? profile_json(report) + "\n"
                          : text_table(profiles_table(report), {0, colour_on_stdout(), true}));
  return exit_code_of(report.verdict);
}

std::shared_ptr<Options> add_options(CLI::App& command, const char* default_target) {
  auto options = std::make_shared<Options>();
  options->target = default_target;
  add_pattern_argument(command, options->pattern);
  add_kernel_options(command, options->kernel);
  command.add_option("--target", options->target, "cuda, cpu or both")
      ->check(CLI::IsMember({"cuda", "cpu", "both"}))
      ->capture_default_str();
  command.add_flag("--json", options->json, "one JSON object");
  return options;
}

}  // namespace

void add_verify(CLI::App& app, ExitCode& result) {
  CLI::App* command =
      app.add_subcommand("verify", "run the kernel texts under the emulator, against float64");
  auto options = add_options(*command, "both");
  command
      ->add_option("--kernel", options->file,
                   "verify this text in place of the generated one (.cu or .cpp)")
      ->type_name("FILE");
  command->callback([options, &result] { result = verify_kernels(*options); });
}

void add_profile(CLI::App& app, ExitCode& result) {
  CLI::App* command = app.add_subcommand("profile", "exact counters of an emulated run");
  auto options = add_options(*command, "cuda");
  command->callback([options, &result] { result = profile_kernels(*options); });
}

}  // namespace heddle
