// SPDX-License-Identifier: Apache-2.0
// The measures of a pattern as terms of a query: exact where a law gives the exact value, otherwise
// a fresh number between proved bounds. Remembers which laws it used.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "analyzer/proof/query.hpp"
#include "analyzer/proof/row_size.hpp"
#include "analyzer/proof/structure.hpp"

namespace heddle::proof {

// Plain laws make short scripts and decide most claims; refined ones add the lower bounds of
// lattices, hop bounds by descent and the laws that enclose congestion and rank from both sides.
enum class Detail { kPlain, kRefined };

class MeasureTerms {
 public:
  explicit MeasureTerms(const Structure& structure, Detail detail = Detail::kPlain)
      : structure_(structure), detail_(detail) {}

  // Nothing when no law applies, with `refusal` saying so.
  std::optional<Term> term(Query& query, MeasureKind measure, const std::vector<Term>& arguments);

  const std::set<std::string>& rules() const { return rules_; }
  const std::set<std::string>& assumes() const { return assumes_; }
  // Of the models and side conditions used.
  const std::vector<Obligation>& obligations() const { return obligations_; }
  const std::set<std::string>& lemmas() const { return lemmas_; }
  // False once a measure was only bounded: then a model of the solver need not be real.
  bool exact() const { return exact_; }

 private:
  Term time(Query& query, const Term& i);
  Term cache(Query& query, const Term& i);
  std::optional<Term> hops(Query& query, const Term& i, const Term& j);
  std::optional<Term> depth(Query& query, const Term& n);
  std::optional<Term> depth_of_distances(Query& query, const Term& n);  // where it is exact
  std::optional<Term> congestion(Query& query, const Term& n);
  std::optional<Term> rank(Query& query, const Term& m);
  Term live(Query& query, const Term& n);
  bool may_be_itself(const std::vector<Term>& arguments) const;  // of hops: one token, not a pair
  bool reads_only_powers_of_two() const;
  bool reads_all_powers_of_two();
  bool reads_all_squares_plus_one();
  bool progression_is(const Progression& progression, const ExpressionPtr& other);
  void use(const ProvedModel& model);
  void use_refinement(const RowModel& model, bool live);
  bool refined() const { return detail_ == Detail::kRefined; }
  const Refined* refinement() const { return refined() ? &structure_.refined : nullptr; }

  const Structure& structure_;
  Detail detail_;
  std::set<std::string> rules_;
  std::set<std::string> assumes_;
  std::vector<Obligation> obligations_;
  std::set<std::string> lemmas_;
  std::map<std::string, Term> known_;
  bool exact_ = true;
};

}  // namespace heddle::proof
