// SPDX-License-Identifier: Apache-2.0
// heddle_mutants FOLDER [--count N] [--seed S] [--seconds T] [--part I/K] [--score FILE]: breaks
// generated kernels in N seeded ways and judges each by every layer alone that carries texts out,
// by proofs what they leave alive. What is judged is kept in FOLDER, so that the next run goes on
// from there; parts may run side by side. Prints the score of all parts; where all N are judged,
// writes it to FILE and fails if a mutant survived.
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "tests/mutants/journal.hpp"

namespace {

namespace fs = std::filesystem;
using namespace heddle::mutants;

// By key; what was judged again counts as it was judged last.
std::map<std::string, Entry> judged_in(const fs::path& folder) {
  std::set<std::string> files;
  for (const auto& file : fs::directory_iterator(folder)) {
    if (file.path().extension() == ".jsonl") files.insert(file.path().string());
  }
  std::map<std::string, Entry> entries;
  for (Entry& entry : read_journal({files.begin(), files.end()})) {
    std::string key = entry.key;
    entries.insert_or_assign(std::move(key), std::move(entry));
  }
  return entries;
}

bool unclear(const Entry& entry) {
  return entry.emulated == "unknown" || entry.algebraic == "unknown";
}
bool lives(const Entry& entry) { return entry.fate == "survived" || entry.fate == "crashed"; }

}  // namespace

int main(int argc, char** argv) {
  std::string folder, score, part = "0/1";
  std::size_t count = 600;
  std::uint64_t seed = 1;
  long seconds = 800;
  bool retry = false;
  CLI::App app("breaks generated kernels and judges every layer of verification by them");
  app.add_option("folder", folder)->required();
  app.add_option("--count", count, "mutants in all")->capture_default_str();
  app.add_option("--seed", seed)->capture_default_str();
  app.add_option("--seconds", seconds, "how long this run may take")->capture_default_str();
  app.add_option("--part", part, "I/K: every K-th mutant, from the I-th on")->capture_default_str();
  app.add_option("--score", score, "where the result goes");
  app.add_flag("--retry", retry, "judge again what survived or was unknown");
  CLI11_PARSE(app, argc, argv);
  const std::size_t slash = part.find('/');
  if (slash == std::string::npos) return app.exit(CLI::ValidationError("--part", "takes I/K"));
  const std::size_t mine = std::stoul(part), parts = std::stoul(part.substr(slash + 1));

  fs::create_directories(folder);
  const std::string journal =
      (fs::path(folder) / ("part" + std::to_string(mine) + ".jsonl")).string();
  // Thousands of modules that nobody needs again.
  std::string cache = (fs::temp_directory_path() / "heddle-mutants-XXXXXX").string();
  if (mkdtemp(cache.data()) == nullptr) return 1;
  setenv("HEDDLE_CACHE_DIR", cache.c_str(), 1);

  std::set<std::string> known;
  for (const auto& [key, entry] : judged_in(folder)) {
    if (!retry || !(lives(entry) || unclear(entry))) known.insert(key);
  }
  const std::time_t end = std::time(nullptr) + seconds;
  const std::vector<Subject> all = subjects();
  const std::vector<Case> cases = draw_cases(all, count, seed);
  for (std::size_t c = mine; c < cases.size() && std::time(nullptr) < end; c += parts) {
    const Subject& subject = all[cases[c].subject];
    const Mutant& mutant = cases[c].mutant;
    if (known.count(key_of(subject, mutant)) > 0) continue;
    const Judgement judgement = judge(subject, mutant);
    std::error_code ignored;
    if (c / parts % 50 == 49) fs::remove_all(fs::path(cache) / "host", ignored);
    append(journal, entry_of(subject, mutant, judgement));
    std::printf("%4zu %-10s %-24s %-18s %-18s %-8s %s:%d  %s  ==>  %s\n", c + 1,
                name_of(judgement.fate), mutant.rule.c_str(), judgement.emulated.c_str(),
                judgement.algebraic.c_str(), judgement.proofs.c_str(), subject.name.c_str(),
                mutant.line, mutant.before.c_str(), mutant.after.c_str());
    std::fflush(stdout);
  }
  fs::remove_all(cache);

  const std::map<std::string, Entry> judged = judged_in(folder);
  std::vector<Entry> entries;
  bool survived = false;
  for (const Case& drawn : cases) {
    const Subject& subject = all[drawn.subject];
    const auto found = judged.find(key_of(subject, drawn.mutant));
    if (found == judged.end()) continue;
    Entry entry = found->second;
    // An argument may have been found since.
    if (entry.fate == "survived") entry.argument = equivalence_argument(subject, drawn.mutant);
    if (!entry.argument.empty()) entry.fate = name_of(Fate::kEquivalent);
    survived = survived || lives(entry);
    entries.push_back(std::move(entry));
  }
  const std::string json = score_of(entries, true);
  if (entries.size() < cases.size()) {
    std::printf("%zu of %zu are yet to be judged\n", cases.size() - entries.size(), cases.size());
    return 0;
  }
  if (!score.empty()) std::ofstream(score) << json;
  return survived ? 1 : 0;
}
