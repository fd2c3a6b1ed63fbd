// SPDX-License-Identifier: Apache-2.0
// An artifact small enough to write by hand, y = gamma * x, and a folder to put it in.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "codegen/manifest.hpp"
#include "patterns/sha256.hpp"
#include "tests/catch.hpp"

namespace heddle {

namespace fs = std::filesystem;

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "heddle-test-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryFolder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

inline void write(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

// y = gamma * x, one block per (batch, head).
const char* const kScaleText = R"(#include "scale.hpp"
extern "C" void scale_prefill(const float* x, float* y, std::int32_t tokens, std::int32_t heads,
                              float gamma, std::int32_t first, std::int32_t last) {
  for (std::int32_t block = first; block < last; ++block) {
    const std::int32_t batch = block / heads, head = block % heads;
    for (std::int32_t t = 0; t < tokens; ++t) {
      for (int d = 0; d < 4; ++d) {
        const long at = ((long(batch) * tokens + t) * heads + head) * 4 + d;
        y[at] = scaled(x[at], gamma);
      }
    }
  }
}
)";
const char* const kScaleHeader = R"(#include <cstdint>
inline float scaled(float x, float by) { return x * by; }
)";

inline Manifest scale_manifest() {
  Manifest manifest;
  manifest.pattern = "scale";
  manifest.source_sha256 = sha256_hex("scale");
  manifest.target = "cpu";
  manifest.weights = "softmax";
  manifest.head_dim = 4;
  manifest.causality = Causality::kProved;
  manifest.includes = {{"scale.hpp", sha256_hex(kScaleHeader)}};
  manifest.verdict = "verified";
  manifest.layers = {{"emulated", "verified", "by hand"}};
  KernelEntry entry;
  entry.op = "prefill";
  entry.symbol = "scale_prefill";
  entry.file = "scale.cpp";
  entry.sha256 = sha256_hex(kScaleText);
  entry.grid = {"batch", "heads"};
  const std::vector<std::string> shape = {"batch", "tokens", "heads", "head_dim"};
  entry.arguments = {{"x", ArgumentKind::kBuffer, ElementType::kF32, Access::kRead, shape},
                     {"y", ArgumentKind::kBuffer, ElementType::kF32, Access::kWrite, shape},
                     {"tokens", ArgumentKind::kSize, {}, {}, {}},
                     {"heads", ArgumentKind::kSize, {}, {}, {}},
                     {"gamma", ArgumentKind::kScalar, {}, {}, {}}};
  manifest.kernels = {entry};
  return manifest;
}

inline void write_artifact(const fs::path& folder, const Manifest& manifest) {
  write(folder / "manifest.json", to_json(manifest));
  write(folder / "scale.cpp", kScaleText);
  write(folder / "scale.hpp", kScaleHeader);
}

}  // namespace heddle
