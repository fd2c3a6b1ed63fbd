// SPDX-License-Identifier: Apache-2.0
// What the text of a pattern makes the auditor ask of a certificate: which steps a claim needs,
// with which goals, and which hypotheses they may have. Trusts the theorems of theorems.hpp and
// nothing that the certificate says.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "analyzer/audit/step.hpp"
#include "analyzer/certificate/certificate.hpp"
#include "patterns/pattern.hpp"

namespace heddle::auditing {

// value(k) for k >= low: strictly increasing, by a step of the certificate.
struct Progression {
  std::string variable;
  ExpressionPtr value;
  std::int64_t low = 0;
};

// `start` up to `split`, and beyond it nothing, everything, or the values of progressions.
struct Points {
  IntervalList start;
  std::int64_t split = 0;
  bool all = false;
  std::vector<Progression> beyond;

  bool infinite() const { return all || !beyond.empty(); }
  bool all_from(std::int64_t low) const { return all && start == normalized({{low, split}}); }
};

// What rows of one side look like: {i - d : d in points, d < i}; {p in points : p <= i}, or p < i
// when `before`; lattice(function); an operation on two parts; or only what the syntax says.
struct Shape {
  enum class Kind { kDistances, kPositions, kLattice, kUnion, kIntersection, kDifference, kOther };
  Kind kind = Kind::kOther;
  Points points;
  bool before = false;
  std::string function;
  std::vector<Shape> parts;
  SetPtr set;
  std::optional<std::int64_t> farthest = {};  // kOther: no position is farther behind its row
};

// low <= size <= high
struct Size {
  Term low, high;
  bool exact() const { return low == high; }
};

class Derivation {
 public:
  Derivation(const Pattern& pattern, const Certificate& certificate);

  // What is wrong with the proof of the claim, or with its laws, steps, assumptions and scope.
  std::optional<std::string> causality(const CertifiedClaim& certified);
  std::optional<std::string> claim(const Claim& claim, const CertifiedClaim& certified);
  // Do steps of the certificate show of the function what nests the rows of its lattice?
  bool nests(const std::string& function) { return lattice(function).has_value(); }
  // The steps that were needed so far.
  const std::set<std::string>& needed() const { return needed_; }

 private:
  // ---- steps and lemmas (lemmas.cpp)
  bool step(const std::string& name, const std::function<Term(Step&)>& derive);
  bool fixed(const std::string& name, const std::vector<std::string>& given,
             const std::string& goal, const Holes& holes);
  bool lemma(const std::string& name, const std::function<bool()>& prove);
  bool licensed(Step& step, const Term& fact);
  bool power(const Term& base);
  bool powers(const Term& base, const Term& larger);
  bool within(const Term& base, const Term& larger, const Term& steps);
  bool popcount();
  bool bits();
  bool products();
  bool squares();
  bool total(const FunctionDefinition& f);
  // `what` tells apart properties whose steps have the same name.
  bool induction(const std::string& name, const std::string& what, const FunctionDefinition& f,
                 std::int64_t width, const std::function<Term(Step&, const Term&)>& property);
  bool positive(const FunctionDefinition& f);
  bool increasing(const FunctionDefinition& f);
  bool doubling(const FunctionDefinition& f, const Term& m);
  bool ratio(const FunctionDefinition& f, const Term& c);
  bool licensed_about(const FunctionDefinition& f, Step& step, const Term& fact);

  // ---- shapes of rows (shapes.cpp)
  const Shape& shape(Side side);
  bool reads_neighbour(Side side);  // i in rowA(i), or i - 1 in rowB(i) for i >= 2
  Shape recognize(const SetPtr& set, Side side);
  std::optional<Shape> comprehension(const SetPtr& whole, Side side);
  std::optional<std::string> lattice_written_out(const Comprehension& set) const;
  std::optional<Shape> range(const RangeSet& set, std::int64_t nearest) const;
  std::optional<std::int64_t> farthest(const SetPtr& set);
  std::optional<Shape> progression(const Progression& values, Shape::Kind kind, Side side);
  std::optional<Shape> lattice(const std::string& function);
  std::optional<Points> combined(SetOperator op, Points x, Points y) const;
  bool list_to(Points& points, std::int64_t split) const;
  std::optional<bool> has_point(const Points& points, std::int64_t point) const;
  bool reads(const Shape& shape, std::int64_t distance);
  bool causal(const Shape& shape, Side side);
  bool has_value(const Shape& shape, Side side);
  bool causal_step(const std::string& name, const SetExpression& set, Side side, bool in_range);
  std::optional<std::int64_t> constant(const Expression& expression,
                                       const Bindings& bindings = {}) const;

