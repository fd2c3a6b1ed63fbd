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

// Nothing is timed that is not verified, unless the user says so.
std::optional<ExitCode> refused(const LoadedPattern& loaded, Artifact& artifact, bool unverified) {
  if (unverified) return std::nullopt;
  const VerifyReport report = verify_artifact(*loaded.pattern, artifact, 0, "verify");
  if (report.verdict == KernelVerdict::kVerified) return std::nullopt;
  return fail(exit_code_of(report.verdict),
              std::string("the kernels are ") + name_of(report.verdict) +
                  ", so there is nothing to time; --unverified times them all the same");
}

ExitCode run(const BenchCommandOptions& options) {
  const LoadedPattern loaded = load_pattern(options.pattern);
  if (!loaded.pattern) return loaded.code;
  MachineFacts machine = machine_facts();
  if (options.backend == "cuda") {
    const Result<CudaDriver> device = CudaDriver::open();
    if (!device) return fail(kNoDevice, device.error().message);
    machine.device = device->device_name() + ", " + device->architecture();
  }
  if (options.kernel.varlen) {
    const bool prefill = options.kernel.ops == std::vector<std::string>{"prefill"};
    if (!prefill || options.backend != "cpu") {
      return fail(kWrongUsage,
                  "sequences of different lengths are timed with --op prefill --backend cpu only: "
                  "next to the same batch, padded");
    }
  }
  ArtifactOrCode generated = generate_for(loaded, options.kernel, options.backend);
  if (!generated.artifact) return generated.code;
  Artifact& artifact = *generated.artifact;
  if (const auto code = refused(loaded, artifact, options.unverified)) return *code;
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
  if (options.kernel.varlen) {
    KernelOptions one_length = options.kernel;
    one_length.varlen = false;
    ArtifactOrCode padded = generate_for(loaded, one_length, options.backend);
    if (!padded.artifact) return padded.code;
    if (const auto code = refused(loaded, *padded.artifact, options.unverified)) return *code;
    progress.show("bench: prefill of different lengths");
    Result<std::vector<BenchRow>> timed =
        bench_lengths_of(artifact, *padded.artifact, *rows.rows, bench_options);
    if (!timed) return fail(kNoDevice, timed.error().message);
    all = *std::move(timed);
    artifact.manifest.kernels.clear();
  }
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
  command.flag("--varlen", options->kernel.varlen,
               "prefill on cpu: a batch of sequences from n tokens down to n / 8, next to the same "
               "batch padded to n");
  command.option("--backend", options->backend, "cpu or cuda")
      .one_of({"cpu", "cuda"})
      .with_default();
  command.flag("--unverified", options->unverified, "do not verify first");
  command.flag("--alone", options->alone, "the kernels without the baselines");
  command.flag("--json", options->json, "one JSON object");
  command.when_called([options, &result] { result = run(*options); });
}

}  // namespace heddle
