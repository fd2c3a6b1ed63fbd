// SPDX-License-Identifier: Apache-2.0
#include "runtime/load/user_cache.hpp"

#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <system_error>

#include "patterns/sha256.hpp"

namespace heddle {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = getenv(name);
  return value != nullptr ? value : "";
}

}  // namespace

Result<fs::path> cache_directory() {
  fs::path path = variable("HEDDLE_CACHE_DIR");
  if (path.empty()) {
    const std::string shared = variable("XDG_CACHE_HOME");
    const std::string home = variable("HOME");
    if (!shared.empty()) {
      path = fs::path(shared) / "heddle";
    } else if (!home.empty()) {
      path = fs::path(home) / ".cache" / "heddle";
    } else {
      return machine_error("no place for a cache: set HEDDLE_CACHE_DIR");
    }
  }
  std::error_code failure;
  path = fs::absolute(path, failure);
  if (!failure) fs::create_directories(path, failure);
  if (failure) {
    return machine_error("cannot create the cache " + path.string() + ": " + failure.message());
  }
  return path;
}

void append_field(std::string& key, const std::string& field) {
  key += std::to_string(field.size()) + ":" + field;
}

Result<fs::path> cache_folder(const std::string& kind) {
  const auto cache = cache_directory();
  if (!cache) return cache.error();
  fs::path folder = *cache / kind;
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure) return machine_error("cannot create " + folder.string() + ": " + failure.message());
  return folder;
}

std::optional<std::string> kept_bytes(const std::string& kind, const std::string& key) {
  const auto folder = cache_folder(kind);
  if (!folder) return std::nullopt;
  std::ifstream file(*folder / sha256_hex(key), std::ios::binary);
  std::string digest;
  if (!std::getline(file, digest)) return std::nullopt;
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return sha256_hex(bytes) == digest ? std::optional(std::move(bytes)) : std::nullopt;
}

bool keep_bytes(const std::string& kind, const std::string& key, const std::string& bytes) {
  const auto folder = cache_folder(kind);
  if (!folder) return false;
  std::string partial = (*folder / "new-XXXXXX").string();
  const int descriptor = mkstemp(partial.data());
  if (descriptor < 0) return false;
  close(descriptor);
  std::ofstream file(partial, std::ios::binary | std::ios::trunc);
  file << sha256_hex(bytes) << "\n" << bytes;
  file.close();
  std::error_code failure;
  if (file) fs::rename(partial, *folder / sha256_hex(key), failure);
  if (file && !failure) return true;
  fs::remove(partial, failure);
  return false;
}

}  // namespace heddle
