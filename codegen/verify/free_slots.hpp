// SPDX-License-Identifier: Apache-2.0
// Slots of a state that hold no token have no contents: of a state that a launch is given, a slot
// is read only where its position is above 0, or, where every token keeps its own slot, below
// `start`.
#pragma once

#include "codegen/verify/coverage.hpp"

namespace heddle::verify {

// What a launch is given of the state before it, or leaves for it, where there is a token before.
inline bool is_of_state_before(const std::string& name) {
  return name.rfind("initial_", 0) == 0 || name.rfind("dinitial_", 0) == 0;
}

// What holds the positions of slots, and their contents: initial_ or cache_ of a side.
bool holds_positions(const std::string& buffer);
struct SlotBuffer {
  std::string positions;  // the buffer that has them, where retention is kNextRow
  char side = 'a';
};
std::optional<SlotBuffer> contents_of_slots(const std::string& buffer);

// Every read of slots' contents is of a slot that held a token when the launch began.
CoverageResult check_free_slots(const Lifted& lifted, const Launch& launch,
                                const Contract& contract, const Facts& facts, Prover& prover,
                                const Trace& trace);

}  // namespace heddle::verify
