// SPDX-License-Identifier: Apache-2.0
// A symbolic run of a lifted kernel by one thread of any launch. Loops are taken at any iteration:
// what they change becomes unknown, up to invariants that are guessed and then checked to hold at
// the start and to survive an iteration. On the way it meets the obligations of arithmetic: no
// overflow, no division outside its domain.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "codegen/verify/launch.hpp"
#include "codegen/verify/lift.hpp"
#include "codegen/verify/loop_text.hpp"
#include "codegen/verify/prover.hpp"
#include "codegen/verify/trace.hpp"
#include "codegen/verify/uniformity.hpp"

namespace heddle::verify {

// An integer that may come about in several ways; the conditions exclude each other and one holds.
struct Alternative {
  Term when;
  Polynomial value;
};
struct Symbolic {
  std::vector<Alternative> integer;
  Term truth = Term(0);
};

// The one way in which an integer may come about.
inline std::vector<Alternative> always(Polynomial value) {
  std::vector<Alternative> result;
  result.push_back({conjunction({}), std::move(value)});
  return result;
}

inline const Integer kMost(std::int64_t{1} << 62);  // half of what 64 bits hold

// Variables that the statements assign and do not define.
std::set<std::int32_t> assigned_outside(const ir::Body& statements);

class Execution {
 public:
  Execution(const Lifted& lifted, const Uniformity& uniformity, const Launch& launch, Facts& facts,
            Prover& prover);

  void run();

  Trace trace;
  std::vector<Finding> findings;
  int arithmetic = 0;  // operations that were looked at
  int while_loops = 0;

 private:
  using State = std::vector<Symbolic>;

  // ---- values (evaluate.cpp, helpers.cpp, access.cpp)
  Symbolic evaluate(ir::ValueId id);
  Polynomial integer(ir::ValueId id);
  Term truth(ir::ValueId id);
  Symbolic binary(ir::ValueId id, const ir::Binary& node);
  Symbolic select(ir::ValueId id, const ir::Select& node);
  Symbolic call(ir::ValueId id, const ir::Call& node);
  Symbolic reduce(ir::ValueId id, const ir::Reduce& node);
  Symbolic load(ir::ValueId id, const ir::Load& node);
  std::optional<AtomId> of_sequence(ir::MemoryId memory, const Symbolic& index) const;
  Symbolic opaque_truth();
  Polynomial collapse(const Symbolic& value, const std::string& name, bool with_square = false);
  Division quotient(const Polynomial& x, const Polynomial& y, TextPlace at);
  AtomId total(const std::string& name, const std::vector<Term>& inputs);
  std::vector<Polynomial> size_bounds() const;
  std::vector<Polynomial> row_bounds() const;
  bool same_for_warp(const Polynomial& value) const;
  void access(ir::MemoryId memory, bool write, const Symbolic& index, TextPlace at,
              bool started = false);
  void look_at_position(ir::MemoryId memory, const Symbolic& index, const Term& loaded);
  void access(ir::MemoryId memory, bool write, const Polynomial& index, const Path& path,
              TextPlace at, bool started);

  // ---- obligations met on the way (obligations.cpp)
  void in_range(const Polynomial& value, TextPlace at);
  void in_range(const Polynomial& value, const Term& when, TextPlace at);
  Symbolic named(Symbolic value, const std::string& name);
  void require(const char* obligation, const Term& goal, const std::string& sentence, TextPlace at);
  void settle_ranges();
  std::vector<Term> size_lemmas(const std::vector<Term>& known, const Term& about);
  bool proves(const Path& path, const Term& goal, const std::string& statement);

  // ---- statements (execute.cpp)
  void body(const ir::Body& statements);
  void statement(const ir::Statement& statement);
  void branch(const ir::Statement& statement, const ir::If& node);
  void store(const ir::Statement& statement, const ir::Store& node);
  void aligned(const ir::Statement& statement, const ir::For& node);
  void batch(const ir::Statement& statement, const ir::Invoke& node);

  // ---- slots that hold a token (held.cpp)
  std::vector<std::pair<std::size_t, HeldSlot>> found_by_loop(const Loop& loop, std::size_t known);
  void hold_after_loop(const Loop& loop, std::vector<std::pair<std::size_t, HeldSlot>> found);
  void held_by_warp(const Polynomial& operand, AtomId result);
  HeldSlot held_here(HeldSlot of, AtomId number) const;
  bool same_for_block(const Polynomial& value) const;

