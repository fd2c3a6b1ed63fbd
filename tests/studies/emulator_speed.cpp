// SPDX-License-Identifier: Apache-2.0
// heddle_emulator_speed [TOKENS [RUNS [PATTERN]]]: how many accesses a second the emulator checks on one
// core, for prefill kernels of built-in patterns (softmax weights, 64 channels, one head, CUDA),
// and what watching for races and uninitialised reads adds to a launch that only has its bounds,
// barriers and counters watched. Both kinds of launch take turns; medians of RUNS.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "tests/counters/counters.hpp"

using namespace heddle;

namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

bool measure(const char* name, const char* schedule, std::int64_t tokens, int runs) {
  const Result<Pattern> pattern = counting::builtin(name);
  if (!pattern) return false;
  GenerateOptions options;
  options.target = ir::Target::kCuda;
  options.ops = {"prefill"};
  options.weights = WeightKind::kSoftmax;
  options.schedule = schedule;
  options.plan_tokens = tokens;
  Result<counting::Prepared> prepared = counting::prepare(*pattern, options, tokens);
  if (!prepared) {
    std::printf("%-20s %-8s %s\n", name, schedule, prepared.error().message.c_str());
    return false;
  }
  const auto kernel = KernelUnderTest::build(prepared->artifact.manifest, prepared->kernel(),
                                             prepared->artifact.files);
  if (!kernel) return false;
  std::int64_t accesses = 0;
  const auto seconds = [&](bool check) {
    HostBuffers buffers = prepared->buffers;
    const auto begin = std::chrono::steady_clock::now();
    const auto outcome = kernel->launch(LaunchRequest{.sizes = prepared->problem.sizes,
                                                      .scale = prepared->problem.scale,
                                                      .buffers = &buffers,
                                                      .expected_work = prepared->expected_work,
                                                      .check = check});
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    if (!outcome || !outcome->findings.empty()) std::exit(1);
    accesses = outcome->counters.accesses;
    return taken.count();
  };
  std::vector<double> checked, unchecked;
  for (int run = 0; run < runs; ++run) {
    checked.push_back(seconds(true));
    unchecked.push_back(seconds(false));
  }
  const double rate = static_cast<double>(accesses) / median(checked) / 1e6;
  std::printf("%-20s %-8s %9.2f M accesses %8.1f ms %7.1f M/s %6.2f times unchecked\n", name,
              schedule, static_cast<double>(accesses) / 1e6, 1e3 * median(checked), rate,
              median(checked) / median(unchecked));
  std::fflush(stdout);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t tokens = argc > 1 ? std::atoll(argv[1]) : 256;
  const int runs = argc > 2 ? std::atoi(argv[2]) : 5;
  if (tokens < 1 || runs < 1) return 2;
  bool all = true;
  for (const char* schedule : {"simple", "staged"}) {
    for (const char* name : {"linear_recurrence", "log_recurrence", "sqrt_recurrence",
                             "sqrt_cached", "attention"}) {
      if (argc > 3 && std::string_view(name) != argv[3]) continue;
      all = measure(name, schedule, tokens, runs) && all;
    }
  }
  return all ? 0 : 1;
}
