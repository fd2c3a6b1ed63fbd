// SPDX-License-Identifier: Apache-2.0
// What the helpers of tensor_prelude.cuh and softmax_prelude.cuh compute between the loads and
// stores that they are read as.
#pragma once

#include <string>

#include "codegen/timing/machine.hpp"

namespace heddle::timing {

struct HelperCost {
  int products = 0;           // of each tile of sums and step of sixteen; the others have none
  Cost looked_at{0, 0};       // of each vector or number that is read, rows of ldmatrix left out
  Cost when_exchanged{0, 0};  // of a number that the lanes of a row agreed on
  Cost changed{0, 0};         // of each sum
};

// Nothing where the model has no such helper.
const HelperCost* cost_of(const std::string& helper);

}  // namespace heddle::timing
