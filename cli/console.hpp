// SPDX-License-Identifier: Apache-2.0
// Where text goes: data to standard output, everything else to standard error; files written whole
// or not at all. The only place of heddle that prints.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "cli/exit_code.hpp"

namespace heddle {

// Whether the stream is a terminal and NO_COLOR is not set.
bool colour_on_stdout();
bool colour_on_stderr();
// Columns of the terminal; 0 where standard output is none, so that lines of data stay whole.
std::size_t width_of_stdout();

void print_data(std::string_view text);    // standard output, as given
void print_remark(std::string_view text);  // "heddle: TEXT" on standard error
// The last call of the program: `code`, or kWrongUsage with a message where data was lost.
ExitCode finish_data(ExitCode code);
// "heddle: error: TEXT" on standard error; returns `code`.
ExitCode fail(ExitCode code, std::string_view text);

// Writes through a temporary file in the same folder, making the folder; what a link leads to is
// replaced, not the link, and a device or a pipe is written to. kDone or kWrongUsage with a
// message.
ExitCode write_file(const std::filesystem::path& path, std::string_view content);

// A line on standard error that overwrites itself on a terminal and is left out elsewhere.
class Progress {
 public:
  explicit Progress(bool enabled);
  ~Progress();
  void show(std::string_view text);

 private:
  bool enabled_;
  bool shown_ = false;
};

}  // namespace heddle
