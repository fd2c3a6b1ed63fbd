// SPDX-License-Identifier: Apache-2.0
// What can be said against options before a pattern is looked at.
#pragma once

#include <optional>
#include <string>

#include "codegen/generate.hpp"

namespace heddle {

bool asked_for(const GenerateOptions& options, const std::string& op);
// The first thing that is wrong with them.
std::optional<Error> check_options(const GenerateOptions& options);

}  // namespace heddle
