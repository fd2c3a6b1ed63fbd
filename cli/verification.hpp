// SPDX-License-Identifier: Apache-2.0
// Verification of generated artifacts, as generate, verify, profile, bench and run need it.
#pragma once

#include <string>

#include "cli/exit_code.hpp"
#include "cli/kernel_options.hpp"
#include "patterns/pattern.hpp"
#include "patterns/text_writer.hpp"
#include "runtime/load/nvrtc.hpp"
#include "runtime/verify/verify.hpp"

namespace heddle {

struct HowToVerify {
  bool again = false;        // run everything, whatever earlier verdicts on these texts are kept
  bool count_flops = false;  // of the profiled launches
};

// Verifies the artifact and writes verdict and layers into its manifest. `n`, when not 0, is the
// longest sequence to try.
VerifyReport verify_artifact(const Pattern& pattern, Artifact& artifact, std::int64_t n,
                             const std::string& label, const HowToVerify& how = {});

// Asks the device compiler, where there is one, what the profiled cuda kernels occupy. Nothing is
// known of kernels that it refuses, nor of cpu kernels.
void add_resources(const Artifact& artifact, VerifyReport& report);

// The same of one launch; nothing, and a remark, where the compiler refuses it.
std::optional<KernelResources> resources_of(const Artifact& artifact, const KernelEntry& launched,
                                            const Nvrtc& compiler);

ExitCode exit_code_of(KernelVerdict verdict);
// Appends a report whose obligations are then named "LABEL: ...".
void append(VerifyReport& all, const std::string& label, VerifyReport more);
// One line per obligation, by layers, in 80 columns; how each was met where `detail`, or where it
// was not met.
std::string obligations_text(const VerifyReport& report, bool detail, bool colour);
TextTable profiles_table(const VerifyReport& report);
// Of kernels that have barriers: what is done between them.
TextTable phases_table(const VerifyReport& report);
// Of cuda kernels: the least time on known GPUs, an estimate.
TextTable rooflines_table(const VerifyReport& report);

}  // namespace heddle
