// SPDX-License-Identifier: Apache-2.0
// What is known about the unknowns of a kernel run. An atom stands for one integer; facts say what
// holds of atoms and where: a fact made under a path of conditions is used elsewhere only as an
// implication from them, so that nothing is assumed of code that did not run. Products of atoms are
// variables of their own to the solver, named a*b; the few lemmas about products that a query
// needs come with it (monomial_lemmas).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analyzer/smt/term.hpp"
#include "codegen/verify/polynomial.hpp"

namespace heddle::verify {

using smt::conjunction;
using smt::disjunction;
using smt::equal;
using smt::implies;
using smt::negation;
using smt::Term;

// Which threads see the same value.
enum class Sharing {
  kLaunch,  // all: an argument
  kBlock,   // those of a block, at the same visit of the place where it is made
  kThread
};

enum class Nature {
  kGiven,    // argument, place of the block or thread
  kCounter,  // number of a loop's iteration: whoever names a value for it must prove its range
  kTotal,    // a function of other atoms, defined everywhere: a quotient, a minimum, a choice
  kState     // what execution left behind: a variable of a loop, a loaded value
};

// A list of conditions that hold together, shared with those it continues.
struct PathNode;
using Path = std::shared_ptr<const PathNode>;  // null: no condition
struct PathNode {
  Term condition;
  Path before;
  int depth;
  // Not a branch that is taken or left, but what a loop leaves behind: true once it has ended.
  bool settled;
};
Path extend(const Path& path, Term condition, bool settled = false);
std::vector<Term> conditions(const Path& path);
std::vector<bool> settled(const Path& path);  // of each condition
bool continues(const Path& path, const Path& prefix);

struct Atom {
  std::string name;  // unique, a symbol of SMT-LIB
  Sharing sharing = Sharing::kThread;
  Nature nature = Nature::kTotal;
  std::vector<int> loops;  // ids of the loops with barriers whose iteration it belongs to
  // Where set: lanes of a warp have the same number in the same iteration of these other loops.
  std::optional<std::vector<int>> warp_loops;
  // The same of aligned groups of so many lanes; 0: of none.
  int group = 0;
  std::vector<int> group_loops;
  std::optional<Integer> low;  // numbers that it never leaves
  std::optional<Integer> high;
  Integer step{1};  // of a loop's counter: by how much the loop's variable goes up
  std::vector<std::size_t> facts;
};

class Facts {
 public:
  AtomId fresh(const std::string& name, Sharing sharing, Nature nature);
  Atom& operator[](AtomId id) { return atoms_.at(static_cast<std::size_t>(id)); }
  const Atom& operator[](AtomId id) const { return atoms_.at(static_cast<std::size_t>(id)); }
  // Known, under `path`, wherever `owner` is spoken of. What an owner's facts claim must be true of
  // some value of it even where the code that makes it did not run.
  void add(AtomId owner, const Path& path, Term fact);
  void add(const std::set<AtomId>& owners, const Path& path, Term fact);
  // Known wherever any of its atoms is spoken of: what holds of a launch.
  void add(Term fact);

  Term term(const Polynomial& p) const;
  // The atoms and, where they are functions of others, what defines them.
  std::set<AtomId> with_inputs(const std::set<AtomId>& atoms) const;
  AtomId find(const std::string& name) const;

  // All that is known on `path` about the atoms of the path and of `about`.
  std::vector<Term> context(const Path& path, const std::vector<Term>& about) const;

  // The same, each with the atom through which it was found; of a condition of the path: -1.
  struct Known {
    Term holds;
    AtomId owner;
  };
  std::vector<Known> known(const Path& path, const std::vector<Term>& about) const;

  struct Interval {
    Integer low;
    Integer high;
  };
  std::optional<Interval> interval(const Polynomial& p) const;  // by the atoms' numbers alone
  // Of whole quotients, q = floor(x / y), is noted that x - y q lies in 0..y - 1.
  void note_quotient(AtomId q, Polynomial x, Integer y);
  // Of the least and the largest of two numbers is noted which these are.
  void note_extreme(AtomId extreme, Polynomial a, Polynomial b);
  std::optional<std::pair<Polynomial, Polynomial>> extreme_of(AtomId id) const;
  // By the atoms' numbers and by what was noted of quotients.
  std::optional<Interval> close_interval(const Polynomial& p) const;

 private:
  struct Fact {
    Path path;
    Term holds;
  };
  std::vector<Atom> atoms_;
  std::map<AtomId, std::pair<Polynomial, Integer>> quotients_;
  std::map<AtomId, std::pair<Polynomial, Polynomial>> extremes_;
  std::map<std::string, AtomId> names_;
  std::vector<Fact> facts_;
};

// Names of variables in a term; the factors of a product are named, not the product.
void collect_factors(const Term& term, std::set<std::string>& names);
void collect_variables(const Term& term, std::set<std::string>& names);
std::vector<std::string> factors_of(const std::string& variable);
std::string product_of(std::vector<std::string> factors);
// The same term with other names for atoms.
using Renaming = std::function<std::string(const std::string&)>;
Term renamed(const Term& term, const Renaming& rename);
// The same term with a term put for each atom; nullopt when an atom that moves is in a product.
std::optional<Term> substituted(const Term& term, const std::map<std::string, Term>& values);

// Truths about integers: signs of the product, that it is no smaller than factors >= 1, and that
// squares rise.
std::vector<Term> monomial_lemmas(const std::vector<Term>& terms);

}  // namespace heddle::verify
