// SPDX-License-Identifier: Apache-2.0
// heddle_mutants [COUNT] [SEED] [FILE] [SECONDS]: breaks generated kernels in COUNT seeded ways, or
// as many as the seconds allow, judges each by every layer alone, prints the score and writes it to
// FILE. Fails where a mutant survives.
#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/mutants/study.hpp"

namespace {

using namespace heddle::mutants;
using Json = nlohmann::ordered_json;

// The killed mutants of one rule or of one danger.
struct Score {
  int killed = 0, equivalent = 0, survived = 0, crashed = 0, emulated = 0, algebraic = 0;

  void add(const Judgement& judgement) {
    const auto rejects = [](const std::string& finding) {
      return !finding.empty() && finding != "unknown";
    };
    killed += judgement.fate == Fate::kKilled;
    equivalent += judgement.fate == Fate::kEquivalent;
    survived += judgement.fate == Fate::kSurvived;
    crashed += judgement.fate == Fate::kCrashed;
    if (judgement.fate != Fate::kKilled) return;
    emulated += rejects(judgement.emulated);
    algebraic += rejects(judgement.algebraic);
  }
  // Of the mutants that are none of the original.
  double share(int part) const {
    const int all = killed + survived + crashed;
    return all == 0 ? 100.0 : 100.0 * part / all;
  }
  Json json() const {
    return {{"killed", killed},   {"equivalent", equivalent},   {"survived", survived},
            {"crashed", crashed}, {"emulated_alone", emulated}, {"algebraic_alone", algebraic}};
  }
};

}  // namespace

int main(int argc, char** argv) {
  const std::size_t count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 600;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  const std::string file = argc > 3 ? argv[3] : "";
  const std::time_t end = argc > 4 ? std::time(nullptr) + std::strtol(argv[4], nullptr, 10) : 0;
  // Thousands of modules that nobody needs again.
  std::string cache = (std::filesystem::temp_directory_path() / "heddle-mutants-XXXXXX").string();
  if (mkdtemp(cache.data()) == nullptr) return 1;
  setenv("HEDDLE_CACHE_DIR", cache.c_str(), 1);

  const std::vector<Subject> all = subjects();
  const std::vector<Case> cases = draw_cases(all, count, seed);
  std::vector<Judgement> judgements;
  std::map<std::string, Score> rules, dangers;
  Json equivalents = Json::array(), survivors = Json::array();
  int invalid = 0;
  std::size_t judged = 0;
  for (std::size_t c = 0; c < cases.size() && (end == 0 || std::time(nullptr) < end); ++c) {
    ++judged;
    const Mutant& mutant = cases[c].mutant;
    const Judgement judgement = judge(all[cases[c].subject], mutant);
    std::error_code ignored;
    std::filesystem::remove_all(std::filesystem::path(cache) / "host", ignored);
    if (judgement.fate == Fate::kInvalid) {
      ++invalid;
      continue;
    }
    rules[mutant.rule].add(judgement);
    dangers[name_of(mutant.danger)].add(judgement);
    dangers["all"].add(judgement);
    std::printf("%4zu %-10s %-24s %-18s %-18s %s:%d  %s  ==>  %s\n", c + 1, name_of(judgement.fate),
                mutant.rule.c_str(), judgement.emulated.c_str(), judgement.algebraic.c_str(),
                all[cases[c].subject].name.c_str(), mutant.line, mutant.before.c_str(),
                mutant.after.c_str());
    std::fflush(stdout);
    const Json entry = {{"kernel", all[cases[c].subject].name},
                        {"rule", mutant.rule},
                        {"line", mutant.line},
                        {"before", mutant.before},
                        {"after", mutant.after},
                        {"argument", judgement.argument}};
    if (judgement.fate == Fate::kEquivalent) equivalents.push_back(entry);
    if (judgement.fate == Fate::kSurvived || judgement.fate == Fate::kCrashed) {
      survivors.push_back(entry);
    }
  }
  std::filesystem::remove_all(cache);

  std::printf("\n%-26s %7s %10s %9s %8s %9s %10s\n", "rule", "killed", "equivalent", "survived",
              "crashed", "emulated", "algebraic");
  Json table = Json::object();
  for (const auto* part : {&rules, &dangers}) {
    for (const auto& [name, s] : *part) {
      std::printf("%-26s %7d %10d %9d %8d %8.1f%% %9.1f%%\n", name.c_str(), s.killed, s.equivalent,
                  s.survived, s.crashed, s.share(s.emulated), s.share(s.algebraic));
      table[name] = s.json();
    }
  }
  std::printf("%d texts were no C++\n", invalid);
  if (!file.empty()) {
    const Json json = {{"seed", seed},    {"judged", judged},          {"not_cpp", invalid},
                       {"scores", table}, {"equivalent", equivalents}, {"survivors", survivors}};
    std::ofstream(file) << json.dump(1) << "\n";
  }
  return survivors.empty() ? 0 : 1;
}
