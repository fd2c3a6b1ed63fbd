// SPDX-License-Identifier: Apache-2.0
// The words for verdicts; scripts read them, so they are part of the contract.
#include "analyzer/verdict.hpp"

#include "patterns/result.hpp"

namespace heddle {

const char* name_of(const Verdict& verdict) {
  return match(
      verdict, [](const Proved&) { return "proved"; }, [](const Checked&) { return "checked"; },
      [](const Refuted&) { return "refuted"; }, [](const Unknown&) { return "unknown"; });
}

}  // namespace heddle
