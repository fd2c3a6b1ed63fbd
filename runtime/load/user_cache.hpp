// SPDX-License-Identifier: Apache-2.0
// What took long to make, kept in the user's cache under the SHA-256 of everything that shapes it.
// Files are written to a temporary place and renamed, so that several processes may share them, and
// begin with the digest of the rest: one that was cut short is none.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "patterns/result.hpp"

namespace heddle {

// $HEDDLE_CACHE_DIR, else $XDG_CACHE_HOME/heddle, else ~/.cache/heddle; created if missing.
Result<std::filesystem::path> cache_directory();

// Lengths make the concatenation of fields unambiguous.
void append_field(std::string& key, const std::string& field);

// The folder of one kind of things in the cache, created if missing.
Result<std::filesystem::path> cache_folder(const std::string& kind);

// What was kept under that kind and key.
std::optional<std::string> kept_bytes(const std::string& kind, const std::string& key);
// False where the cache cannot be written, which only costs time.
bool keep_bytes(const std::string& kind, const std::string& key, const std::string& bytes);

}  // namespace heddle
