// SPDX-License-Identifier: Apache-2.0
// What the process says when it ends; scripts rely on these numbers.
#pragma once

namespace heddle {

enum ExitCode : int {
  kDone = 0,             // everything asked for holds
  kRefuted = 1,          // a claim refuted, a kernel or certificate rejected
  kWrongUsage = 2,       // the command line makes no sense, or a named file is not there
  kPatternRejected = 3,  // the pattern file is wrong
  kUndecided = 4,        // unknown or out of budget; never a pass
  kNoDevice = 5,         // no such device or tool on this machine
  kInternalError = 70,   // a bug in heddle
};

}  // namespace heddle
