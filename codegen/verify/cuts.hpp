// SPDX-License-Identifier: Apache-2.0
// At which powers of two the places of lanes and warps are best taken apart: a place that is a sum
// of parts divides by them without products.
#pragma once

#include <vector>

#include "codegen/verify/uniformity.hpp"

namespace heddle::verify {

// Ascending: those that a kernel which moves vectors divides by, and the groups of lanes that it
// has.
struct Cuts {
  std::vector<int> lanes;
  std::vector<int> warps;
  bool groups = false;  // lanes go by their groups wherever they are spoken of
};
Cuts cuts_of(const Lifted& lifted, const Uniformity& uniformity);

}  // namespace heddle::verify
