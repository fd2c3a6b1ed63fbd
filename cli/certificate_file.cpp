// SPDX-License-Identifier: Apache-2.0
#include "cli/certificate_file.hpp"

#include <fstream>
#include <iterator>

#include "cli/console.hpp"

namespace heddle {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} << 20;

}  // namespace

ExitCode read_certificate_file(const std::string& path, std::string& text) {
  std::ifstream file(path, std::ios::binary);
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    return fail(kWrongUsage, path + " is a folder: name the certificate in it");
  }
  if (!file) return fail(kWrongUsage, "cannot read " + path);
  const auto size = std::filesystem::file_size(path, error);
  if (!error && size > kMaxBytes) return fail(kRefuted, path + " is larger than any certificate");
  text.assign(std::istreambuf_iterator<char>(file), {});
  return kDone;
}

}  // namespace heddle
