// SPDX-License-Identifier: Apache-2.0
// What became of the mutants judged so far, in a file of one JSON line each, so that a study may
// stop anywhere and go on later, or be judged in parts side by side.
#pragma once

#include <string>
#include <vector>

#include "tests/mutants/study.hpp"

namespace heddle::mutants {

struct Entry {
  std::string key;  // a digest of kernel and mutant
  std::string kernel, rule, danger, before, after;
  int line = 0;
  std::string fate, emulated, algebraic, argument, proofs;
};
std::string key_of(const Subject& subject, const Mutant& mutant);
Entry entry_of(const Subject& subject, const Mutant& mutant, const Judgement& judgement);

// All whole lines of the files; a line that was cut short is judged again.
std::vector<Entry> read_journal(const std::vector<std::string>& files);
void append(const std::string& file, const Entry& entry);

// Prints the table of rules and dangers and gives it as JSON, with whatever survived.
std::string score_of(const std::vector<Entry>& entries, bool print);

}  // namespace heddle::mutants
