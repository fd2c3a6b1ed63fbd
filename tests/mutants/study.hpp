// SPDX-License-Identifier: Apache-2.0
// Generated kernels, broken in every way the mutator knows, under each layer of verification alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/generate.hpp"
#include "patterns/builtin_patterns.hpp"
#include "patterns/materialize.hpp"
#include "tests/mutants/mutator.hpp"

namespace heddle::mutants {

// One generated kernel that is to be broken.
struct Subject {
  std::string name;  // "sqrt_cached prefill cuda softmax f32"
  const BuiltinPattern* pattern = nullptr;
  GenerateOptions options;  // that gave
  Manifest manifest;        // with this kernel only
  std::map<std::string, std::string> files;
  std::string file;  // of the text that is broken
  Rows rows;

  const KernelEntry& kernel() const { return manifest.kernels.front(); }
  const std::string& text() const { return files.at(file); }
};
struct Kind {
  const char* pattern;  // a built-in one
  ir::Target target;
  WeightKind weights;
  ElementType dtype;
  int head_dim = 40;
  // The rest as GenerateOptions has it.
  const char* schedule = "simple";
  std::vector<std::string> ops = {"prefill", "decode", "backward"};
  bool varlen = false;
  int page_rows = 0;
  bool state_gradients = false;
  bool several_tokens = false;
};
// A kernel for each operation, or each text of it where it is several launches.
std::vector<Subject> subjects_of(const Kind& kind);
// Both targets, all operations and weights, closed forms and walks, every kind of cache; lengths
// and states of every form; all schedules of prefill.
std::vector<Subject> subjects();
// Of its text and, under the simple schedule, of its IR and of its pattern misread.
std::vector<Mutant> all_mutants(const Subject& subject);

struct Case {
  std::size_t subject = 0;
  Mutant mutant;
};
// `count` mutants of all subjects, every rule as often as any other while it lasts.
std::vector<Case> draw_cases(const std::vector<Subject>& subjects, std::size_t count,
                             std::uint64_t seed);

enum class Fate {
  kInvalid,     // no C++: not a mutant
  kKilled,      // rejected by a layer
  kEquivalent,  // shown to be the same function; `argument` says how
  kSurvived,
  kCrashed,  // the verifier did not survive the mutant
};
const char* name_of(Fate fate);

struct Judgement {
  Fate fate = Fate::kSurvived;
  std::string emulated;   // the first finding's kind; "" where the layer found nothing
  std::string algebraic;  // likewise
  std::string argument;   // of kEquivalent
  // Of what both leave alive: "rejected", or "unproved" where the layer proves the original and its
  // doubt makes the verdict `unknown`.
  std::string proofs = {};
};
// Runs the layers that carry a text out, each alone, in a process of its own. What survives a
// quick plan is given the full one, and the static layer, before it counts as a survivor.
Judgement judge(const Subject& subject, const Mutant& mutant);

// Why this mutant of this rule computes what the original does, in words; "" when nobody has shown
// it. Machine code that is the same needs no words.
std::string equivalence_argument(const Subject& subject, const Mutant& mutant);

}  // namespace heddle::mutants
