// SPDX-License-Identifier: Apache-2.0
// Kernels that a broken generator would print: of a pattern whose text was misread in one place,
// and of a kernel whose IR went wrong in one node or statement before it was printed.
#pragma once

#include <string>
#include <vector>

#include "codegen/generate.hpp"
#include "tests/mutants/mutator.hpp"

namespace heddle::mutants {

// The kernel `op` of `source`'s pattern misread: a number off by one, a bound loosened, another
// set, the sides exchanged. What the generator refuses is left out. Rules begin with "misread_".
std::vector<Mutant> misreadings(const std::string& source, const GenerateOptions& options,
                                const std::string& op, const std::string& original);

// The same kernel with one node or statement of its IR replaced. Unlike an edit of the text, one
// value that many statements share goes wrong for all of them. Rules begin with "ir_".
std::vector<Mutant> ir_mutants(const Pattern& pattern, const GenerateOptions& options,
                               const Manifest& manifest, const std::string& op,
                               const std::string& original);

}  // namespace heddle::mutants
