// SPDX-License-Identifier: Apache-2.0
#include "cli/kernel_options.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

#include "cli/console.hpp"
#include "cli/rows.hpp"

namespace heddle {

void add_kernel_options(CLI::App& command, KernelOptions& options) {
  command.add_option("--op", options.ops, "prefill, decode or backward; without it all of them")
      ->check(CLI::IsMember({"prefill", "decode", "backward"}))
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_option("--head-dim", options.head_dim, "channels of a head")
      ->type_name("D")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  command.add_option("--dtype", options.dtype, "storage type: f32 or bf16")
      ->check(CLI::IsMember({"f32", "bf16", "f16"}))
      ->capture_default_str();
  command
      .add_option("--weights", options.weights,
                  "softmax, given or linear, instead of the pattern's own")
      ->check(CLI::IsMember({"softmax", "given", "gated", "linear"}));
  command
      .add_option("--schedule", options.schedule,
                  "simple, or staged: prefill on cuda works out of shared memory")
      ->check(CLI::IsMember({"simple", "staged"}))
      ->capture_default_str();
  command.add_option("-n", options.n, "number of tokens")
      ->check(CLI::Range(std::int64_t{1}, kMostRows));
  command.add_option("--batch", options.batch, "sequences")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command.add_option("--heads", options.heads, "heads")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
}

ArtifactOrCode generate_for(const LoadedPattern& loaded, const KernelOptions& options,
                            const std::string& target) {
  GenerateOptions generate_options;
  generate_options.ops =
      options.ops.empty() ? std::vector<std::string>{"prefill", "decode", "backward"} : options.ops;
  generate_options.target = target == "cuda" ? ir::Target::kCuda : ir::Target::kCpu;
  generate_options.head_dim = options.head_dim;
  generate_options.dtype = options.dtype == "bf16"  ? ElementType::kBF16
                           : options.dtype == "f16" ? ElementType::kF16
                                                    : ElementType::kF32;
  if (options.weights == "softmax") generate_options.weights = WeightKind::kSoftmax;
  if (options.weights == "given") generate_options.weights = WeightKind::kGiven;
  if (options.weights == "gated") generate_options.weights = WeightKind::kGated;
  if (options.weights == "linear") generate_options.weights = WeightKind::kLinear;
  if (options.n > generate_options.exact_to) generate_options.exact_to = options.n;
  generate_options.schedule = options.schedule;
  generate_options.causality = loaded.causality;
  generate_options.causality_rows = loaded.causality_rows;
  Result<Artifact> artifact = generate(*loaded.pattern, generate_options);
  if (!artifact) return {std::nullopt, fail(kWrongUsage, artifact.error().message)};
  for (const std::string& remark : artifact->remarks) print_remark(remark);
  return {std::move(*artifact), kDone};
}

int threads_of_machine() {
  return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

}  // namespace heddle
