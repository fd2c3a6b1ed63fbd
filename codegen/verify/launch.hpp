// SPDX-License-Identifier: Apache-2.0
// What the static layer takes for granted about a launch, which the runtime's launch check
// enforces: sizes are counts below 2^31, rows are numbered below 2^31, no buffer exceeds 2^48
// elements (nor would one with all tokens of a sequence side by side), caches have the slots that
// the manifest asks for, and there is one block per product of the grid.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "codegen/manifest.hpp"
#include "codegen/verify/facts.hpp"

namespace heddle::verify {

struct CacheFacts {
  CacheLayout a;
  CacheLayout b;
};

struct Launch {
  std::map<std::string, AtomId> sizes;  // arguments and extents, by the manifest's names
  Polynomial block;                     // blockIdx.x
  std::vector<AtomId> places;           // of the block along each axis of the grid
  AtomId warp = 0;
  AtomId lane = 0;
  AtomId length = 0;  // tokens of the sequence after this launch
  // Products of sizes that stay below a bound, factors sorted.
  std::vector<std::pair<Monomial, Integer>> bounded;

  Polynomial extent(const std::string& name) const;  // a size or a decimal
};

Launch make_launch(Facts& facts, const KernelEntry& entry, const CacheFacts& caches);

}  // namespace heddle::verify
