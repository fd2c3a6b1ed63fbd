// SPDX-License-Identifier: Apache-2.0
// Decides one SMT-LIB 2 script with Z3, given the text and nothing else. Work is bounded by Z3's
// resource counter; where that does not count, by the thread's own time; and where products are in
// the way of both, by the processor time of a process that is ended. For nonlinear arithmetic Z3
// turns from one strategy to the next by the clock, so on a busy machine an answer may be missing,
// but never another one.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "patterns/integer.hpp"

namespace heddle::smt {

enum class Answer { kUnsat, kSat, kUnknown };
const char* name_of(Answer answer);

struct Reply {
  Answer answer = Answer::kUnknown;
  std::map<std::string, Integer> model;  // of the constants asked for; kSat only
  std::string reason;                    // kUnknown only
};

// A process of its own is made for products only. Threads that ask at the same time should do
// without: what one of them has locked stays locked in a copy of the process.
enum class Process { kOwn, kThis };

// Anything but a clean `sat` or `unsat` is kUnknown, a script that Z3 rejects included.
Reply solve(const std::string& script, std::uint64_t resource_limit,
            const std::vector<std::string>& constants = {}, Process process = Process::kOwn);

// "z3 4.8.12"
std::string solver_version();

}  // namespace heddle::smt
