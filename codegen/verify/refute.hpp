// SPDX-License-Identifier: Apache-2.0
// Looks for a launch in which a kernel does what it must not: sequences of a few tokens, in one
// piece or in several, each carried out by the kernel itself from the state that it left behind.
#pragma once

#include <optional>
#include <vector>

#include "codegen/verify/replay.hpp"

namespace heddle::verify {

struct Sequence {
  int batch = 1;
  int heads = 1;
  std::vector<int> pieces;  // tokens of each launch; of decode one
};

// The first violation, with the launch in its sentence. `hints` are tried before what is always
// tried; `work` bounds the operations of single threads that are carried out.
std::optional<Violation> refute(const Lifted& lifted, const Manifest& manifest,
                                const KernelEntry& entry, const std::vector<Sequence>& hints,
                                std::int64_t work);

}  // namespace heddle::verify
