// SPDX-License-Identifier: Apache-2.0
// Which kernels the static layer decides, told by what their manifest says of the schedule and the
// weights and not by their text: of a text that was edited no less is asked than of heddle's own.
#pragma once

#include <optional>
#include <string>

#include "codegen/manifest.hpp"

namespace heddle {

// What kind an operation is for which no proofs are looked for: decode of several tokens, backward
// between two states but over chunks, caches in pages, and scans over sequences with lengths of
// their own.
std::optional<std::string> not_asked(const Manifest& manifest, const KernelEntry& entry);

// What stands in such a kernel that the layer does not follow, so that its being undecided says
// nothing; nothing where every kernel of the kind is decided, as far as the arithmetic of its rows
// is that of a built-in pattern.
std::optional<std::string> not_followed(const Manifest& manifest, const KernelEntry& entry);

// Proofs of the launch, found or not, take half a minute and more.
bool too_long_to_follow(const Manifest& manifest, const KernelEntry& entry);

}  // namespace heddle
