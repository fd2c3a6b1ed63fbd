// SPDX-License-Identifier: Apache-2.0
// Machine code for a GPU from CUDA text: out of the user's cache, or by NVRTC, which is only opened
// when something is missing there.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "runtime/load/nvrtc.hpp"

namespace heddle {

class DeviceCompiler {
 public:
  // As Nvrtc::compile, without the log.
  Result<std::string> cubin(const std::string& file, const std::string& text,
                            const std::map<std::string, std::string>& includes,
                            const std::string& architecture);

 private:
  std::optional<Nvrtc> compiler_;
};

}  // namespace heddle
