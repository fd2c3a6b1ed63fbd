// SPDX-License-Identifier: Apache-2.0
#include "runtime/bench/measure.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <thread>

#include "patterns/result.hpp"

#ifndef HEDDLE_BUILD_FLAGS
#define HEDDLE_BUILD_FLAGS ""
#endif

namespace heddle {
namespace {

using Clock = std::chrono::steady_clock;

// Takes samples of one contestant.
class Sampler {
 public:
  Sampler(const Contestant& contestant, const TimingOptions& options)
      : contestant_(contestant), options_(options) {}

  // Milliseconds of one run each.
  double sample(int runs) {
    if (contestant_.before) {
      for (int i = 0; i < runs + lead_in(); ++i) contestant_.before(set(i));
    }
    if (lead_in() > 0) contestant_.run(set(0));
    double elapsed = 0.0;
    if (contestant_.run_timed) {
      for (int i = 0; i < runs; ++i) elapsed += contestant_.run_timed(set(lead_in() + i));
    } else {
      const Clock::time_point begin = Clock::now();
      for (int i = 0; i < runs; ++i) contestant_.run(set(lead_in() + i));
      elapsed = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    }
    next_ = set(runs);
    shortest_ = std::min(shortest_, elapsed / runs);
    return elapsed / runs;
  }

  // As many as make a sample, judged by the shortest so far.
  int runs_for_sample() const {
    const double wanted = std::ceil(options_.sample_ms / std::max(shortest_, 1e-6));
    const int most = options_.input_sets - lead_in();
    return static_cast<int>(std::clamp(wanted, 1.0, static_cast<double>(most)));
  }

 private:
  // Runs before a sample that are not timed: they pay for what others left in the caches, to be
  // written back first. Each has an input set to itself.
  int lead_in() const { return !contestant_.run_timed && options_.input_sets > 1 ? 1 : 0; }
  int set(int ahead) const { return (next_ + ahead) % options_.input_sets; }

  const Contestant& contestant_;
  const TimingOptions& options_;
  int next_ = 0;
  double shortest_ = std::numeric_limits<double>::infinity();
};

// The q-quantile of sorted samples, linear between the two nearest.
double quantile(const std::vector<double>& sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - std::floor(place)) * (sorted[above] - sorted[below]);
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

}  // namespace

Timing summarize(std::vector<double> milliseconds) {
  assert_that(!milliseconds.empty(), "a timing has samples");
  std::sort(milliseconds.begin(), milliseconds.end());
  return {quantile(milliseconds, 0.5), quantile(milliseconds, 0.1), quantile(milliseconds, 0.9),
          static_cast<std::int64_t>(milliseconds.size())};
}

std::vector<Timing> measure_interleaved(const std::vector<Contestant>& contestants,
                                        const TimingOptions& options) {
  assert_that(options.input_sets >= 1 && options.min_rounds >= 1, "there is something to measure");
  const std::size_t count = contestants.size();
  std::vector<Sampler> samplers;
  for (const Contestant& contestant : contestants) samplers.emplace_back(contestant, options);
  std::vector<std::vector<double>> samples(count);
  double timed_ms = 0.0;
  for (int round = -options.warmup_rounds; round < options.max_rounds; ++round) {
    if (round >= options.min_rounds && timed_ms > 1e3 * options.budget_seconds) break;
    for (std::size_t turn = 0; turn < count; ++turn) {
      // Rotated, so that nobody always runs in the same neighbour's warm or ruined cache.
      const std::size_t who =
          (turn + static_cast<std::size_t>(round + options.warmup_rounds)) % count;
      const int runs = round < 0 ? 1 : samplers[who].runs_for_sample();
      const double elapsed = samplers[who].sample(runs);
      if (round < 0) continue;
      samples[who].push_back(elapsed);
      timed_ms += elapsed * runs;
    }
  }
  std::vector<Timing> timings;
  for (std::vector<double>& sample : samples) timings.push_back(summarize(std::move(sample)));
  return timings;
}

MachineFacts machine_facts() {
  utsname names{};
  const bool known = uname(&names) == 0;
  return {
      .cpu = cpu_model(),
      .logical_cores = static_cast<int>(std::thread::hardware_concurrency()),
#ifdef __clang__
      .compiler = fmt::format("clang {}", __clang_version__),
#else
      .compiler = fmt::format("g++ {}", __VERSION__),
#endif
      .flags = HEDDLE_BUILD_FLAGS,
      .system =
          known ? fmt::format("{} {} {}", names.sysname, names.release, names.machine) : "unknown",
  };
}

}  // namespace heddle
