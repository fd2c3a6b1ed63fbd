// SPDX-License-Identifier: Apache-2.0
// One kernel of an artifact, built for the emulator, and its launch on host buffers named as the
// manifest names them. The only place where verification meets the emulator.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "codegen/manifest.hpp"
#include "runtime/emulator/finite_field.hpp"
#include "runtime/reference/problem.hpp"
#include "runtime/verify/verify.hpp"

namespace heddle {

enum class ThreadOrder { kForward, kReverse, kShuffled };
const char* name_of(ThreadOrder order);

struct LaunchRequest {
  Sizes sizes;
  float scale = 1.0F;
  float gamma = 0.5F;
  // By argument name, read and written in place. A buffer argument that is not here is null.
  std::map<std::string, HostBuffer>* buffers = nullptr;
  ThreadOrder order = ThreadOrder::kForward;
  std::uint64_t seed = 1;
  std::int64_t expected_work = 0;  // memory accesses; a kernel that runs far past them hangs
  bool least_rows = false;         // of shared memory, not as many as a launch makes use of
  bool count_requests = false;     // fill in requests, sectors and bank conflicts
  bool check = true;               // off: only bounds, meeting points and counters
};

// A buffer of a launch over the finite field: elements for floats of any width, or positions.
struct FieldBuffer {
  bool integers = false;
  std::vector<FieldElement> numbers;
  std::vector<std::int32_t> positions;

  std::size_t count() const { return integers ? positions.size() : numbers.size(); }
  friend bool operator==(const FieldBuffer&, const FieldBuffer&) = default;
};
using FieldBuffers = std::map<std::string, FieldBuffer>;

struct FieldLaunchRequest {
  Sizes sizes;
  FieldElement scale;
  FieldElement gamma;
  FieldBuffers* buffers = nullptr;  // as in LaunchRequest
  ThreadOrder order = ThreadOrder::kForward;
  std::uint64_t order_seed = 1;  // of the order that comparisons of numbers take
  std::int64_t expected_work = 0;
  bool least_rows = false;
};

struct LaunchCounters {
  std::int64_t global_bytes_read = 0;
  std::int64_t global_bytes_written = 0;
  std::int64_t requests = 0;         // of a warp, to global memory
  std::int64_t sectors = 0;          // of 32 bytes, touched by them
  std::int64_t shared_requests = 0;  // of a warp, to shared memory
  std::int64_t shared_bank_conflicts = 0;
  std::int64_t barriers = 0;
  std::int64_t accesses = 0;
  std::int64_t steps = 0;  // basic blocks entered
  // Over the field only: floating-point operations of all threads.
  std::int64_t additions = 0;
  std::int64_t multiplications = 0;
  std::int64_t divisions = 0;
  std::int64_t exponentials = 0;
};

struct LaunchOutcome {
  std::vector<VerifyFailure> findings;
  LaunchCounters counters;
  std::vector<ProfilePhase> phases;  // with count_requests
};

// What `float` is compiled as: itself, or a number of the finite field.
enum class Numbers { kReal, kField };

class KernelUnderTest {
 public:
  // All launches of an operation. Fails when a text does not compile or does not define its symbol
  // with these arguments, or where the steps do not fit together.
  static Result<KernelUnderTest> build(const Manifest& manifest, const KernelEntry& entry,
                                       const std::map<std::string, std::string>& files,
                                       Numbers numbers = Numbers::kReal);
  KernelUnderTest(KernelUnderTest&&) noexcept;
  ~KernelUnderTest();

  const KernelEntry& entry() const;
  // Fails when the request does not fit the manifest; what the kernel does wrong is a finding, and
  // the last thing that is run. Counters are those of all launches together.
  Result<LaunchOutcome> launch(const LaunchRequest& request) const;
  // The same for a kernel built over the field: bounds and meeting points are watched, and what
  // nobody wrote is poison.
  Result<LaunchOutcome> launch(const FieldLaunchRequest& request) const;
  // As EmulatedKernel has it, by file; none is left out.
  std::map<std::string, std::vector<std::pair<int, int>>> lines_never_run() const;
  bool ran_all_lines() const;

 private:
  struct State;
  explicit KernelUnderTest(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace heddle
