// SPDX-License-Identifier: Apache-2.0
// Whole texts kept under tests/golden. HEDDLE_UPDATE_GOLDEN=1 rewrites them; a missing one fails.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/catch.hpp"

namespace heddle::test {

// `name` is relative to tests/golden, e.g. "draw/matrix.svg".
inline void check_golden(const std::string& name, const std::string& text) {
  const std::filesystem::path path = std::filesystem::path(HEDDLE_TESTS_DIR) / "golden" / name;
  const char* update = std::getenv("HEDDLE_UPDATE_GOLDEN");
  if (update != nullptr && std::string(update) == "1") {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  INFO("golden file " << name << "; HEDDLE_UPDATE_GOLDEN=1 rewrites it");
  std::ifstream in(path, std::ios::binary);
  REQUIRE(in.good());
  const std::string golden((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  CHECK(text == golden);
}

}  // namespace heddle::test
