// SPDX-License-Identifier: Apache-2.0
// The static layer beside the emulated one: its obligations in the words of a verification report.
#pragma once

#include <string>

#include "codegen/generate.hpp"
#include "runtime/verify/verify.hpp"

namespace heddle {

// Proves what can be proved of the artifact's cuda kernels for every launch and adds it to the
// report. What is broken rejects the kernels. Of a kernel that is not decided a remark says why; it
// is unknown where the layer binds, which is where it decides every built-in pattern, and else left
// to the other layers, as given weights and backward kernels are. The operations that it speaks of,
// for the manifest: "prefill, decode".
std::string add_static_layer(const Artifact& artifact, VerifyReport& report);

}  // namespace heddle
