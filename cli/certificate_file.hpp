// SPDX-License-Identifier: Apache-2.0
// A certificate's text from a file that may be anything.
#pragma once

#include <string>

#include "cli/exit_code.hpp"

namespace heddle {

// kDone with the text; otherwise what is wrong has been printed.
ExitCode read_certificate_file(const std::string& path, std::string& text);

}  // namespace heddle
