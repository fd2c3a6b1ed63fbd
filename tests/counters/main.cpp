// SPDX-License-Identifier: Apache-2.0
// heddle_counters [-n TOKENS] [--schedule auto|simple|staged|tensor|scan] [--dtype f32|bf16|f16]
//                 [--weights softmax|given|gated|linear] [--head-dim D] [--plan-heads H]
//                 [--tile-rows R] [--shared BYTES] [--backward] [--no-flops] [--verify] [--text]
//                 [PATTERN...]
// prints a line of a Markdown table for each kernel; --document prints all of
// docs/measurements/cuda_counters.md.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
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
      "log_recurrence sqrt_recurrence fibonacci_recurrence";
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

int run(const std::vector<std::string>& arguments) {
  Choice choice;
  std::vector<std::string> names;
  bool check = false, text = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    const std::string next = i + 1 < arguments.size() ? arguments[i + 1] : "";
    if (word == "--document") return print_document(), 0;
    if (word == "--verify" || word == "--text") {
      check = true;
      text = word == "--text";
      continue;
    }
    if (word == "--backward") {
      choice.backward = true;
      continue;
    }
    if (word == "--no-flops") {
      choice.flops = false;
      continue;
    }
    if (word.rfind('-', 0) != 0) {
      names.push_back(word);
      continue;
    }
    if (word == "-n") choice.tokens = std::atoll(next.c_str());
    if (word == "--shared") choice.shared = std::atoll(next.c_str());
    if (word == "--head-dim") choice.head_dim = std::atoi(next.c_str());
    if (word == "--plan-heads") choice.plan_heads = std::atoll(next.c_str());
    if (word == "--tile-rows") choice.tile_rows = std::atoll(next.c_str());
    if (word == "--schedule") choice.schedule = next;
    if (word == "--weights" && next == "given") choice.weights = WeightKind::kGiven;
    if (word == "--weights" && next == "gated") choice.weights = WeightKind::kGated;
    if (word == "--weights" && next == "linear") choice.weights = WeightKind::kLinear;
    if (word == "--dtype" && next == "bf16") choice.dtype = ElementType::kBF16;
    if (word == "--dtype" && next == "f16") choice.dtype = ElementType::kF16;
    ++i;
  }
  if (names.empty()) {
    for (const BuiltinPattern& pattern : builtin_patterns()) names.emplace_back(pattern.name);
  }
  if (!check) print_head();
  for (const std::string& name : names) {
    if (check) {
      print_verdict(name, choice, text);
    } else {
      print_line(name, choice);
    }
  }
  return 0;
}

}  // namespace
}  // namespace heddle::counting

int main(int count, char** arguments) {
  return heddle::counting::run({arguments + 1, arguments + count});
}
