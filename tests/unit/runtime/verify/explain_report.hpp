// SPDX-License-Identifier: Apache-2.0
// What a report holds against a kernel, for the message of a failed check.
#pragma once

#include <string>

#include "runtime/verify/verify.hpp"

namespace heddle::test {

inline std::string explain(const VerifyReport& report) {
  std::string text = name_of(report.verdict);
  for (const VerifyObligation& o : report.obligations) {
    if (o.verdict != KernelVerdict::kVerified) text += "\n  " + o.name + ": " + o.method;
  }
  for (const VerifyFailure& f : report.failures) {
    text += "\n  " + f.kind + ": " + f.message + " at " + f.where;
  }
  return text;
}

}  // namespace heddle::test
