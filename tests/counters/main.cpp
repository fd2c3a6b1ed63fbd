// SPDX-License-Identifier: Apache-2.0
// heddle_counters: a line of a Markdown table for each kernel, or all of
// docs/measurements/cuda_counters.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "patterns/ast_print.hpp"
#include "patterns/builtin_patterns.hpp"
#include "runtime/load/nvrtc.hpp"
#include "runtime/verify/verify.hpp"
#include "tests/counters/counters.hpp"

namespace heddle::counting {
namespace {

struct Choice {
  std::int64_t tokens = 4096;
  std::string schedule = "simple";
  WeightKind weights = WeightKind::kSoftmax;
  ElementType dtype = ElementType::kF32;
  bool flops = true;
  std::int64_t shared = 0;  // 0: as much as a block may have
  int head_dim = 64;
  std::int64_t plan_heads = 128;
  std::int64_t tile_rows = 0;  // 0: as many as are planned
  bool backward = false;       // instead of prefill
};

GenerateOptions options_for(const Choice& choice) {
  GenerateOptions options;
  options.ops = {choice.backward ? "backward" : "prefill"};
  options.target = ir::Target::kCuda;
  options.schedule = choice.schedule;
  options.weights = choice.weights;
  options.dtype = choice.dtype;
  options.plan_tokens = choice.tokens;
  options.head_dim = choice.head_dim;
  options.tile_rows = choice.tile_rows;
  options.plan_heads = choice.schedule == "scan" ? 1 : choice.plan_heads;
  if (choice.shared > 0) options.shared_limit = choice.shared;
  return options;
}

// Registers and spilled bytes of a thread, as the device's assembler counts them; the most of all
// launches.
std::string resources_of(const Pattern& pattern, const GenerateOptions& options) {
  static const Result<Nvrtc> compiler = Nvrtc::open();
  const Result<Artifact> artifact = generate(pattern, options);
  if (!compiler || !artifact) return "- | -";
  std::int64_t registers = 0, spilled = 0;
  for (const KernelEntry* const launched : launches_of(artifact->manifest.kernels.front())) {
    std::map<std::string, std::string> includes = artifact->files;
    includes.erase(launched->file);
    const auto code =
        compiler->compile(launched->file, artifact->files.at(launched->file), includes, "sm_90");
    if (!code) return code.error().message;
    const KernelResources& found = code->resources.at(launched->symbol);
    registers = std::max<std::int64_t>(registers, found.registers);
    spilled = std::max<std::int64_t>(spilled, found.spill_loads + found.spill_stores);
  }
  return fmt::format("{} | {}", registers, spilled);
}

std::string percent(double part) { return fmt::format("{:.2f}%", 100 * part); }

void print_line(const std::string& name, const Choice& choice) {
  const Result<Pattern> pattern = builtin(name);
  const GenerateOptions options = options_for(choice);
  const Result<Count> found =
      pattern ? count(*pattern, options, choice.tokens, choice.flops) : pattern.error();
  if (!found) {
    fmt::print("| `{}` | {} |\n", name, found.error().message);
    return;
  }
  // The simple schedule has a line of its own.
  if (choice.schedule == "auto" && found->kernel.schedule == "simple") return;
  const LaunchCounters& c = found->counters;
  const Prediction& expected = found->kernel.prediction;
  const bool predicted = expected.tokens == choice.tokens;
  const auto ratio = [](std::int64_t part, std::int64_t whole) {
    return whole == 0 || part == 0
               ? std::string("-")
               : fmt::format("{:.2f}", static_cast<double>(part) / static_cast<double>(whole));
  };
  fmt::print("| `{}` | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |{}\n", name,
             choice.tokens, name_of(choice.weights), name_of(choice.dtype), found->kernel.schedule,
             c.global_bytes_read + c.global_bytes_written,
             predicted ? std::to_string(expected.bytes) : "-",
             ratio(c.global_bytes_read + c.global_bytes_written, found->minimum_bytes),
             percent(found->of_the_sectors()), percent(found->conflicts_per_request()), c.barriers,
             ratio(found->flops, found->definition_flops),
             predicted ? ratio(found->flops, expected.flops) : "-", resources_of(*pattern, options),
             found->findings.empty() ? "" : " " + found->findings.front().message);
  std::fflush(stdout);
}

// The emulated and the algebraic layer, of one operation.
void print_verdict(const std::string& name, const Choice& choice, bool text) {
  const Result<Pattern> pattern = builtin(name);
  if (!pattern) return;
  const Result<Artifact> artifact = generate(*pattern, options_for(choice));
  if (!artifact) return fmt::print("{}: {}\n", name, artifact.error().message);
  for (const std::string& remark : artifact->remarks) fmt::print("{}: {}\n", name, remark);
  if (text) {
    return fmt::print("{}", artifact->files.at(artifact->manifest.kernels.front().file));
  }
  VerifyOptions options;
  options.sizes = {1, 2, 63, 100, 257};
  MaterializeResult rows = materialize(*pattern, 1064);
  const VerifyReport report =
      verify(artifact->manifest, artifact->files, std::get<Rows>(rows), options);
  fmt::print("{} {} {}: {}\n", name, name_of(choice.weights), name_of(choice.dtype),
             name_of(report.verdict));
  for (const VerifyObligation& obligation : report.obligations) {
    if (obligation.verdict == KernelVerdict::kVerified) continue;
    fmt::print("  {} {} ({})\n", name_of(obligation.verdict), obligation.name, obligation.method);
  }
  for (const VerifyFailure& failure : report.failures) {
    fmt::print("  {}: {} at {} {}\n", failure.kind, failure.message, failure.where,
               failure.smallest);
  }
  std::fflush(stdout);
}

void print_head() {
  fmt::print(
      "| pattern | tokens | weights | dtype | schedule | bytes | predicted | of the floor | of the "
      "sectors | bank conflicts | barriers | flops, of the definition's | of the predicted | "
      "registers | spilled |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
}

// Long rows take the emulator minutes.
std::int64_t tokens_for(std::string_view name) {
  for (const char* dense : {"attention", "chacal", "dense_recurrence"}) {
    if (name == dense) return 256;
  }
  return 1024;
}

void print_document() {
  fmt::print(
      "# Counters of CUDA kernels\n\n"
      "Exact counters of emulated runs, no times: no GPU was at hand. One batch and head, 64 "
      "channels, from the first\n"
      "token on, no state wanted. Written by `heddle_counters --document`; `counters_test` holds "
      "the main lines.\n\n"
      "*bytes* are asked for of global memory, lane by lane; *predicted* is what the cost model "
      "put into the manifest;\n"
      "the *floor* is q, k, x and y once each, or x, y and the coefficients where they are given; "
      "of "
      "backward these, dy\n"
      "and the gradients. A number that all lanes of a warp ask for counts 32 times. "
      "*of the sectors*: of the\n"
      "bytes of all 32-byte sectors that requests touched, those that were asked for, so that 100% "
      "means four sectors for\n"
      "128 bytes. *bank conflicts*: extra passes for each request to shared memory. *flops* are "
      "counted one by one in a\n"
      "run over a finite field, by all threads, whether or not they compute the same; of linear "
      "weights and in bf16 only, which\n"
      "takes less long. Registers and spilled bytes a thread are NVRTC's for sm_90, for which the "
      "second line of a pattern\n"
      "has the schedule that the cost model chooses.\n");
  struct Part {
    WeightKind weights;
    ElementType dtype;
    std::string_view only = {};  // patterns
  };
  constexpr std::string_view kGated =
      "local_attention log_attention sqrt_attention linear_recurrence order_k_recurrence "
      "log_recurrence sqrt_recurrence fibonacci_recurrence log_cached sqrt_cached "
      "fibonacci_cached";
  for (const Part& part :
       {Part{WeightKind::kSoftmax, ElementType::kF32}, Part{WeightKind::kGiven, ElementType::kF32},
        Part{WeightKind::kLinear, ElementType::kF32}, Part{WeightKind::kLinear, ElementType::kBF16},
        Part{WeightKind::kSoftmax, ElementType::kBF16,
             "attention local_attention dense_recurrence chacal log_cached sqrt_cached "
             "fibonacci_cached"},
        Part{WeightKind::kGated, ElementType::kBF16, kGated}}) {
    fmt::print("\n## {}, {}\n\n", name_of(part.weights), name_of(part.dtype));
    print_head();
    for (const BuiltinPattern& pattern : builtin_patterns()) {
      const bool linear = pattern.name == "linear_attention";
      if (linear != (part.weights == WeightKind::kLinear)) continue;
      if (!part.only.empty() && part.only.find(pattern.name) == std::string_view::npos) continue;
      Choice choice{tokens_for(pattern.name), "simple", part.weights, part.dtype,
                    linear || !part.only.empty()};
      print_line(std::string(pattern.name), choice);
      choice.schedule = "auto";
      print_line(std::string(pattern.name), choice);
    }
  }
  for (const Part& part :
       {Part{WeightKind::kSoftmax, ElementType::kF32}, Part{WeightKind::kGiven, ElementType::kF32},
        Part{WeightKind::kSoftmax, ElementType::kBF16, "attention local_attention"},
        Part{WeightKind::kGated, ElementType::kBF16, kGated}}) {
    fmt::print("\n## backward, {}, {}\n\n", name_of(part.weights), name_of(part.dtype));
    print_head();
    for (const BuiltinPattern& pattern : builtin_patterns()) {
      if (pattern.name == "linear_attention") continue;
      if (!part.only.empty() && part.only.find(pattern.name) == std::string_view::npos) continue;
      Choice choice{tokens_for(pattern.name), "auto", part.weights, part.dtype, !part.only.empty()};
      choice.backward = true;
      print_line(std::string(pattern.name), choice);
    }
  }
  fmt::print("\n## scans, as they are planned for one head\n\n");
  print_head();
  print_line("linear_recurrence", {1024, "scan", WeightKind::kGiven, ElementType::kF32, false});
  print_line("linear_recurrence", {1024, "scan", WeightKind::kGated, ElementType::kF32, false});
  print_line("linear_attention", {1024, "scan", WeightKind::kLinear, ElementType::kBF16, true});
}

struct Run {
  Choice choice;
  std::vector<std::string> names;  // none: all built-in patterns
  bool document = false, verify = false, text = false;
};

void declare(CLI::App& app, Run& run) {
  Choice& choice = run.choice;
  app.add_option("PATTERN", run.names, "built-in patterns; without any, all of them");
  app.add_option("-n", choice.tokens, "tokens")->capture_default_str();
  app.add_option("--schedule", choice.schedule)
      ->check(CLI::IsMember({"auto", "simple", "staged", "tensor", "scan"}))
      ->capture_default_str();
  app.add_option("--dtype", choice.dtype, "f32 | bf16 | f16")
      ->transform(CLI::CheckedTransformer(std::map<std::string, ElementType>{
          {"f32", ElementType::kF32}, {"bf16", ElementType::kBF16}, {"f16", ElementType::kF16}}));
  app.add_option("--weights", choice.weights, "softmax | given | gated | linear")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, WeightKind>{{"softmax", WeightKind::kSoftmax},
                                            {"given", WeightKind::kGiven},
                                            {"gated", WeightKind::kGated},
                                            {"linear", WeightKind::kLinear}}));
  app.add_option("--head-dim", choice.head_dim, "channels")->capture_default_str();
  app.add_option("--plan-heads", choice.plan_heads, "that are planned for")->capture_default_str();
  app.add_option("--tile-rows", choice.tile_rows, "0: as many as are planned");
  app.add_option("--shared", choice.shared, "bytes of shared memory; 0: what a block may have");
  app.add_flag("--backward", choice.backward, "instead of prefill");
  app.add_flag("!--no-flops", choice.flops, "leave out what takes long to count");
  app.add_flag("--verify", run.verify, "print verdicts instead");
  app.add_flag("--text", run.text, "print verdicts and texts instead");
  app.add_flag("--document", run.document, "print docs/measurements/cuda_counters.md, in minutes");
}

void print(const Run& run) {
  if (run.document) return print_document();
  std::vector<std::string> names = run.names;
  if (names.empty()) {
    for (const BuiltinPattern& pattern : builtin_patterns()) names.emplace_back(pattern.name);
  }
  const bool verdicts = run.verify || run.text;
  if (!verdicts) print_head();
  for (const std::string& name : names) {
    verdicts ? print_verdict(name, run.choice, run.text) : print_line(name, run.choice);
  }
}

}  // namespace
}  // namespace heddle::counting

int main(int count, char** arguments) {
  CLI::App app{"A line of a Markdown table for each kernel: what it asks of memory."};
  heddle::counting::Run run;
  heddle::counting::declare(app, run);
  CLI11_PARSE(app, count, arguments);
  heddle::counting::print(run);
  return 0;
}
