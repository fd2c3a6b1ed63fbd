// SPDX-License-Identifier: Apache-2.0
// Estimates of the cycles of cuda kernels, for `profile --cycles`: nothing is run for them, and
// nothing is verified.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/generate.hpp"
#include "codegen/timing/estimate.hpp"

namespace heddle {

struct OperationCycles {
  std::string op;
  std::string why_not;  // where nothing is known of it
  std::vector<timing::LaunchEstimate> launches;
};
std::vector<OperationCycles> cycles_of(const Artifact& artifact, const timing::Occasion& occasion);
// By symbol, as the device compiler says, where there is one.
std::map<std::string, int> registers_of(const Artifact& artifact);

std::string cycles_text(const std::vector<OperationCycles>& all, const timing::Occasion& occasion,
                        bool colour);
std::string cycles_json(const std::vector<OperationCycles>& all, const timing::Occasion& occasion);

}  // namespace heddle
