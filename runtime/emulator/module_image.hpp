// SPDX-License-Identifier: Apache-2.0
// A loaded module as the emulator sees it: where its code and data lie, and its __shared__
// variables by name, read from the symbol table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "patterns/result.hpp"
#include "runtime/emulator/device/bridge.hpp"
#include "runtime/load/shared_object.hpp"

namespace heddle::emulator {

struct SharedVariable {
  std::string name;
  std::uintptr_t begin = 0;
  std::size_t bytes = 0;
};

struct ModuleImage {
  SharedObject object;
  heddle_emulated::Module* module = nullptr;
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::vector<SharedVariable> shared;  // by address
  std::vector<std::uint32_t> blocks;   // sites of the basic blocks, in the order of the code
  std::vector<unsigned char> entered;  // by offset of what such a call returns to: did it run?

  bool ran(std::uint32_t site) const { return entered[site + 1] != 0; }

  std::uint32_t site_of(const void* return_address) const {
    // The call itself lies before the address it returns to.
    return static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(return_address) - 1 - begin);
  }
};

Result<ModuleImage> load_module(const std::filesystem::path& path);

}  // namespace heddle::emulator
