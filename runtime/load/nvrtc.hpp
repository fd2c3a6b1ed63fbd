// SPDX-License-Identifier: Apache-2.0
// Compiles CUDA text to machine code with the run-time compiler, which needs no GPU. The library is
// looked for when asked; a machine without it gets an Error, not a missing symbol.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "patterns/result.hpp"

namespace heddle {

// What the assembler reports of one kernel.
struct KernelResources {
  int registers = 0;
  std::int64_t spill_stores = 0;  // bytes
  std::int64_t spill_loads = 0;
  std::int64_t stack_bytes = 0;
  std::int64_t shared_bytes = 0;
};

// Bytes that a thread moves to and from local memory for want of registers.
inline std::int64_t spilled_bytes(const KernelResources& resources) {
  return resources.spill_stores + resources.spill_loads;
}

struct DeviceCode {
  std::string cubin;
  std::string log;
  std::map<std::string, KernelResources> resources;  // by symbol, as far as the log tells
};

class Nvrtc {
 public:
  // $CUDA_HOME, $CUDA_PATH, /usr/local/cuda, then the system's own search.
  static Result<Nvrtc> open();
  Nvrtc(Nvrtc&&) noexcept;
  Nvrtc& operator=(Nvrtc&&) noexcept;
  ~Nvrtc();

  // Tells the library that open() would take from others, without opening it: where it lies, its
  // size and when it was written. Empty where only the system's own search can find one.
  static std::string identity();

  std::string version() const;  // "13.0"
  // `architecture` is "sm_80", "sm_90", ...; `includes` maps names of #include lines to texts. On
  // failure the Error holds the compiler's log.
  Result<DeviceCode> compile(const std::string& file, const std::string& text,
                             const std::map<std::string, std::string>& includes,
                             const std::string& architecture) const;

 private:
  struct Library;
  explicit Nvrtc(std::unique_ptr<Library> library);
  std::unique_ptr<Library> library_;
};

// The resources in a verbose assembler log.
std::map<std::string, KernelResources> parse_resources(const std::string& log);

}  // namespace heddle
