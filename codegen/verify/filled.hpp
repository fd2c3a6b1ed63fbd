// SPDX-License-Identifier: Apache-2.0
// Lists in shared memory that a while loop fills from the front, one place after another, and may
// begin again: that all places below the variable that counts them have been written is shown by
// induction over the loop's iterations, and stays so, since what was written is never unwritten.
#pragma once

#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "codegen/verify/launch.hpp"
#include "codegen/verify/prover.hpp"
#include "codegen/verify/trace.hpp"

namespace heddle::verify {

class FilledLists {
 public:
  FilledLists(const Facts& facts, const Trace& trace, const Launch& launch, Prover& prover)
      : facts_(facts), trace_(trace), launch_(launch), prover_(prover) {}

  // Every place from 0 up to one of these was written before `read`, and a barrier lies between.
  std::vector<Term> filled_before(const Access& read);

 private:
  std::vector<const Access*> writes_to(std::int32_t array) const;
  bool fills(const Loop& loop, const Changed& counter, std::int32_t array);
  bool proves_filling(const Loop& loop, const Changed& counter, std::int32_t array);

  const Facts& facts_;
  const Trace& trace_;
  const Launch& launch_;
  Prover& prover_;
  std::map<std::tuple<int, AtomId, std::int32_t>, bool> known_;
};

}  // namespace heddle::verify
