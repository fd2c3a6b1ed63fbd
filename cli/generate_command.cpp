// SPDX-License-Identifier: Apache-2.0
#include <CLI/CLI.hpp>

#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/kernel_options.hpp"
#include "cli/pattern_argument.hpp"

namespace heddle {
namespace {

struct Options {
  PatternArgument pattern;
  KernelOptions kernel;
  std::string output;
};

ExitCode run(const Options& options) {
  const LoadedPattern loaded = load_pattern(options.pattern);
  if (!loaded.pattern) return loaded.code;
  const ArtifactOrCode generated =
      generate_for(*loaded.pattern, options.kernel, options.kernel.target);
  if (!generated.artifact) return generated.code;
  const std::filesystem::path folder = options.output;
  for (const auto& [name, text] : generated.artifact->files) {
    const ExitCode written = write_file(folder / name, text);
    if (written != kDone) return written;
    print_data((folder / name).string() + "\n");
  }
  return loaded.code;
}

}  // namespace

void add_generate(CLI::App& app, ExitCode& result) {
  auto options = std::make_shared<Options>();
  options->kernel.target = "cuda";
  CLI::App* command = app.add_subcommand("generate", "kernels, a header and a manifest");
  add_pattern_argument(*command, options->pattern);
  add_kernel_options(*command, options->kernel);
  command->add_option("--target", options->kernel.target, "cuda or cpu")
      ->check(CLI::IsMember({"cuda", "cpu"}))
      ->capture_default_str();
  command->add_option("-o", options->output, "the folder to write to")
      ->type_name("DIR")
      ->required();
  command->callback([options, &result] { result = run(*options); });
}

}  // namespace heddle
