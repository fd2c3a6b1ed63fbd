// SPDX-License-Identifier: Apache-2.0
// Fair timing: contestants take turns in one process on rotating inputs after a warm-up, and what
// is reported is the median with its spread, next to the facts of the machine.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace heddle {

// Milliseconds of one run. Percentiles interpolate between neighbours.
struct Timing {
  double median_ms = 0.0;
  double p10_ms = 0.0;
  double p90_ms = 0.0;
  std::int64_t samples = 0;
};
// Of at least one sample.
Timing summarize(std::vector<double> milliseconds);

// Something to time on input set 0 .. input_sets - 1. Anything that must not be timed (allocation,
// poisoning, checking) belongs in `before`.
struct Contestant {
  std::string name;
  std::function<void(int input_set)> run;
  std::function<void(int input_set)> before;  // may be empty
  // Instead of `run`, for what has a clock of its own: runs and returns milliseconds.
  std::function<double(int input_set)> run_timed = {};
};

struct TimingOptions {
  int input_sets = 1;
  int warmup_rounds = 2;
  int min_rounds = 5;
  int max_rounds = 100;
  double budget_seconds = 2.0;  // of timed work, all contestants together
  // What a sample takes at least: as many runs one after another as that needs, each on the input
  // set after the last, at most all of them. One more that is not timed comes before them where
  // there are several sets. A run is seen as part of a program that goes on, beyond the clock's
  // steps, the waking of threads and what the contestant before left in the caches.
  double sample_ms = 2.0;
};

// Each round takes a sample of every contestant, in rotating order; a round is kept only when it is
// complete, so all contestants have equally many samples.
std::vector<Timing> measure_interleaved(const std::vector<Contestant>& contestants,
                                        const TimingOptions& options);

struct MachineFacts {
  std::string cpu;  // model name as the system reports it
  int logical_cores = 0;
  std::string compiler;  // of heddle itself
  std::string flags;
  std::string system;
  std::string device;  // "NAME, sm_90" when kernels ran on one
};
MachineFacts machine_facts();

}  // namespace heddle
