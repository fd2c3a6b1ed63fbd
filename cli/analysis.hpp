// SPDX-License-Identifier: Apache-2.0
// What `analyze` and `run` show of one pattern at one n: measures, proved classes, claims.
#pragma once

#include <string>

#include "analyzer/measures/measures.hpp"
#include "analyzer/proof/prove.hpp"
#include "patterns/pattern.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {

struct Analysis {
  Measures measures;
  ProofReport proofs;
  bool proved = true;  // whether the prover was asked; else `proofs` is empty
};
enum class Proofs { kLeftOut, kMade };
Analysis analyze(const Pattern& pattern, const Rows& rows, const MeasureOptions& options,
                 Proofs proofs = Proofs::kMade);

// The object of the contract: keys may be added, never renamed.
// With the evidence, what proves the bounds of congestion and of rank is listed; `measure` must
// have been asked for that of rank.
enum class Evidence { kLeftOut, kShown };
std::string analysis_json(const Pattern& pattern, const Analysis& analysis,
                          Evidence evidence = Evidence::kLeftOut);
// Columns: measure, at n, most, class for every n, remark.
TextTable measures_table(const Pattern& pattern, const Analysis& analysis);
// "O(sqrt n)", or "-" where no class is proved.
std::string class_text(const DerivedMeasure& measure);

}  // namespace heddle
