// SPDX-License-Identifier: Apache-2.0
// Looks for a launch in which a kernel does what it must not: sequences of a few tokens, in one
// piece or in several, each carried out by the kernel itself from the state that it left behind.
#pragma once

#include <optional>

#include "codegen/verify/replay.hpp"

namespace heddle::verify {

// The first violation, with the launch in its sentence; `work` bounds the operations of single
// threads that are carried out.
std::optional<Violation> refute(const Lifted& lifted, const Manifest& manifest,
                                const KernelEntry& entry, std::int64_t work);

}  // namespace heddle::verify
