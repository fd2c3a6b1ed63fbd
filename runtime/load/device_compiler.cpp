// SPDX-License-Identifier: Apache-2.0
#include "runtime/load/device_compiler.hpp"

#include <utility>

#include "runtime/load/user_cache.hpp"

namespace heddle {

Result<std::string> DeviceCompiler::cubin(const std::string& file, const std::string& text,
                                          const std::map<std::string, std::string>& includes,
                                          const std::string& architecture) {
  static const std::string kKind = "device";
  std::string key = "heddle device code 1\n";
  append_field(key, Nvrtc::identity());
  append_field(key, architecture);
  append_field(key, file);
  append_field(key, text);
  for (const auto& [name, included] : includes) {
    append_field(key, name);
    append_field(key, included);
  }
  if (auto kept = kept_bytes(kKind, key)) return *std::move(kept);
  if (!compiler_) {
    auto opened = Nvrtc::open();
    if (!opened) return opened.error();
    compiler_ = std::move(*opened);
  }
  auto code = compiler_->compile(file, text, includes, architecture);
  if (!code) return code.error();
  keep_bytes(kKind, key, code->cubin);
  return std::move(code->cubin);
}

}  // namespace heddle
