// SPDX-License-Identifier: Apache-2.0
// Claims decided by looking: the smallest values of the variables at which a claim fails, by exact
// measures. Shares no reasoning with the proof rules.
#pragma once

#include <optional>
#include <string>

#include "analyzer/certificate/verdict.hpp"
#include "analyzer/proof/claim_terms.hpp"
#include "analyzer/proof/measured_rows.hpp"

namespace heddle::proof {

struct SearchResult {
  std::optional<Refuted> refuted;
  std::int64_t checked_up_to = 0;  // all values of the variables up to this one were tried
  std::string stopped;             // why not further, when the claim has no value somewhere
  bool applied = false;            // the condition after `for` held somewhere
  bool incomplete = false;         // somewhere a measure is only enclosed, and that did not decide
};

// All values >= 1 of the variables up to `last` (with j < i), smallest maximum first.
SearchResult search(const Pattern& pattern, const Claim& claim, const MeasuredRows& measured,
                    std::int64_t first, std::int64_t last);

// The claim at these values, wherever they are, by evaluating only the rows it needs; measures of
// many rows are what `known` says. Nothing if the claim holds there or `known` fails.
std::optional<Refuted> refute_at(const Pattern& pattern, const Claim& claim, const Bindings& values,
                                 const MeasureOracle& known);
// False if the claim fails there, and where `known` fails.
bool holds_at(const Pattern& pattern, const Claim& claim, const Bindings& values,
              const MeasureOracle& known);

}  // namespace heddle::proof
