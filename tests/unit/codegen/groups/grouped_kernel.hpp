// SPDX-License-Identifier: Apache-2.0
// A small kernel in which groups of eight lanes share rows, four of them in a warp, and the launch
// that it is for: y_i = x_i + sum over j <= i of <x_i, x_j> x_j, chunk by chunk of 32 rows and
// within a chunk only, 64 channels a row. Rows are moved as vectors, what a row sums and its
// weights go through shared memory, and a group's loop is as long as its row.
#pragma once

#include <map>
#include <string>

#include "codegen/ir/ir.hpp"
#include "codegen/manifest.hpp"

namespace heddle::test {

struct Grouped {
  Manifest manifest;  // of this one kernel
  std::string text;

  const KernelEntry& entry() const { return manifest.kernels[0]; }
};

std::map<std::string, std::string> preludes();  // that such a text includes
ir::Kernel grouped_kernel(ElementType element);
Grouped grouped(ElementType element);

}  // namespace heddle::test
