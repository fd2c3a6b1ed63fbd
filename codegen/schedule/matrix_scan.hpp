// SPDX-License-Identifier: Apache-2.0
// What the launches of a scan over matrix states have in common: the scratch that they hand on.
#pragma once

#include "codegen/schedule/linear_frame.hpp"

namespace heddle::schedule {

// Of every chunk of a scan: the state that it comes to from zero, which the chain turns into the
// one it begins with, and the product of its gates.
struct MatrixScratch {
  ir::MemoryId carry, product;
  ir::Ex chunks;  // of a head

  MatrixScratch(ir::Builder& builder, const KernelSpec& spec, Access carries, Access products);
};

enum class LinearPart {
  kWhole,  // a head, in one launch
  kSums,   // chunks of a scan: their state from zero
  kRows,   // chunks of a scan: their rows, once it is known what state they begin with
};

// On tensor cores, a block a chunk of the scan.
ir::Kernel tensor_linear_part(const KernelSpec& spec, LinearPart part);

}  // namespace heddle::schedule
