// SPDX-License-Identifier: Apache-2.0
// Rows of shared memory of which an array notes what they hold: it is blank at first, and who notes
// a row has filled it. Where a row is read only if its note is not blank, some note was made, and
// with it the row was written, whichever row it is and whoever noted it.
#pragma once

#include <vector>

#include "codegen/verify/launch.hpp"
#include "codegen/verify/prover.hpp"
#include "codegen/verify/trace.hpp"

namespace heddle::verify {

class NotedRows {
 public:
  NotedRows(const Facts& facts, const Trace& trace, const Launch& launch, Prover& prover)
      : facts_(facts), trace_(trace), launch_(launch), prover_(prover) {}

  // Whether a note that was looked at before this read shows that its place was written.
  bool written_before(const Access& read);

 private:
  struct Notes {
    std::vector<const Access*> stores;  // of what may not be blank
    Polynomial blank;
  };
  std::optional<Notes> notes_in(ir::MemoryId array) const;
  bool shows(const Access& note, const Access& read, const Access& load);

  const Facts& facts_;
  const Trace& trace_;
  const Launch& launch_;
  Prover& prover_;
  int suffixes_ = 0;
};

}  // namespace heddle::verify
