// SPDX-License-Identifier: Apache-2.0
// Runs a program found on PATH as a filter: text in, bytes out, under a time limit and without a
// shell.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "patterns/result.hpp"

namespace heddle {

struct FilterCommand {
  std::string program;  // a name, looked up on PATH
  std::vector<std::string> arguments;
  std::chrono::milliseconds limit{20000};
  std::string install_hint;  // the package that holds the program
};

// What the program wrote to standard output. Fails when it is not there, does not end in time or
// ends with an error, and then says what it wrote to standard error.
Result<std::string> filter_through(const FilterCommand& command, std::string_view input);

}  // namespace heddle
