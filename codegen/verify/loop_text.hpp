// SPDX-License-Identifier: Apache-2.0
// What the text of a loop says of the whole numbers in it: which variables it assigns, defines and
// reads, and how.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "codegen/ir/ir.hpp"

namespace heddle::verify {

struct Reads {
  std::set<std::int32_t> variables;
  std::set<std::int64_t> moduli;  // literals after %
  std::set<std::int64_t> ends;    // literals after ==
  bool memory = false;
};
void collect(const ir::Kernel& kernel, ir::ValueId id, Reads& reads);

// What the loop assigns and defines, and what it reads to decide and to assign.
struct LoopReads {
  std::vector<std::pair<ir::VariableId, ir::ValueId>> assigned;
  std::map<std::int32_t, ir::ValueId> constants;
  Reads reads;

  // Whether every assignment adds (takes away) a literal >= 1.
  bool counts_up(const ir::Kernel& kernel, ir::VariableId id) const;
  bool counts_down(const ir::Kernel& kernel, ir::VariableId id) const;
  // The literal that one assignment or another takes the variable from: c in v = c - v.
  std::optional<std::int64_t> flips(const ir::Kernel& kernel, ir::VariableId id) const;
};
void collect(const ir::Kernel& kernel, const ir::Body& statements, LoopReads& text);

// Variables that change and that an index of a coefficient array reads, or with `lists` that of a
// store to a list of whole numbers: they count the entries of a row.
std::set<std::int32_t> entry_counters(const ir::Kernel& kernel, bool lists);

// Variables that the text multiplies by themselves, and literals above 1 of which it asks whether
// something is as large.
struct Squares {
  std::set<std::int32_t> variables;
  std::set<std::int64_t> least;
};
Squares squares(const ir::Kernel& kernel);

// Numbers that are computed once, at the top of the kernel, and that for loops run up to.
std::vector<ir::VariableId> numbers_run_up_to(const ir::Kernel& kernel);

}  // namespace heddle::verify
