// SPDX-License-Identifier: Apache-2.0
// What a symbolic run of a kernel leaves behind: every memory access with the conditions under
// which it happens, the loops around it, and where barriers lie between accesses.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "codegen/ir/ir.hpp"
#include "codegen/verify/facts.hpp"
#include "codegen/verify/lexer.hpp"

namespace heddle::verify {

// A variable that a loop changes, as one iteration sees it.
struct Changed {
  ir::VariableId variable;
  AtomId head;         // before the iteration
  Polynomial entry;    // before the loop
  Polynomial end;      // after it
  AtomId exit;         // after the loop
  bool rises = false;  // never falls
  bool steps = false;  // rises by 0 or 1
  // What it is in an iteration of a for loop that comes before it first starts again.
  std::optional<Polynomial> first_round = std::nullopt;
};

struct Loop {
  int id = 0;
  bool barrier = false;          // has one inside: its iterations are common to the block
  bool counted = false;          // a for loop
  AtomId counter = -1;           // counted: the number of the iteration, from 0
  Polynomial begin;              // counted: of the first iteration
  Polynomial end;                // counted: below it all iterations stay
  Polynomial step;               // counted: between iterations
  AtomId value = -1;             // where the step is no number: the variable that counts
  std::vector<int> outer;        // ids of the loops with barriers around it
  Path entry;                    // where the loop stands
  Path inside;                   // in an iteration
  std::vector<Changed> changed;  // whole numbers only
  // A while loop: true of what it leaves behind, where it is come to and once it has ended.
  std::optional<Term> ended = std::nullopt;
};

struct Access {
  ir::MemoryId memory;  // a buffer or an array, never a view
  bool write = false;
  bool started = false;  // by start_copy: it happens at any time until its batch is awaited
  bool by_warp = false;  // by some lane of the warp, whichever names the place
  Polynomial index;
  Path path;
  std::vector<int> barrier_loops;  // around it, from the outermost
  std::vector<int> plain_loops;
  int segment = 0;
  int order = 0;  // of the text
  TextPlace at;
  std::vector<Polynomial> digits;  // of the index in the buffer's shape, once it is in bounds
  std::optional<Polynomial> number = std::nullopt;  // that is loaded or stored, where it is whole
};

// What is known of an array of positions that a state begins with: under `path`, `when` says that
// the slot at `index` holds a token. A load tells it, or a number that is `none` or leads to a slot
// for which a loop found it.
struct HeldSlot {
  ir::MemoryId positions;
  Polynomial index;
  Term when = Term(0);
  Path path;
  std::vector<int> barrier_loops;  // as of an access
  std::vector<int> plain_loops;
  std::vector<int> looked_in;  // all loops around the load that told it
  int order = 0;
  // Of a number: index = base + number.
  AtomId number = -1;
  Polynomial base;
  Integer none;
};

// From the end of one stretch of code without barriers control may pass to the start of another;
// `around` is the loop whose next iteration that is, or -1; `skips` the for loop that has then no
// iteration at all.
struct Flow {
  int from = 0;
  int to = 0;
  int around = -1;
  int skips = -1;
};

// Where a stretch begins after a batch of copies is closed, or after all but `left` are awaited.
struct Batch {
  bool closed = false;
  int left = 0;
};

struct Trace {
  std::vector<Access> accesses;
  std::vector<HeldSlot> held;
  std::vector<Loop> loops;  // by id
  std::vector<Flow> flows;
  std::vector<std::pair<int, int>> barriers;  // the stretches before and after each
  std::map<int, Batch> batches;               // by the stretch that begins there
};

// An obligation that a place of the text did not meet.
struct Finding {
  std::string obligation;
  bool refuted = false;  // false: not decided
  std::string sentence;
  TextPlace at;
};

}  // namespace heddle::verify
