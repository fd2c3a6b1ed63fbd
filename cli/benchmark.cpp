// SPDX-License-Identifier: Apache-2.0
#include "cli/benchmark.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "runtime/bench/device_launch.hpp"
#include "runtime/bench/launch.hpp"
#include "runtime/bench/varlen_bench.hpp"
#include "runtime/load/kernel.hpp"

namespace heddle {

Result<std::vector<BenchRow>> bench_artifact(const Artifact& artifact, const std::string& op,
                                             const Rows& rows, const BenchOptions& options,
                                             bool allow_unverified) {
  LoadOptions load_options;
  load_options.allow_unverified = allow_unverified;
  load_options.threads = options.threads;
  Result<KernelArtifact> loaded =
      KernelArtifact::load(artifact.manifest, artifact.files, load_options);
  if (!loaded) return loaded.error();
  const auto kernels = std::make_shared<const KernelArtifact>(std::move(*loaded));
  const auto entry =
      std::find_if(artifact.manifest.kernels.begin(), artifact.manifest.kernels.end(),
                   [&](const KernelEntry& kernel) { return kernel.op == op; });
  if (entry == artifact.manifest.kernels.end()) {
    return Error{"the artifact has no kernel for " + op};
  }
  if (kernels->device() == nullptr) {
    return bench(artifact.manifest, *entry, rows, options, launches_of(kernels));
  }
  const Result<BenchDevice> device = bench_device_of(kernels);
  if (!device) return device.error();
  return bench(artifact.manifest, *entry, rows, options, device_launches_of(kernels), &*device);
}

Result<std::vector<BenchRow>> bench_lengths_of(const Artifact& varlen, const Artifact& padded,
                                               const Rows& rows, const BenchOptions& options) {
  LoadOptions load_options;
  load_options.allow_unverified = true;
  load_options.threads = options.threads;
  std::vector<LaunchFactory> factories;
  for (const Artifact* artifact : {&varlen, &padded}) {
    Result<KernelArtifact> loaded =
        KernelArtifact::load(artifact->manifest, artifact->files, load_options);
    if (!loaded) return loaded.error();
    factories.push_back(launches_of(std::make_shared<const KernelArtifact>(*std::move(loaded))));
  }
  if (varlen.manifest.kernels.empty() || padded.manifest.kernels.empty()) {
    return Error{"the artifacts have no kernels"};
  }
  return bench_varlen({varlen.manifest, varlen.manifest.kernels.front(), factories[0]},
                      {padded.manifest, padded.manifest.kernels.front(), factories[1]}, rows,
                      options);
}

namespace {

// Launches on a device take microseconds.
std::string milliseconds(double value) {
  return value < 0.1 ? fmt::format("{:.5f}", value) : fmt::format("{:.3f}", value);
}

}  // namespace

TextTable bench_table(const std::vector<BenchRow>& rows) {
  TextTable table{{{"name"},
                   {"op"},
                   {"n", Align::kRight},
                   {"median ms", Align::kRight},
                   {"p10..p90", Align::kRight},
                   {"GB/s", Align::kRight},
                   {"GFLOP/s", Align::kRight},
                   {"to heddle", Align::kRight},
                   {"rel. error", Align::kRight}},
                  {}};
  const auto rate = [](double value) {
    return value > 0 ? fmt::format("{:.2f}", value) : std::string("-");
  };
  double ours = 0;
  for (const BenchRow& row : rows) {
    if (row.name == "heddle") ours = row.timing ? row.timing->median_ms : 0;
    const std::string error = row.max_rel_error ? fmt::format("{:.1e}", *row.max_rel_error) : "-";
    if (!row.timing) {
      table.rows.push_back({row.name, row.op, grouped(row.n), TextCell(row.remark, Tone::kBad), "",
                            "", "", "", error});
      continue;
    }
    const Timing& timing = *row.timing;
    table.rows.push_back({row.name, row.op, grouped(row.n), milliseconds(timing.median_ms),
                          milliseconds(timing.p10_ms) + ".." + milliseconds(timing.p90_ms),
                          rate(row.gb_per_s), rate(row.gflop_per_s),
                          ours > 0 ? fmt::format("{:.1f} x", timing.median_ms / ours) : "-",
                          error});
  }
  return table;
}

}  // namespace heddle
