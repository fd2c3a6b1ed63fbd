// SPDX-License-Identifier: Apache-2.0
// What options say, and what can be said against them, before a pattern is looked at.
#pragma once

#include <optional>
#include <string>

#include "codegen/generate.hpp"

namespace heddle {

bool asked_for(const GenerateOptions& options, const std::string& op);
// Bytes of shared memory that a block may have: the options' or, where they have none, the
// architecture's.
std::int64_t shared_limit(const GenerateOptions& options);
// The first thing that is wrong with them.
std::optional<Error> check_options(const GenerateOptions& options);

}  // namespace heddle
