// SPDX-License-Identifier: Apache-2.0
// A mutant from two whole texts.
#pragma once

#include <string>
#include <vector>

#include "tests/mutants/mutator.hpp"

namespace heddle::mutants {

// Adds the mutant whose text is `text`; `line` is the first line of the kernel's body that differs.
// Nothing where there is none, since the comment above a kernel says what was read.
void add_mutant(std::vector<Mutant>& mutants, const std::string& rule, Danger danger,
                const std::string& original, const std::string& text);

}  // namespace heddle::mutants
