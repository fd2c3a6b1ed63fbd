// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as a manifest. What is accepted is written out and read again unchanged.
#include <cstdint>
#include <cstdlib>

#include "codegen/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heddle;
  const Result<Manifest> manifest = parse_manifest({reinterpret_cast<const char*>(data), size});
  if (!manifest) return 0;
  const std::string text = to_json(*manifest);
  const Result<Manifest> again = parse_manifest(text);
  if (!again || to_json(*again) != text) std::abort();
  for (const CacheLayout* layout : {&manifest->cache_a, &manifest->cache_b}) {
    for (const std::int64_t tokens : {1, 2, 1000, 1 << 20}) (void)layout->slots(tokens);
  }
  return 0;
}
