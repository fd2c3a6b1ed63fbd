// SPDX-License-Identifier: Apache-2.0
// The axes of memories: of a buffer as the manifest has them, of dynamic shared memory as a kernel
// is likely to cut it into rows. An index has digits along them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "codegen/verify/launch.hpp"
#include "codegen/verify/lift.hpp"
#include "codegen/verify/prover.hpp"

namespace heddle::verify {

std::string name_of(const Lifted& lifted, ir::MemoryId memory);
// An array has one axis or, dynamic and in rows of one length, two.
std::vector<Polynomial> extents_of(const Lifted& lifted, const KernelEntry& entry,
                                   const Launch& launch, ir::MemoryId memory);

// Whether the end of the dynamic array is an array of its own, of another type perhaps.
bool is_cut(const Lifted& lifted);
// Whether it is proved to lie in it.
bool cut_fits(const Lifted& lifted, const KernelEntry& entry, const Launch& launch,
              const Facts& facts, Prover& prover);

// A part of the dynamic array in rows of one length.
struct Stretch {
  Integer begin;                    // its first element
  std::vector<Polynomial> extents;  // rows, and elements of one; or elements alone
};
// The first way to cut the array of a kernel of matrices in which all accesses fit, as `fit` finds:
// all in rows of one length; for each kind of rows of the manifest a stretch of its own; or one
// row.
std::vector<Stretch> choose_stretches(const Lifted& lifted, const KernelEntry& entry,
                                      const std::vector<Polynomial>& shape, ir::ArrayId array,
                                      const std::function<bool(const std::vector<Stretch>&)>& fit);

}  // namespace heddle::verify