  // ---- loops (loops.cpp, guesses.cpp)
  // Steps along the numbers of a count; guesses.cpp says what is claimed of them.
  struct Along {
    const EntryCount* count = nullptr;
    Polynomial mark;
    std::optional<ir::VariableId> other;
    std::size_t shift = 0;
  };
  struct Candidate {
    std::string key;  // the same guess has the same key whenever the loop is looked at
    std::vector<std::pair<ir::VariableId, int>> terms;  // coefficients
    Polynomial offset;                                  // sum + offset <= 0
    std::optional<ir::ValueId> equal_to;                // or: terms[0] equals this expression
    std::optional<Along> along;                         // or: this of the sum
    // Or, of a for loop's counter, whose value `terms` take away: the sum is 0 while the way from
    // `begin` is shorter than the mark.
    struct Round {
      ir::VariableId counter;
      Polynomial begin;
      Polynomial mark;
    };
    std::optional<Round> round = std::nullopt;
    std::optional<Polynomial> step = std::nullopt;  // or: the sum is a multiple of this
    bool linked = false;  // speaks of the counter, and so of an iteration only
  };
  struct LoopText {
    const ir::Statement* statement = nullptr;
    const ir::Body* body = nullptr;
    const ir::For* counted = nullptr;
    const ir::While* repeated = nullptr;
    std::vector<ir::VariableId> changed;
  };
  void loop(LoopText text);
  bool telling(const Polynomial& mark) const;
  std::vector<Candidate> candidates(const LoopText& text);
  void guess_rounds(const LoopText& text, const std::vector<ir::VariableId>& whole,
                    const std::map<Polynomial, std::string>& marks, std::vector<Candidate>& result);
  void guess_entries(const LoopReads& inside, const std::vector<ir::VariableId>& whole,
                     const std::map<Polynomial, std::string>& marks,
                     std::vector<Candidate>& result);
  Term statement_along(const Along& along, const Polynomial& steps);
  std::optional<Term> statement_of(const Candidate& candidate);
  void filter(std::vector<Candidate>& all, const Path& path, const std::string& statement);
  std::vector<Changed> forget(const LoopText& text, const std::string& suffix);
  void assume(const std::vector<Candidate>& invariants, bool linked);
  bool has_barrier(const ir::Body& statements) const;

  Sharing sharing_of(ir::VariableId id) const;
  Symbolic& value_of(ir::VariableId id) { return state_[static_cast<std::size_t>(id.index)]; }
  const ir::Kernel& kernel() const { return lifted_.kernel; }
  Facts& facts_;
  Prover& prover_;
  const Lifted& lifted_;
  const Uniformity& uniformity_;
  const Launch& launch_;

  State state_;
  std::set<std::int32_t> entry_counters_;
  Squares squares_;
  // Numbers that the block computes once, at the top of the kernel, and that loops run up to.
  std::vector<ir::VariableId> block_numbers_;
  std::map<std::int32_t, Term> views_;
  Path path_;
  std::map<std::int32_t, Polynomial> counters_;  // of for loops, where linked guesses look at them
  bool recording_ = true;
  int plain_loops_ = 0;                            // loops without a barrier around this place
  std::vector<int> loops_;                         // with a barrier, around this place
  std::vector<int> around_;                        // without
  std::map<std::int32_t, ir::ValueId> constants_;  // defined in the loops around this place
  int segment_ = 0;
  int segments_ = 1;
  int order_ = 0;
  TextPlace at_;
  struct Quotient {
    Path path;  // where it is this one
    Division division;
  };
  std::map<std::pair<Polynomial, Polynomial>, std::vector<Quotient>> quotients_;
  struct Ranged {
    Polynomial value;
    Path path;
    TextPlace at;
  };
  std::vector<Ranged> ranged_;
  // Bounds that every integer stored to an array keeps to: assumed of loads, checked at stores.
  // Where a number of the block is named, it is below this one, or no further from 0, once that has
  // a value.
  struct Bound {
    enum class Kind { kLower, kUpper, kNot, kBelow, kWithin } kind;
    Polynomial value;
    ir::VariableId number = {};
  };
  std::optional<Term> keeps(const Bound& bound, const Polynomial& value) const;
  std::map<std::int32_t, std::vector<Bound>> kept_;
  bool kept_changed_ = false;
  std::map<const ir::Statement*, std::set<std::string>> survivors_;
};

}  // namespace heddle::verify
