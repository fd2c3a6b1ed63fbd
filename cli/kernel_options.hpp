// SPDX-License-Identifier: Apache-2.0
// The options that generate, verify, profile and bench share, and the artifact they describe.
#pragma once

#include <string>
#include <vector>

#include "cli/exit_code.hpp"
#include "cli/pattern_argument.hpp"
#include "codegen/generate.hpp"

namespace heddle {

class Command;

struct KernelOptions {
  std::vector<std::string> ops;  // empty: all
  std::string target = "cuda";
  std::string dtype = "f32";
  std::string weights;  // empty: the pattern's own
  std::string schedule = "auto";
  std::string architecture = "sm_90";
  std::int64_t plan_tokens = 4096;
  std::int64_t plan_heads = 128;
  std::int64_t tile_rows = 0;  // 0: the cost model's choice
  int head_dim = 64;
  int state_dim = 0;  // 0: the pattern's own
  std::string gates = "token";
  std::int64_t n = 0;  // 0: the command's own choice
  // Plan for n tokens, to set a prediction beside a count. Elsewhere n never shapes a kernel, so
  // that what is verified and timed is what generate writes.
  bool plan_for_n = false;
  std::int64_t batch = 1;
  std::int64_t heads = 4;
  bool varlen = false;
  int page_rows = 0;
  bool state_gradients = false;
  bool several_tokens = false;
};

void add_kernel_options(Command& command, KernelOptions& options);
// --varlen and what else is for serving and for long sequences in parts, for commands that know
// what to do with such kernels.
void add_serving_options(Command& command, KernelOptions& options);

struct ArtifactOrCode {
  std::optional<Artifact> artifact;
  ExitCode code = kDone;
};
// Generates for one target; `loaded` holds a pattern. A refusal has been printed.
ArtifactOrCode generate_for(const LoadedPattern& loaded, const KernelOptions& options,
                            const std::string& target);

// At least 1.
int threads_of_machine();

}  // namespace heddle
