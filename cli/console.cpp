// SPDX-License-Identifier: Apache-2.0
#include "cli/console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace heddle {
namespace {

namespace fs = std::filesystem;

bool write_bytes(const fs::path& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  return static_cast<bool>(file);
}

ExitCode cannot_write(const fs::path& path) {
  return fail(kWrongUsage, "cannot write " + path.string());
}

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

ExitCode write_file(const fs::path& path, std::string_view content) {
  std::error_code error;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) return fail(kWrongUsage, path.string() + " is a folder");
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    return write_bytes(path, content) ? kDone : cannot_write(path);
  }
  const fs::path target = fs::is_symlink(path, error) ? fs::weakly_canonical(path, error) : path;
  const fs::path partial = target.string() + ".partial";
  const bool written = write_bytes(partial, content);
  if (written) fs::rename(partial, target, error);
  if (written && !error) return kDone;
  fs::remove(partial, error);
  return cannot_write(path);
}

ExitCode finish_data(ExitCode code) {
  errno = 0;
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  const std::string reason = errno != 0 ? std::string(": ") + std::strerror(errno) : "";
  return fail(kWrongUsage, "cannot write to standard output" + reason);
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
