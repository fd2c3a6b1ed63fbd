// SPDX-License-Identifier: Apache-2.0
// Mutants that compute what the original does, each with the reason. A rule matches one line of one
// rule of the mutator; whatever matches none is a hole in the verifier.
#include <regex>

#include "tests/mutants/study.hpp"

namespace heddle::mutants {
namespace {

struct Argument {
  const char* rule;  // regular expressions, to be matched as a whole
  const char* before;
  const char* after;
  const char* reason;
  const char* kernel = ".*";  // the subject it holds for
};

// Side b keeps its next row; the positions that row reads lie up to the last token, and a launch
// with fewer slots than that is refused by launch_check.
constexpr const char* kSlotGuard = R"(if \(p(_\d)? <= last_token && used < slots_b\) \{)";
constexpr const char* kSlotReason =
    "the guard is always true: the next row of B reads positions up to the last token, and a "
    "launch "
    "has a slot for each";

const Argument kArguments[] = {
    {"loosened_comparison", R"(if \(score(_\d)? > highest\) \{)",
     R"(if \(score(_\d)? >= highest\) \{)",
     "an equal score rescales by exp(0) = 1 and sets the maximum to what it is"},
    {"guard_always", kSlotGuard, R"(if \(true\) \{)", kSlotReason},
    {"and_to_or", kSlotGuard, R"(if \(p(_\d)? <= last_token \|\| used < slots_b\) \{)",
     kSlotReason},
    {"confused_index", kSlotGuard, R"(if \(p(_\d)? <= next_row && used < slots_b\) \{)",
     kSlotReason},
    {"less_to_less_equal", kSlotGuard, R"(if \(p(_\d)? <= last_token && used <= slots_b\) \{)",
     kSlotReason},
    {"loosened_comparison", R"(if \(held > 0\) \{)", R"(if \(held >= 0\) \{)",
     "no row reads position 0, so the search for it finds nothing, which is what skipping it says"},
    {"and_to_or", R"(if \(read_next > 0 && room > 0\) \{)",
     R"(if \(read_next > 0 \|\| room > 0\) \{)",
     "both hold: the row after the newest token reads it, in windows and in lattices with f(0) = "
     "1, "
     "and a launch has a slot for it"},
    {"division_to_remainder", R"(turn = \(turn \+ 1\) % 4;)", R"(turn = \(turn \+ 1\) / 4;)",
     "the turn stays at 0, so warp 0 takes all entries; whoever takes an entry, the sums are the "
     "same"},
    {"and_to_or", R"(const bool found = f_2 < next_row_2 && (.*) == token;)",
     R"(const bool found = f_2 < next_row_2 \|\| (.*) == token;)",
     "both hold: the row after the newest token reads it, in lattices with f(0) = 1"},
    {"hurry_barrier", R"(__syncthreads\(\);)", R"(before if \(lane == 0\) \{)",
     "it still separates the search for slots from their release, and what the block after it "
     "writes "
     "is read behind the next barrier only",
     R"(\w+_cached decode .*)"},
    {"less_to_less_equal", R"(for \(Index part = 0; part < 1; \+\+part\) \{)",
     R"(for \(Index part = 0; part <= 1; \+\+part\) \{)",
     "part 1 has channels from 32 on, and what it does is guarded by d < 8"},
    {"reversed_threads", R"(for \(Index d = thread; d < 8; d \+= 128\) \{)",
     R"(for \(Index d = \(blockDim.x - 1 - thread\); d < 8; d \+= 128\) \{)",
     "the 128 threads change places one to one; each channel still has exactly one, and all wait "
     "for "
     "each other before and after"},
};

}  // namespace

std::string equivalence_argument(const Subject& subject, const Mutant& mutant) {
  for (const Argument& argument : kArguments) {
    if (std::regex_match(mutant.rule, std::regex(argument.rule)) &&
        std::regex_match(subject.name, std::regex(argument.kernel)) &&
        std::regex_match(mutant.before, std::regex(argument.before)) &&
        std::regex_match(mutant.after, std::regex(argument.after))) {
      return argument.reason;
    }
  }
  return "";
}

}  // namespace heddle::mutants
