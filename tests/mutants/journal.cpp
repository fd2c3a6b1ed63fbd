// SPDX-License-Identifier: Apache-2.0
#include "tests/mutants/journal.hpp"

#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "patterns/sha256.hpp"

namespace heddle::mutants {
namespace {

using Json = nlohmann::ordered_json;

// Pairs of a name and a member, for reading and writing alike.
template <typename F>
void each_text(Entry& entry, F&& visit) {
  visit("key", entry.key);
  visit("kernel", entry.kernel);
  visit("rule", entry.rule);
  visit("danger", entry.danger);
  visit("before", entry.before);
  visit("after", entry.after);
  visit("fate", entry.fate);
  visit("emulated", entry.emulated);
  visit("algebraic", entry.algebraic);
  visit("argument", entry.argument);
  visit("proofs", entry.proofs);
}

bool rejects(const std::string& finding) { return !finding.empty() && finding != "unknown"; }

struct Score {
  int killed = 0, equivalent = 0, survived = 0, crashed = 0, emulated = 0, algebraic = 0,
      proofs = 0;

  void add(const Entry& entry) {
    killed += entry.fate == "killed";
    equivalent += entry.fate == "equivalent";
    survived += entry.fate == "survived";
    crashed += entry.fate == "crashed";
    if (entry.fate != "killed") return;
    emulated += rejects(entry.emulated);
    algebraic += rejects(entry.algebraic);
    proofs += !entry.proofs.empty();
  }
  // Of the mutants that are none of the original.
  double share(int part) const {
    const int all = killed + survived + crashed;
    return all == 0 ? 100.0 : 100.0 * part / all;
  }
  Json json() const {
    return {{"killed", killed},        {"equivalent", equivalent},   {"survived", survived},
            {"crashed", crashed},      {"emulated_alone", emulated}, {"algebraic_alone", algebraic},
            {"by_proofs_only", proofs}};
  }
};

}  // namespace

std::string key_of(const Subject& subject, const Mutant& mutant) {
  return sha256_hex(subject.name + "\n" + mutant.rule + "\n" + mutant.text).substr(0, 16);
}

Entry entry_of(const Subject& subject, const Mutant& mutant, const Judgement& judgement) {
  return {key_of(subject, mutant), subject.name,        mutant.rule,        name_of(mutant.danger),
          mutant.before,           mutant.after,        mutant.line,        name_of(judgement.fate),
          judgement.emulated,      judgement.algebraic, judgement.argument, judgement.proofs};
}

std::vector<Entry> read_journal(const std::vector<std::string>& files) {
  std::vector<Entry> entries;
  for (const std::string& file : files) {
    std::ifstream stream(file);
    for (std::string line; std::getline(stream, line);) {
      const Json json = Json::parse(line, nullptr, false);
      if (json.is_discarded()) continue;
      Entry entry;
      each_text(entry, [&](const char* name, std::string& text) { text = json.at(name); });
      entry.line = json.at("line");
      entries.push_back(std::move(entry));
    }
  }
  return entries;
}

void append(const std::string& file, const Entry& entry) {
  Json json;
  Entry copy = entry;
  each_text(copy, [&](const char* name, const std::string& text) { json[name] = text; });
  json["line"] = entry.line;
  std::ofstream(file, std::ios::app) << json.dump() + "\n";
}

std::string score_of(const std::vector<Entry>& entries, bool print) {
  std::map<std::string, Score> rules, dangers, kernels;
  Json equivalents = Json::object(), survivors = Json::array();
  int invalid = 0;
  for (const Entry& entry : entries) {
    if (entry.fate == "invalid") {
      ++invalid;
      continue;
    }
    rules[entry.rule].add(entry);
    kernels[entry.kernel].add(entry);
    dangers[entry.danger].add(entry);
    dangers["all"].add(entry);
    if (entry.fate == "equivalent") {
      Json& count = equivalents[entry.argument];
      count = count.is_null() ? 1 : count.get<int>() + 1;
    }
    if (entry.fate == "survived" || entry.fate == "crashed") {
      survivors.push_back({{"kernel", entry.kernel},
                           {"fate", entry.fate},
                           {"rule", entry.rule},
                           {"line", entry.line},
                           {"before", entry.before},
                           {"after", entry.after}});
    }
  }
  Json scores = Json::object();
  const auto table = [&](const char* title, const std::map<std::string, Score>& part) {
    if (print) {
      std::printf("\n%-44s %7s %10s %9s %8s %9s %10s\n", title, "killed", "equivalent", "survived",
                  "crashed", "emulated", "algebraic");
    }
    for (const auto& [name, s] : part) {
      if (print) {
        std::printf("%-44s %7d %10d %9d %8d %8.1f%% %9.1f%%\n", name.c_str(), s.killed,
                    s.equivalent, s.survived, s.crashed, s.share(s.emulated), s.share(s.algebraic));
      }
      scores[title][name] = s.json();
    }
  };
  table("kernel", kernels);
  table("rule", rules);
  table("danger", dangers);
  if (print) std::printf("%d texts were no C++\n", invalid);
  const Json json = {{"judged", entries.size()},
                     {"not_cpp", invalid},
                     {"scores", scores},
                     {"equivalent", equivalents},
                     {"survivors", survivors}};
  return json.dump(1) + "\n";
}

}  // namespace heddle::mutants
