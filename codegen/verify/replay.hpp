// SPDX-License-Identifier: Apache-2.0
// A lifted kernel carried out on numbers, all threads of a block side by side, statement by
// statement: what it runs into is a counterexample that happens in a real launch. Where a replay
// ends well nothing is proved by it.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "codegen/verify/lift.hpp"
#include "codegen/verify/memory_record.hpp"

namespace heddle::verify {

struct ReplayLaunch {
  std::map<std::string, std::int64_t> sizes;  // by the manifest's names
  std::int64_t blocks = 1;
  std::int64_t dynamic_bytes = 0;  // of shared memory
};

// Buffers by name; those that the kernel does not take are left alone.
using Memories = std::map<std::string, MemoryRecord>;

struct ReplayResult {
  std::optional<Violation> violation;
  bool gave_up = false;   // `work` was used up before the end
  std::int64_t work = 0;  // operations of single threads that were carried out
};
ReplayResult replay(const Lifted& lifted, const ReplayLaunch& launch, Memories& buffers,
                    std::int64_t work);

}  // namespace heddle::verify
