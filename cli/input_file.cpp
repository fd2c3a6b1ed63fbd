// SPDX-License-Identifier: Apache-2.0
#include "cli/input_file.hpp"

#include <filesystem>
#include <fstream>

#include "cli/console.hpp"

namespace heddle {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} << 20;
constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

}  // namespace

ExitCode read_input_file(const std::string& path, const std::string& what, std::string& text) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return fail(kWrongUsage, path + " is a folder: name " + what + " in it");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(kWrongUsage, "cannot read " + path);
  // In pieces: of a pipe or a device nothing says how long it is.
  text.clear();
  std::string piece(kPieceBytes, '\0');
  while (file && text.size() <= kMaxBytes) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    text.append(piece, 0, static_cast<std::size_t>(file.gcount()));
  }
  if (text.size() > kMaxBytes) return fail(kRefuted, path + " is larger than " + what + " can be");
  return kDone;
}

}  // namespace heddle
