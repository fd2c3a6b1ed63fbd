// SPDX-License-Identifier: Apache-2.0
#include "cli/kernel_options.hpp"

#include <algorithm>
#include <thread>

#include "cli/command.hpp"
#include "cli/console.hpp"
#include "cli/rows.hpp"
#include "codegen/architecture.hpp"

namespace heddle {

void add_kernel_options(Command& command, KernelOptions& options) {
  command.option("--op", options.ops, "prefill, decode or backward; without it all of them")
      .one_of({"prefill", "decode", "backward"})
      .by_commas()
      .once_each();
  command.option("--head-dim", options.head_dim, "channels of a head")
      .called("D")
      .between(1, 256)
      .with_default();
  command.option("--dtype", options.dtype, "storage type: f32, bf16 or f16")
      .one_of({"f32", "bf16", "f16"})
      .with_default();
  command
      .option("--weights", options.weights,
              "softmax, given, gated or linear, instead of the pattern's own")
      .one_of({"softmax", "given", "gated", "linear"});
  command
      .option("--state-dim", options.state_dim,
              "rows of a matrix state, with linear weights, instead of the pattern's own")
      .called("S")
      .between(1, 256);
  command
      .option("--gates", options.gates,
              "of linear weights of first order: one for a token, or one for each row of its "
              "matrix state, as for each key of gated linear attention")
      .one_of({"token", "key"})
      .with_default();
  command
      .option(
          "--schedule", options.schedule,
          "of prefill on cuda: simple, staged (out of shared memory), tensor (linear weights, "
          "dense rows, lattices, windows of inputs and outputs at the same distances from each "
          "row, in bf16 and f16; backward of softmax lattices, too), scan (over chunks of tokens, "
          "for first order with given and gated weights, and with linear ones in bf16 and "
          "f16), or auto, what the cost model expects to be faster")
      .one_of({"auto", "simple", "staged", "tensor", "scan"})
      .with_default();
  std::vector<std::string> architectures;
  for (const Architecture& each : known_architectures()) architectures.push_back(each.name);
  command.option("--arch", options.architecture, "the GPU that the cost model plans for")
      .one_of(std::move(architectures))
      .with_default();
  command
      .option("--plan-tokens", options.plan_tokens,
              "the length that schedules are chosen and laid out for; any may be launched")
      .between(1, kMostRows)
      .with_default();
  command
      .option("--plan-heads", options.plan_heads,
              "heads of all sequences of a launch, for the choice of a schedule")
      .between(1, 1 << 20)
      .with_default();
  command
      .option(
          "--tile-rows", options.tile_rows,
          "rows of a chunk of softmax on tensor cores, 64, 128 or 256, instead of what the cost "
          "model chooses")
      .between(64, 256);
  command.option("-n", options.n, "number of tokens").between(1, kMostRows);
  command.option("--batch", options.batch, "sequences").between(1, 4096).with_default();
  command.option("--heads", options.heads, "heads").between(1, 4096).with_default();
}

void add_serving_options(Command& command, KernelOptions& options) {
  command.flag(
      "--varlen", options.varlen,
      "for sequences of different lengths, one behind the other as cumulative offsets say, "
      "and positions of their own in decode");
  command
      .option("--page-rows", options.page_rows,
              "with --varlen: decode keeps its cache in pages of so many slots, a power of two")
      .between(1, 4096);
  command.flag("--state", options.state_gradients,
               "backward goes on from a state as prefill does: it takes the gradient of the final "
               "one and gives that of the initial one");
  command.flag("--several", options.several_tokens,
               "decode takes as many tokens as a launch says, one after the other");
}

ArtifactOrCode generate_for(const LoadedPattern& loaded, const KernelOptions& options,
                            const std::string& target) {
  const bool linear = options.weights.empty()
                          ? loaded.pattern->weights().kind == WeightKind::kLinear
                          : options.weights == "linear";
  if (options.state_dim != 0 && !linear) {
    return {std::nullopt, fail(kWrongUsage, "--state-dim is of matrix states: --weights linear")};
  }
  GenerateOptions generate_options;
  generate_options.ops =
      options.ops.empty() ? std::vector<std::string>{"prefill", "decode", "backward"} : options.ops;
  generate_options.target = target == "cuda" ? ir::Target::kCuda : ir::Target::kCpu;
  generate_options.head_dim = options.head_dim;
  generate_options.state_dim = options.state_dim;
  generate_options.key_gates = options.gates == "key";
  generate_options.dtype = options.dtype == "bf16"  ? ElementType::kBF16
                           : options.dtype == "f16" ? ElementType::kF16
                                                    : ElementType::kF32;
  if (options.weights == "softmax") generate_options.weights = WeightKind::kSoftmax;
  if (options.weights == "given") generate_options.weights = WeightKind::kGiven;
  if (options.weights == "gated") generate_options.weights = WeightKind::kGated;
  if (options.weights == "linear") generate_options.weights = WeightKind::kLinear;
  if (options.n > generate_options.exact_to) generate_options.exact_to = options.n;
  generate_options.schedule = options.schedule;
  generate_options.architecture = options.architecture;
  generate_options.plan_tokens = options.plan_tokens;
  generate_options.plan_heads = options.plan_heads;
  generate_options.tile_rows = options.tile_rows;
  if (options.plan_for_n && options.n > 0 && options.n < generate_options.plan_tokens) {
    generate_options.plan_tokens = options.n;
  }
  generate_options.varlen = options.varlen;
  generate_options.page_rows = options.page_rows;
  generate_options.state_gradients = options.state_gradients;
  generate_options.several_tokens = options.several_tokens;
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
