// SPDX-License-Identifier: Apache-2.0
// A kernel as C++ text, the text that nvcc and g++ get. The printer decides nothing: every loop,
// barrier and rounding stands in the IR; only the spelling differs between targets.
#pragma once

#include <string>

#include "codegen/ir/ir.hpp"

namespace heddle::ir {

std::string print(const Kernel& kernel);
// Only the signature, ended by `;`: what a header declares.
std::string print_declaration(const Kernel& kernel);

}  // namespace heddle::ir
