// SPDX-License-Identifier: Apache-2.0
// The text of a certificate or a kernel, from a file that may be anything.
#pragma once

#include <string>

#include "cli/exit_code.hpp"

namespace heddle {

// kDone with the text; otherwise what is wrong has been printed. `what` the file is to be, such as
// "a certificate".
ExitCode read_input_file(const std::string& path, const std::string& what, std::string& text);

}  // namespace heddle
