// SPDX-License-Identifier: Apache-2.0
// heddle_static_mutants [COUNT] [SEED] [SECONDS] [PATTERN WEIGHTS]: the static layer alone against
// seeded mutants of cuda kernels that endanger memory, of several patterns or of the one that is
// named, with heads of 64 channels, by the default schedule, prefill alone. A mutant counts as
// unsafe where the static layer rejects it with a launch that shows it, or the emulator finds it:
// stray, unwritten, racing, doubly written or out of step. Fails where the static layer verifies
// one that the emulator finds unsafe.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <set>
#include <string>

#include "codegen/verify/check_statically.hpp"
#include "tests/mutants/study.hpp"

using namespace heddle;
using namespace heddle::mutants;

namespace {

std::optional<WeightKind> weights_called(const std::string& name) {
  for (const auto& [kind, word] : {std::pair{WeightKind::kSoftmax, "softmax"},
                                   {WeightKind::kGiven, "given"},
                                   {WeightKind::kGated, "gated"},
                                   {WeightKind::kLinear, "linear"}}) {
    if (name == word) return kind;
  }
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 100;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  const std::time_t end = argc > 3 ? std::time(nullptr) + std::strtol(argv[3], nullptr, 10) : 0;
  const std::set<std::string> unsafe_kinds = {
      "out_of_bounds", "uninitialised_read", "race_shared",         "race_global", "write_twice",
      "unwritten",     "barrier_divergence", "collective_mismatch", "arithmetic",  "hang"};
  std::vector<Subject> known;
  if (argc > 5) {
    const std::optional<WeightKind> weights = weights_called(argv[5]);
    if (find_builtin(argv[4]) == nullptr || !weights) {
      std::fprintf(stderr, "no built-in pattern or no weights of this name\n");
      return 2;
    }
    known = subjects_of({argv[4], ir::Target::kCuda, *weights, ElementType::kF32, 64, "auto"});
  } else {
    known = subjects();
  }
  std::vector<Subject> chosen;
  for (Subject& subject : known) {
    if (!subject.kernel().steps.empty()) continue;  // what is launched at once is checked
    const bool asked = subject.manifest.target == "cuda" && subject.kernel().op != "backward" &&
                       subject.manifest.weights != "given";
    if (argc > 5 ? subject.kernel().op == "prefill" : asked) chosen.push_back(std::move(subject));
  }
  struct Score {
    int unsafe = 0, rejected = 0, unproved = 0, verified = 0, others = 0;
  };
  std::map<std::string, Score> by_rule;
  Score all;
  std::size_t drawn = 0;
  for (const Case& each : draw_cases(chosen, 8 * count, seed)) {
    if (each.mutant.danger != Danger::kMemory || drawn == count) continue;
    if (end != 0 && std::time(nullptr) > end) break;
    ++drawn;
    const Subject& subject = chosen[each.subject];
    StaticOptions options;
    options.resource_limit = 500'000;  // a mutant that no proof is found for is not waited for
    const StaticReport report = check_statically(each.mutant.text, subject.files, subject.manifest,
                                                 subject.kernel(), options);
    const bool caught = report.verdict == StaticVerdict::kRejected;
    std::string emulated;
    if (!caught) emulated = judge(subject, each.mutant).emulated;
    const bool missed = unsafe_kinds.count(emulated) != 0;
    const bool believed = report.verdict == StaticVerdict::kVerified;
    for (Score* score : {&by_rule[each.mutant.rule], &all}) {
      score->unsafe += caught || missed;
      score->rejected += caught;
      score->unproved += missed && !believed;
      score->verified += missed && believed;
      score->others += !caught && !missed;
    }
    std::printf("%-8s %-20s %-22s %s:%d  %s  ==>  %s\n", name_of(report.verdict), emulated.c_str(),
                each.mutant.rule.c_str(), subject.name.c_str(), each.mutant.line,
                each.mutant.before.c_str(), each.mutant.after.c_str());
    std::fflush(stdout);
  }
  std::printf(
      "\n| kind of mutant | unsafe | rejected | unproved | verified | safe |\n"
      "|---|---|---|---|---|---|\n");
  for (const auto& [rule, score] : by_rule) {
    std::printf("| %s | %d | %d | %d | %d | %d |\n", rule.c_str(), score.unsafe, score.rejected,
                score.unproved, score.verified, score.others);
  }
  std::printf(
      "\n%zu mutants: %d unsafe, of which the static layer alone rejects %d, leaves %d unproved "
      "and "
      "verifies %d: %.1f%% are not let pass; %d that only change values, or nothing\n",
      drawn, all.unsafe, all.rejected, all.unproved, all.verified,
      all.unsafe == 0 ? 100.0 : 100.0 * (all.unsafe - all.verified) / all.unsafe, all.others);
  return all.verified == 0 ? 0 : 1;
}
