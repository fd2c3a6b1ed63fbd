// SPDX-License-Identifier: Apache-2.0
// Runs the text of a kernel, the very one the device compiler would get, as plain C++ under full
// observation: every load and store is checked against a shadow memory, every barrier and warp
// operation is a meeting point of fibers, one per CUDA thread.
//
// What a clean run means: for this launch no access was out of bounds, misaligned or uninitialised,
// no two threads raced in shared or global memory under any interleaving of the barriers' phases
// that makes the same accesses, meeting points were met by all, and write-only outputs were
// written exactly once. It says nothing about other sizes, and an access whose address depends on
// a racing value may differ elsewhere.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "patterns/result.hpp"
#include "runtime/emulator/launch.hpp"

namespace heddle::emulator {

enum class Dialect { kCuda, kCpu };

// What `float` means: IEEE single precision, or the number of device/field.hpp, whose elements take
// 16 bytes (value, exponent) in every buffer of floats or bf16s.
enum class Scalars { kReal, kField };

struct KernelText {
  std::string file;    // plain file name, as findings name it
  std::string text;    // compiled as it stands
  std::string symbol;  // the __global__ function, or the cpu function over blocks
  std::map<std::string, std::string> includes;  // file name -> text of what it #includes
  Dialect dialect = Dialect::kCuda;
  Scalars scalars = Scalars::kReal;
};

class EmulatedKernel {
 public:
  // Compiles and loads; fails with the compiler's words, or where the text needs something that is
  // not emulated. A cpu function takes two more int arguments than the launch: [first, last) block.
  static Result<EmulatedKernel> build(const KernelText& kernel);

  EmulatedKernel(EmulatedKernel&&) noexcept;
  EmulatedKernel& operator=(EmulatedKernel&&) noexcept;
  ~EmulatedKernel();

  // Fails only for a launch that does not fit the kernel's parameters; what the kernel does wrong
  // is in the result. Calls for one kernel take turns; different kernels may run in parallel.
  Result<EmulationResult> run(const Launch& launch);

  // Lines of the kernel's own text that no launch so far has come to, as (first, last), ascending.
  // Seen where basic blocks begin: what lies between two of them that did not run did not either.
  std::vector<std::pair<int, int>> lines_never_run();

 private:
  struct Loaded;
  explicit EmulatedKernel(std::unique_ptr<Loaded> loaded);
  std::unique_ptr<Loaded> loaded_;
};

}  // namespace heddle::emulator
