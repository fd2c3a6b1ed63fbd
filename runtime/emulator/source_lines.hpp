// SPDX-License-Identifier: Apache-2.0
// From places in a module's code to lines of the kernel's text, by the debug line table.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace heddle::emulator {

class SourceLines {
 public:
  // `text` is the kernel's file name: places inside helpers it inlines are told by its own line.
  SourceLines(std::filesystem::path module, std::string text)
      : module_(std::move(module)), text_(std::move(text)) {}

  // Looks up many at once; one lookup starts one process.
  void prepare(const std::vector<std::uint32_t>& sites);
  // "kernel.cu:12", or "kernel.cu:12 (prelude.cuh:7)" inside a helper; "" when unknown.
  std::string where(std::uint32_t site);
  // The line of the kernel's own text, 0 when unknown or outside of it.
  int own_line(std::uint32_t site);
  // The whole chain of inlined calls: equal for the copies a compiler makes of one call.
  const std::vector<std::string>& chain(std::uint32_t site);

 private:
  std::filesystem::path module_;
  std::string text_;
  std::map<std::uint32_t, std::vector<std::string>> chains_;  // innermost first
};

}  // namespace heddle::emulator
