// SPDX-License-Identifier: Apache-2.0
// Sizes that CPU kernels of every operation share.
#pragma once

#include <cstdint>

namespace heddle::schedule {

// What is written once and is that large, in bytes, is stored around the caches: it would push out
// of them what rows read.
inline constexpr std::int64_t kAroundBytes = std::int64_t{1} << 20;

// The caller's rows are asked for so many rows before they are read.
inline constexpr std::int64_t kRowsAhead = 16;

// As in the prelude: the most rows of a lattice that are taken together.
inline constexpr int kLatticeGroup = 4;
// ... and of a head with a matrix state.
inline constexpr int kMatrixRows = 16;

}  // namespace heddle::schedule
