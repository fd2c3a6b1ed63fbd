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
#include "runtime/measure.hpp"
#include "runtime/problem.hpp"

namespace heddle {

// A launch that is ready to go: everything but the kernel itself was done when it was made.
using PreparedLaunch = std::function<void()>;
// Makes launches of the kernel under test on buffers that stay where they are.
struct LaunchRecipe {
  const KernelEntry& entry;
  Sizes sizes;
  float scale = 1.0F;
  float gamma = 0.5F;
  HostBuffers& buffers;  // by argument name; one that is missing is a null pointer
};
using LaunchFactory = std::function<Result<PreparedLaunch>(const LaunchRecipe&)>;

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
  std::string name;  // "heddle", or the baseline's
  std::string op;
  std::int64_t n = 0;
  std::int64_t batch = 0;
  std::int64_t heads = 0;
  std::int64_t head_dim = 0;
  std::string dtype;
  std::optional<Timing> timing;  // absent when the result failed its check
  // Of the definition's floors, so that doing unnecessary work does not look like speed.
  double gb_per_s = 0.0;
  double gflop_per_s = 0.0;
  std::optional<double> max_rel_error;  // over all input sets
  std::string remark;                   // why there is no timing
};

// The kernel's row first, then the baselines' (for a prefill). `rows` must reach options.tokens.
Result<std::vector<BenchRow>> bench(const Manifest& manifest, const KernelEntry& entry,
                                    const Rows& rows, const BenchOptions& options,
                                    const LaunchFactory& factory);

// The object that `bench --json` prints.
std::string bench_json(const MachineFacts& machine, const std::vector<BenchRow>& rows);

}  // namespace heddle
