// SPDX-License-Identifier: Apache-2.0

#include "cli/benchmark.hpp"
#include "cli/claims.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/pattern_argument.hpp"
#include "cli/rows.hpp"
#include "cli/verification.hpp"
#include "runtime/load/cuda_driver.hpp"

namespace heddle {
namespace {

struct BenchCommandOptions {
  PatternArgument pattern;
  KernelOptions kernel;
  std::string backend = "cpu";
  bool unverified = false;
  bool alone = false;
  bool json = false;
};

ExitCode run(const BenchCommandOptions& options) {
  const LoadedPattern loaded = load_pattern(options.pattern);
  if (!loaded.pattern) return loaded.code;
  MachineFacts machine = machine_facts();
  if (options.backend == "cuda") {
    const Result<CudaDriver> device = CudaDriver::open();
    if (!device) return fail(kNoDevice, device.error().message);
    machine.device = device->device_name() + ", " + device->architecture();
  }
  ArtifactOrCode generated = generate_for(loaded, options.kernel, options.backend);
  if (!generated.artifact) return generated.code;
  Artifact& artifact = *generated.artifact;
  if (!options.unverified) {
    const VerifyReport report = verify_artifact(*loaded.pattern, artifact, 0, "verify");
    if (report.verdict != KernelVerdict::kVerified) {
      return fail(exit_code_of(report.verdict),
                  std::string("the kernels are ") + name_of(report.verdict) +
                      ", so there is nothing to time; --unverified times them all the same");
    }
  }
  BenchOptions bench_options;
  bench_options.tokens = options.kernel.n > 0 ? options.kernel.n : 1024;
  bench_options.batch = options.kernel.batch;
  bench_options.heads = options.kernel.heads;
  bench_options.threads = threads_of_machine();
  bench_options.baselines = !options.alone;
  const RowsOrCode rows = rows_of(*loaded.pattern, bench_options.tokens + 1);
  if (!rows.rows) return rows.code;
  Progress progress(true);
  std::vector<BenchRow> all;
  for (const KernelEntry& kernel : artifact.manifest.kernels) {
    progress.show("bench: " + kernel.op);
    Result<std::vector<BenchRow>> timed =
        bench_artifact(artifact, kernel.op, *rows.rows, bench_options, options.unverified);
    if (!timed) return fail(kNoDevice, timed.error().message);
    all.insert(all.end(), timed->begin(), timed->end());
  }
  print_data(options.json ? bench_json(machine, all) + "\n"
                          : text_table(bench_table(all), {0, colour_on_stdout(), true}));
  ExitCode code = loaded.code;
  for (const BenchRow& row : all) {
    if (row.name == "heddle" && !row.timing) code = worse(code, kRefuted);
  }
  return code;
}

}  // namespace

void add_bench(CLI::App& app, ExitCode& result) {
  auto options = std::make_shared<BenchCommandOptions>();
  Command command(app, "bench", "timings of verified kernels next to baselines");
  add_pattern_argument(command, options->pattern);
  add_kernel_options(command, options->kernel);
  command.option("--backend", options->backend, "cpu or cuda")
      .one_of({"cpu", "cuda"})
      .with_default();
  command.flag("--unverified", options->unverified, "do not verify first");
  command.flag("--alone", options->alone, "the kernels without the baselines");
  command.flag("--json", options->json, "one JSON object");
  command.when_called([options, &result] { result = run(*options); });
}

}  // namespace heddle
