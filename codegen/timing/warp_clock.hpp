// SPDX-License-Identifier: Apache-2.0
// When a warp issues what. Within a stretch of code without branches operations take the first free
// cycle at which what they need is there, whatever their order; the next stretch begins when all of
// this one have been issued. Results may still be under way then.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "codegen/timing/machine.hpp"

namespace heddle::timing {

using Cycle = std::int64_t;

class WarpClock {
 public:
  // From `ready` on, evenly over its latency; the cycle at which the result is there.
  Cycle issue(Cycle ready, Cost cost);
  void end_stretch();
  // No sooner than that goes it on.
  void wait(Cycle until);

  Cycle now() const { return now_; }  // the first cycle of this stretch
  Cycle last_issue() const { return last_; }
  std::int64_t take_slots() { return std::exchange(slots_, 0); }  // issued since the last call

 private:
  Cycle free_from(Cycle cycle);

  Cycle now_ = 0;
  Cycle last_ = -1;
  std::int64_t slots_ = 0;
  // By cycle from `now_` on, how far ahead the next free one is looked for; 0 where it is free.
  std::vector<std::int32_t> ahead_;
};

}  // namespace heddle::timing
