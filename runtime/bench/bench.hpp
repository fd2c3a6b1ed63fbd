// SPDX-License-Identifier: Apache-2.0
// Timings of one kernel next to the baselines that compute the same thing: one process, taking
// turns, on rotating inputs. The timed outputs are the checked ones: whatever differs from the
// float64 oracle on any input set has no timing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "codegen/manifest.hpp"
#include "patterns/materialize.hpp"
#include "runtime/bench/measure.hpp"
#include "runtime/reference/problem.hpp"

namespace heddle {

// Something that can fail, and says how when it did.
using Work = std::function<std::optional<Error>()>;

// A launch that is ready to go: everything but the kernel itself was done when it was made. On a
// device `run` only starts it.
struct PreparedLaunch {
  Work run;
  // Where the kernel does not work on the host's buffers: everything that it may change, to the
  // device and back. Neither is timed.
  Work upload = {};
  Work download = {};
};
// Makes launches of the kernel under test on buffers that stay where they are.
struct LaunchRecipe {
  const KernelEntry& entry;
  Sizes sizes;
  float scale = 1.0F;
  float gamma = 0.5F;
  HostBuffers& buffers;  // by argument name; one that is missing is a null pointer
};
using LaunchFactory = std::function<Result<PreparedLaunch>(const LaunchRecipe&)>;

// What the device does when asked for next to nothing, beside which a kernel's time can be judged.
struct DeviceReference {
  std::string name;  // "empty-launch", "device-copy"
  Work start;
  std::int64_t bytes = 0;  // read and written; 0 when that is not the point
};

// Where launches run when it is not this processor.
struct BenchDevice {
  // Milliseconds, by the device's own clock, of everything that the work starts.
  std::function<Result<double>(const Work&)> time;
  std::vector<DeviceReference> references;
};

struct BenchOptions {
  std::int64_t tokens = 1024;  // prefill: the sequence; decode: the number of the token decoded
  std::int64_t batch = 1;
  std::int64_t heads = 1;
  float gamma = 0.5F;
  int threads = 1;     // of the baselines; the launch factory brings its own
  int input_sets = 0;  // 0: as many as overflow the caches, while the oracle can answer for them
  double budget_seconds = 2.0;
  bool baselines = true;
  std::uint64_t seed = 1;
};

struct BenchRow {
  std::string name;  // "heddle", or the baseline's or the device's reference
  std::string op;
  std::int64_t n = 0;
  std::int64_t batch = 0;
  std::int64_t heads = 0;
  std::int64_t head_dim = 0;
  std::string dtype;
  std::optional<Timing> timing;  // absent when the result failed its check
  // Of the definition's floors, so that doing unnecessary work does not look like speed.
  // Zero where there is no such number.
  double gb_per_s = 0.0;
  double gflop_per_s = 0.0;
  std::optional<double> max_rel_error;  // over all input sets
  std::string remark;                   // why there is no timing
};

// The kernel's row first, then the baselines' and "memory-pass" (for a prefill or backward) or the
// references of `device`, which is null when the kernel runs on this processor. One sample is
// several launches, one after another, here as many as take a moment. `rows` must reach
// options.tokens.
Result<std::vector<BenchRow>> bench(const Manifest& manifest, const KernelEntry& entry,
                                    const Rows& rows, const BenchOptions& options,
                                    const LaunchFactory& factory,
                                    const BenchDevice* device = nullptr);

// The object that `bench --json` prints.
std::string bench_json(const MachineFacts& machine, const std::vector<BenchRow>& rows);

}  // namespace heddle
