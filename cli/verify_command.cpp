// SPDX-License-Identifier: Apache-2.0
// verify and profile: the same emulated runs, read for verdicts or for counters.
#include <algorithm>
#include <filesystem>
#include <sstream>

#include "cli/claims.hpp"
#include "cli/command.hpp"
#include "cli/commands.hpp"
#include "cli/console.hpp"
#include "cli/cycles.hpp"
#include "cli/input_file.hpp"
#include "cli/pattern_argument.hpp"
#include "cli/verification.hpp"
#include "patterns/sha256.hpp"

namespace heddle {
namespace {

struct VerifyCommandOptions {
  PatternArgument pattern;
  KernelOptions kernel;
  std::string target = "both";
  std::string file;
  bool profile = false;
  bool cycles = false;
  bool json = false;
  bool again = false;
  bool detail = false;
};

// PATTERN_prefill_slices.cpp is the text of the kernel that works on slices.
constexpr std::string_view kSlicesSuffix = "_slices";

// Puts the text of --kernel, read from `path`, in the place of the one generated kernel of its
// target.
ExitCode substitute(Artifact& artifact, const std::string& path, const std::string& replacement) {
  const bool slices = std::filesystem::path(path).stem().string().ends_with(kSlicesSuffix);
  if (!slices) artifact.manifest.sliced.clear();
  std::vector<KernelEntry>& kernels = slices ? artifact.manifest.sliced : artifact.manifest.kernels;
  if (kernels.empty()) return fail(kWrongUsage, "no kernel of this artifact works on slices");
  KernelEntry* kernel = &kernels.front();
  if (!kernel->steps.empty()) {
    const std::string name = std::filesystem::path(path).filename().string();
    const auto step = std::find_if(kernel->steps.begin(), kernel->steps.end(),
                                   [&](const KernelEntry& each) { return each.file == name; });
    if (step == kernel->steps.end()) {
      return fail(kWrongUsage, kernel->op +
                                   " is several launches here: --kernel takes a text that "
                                   "is named like that of one, " +
                                   kernel->steps.front().file +
                                   " say, or --schedule has to be another one");
    }
    kernel = &*step;
  }
  std::string& text = artifact.files[kernel->file];
  text = replacement;
  kernel->sha256 = sha256_hex(text);
  return kDone;
}

struct TargetReport {
  std::string target;
  VerifyReport report;
};
struct ReportsOrCode {
  std::vector<TargetReport> reports;  // empty: see code
  ExitCode code = kDone;
};

// The operation of a text that is named as `generate` names it: PATTERN_prefill.cu.
std::vector<std::string> ops_of(const VerifyCommandOptions& options) {
  std::string stem = std::filesystem::path(options.file).stem().string();
  if (stem.ends_with(kSlicesSuffix)) stem.resize(stem.size() - kSlicesSuffix.size());
  for (const char* op : {"prefill", "decode", "backward"}) {
    if (options.kernel.ops.empty() && stem.ends_with(op)) return {op};
  }
  // PATTERN_prefill_rows.cu is one of several launches.
  if (options.kernel.ops.empty() && stem.find("_prefill_") != std::string::npos) return {"prefill"};
  return options.kernel.ops;
}

ReportsOrCode verify_all(const VerifyCommandOptions& options) {
  KernelOptions kernel = options.kernel;
  std::string replacement;
  if (!options.file.empty()) {
    kernel.ops = ops_of(options);
    if (kernel.ops.size() != 1) {
      return {{}, fail(kWrongUsage, "--kernel needs one of --op prefill, decode and backward")};
    }
    const ExitCode read = read_input_file(options.file, "a kernel", replacement);
    if (read != kDone) return {{}, read};
  }
  std::vector<std::string> targets = {"cuda", "cpu"};
  if (options.target != "both") targets = {options.target};
  if (!options.file.empty()) {
    const bool cuda = std::filesystem::path(options.file).extension() == ".cu";
    targets = {cuda ? "cuda" : "cpu"};
  }
  const LoadedPattern loaded = load_pattern(options.pattern);
  if (!loaded.pattern) return {{}, loaded.code};
  std::vector<TargetReport> reports;
  for (const std::string& target : targets) {
    ArtifactOrCode generated = generate_for(loaded, kernel, target);
    if (!generated.artifact) return {{}, generated.code};
    if (!options.file.empty()) {
      const ExitCode code = substitute(*generated.artifact, options.file, replacement);
      if (code != kDone) return {{}, code};
    }
    reports.push_back(
        {target, verify_artifact(*loaded.pattern, *generated.artifact, options.kernel.n, target,
                                 {options.again, options.profile})});
    if (!options.profile) continue;
    add_predictions(generated.artifact->manifest, reports.back().report);
    add_resources(*generated.artifact, reports.back().report);
  }
  return {std::move(reports), loaded.code};
}

VerifyReport joined(std::vector<TargetReport> reports) {
  VerifyReport all;
  for (TargetReport& part : reports) append(all, part.target, std::move(part.report));
  return all;
}

// Each line of a message on one of its own, as compilers mean it.
std::string in_lines(const std::string& message) {
  std::string text;
  std::istringstream lines(message);
  for (std::string line; std::getline(lines, line);) {
    text += (text.empty() ? "" : "\n    ") + printable(line);
  }
  return text;
}

void print_report(const TargetReport& part, bool detail, bool colour) {
  print_data(toned(part.target + ": " + name_of(part.report.verdict), Tone::kStrong, colour) +
             (part.report.cached ? " (an earlier verdict on the same texts)" : "") + "\n\n" +
             obligations_text(part.report, detail, colour) + "\n");
  for (const UnreachedText& text : part.report.unreached) {
    print_data("  no run came to " + describe(text) + "\n");
  }
  if (!part.report.unreached.empty()) print_data("\n");
  for (const VerifyFailure& failure : part.report.failures) {
    print_data("  " + toned(failure.kind, Tone::kBad, colour) + "  " + in_lines(failure.message) +
               (failure.where.empty() ? "" : "\n    at " + printable(failure.where)) +
               (failure.smallest.empty() ? "" : "\n    smallest: " + failure.smallest) + "\n");
  }
  if (!part.report.failures.empty()) print_data("\n");
}

ExitCode verify_kernels(const VerifyCommandOptions& options) {
  ReportsOrCode result = verify_all(options);
  if (result.reports.empty()) return result.code;
  if (!options.json) {
    for (const TargetReport& part : result.reports)
      print_report(part, options.detail, colour_on_stdout());
  }
  const VerifyReport all = joined(std::move(result.reports));
  if (options.json) print_data(verify_json(all) + "\n");
  return worse(result.code, exit_code_of(all.verdict));
}

// Of an artifact that nobody has verified: it is quick.
ExitCode estimate_kernels(const VerifyCommandOptions& options) {
  if (options.target == "cpu") return fail(kWrongUsage, "--cycles is of cuda kernels");
  const LoadedPattern loaded = load_pattern(options.pattern);
  if (!loaded.pattern) return loaded.code;
  timing::Occasion occasion;
  occasion.batch = options.kernel.batch;
  occasion.heads = options.kernel.heads;
  if (options.kernel.n > 0) occasion.tokens = options.kernel.n;
  KernelOptions kernel = options.kernel;
  kernel.n = occasion.tokens;
  const ArtifactOrCode generated = generate_for(loaded, kernel, "cuda");
  if (!generated.artifact) return generated.code;
  occasion.registers = registers_of(*generated.artifact);
  const std::vector<OperationCycles> all = cycles_of(*generated.artifact, occasion);
  bool any = false;
  for (const OperationCycles& each : all) {
    any = any || each.why_not.empty();
    if (!each.why_not.empty()) print_remark("no estimate of " + each.op + ": " + each.why_not);
  }
  print_data(options.json ? cycles_json(all, occasion) + "\n"
                          : cycles_text(all, occasion, colour_on_stdout()));
  return worse(loaded.code, any ? kDone : kUndecided);
}

ExitCode profile_kernels(const VerifyCommandOptions& options) {
  if (options.cycles) return estimate_kernels(options);
  ReportsOrCode result = verify_all(options);
  if (result.reports.empty()) return result.code;
  const VerifyReport all = joined(std::move(result.reports));
  if (all.verdict != KernelVerdict::kVerified) {
    print_remark(std::string("these counters are of a kernel that is ") + name_of(all.verdict));
  }
  if (options.json) {
    print_data(profile_json(all) + "\n");
    return worse(result.code, exit_code_of(all.verdict));
  }
  const TextTableOptions look{0, colour_on_stdout(), true};
  print_data(text_table(profiles_table(all), look));
  const TextTable phases = phases_table(all), rooflines = rooflines_table(all);
  if (!phases.rows.empty()) print_data("\n" + text_table(phases, look));
  if (!rooflines.rows.empty()) {
    print_data("\nan estimate from published figures, not a measurement:\n" +
               text_table(rooflines, look));
  }
  return worse(result.code, exit_code_of(all.verdict));
}

std::shared_ptr<VerifyCommandOptions> add_options(Command& command,
                                                  const VerifyCommandOptions& defaults) {
  auto options = std::make_shared<VerifyCommandOptions>(defaults);
  add_pattern_argument(command, options->pattern);
  add_kernel_options(command, options->kernel);
  add_serving_options(command, options->kernel);
  command.option("--target", options->target, "cuda, cpu or both")
      .one_of({"cuda", "cpu", "both"})
      .with_default();
  command.flag("--json", options->json, "one JSON object");
  command.flag("--again", options->again, "run everything, whatever earlier verdicts are kept");
  return options;
}

}  // namespace

void add_verify(CLI::App& app, ExitCode& result) {
  Command command(app, "verify",
                  "static proofs and checked runs of the kernel texts, ours or one of --kernel");
  auto options = add_options(command, {});
  command
      .option("--kernel", options->file,
              "verify this text in place of the generated one (.cu or .cpp)")
      .called("FILE");
  command.flag("--detail", options->detail, "how each obligation was met");
  command.when_called([options, &result] { result = verify_kernels(*options); });
}

void add_profile(CLI::App& app, ExitCode& result) {
  Command command(app, "profile", "exact counters of an emulated run");
  VerifyCommandOptions defaults;
  defaults.target = "cuda";
  defaults.profile = true;
  defaults.kernel.plan_for_n = true;
  defaults.kernel.batch = timing::Occasion().batch;
  defaults.kernel.heads = timing::Occasion().heads;
  auto options = add_options(command, defaults);
  command.flag("--cycles", options->cycles,
               "instead of counters, an estimate of what a launch of n tokens takes on a device "
               "(cuda; 8,192 tokens without -n), by a model that is no measurement");
  command.when_called([options, &result] { result = profile_kernels(*options); });
}

}  // namespace heddle
