// SPDX-License-Identifier: Apache-2.0

#include "cli/claims.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/kernel_options.hpp"
#include "cli/pattern_argument.hpp"
#include "cli/verification.hpp"

namespace heddle {
namespace {

struct GenerateCommandOptions {
  PatternArgument pattern;
  KernelOptions kernel;
  std::string output;
  bool verify = true;
};

ExitCode run(const GenerateCommandOptions& options) {
  const LoadedPattern loaded = load_pattern(options.pattern);
  if (!loaded.pattern) return loaded.code;
  ArtifactOrCode generated = generate_for(loaded, options.kernel, options.kernel.target);
  if (!generated.artifact) return generated.code;
  ExitCode code = loaded.code;
  if (options.verify) {
    const VerifyReport report =
        verify_artifact(*loaded.pattern, *generated.artifact, 0, options.kernel.target);
    code = worse(code, exit_code_of(report.verdict));
    if (report.verdict != KernelVerdict::kVerified) {
      print_remark(std::string("the kernels are ") + name_of(report.verdict) +
                   (report.failures.empty() ? "" : ": " + report.failures.front().message));
    }
  }
  const std::filesystem::path folder = options.output;
  for (const auto& [name, text] : generated.artifact->files) {
    const ExitCode written = write_file(folder / name, text);
    if (written != kDone) return written;
    print_data((folder / name).string() + "\n");
  }
  return code;
}

}  // namespace

void add_generate(CLI::App& app, ExitCode& result) {
  auto options = std::make_shared<GenerateCommandOptions>();
  options->kernel.target = "cuda";
  Command command(app, "generate", "kernels, a header and a manifest");
  add_pattern_argument(command, options->pattern);
  add_kernel_options(command, options->kernel);
  add_serving_options(command, options->kernel);
  command.option("--target", options->kernel.target, "cuda or cpu")
      .one_of({"cuda", "cpu"})
      .with_default();
  command.option("-o", options->output, "the folder to write to").called("DIR").required();
  command.flag("--verify,!--no-verify", options->verify,
               "verify first and say so in the manifest (the default)");
  command.when_called([options, &result] { result = run(*options); });
}

}  // namespace heddle
