// SPDX-License-Identifier: Apache-2.0
// Runs another program without a shell: arguments are passed as they are, both outputs are
// collected, and a program that outlives its limit is killed.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "patterns/result.hpp"

namespace heddle {

struct ProcessOutput {
  int exit_code = 0;  // 128 + signal number when a signal ended it
  std::string out;
  std::string err;
};

struct ProcessOptions {
  std::filesystem::path directory;  // where it starts; empty: here
  std::chrono::seconds limit{120};
};

// command[0] is looked up on PATH. Fails when the program cannot be started or exceeds its limit;
// a non-zero exit code is not a failure of this function.
Result<ProcessOutput> run_process(const std::vector<std::string>& command,
                                  const ProcessOptions& options = {});

}  // namespace heddle
