// SPDX-License-Identifier: Apache-2.0
#include "cli/benchmark.hpp"

#include <fmt/format.h>

#include <memory>

#include "runtime/bench_launch.hpp"
#include "runtime/kernel.hpp"

namespace heddle {

Result<std::vector<BenchRow>> bench_cpu(const Artifact& artifact, const std::string& op,
                                        const Rows& rows, const BenchOptions& options,
                                        bool allow_unverified) {
  LoadOptions load_options;
  load_options.allow_unverified = allow_unverified;
  load_options.threads = options.threads;
  Result<KernelArtifact> loaded =
      KernelArtifact::load(artifact.manifest, artifact.files, load_options);
  if (!loaded) return loaded.error();
  const auto kernels = std::make_shared<const KernelArtifact>(std::move(*loaded));
  for (const KernelEntry& entry : artifact.manifest.kernels) {
    if (entry.op == op) {
      return bench(artifact.manifest, entry, rows, options, launches_of(kernels));
    }
  }
  return Error{"the artifact has no kernel for " + op};
}

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
  double ours = 0;
  for (const BenchRow& row : rows) {
    if (row.name == "heddle" && row.timing) ours = row.timing->median_ms;
    const std::string error = row.max_rel_error ? fmt::format("{:.1e}", *row.max_rel_error) : "-";
    if (!row.timing) {
      table.rows.push_back({row.name, row.op, grouped(row.n), TextCell(row.remark, Tone::kBad), "",
                            "", "", "", error});
      continue;
    }
    const Timing& timing = *row.timing;
    table.rows.push_back(
        {row.name, row.op, grouped(row.n), fmt::format("{:.3f}", timing.median_ms),
         fmt::format("{:.3f}..{:.3f}", timing.p10_ms, timing.p90_ms),
         fmt::format("{:.2f}", row.gb_per_s), fmt::format("{:.2f}", row.gflop_per_s),
         ours > 0 ? fmt::format("{:.1f} x", timing.median_ms / ours) : "-", error});
  }
  return table;
}

}  // namespace heddle
