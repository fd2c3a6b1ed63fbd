// SPDX-License-Identifier: Apache-2.0
// Whole texts kept under tests/golden. HEDDLE_UPDATE_GOLDEN=1 rewrites them; a missing one fails.
#pragma once

#include <algorithm>
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
  // The first line that differs says enough; whole pages side by side do not.
  const std::size_t same = static_cast<std::size_t>(
      std::mismatch(text.begin(), text.end(), golden.begin(), golden.end()).first - text.begin());
  const auto line_at = [](const std::string& whole, std::size_t at) {
    const std::size_t before = at == 0 ? std::string::npos : whole.rfind('\n', at - 1);
    const std::size_t begin = before == std::string::npos ? 0 : before + 1;
    return whole.substr(begin, whole.find('\n', begin) - begin);
  };
  INFO("first difference at byte " << same);
  if (text != golden) CHECK(line_at(text, same) == line_at(golden, same));
  CHECK((text == golden));
}

}  // namespace heddle::test
