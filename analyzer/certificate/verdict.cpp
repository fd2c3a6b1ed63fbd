// SPDX-License-Identifier: Apache-2.0
// The words for verdicts; scripts read them, so they are part of the contract.
#include "analyzer/certificate/verdict.hpp"

#include "patterns/result.hpp"

namespace heddle {

const char* name_of(const Verdict& verdict) {
  return match(
      verdict, [](const Proved&) { return "proved"; }, [](const Checked&) { return "checked"; },
      [](const Refuted&) { return "refuted"; }, [](const Unknown&) { return "unknown"; });
}

namespace {

std::string side_text(const Integer& value, int infinite) {
  if (infinite == 0) return value.to_string();
  return infinite > 0 ? "infinity" : "-infinity";
}

}  // namespace

std::string value_text(const Counterexample& found) {
  return side_text(found.value, found.value_infinite);
}
std::string bound_text(const Counterexample& found) {
  return side_text(found.bound, found.bound_infinite);
}

}  // namespace heddle
