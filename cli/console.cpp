// SPDX-License-Identifier: Apache-2.0
#include "cli/console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace heddle {
namespace {

bool colour_on(int descriptor) {
  const char* no_colour = std::getenv("NO_COLOR");
  return isatty(descriptor) != 0 && (no_colour == nullptr || *no_colour == '\0');
}

}  // namespace

bool colour_on_stdout() { return colour_on(STDOUT_FILENO); }
bool colour_on_stderr() { return colour_on(STDERR_FILENO); }

std::size_t width_of_stdout() {
  winsize size{};
  const bool known = isatty(STDOUT_FILENO) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  return known ? size.ws_col : 0;
}

void print_data(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_remark(std::string_view text) {
  std::fprintf(stderr, "heddle: %.*s\n", static_cast<int>(text.size()), text.data());
}

ExitCode fail(ExitCode code, std::string_view text) {
  std::fprintf(stderr, "heddle: error: %.*s\n", static_cast<int>(text.size()), text.data());
  return code;
}

ExitCode write_file(const std::filesystem::path& path, std::string_view content) {
  std::error_code error;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), error);
  const std::filesystem::path partial = path.string() + ".partial";
  {
    std::ofstream file(partial, std::ios::binary | std::ios::trunc);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    if (!file) return fail(kWrongUsage, "cannot write " + path.string());
  }
  std::filesystem::rename(partial, path, error);
  if (error) return fail(kWrongUsage, "cannot write " + path.string() + ": " + error.message());
  return kDone;
}

Progress::Progress(bool enabled) : enabled_(enabled && isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
}

void Progress::show(std::string_view text) {
  if (!enabled_) return;
  std::fprintf(stderr, "\r\x1b[K%.*s", static_cast<int>(std::min<std::size_t>(text.size(), 78)),
               text.data());
  std::fflush(stderr);
  shown_ = true;
}

}  // namespace heddle
