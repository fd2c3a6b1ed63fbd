// SPDX-License-Identifier: Apache-2.0
// The static layer beside the emulated one: its obligations in the words of a verification report.
#pragma once

#include <future>
#include <string>
#include <vector>

#include "codegen/generate.hpp"
#include "codegen/verify/check_statically.hpp"
#include "runtime/verify/verify.hpp"

namespace heddle {

// The proofs of an artifact's cuda kernels for every launch, begun at once and side by side with
// whatever else the process does. The artifact must outlive them, its files unchanged.
class StaticLayer {
 public:
  explicit StaticLayer(const Artifact& artifact);

  // Waits for the proofs and adds them to the report. What is broken rejects the kernels. Of a
  // kernel that is not decided a remark says why; it is unknown where the layer binds, which is
  // where it decides every built-in pattern, and else left to the other layers, as given weights
  // and backward kernels are. The operations that it speaks of, for the manifest: "prefill,
  // decode". To be called once.
  std::string add_to(VerifyReport& report);

 private:
  struct Launched {
    const KernelEntry* entry;  // what is launched at once
    std::string subject;
    std::future<StaticReport> report;
  };
  const Manifest& manifest_;
  std::vector<Launched> launched_;
  std::vector<std::string> left_out_;  // remarks on kernels that it does not look at
};

}  // namespace heddle
