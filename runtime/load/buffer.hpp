// SPDX-License-Identifier: Apache-2.0
// What a caller hands to a kernel: arrays it owns, and the values of the manifest's vocabulary.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "codegen/manifest.hpp"

namespace heddle {

// An array of the caller's: in host memory for cpu kernels, in device memory for cuda kernels.
struct BufferView {
  void* data = nullptr;  // null only for the initial state of a sequence that starts at token 1
  std::size_t bytes = 0;
  ElementType type = ElementType::kF32;
};

// By the names that codegen/manifest.hpp lists. head_dim and state_dim are the manifest's own and
// may be left out; names a kernel does not take are ignored.
struct LaunchValues {
  std::map<std::string, std::int64_t> sizes;
  std::map<std::string, float> scalars;
  std::map<std::string, BufferView> buffers;
};

}  // namespace heddle
