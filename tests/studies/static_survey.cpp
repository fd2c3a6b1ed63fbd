// SPDX-License-Identifier: Apache-2.0
// heddle_static_survey [WEIGHTS [OP [PATTERN [HEAD_DIM [SCHEDULE [DTYPE]]]]]]: what the static
// layer says of the CUDA kernels of the built-in patterns, how many questions it asked and how long
// it took; `-` for all, of the simple schedule unless told otherwise. Fails where one is rejected,
// or takes longer than ten seconds of processor.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <utility>

#include "codegen/generate.hpp"
#include "codegen/verify/check_statically.hpp"
#include "patterns/builtin_patterns.hpp"
#include "patterns/parser.hpp"
#include "patterns/pattern.hpp"

using namespace heddle;

namespace {

constexpr double kSeconds = 10.0;

std::optional<Pattern> pattern_of(std::string_view name) {
  const BuiltinPattern* found = find_builtin(name);
  Diagnostics diagnostics;
  std::vector<PatternSyntax> patterns = parse(source_of(*found), diagnostics);
  if (patterns.size() != 1) return std::nullopt;
  return resolve(std::move(patterns.front()), {}, diagnostics);
}

// Whether the kernel is neither rejected nor slow.
bool survey(const Artifact& artifact, const KernelEntry& entry) {
  const Manifest& manifest = artifact.manifest;
  const std::clock_t begin = std::clock();
  const StaticReport report =
      check_statically(artifact.files.at(entry.file), artifact.files, manifest, entry);
  const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
  std::printf("%-8s %-28s %-8s %-8s %5d questions %6.2f s\n", name_of(report.verdict),
              entry.symbol.c_str(), manifest.weights.c_str(), entry.schedule.c_str(),
              report.questions, seconds);
  for (const StaticFailure& failure : report.failures) {
    std::printf("    %s, %s: %s\n", failure.obligation.c_str(), failure.where.c_str(),
                failure.message.c_str());
  }
  std::fflush(stdout);
  return report.verdict != StaticVerdict::kRejected && seconds <= kSeconds;
}

}  // namespace

int main(int argc, char** argv) {
  const auto asked = [&](int place, std::string_view word) {
    return argc <= place || std::string_view(argv[place]) == "-" || argv[place] == word;
  };
  const auto asked_for = [&](std::string_view dtype) { return argc > 6 && argv[6] == dtype; };
  bool good = true;
  for (const BuiltinPattern& each : builtin_patterns()) {
    if (!asked(3, each.name)) continue;
    const std::optional<Pattern> pattern = pattern_of(each.name);
    if (!pattern) return 1;
    for (const auto& [weights, word] :
         {std::pair{WeightKind::kSoftmax, "softmax"}, std::pair{WeightKind::kGiven, "given"},
          std::pair{WeightKind::kGated, "gated"}, std::pair{WeightKind::kLinear, "linear"}}) {
      if (!asked(1, word)) continue;
      for (const char* op : {"prefill", "decode", "backward"}) {
        if (!asked(2, op)) continue;
        GenerateOptions options;
        options.ops = {op};
        options.target = ir::Target::kCuda;
        options.weights = weights;
        options.exact_to = 1024;
        if (argc > 4) options.head_dim = std::atoi(argv[4]);
        if (argc > 5) options.schedule = argv[5];
        if (asked_for("bf16")) options.dtype = ElementType::kBF16;
        if (asked_for("f16")) options.dtype = ElementType::kF16;
        const Result<Artifact> artifact = generate(*pattern, options);
        if (!artifact) continue;
        for (const KernelEntry* const launched : launches_of(artifact->manifest.kernels[0])) {
          good = survey(*artifact, *launched) && good;
        }
      }
    }
  }
  return good ? 0 : 1;
}
