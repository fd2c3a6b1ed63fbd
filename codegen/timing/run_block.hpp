// SPDX-License-Identifier: Apache-2.0
// One block of a lifted kernel carried out on numbers, warp by warp between barriers, with the
// cycles that it would take by the model of README.md. It proves nothing of the kernel.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "codegen/timing/block_cycles.hpp"
#include "codegen/verify/lift.hpp"
#include "patterns/result.hpp"

namespace heddle::timing {

struct BlockLaunch {
  std::map<std::string, std::int64_t> sizes;                  // by the manifest's names
  std::map<std::string, std::int64_t> lengths;                // of buffers, in elements
  std::map<std::string, std::vector<std::int64_t>> contents;  // of whole numbers; 0 where none
  std::int64_t block = 0;
  std::int64_t dynamic_bytes = 0;
  int side_by_side = 1;               // blocks of a multiprocessor
  std::int64_t work = 1'000'000'000;  // expressions of single warps, before it is given up
};

Result<BlockCycles> run_block(const verify::Lifted& lifted, const BlockLaunch& launch);

}  // namespace heddle::timing
