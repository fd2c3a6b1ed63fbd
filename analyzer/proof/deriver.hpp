// SPDX-License-Identifier: Apache-2.0
// Bounds that nobody asked for: the least class and the sharpest closed forms that can be proved,
// measure by measure, each found once, when it is first asked for.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "analyzer/proof/growth.hpp"
#include "analyzer/proof/subject.hpp"

namespace heddle::proof {

class Deriver {
 public:
  // The subject must outlive it. From the first question about hops on it knows bounds on them.
  explicit Deriver(Subject& subject) : subject_(subject) {}

  DerivedBounds all();

  // "depth(n) = n - 1": the measure's value wherever it is defined, as a claim with its proof. Null
  // where no such form is proved.
  const ClaimVerdict* exact_form(MeasureKind measure);
  // What exact_form() says of the measure of these arguments; fails without one.
  Result<Integer> value(MeasureKind measure, const std::vector<Integer>& arguments);

 private:
  struct Findings {
    DerivedMeasure bounds;
    std::vector<ClaimVerdict> claims;  // what of them the language can say
  };
  const Findings& about(MeasureKind measure);
  const DerivedMeasure& cache() { return about(MeasureKind::kCache).bounds; }
  Findings find(MeasureKind measure);
  void derive_sizes(MeasureKind measure, Findings& found);
  void derive_hops(Findings& found);
  void derive_congestion(Findings& found);
  void derive_rank(Findings& found);
  void state_classes(MeasureKind measure, const std::string& variable, Findings& found);
  void state_forms(const std::string& measure, Findings& found);
  void first_of(const std::string& measure, const std::vector<std::string>& exact,
                const std::vector<std::string>& upper, const std::vector<std::string>& lower,
                Findings& found);
  bool proves(const std::string& text);
  std::optional<Proved> prove_class(MeasureKind measure, const GrowthClass& growth,
                                    Direction direction) const;
  std::optional<std::int64_t> longest_distance() const;
  std::string closed_form(MeasureKind measure) const;
  bool is_uncertain(MeasureKind measure) const;

  Subject& subject_;
  std::map<MeasureKind, Findings> found_;
  std::map<std::string, ClaimVerdict> proved_;  // by the text that was tried
  std::map<MeasureKind, Claim> forms_;          // exact forms, read
};

}  // namespace heddle::proof
