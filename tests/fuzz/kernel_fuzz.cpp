// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as the text of a CUDA kernel, read back as `verify --kernel` reads it. What
// is accepted prints as a text that is accepted and prints the same.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "codegen/ir/print.hpp"
#include "codegen/verify/lift.hpp"

namespace {

using namespace heddle;

// The kernels that the manifests of the corpus describe: what the bytes are read as.
std::vector<KernelEntry> entries() {
  std::vector<KernelEntry> entries;
  for (const auto& file : std::filesystem::directory_iterator(HEDDLE_FUZZ_MANIFESTS)) {
    std::ifstream stream(file.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    const Result<Manifest> manifest = parse_manifest(text);
    if (!manifest || manifest->target != "cuda") continue;
    entries.insert(entries.end(), manifest->kernels.begin(), manifest->kernels.end());
  }
  if (entries.empty()) std::abort();
  return entries;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<KernelEntry> all = entries();
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const KernelEntry& entry : all) {
    const Result<verify::Lifted> lifted = verify::lift(text, entry);
    if (!lifted) continue;
    const std::string head = "#include \"device_prelude.cuh\"\n\nusing namespace heddle;\n\n";
    const std::string printed = head + ir::print(lifted->kernel);
    const Result<verify::Lifted> again = verify::lift(printed, entry);
    if (!again || head + ir::print(again->kernel) != printed) std::abort();
  }
  return 0;
}