  // ---- what refines sizes (refinements.cpp)
  struct Overlap {
    std::vector<Progression> kept, common;  // the size is the sum of `kept` less `common`
  };
  std::optional<Overlap> overlap(const std::vector<Progression>& all);
  std::optional<Progression> meeting(const Progression& p, const Progression& q);
  std::optional<std::int64_t> value(const Progression& values, std::int64_t k) const;
  std::optional<std::int64_t> index_of(const Progression& values, std::int64_t wanted) const;
  struct Strides {
    bool distinct = false;  // no two places fall together
    bool bounded = false;   // a_k <= 2 (f(k) - f(k-1)) - 1
    int spread = 0;         // p_(k + spread) < p_k for k >= from
    std::int64_t from = 0;
  };
  Strides strides(const std::string& function);
  void refine(const Shape& shape);  // names the laws that refine any of its sizes

  // ---- hops by descent (descent.cpp)
  struct Descent;
  bool descent(const std::string& bound);
  bool descends(const Descent& descent);
  bool searched(const Descent& descent);
  void add_rulers(const Shape& shape, std::vector<Descent>& rulers);
  std::optional<ExpressionPtr> bound_at_distance(const std::string& text) const;
  std::optional<ExpressionPtr> parsed(const std::string& expression) const;
  std::vector<std::string> listed(const std::string& prefix) const;

  // ---- measures (measures.cpp)
  bool told(const std::string& law) const { return told_.count(law) > 0; }
  bool told_any(const std::string& prefix) const;
  Term depth(Step& step, const Term& n);
  Term rank(Step& step, const Term& m);
  Term congestion(Step& step, const Term& n);
  Term live(Step& step, const Term& n);
  Term measure(Step& step, MeasureKind kind, const std::vector<Term>& arguments);
  Term total_size(Step& step, bool live, const Term& i);
  Term hops(Step& step, const Term& i, const Term& j);
  Size size(Step& step, const Shape& shape, Side side, bool live, const Term& i);
  Size count(Step& step, const Points& points, const Term& limit);
  std::optional<std::pair<Term, Term>> range(Step& step, const Shape& shape, bool live,
                                             const Term& i);
  Term count_progression(Step& step, const Progression& values, const Term& limit);
  bool reads_all(const std::string& values, const std::function<std::int64_t(std::int64_t)>& value);
  Term growth(Step& step, const GrowthClass& growth, const Term& i);
  bool only_self();
  bool one_edge();  // from any token to any later one
  bool may_be_itself(const Term& i, const Term& j);

  // ---- claims (claims.cpp)
  using LeastSums = std::vector<std::optional<std::int64_t>>;  // by residue
  std::optional<Points> sure_distances(const Shape& shape) const;
  LeastSums least_sums(const Points& a, const Points& b) const;
  Term reachable(Step& step, const Term& distance);
  void start(const CertifiedClaim& certified);
  std::optional<std::string> wrongly_told(const CertifiedClaim& certified) const;
  bool reaches_all();  // every j < i reaches i

  const Pattern& pattern_;
  Evaluator evaluator_;
  std::map<std::string, Result<Script>> scripts_;                       // by name of the step
  std::map<std::string, std::optional<std::set<std::string>>> lemmas_;  // with the steps they need
  std::set<std::string> used_, rules_, assumes_, needed_, unfolding_;
  std::set<std::string> told_;       // the laws that the claim names: which derivation it took
  std::vector<std::string> listed_;  // the steps that it names
  std::map<Side, Shape> shapes_;
  std::map<std::string, Term> measured_;  // in the present step
  std::string problem_;
};

}  // namespace heddle::auditing
