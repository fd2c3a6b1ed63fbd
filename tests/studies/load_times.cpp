// SPDX-License-Identifier: Apache-2.0
// heddle_load_times [RUNS]: what passes between a pattern's text and kernels that can be launched,
// for built-in patterns (softmax weights, 64 channels, f32; prefill, decode and backward): parsing
// and generating, then loading the kernels, once with an empty cache, then from it. On the CPU, and
// for sm_90 where NVRTC is found, up to what the driver would be given. Medians of RUNS, in ms.
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/load/device_compiler.hpp"
#include "runtime/load/kernel.hpp"
#include "tests/counters/counters.hpp"

using namespace heddle;

namespace {

namespace fs = std::filesystem;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

template <typename Work>
double milliseconds(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

Result<Artifact> generated(const char* name, ir::Target target) {
  const Result<Pattern> pattern = counting::builtin(name);
  if (!pattern) return pattern.error();
  GenerateOptions options;
  options.target = target;
  options.weights = WeightKind::kSoftmax;
  options.ops = {"prefill", "decode", "backward"};
  return generate(*pattern, options);
}

bool load(const Artifact& artifact) {
  return KernelArtifact::load(artifact.manifest, artifact.files, {.allow_unverified = true}).ok();
}

bool compile(const Artifact& artifact) {
  DeviceCompiler compiler;
  bool all = true;
  for (const KernelEntry& entry : artifact.manifest.kernels) {
    all = compiler.cubin(entry.file, artifact.files.at(entry.file), artifact.files, "sm_90").ok() &&
          all;
  }
  return all;
}

bool measure(const char* name, int runs, const fs::path& cache) {
  bool all = true;
  std::vector<double> generation, cold, cached;
  for (int run = 0; run < runs; ++run) {
    Result<Artifact> artifact = Error{"not generated"};
    generation.push_back(milliseconds([&] { artifact = generated(name, ir::Target::kCpu); }));
    if (!artifact) return false;
    fs::remove_all(cache);
    cold.push_back(milliseconds([&] { all = load(*artifact) && all; }));
    cached.push_back(milliseconds([&] { all = load(*artifact) && all; }));
  }
  std::printf("%-18s generated %6.1f  cpu: cold %6.0f, cached %5.1f", name, median(generation),
              median(cold), median(cached));
  if (Nvrtc::open().ok()) {
    const Result<Artifact> artifact = generated(name, ir::Target::kCuda);
    if (!artifact) return false;
    fs::remove_all(cache);
    const double cold_device = milliseconds([&] { all = compile(*artifact) && all; });
    const double cached_device = milliseconds([&] { all = compile(*artifact) && all; });
    std::printf("  sm_90: cold %6.0f, cached %5.1f", cold_device, cached_device);
  }
  std::printf("\n");
  std::fflush(stdout);
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 3;
  if (runs < 1) return 2;
  std::string folder = (fs::temp_directory_path() / "heddle_load_times_XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  setenv("HEDDLE_CACHE_DIR", folder.c_str(), 1);
  bool all = true;
  for (const char* name : {"linear_recurrence", "log_recurrence", "sqrt_recurrence", "sqrt_cached",
                           "log_cached", "attention"}) {
    all = measure(name, runs, folder) && all;
  }
  fs::remove_all(folder);
  return all ? 0 : 1;
}
