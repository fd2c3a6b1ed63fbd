// SPDX-License-Identifier: Apache-2.0
// Lemmas about one recursive function, each by induction, and about powers and bits.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyzer/proof/knowledge.hpp"

namespace heddle::proof {

// Each adds what it can prove about `function` to the knowledge, and nothing otherwise.
void learn_order(Knowledge& knowledge, const FunctionDefinition& function);
void learn_closed_form(Knowledge& knowledge, const FunctionDefinition& function);
void learn_doubling(Knowledge& knowledge, const FunctionDefinition& function);
void learn_ratio(Knowledge& knowledge, const FunctionDefinition& function);
void learn_comparisons(Knowledge& knowledge, const FunctionDefinition& function);

// From neighbours to all pairs: f(k+1) >= f(k) + 1 gives f(s) + (t - s) <= f(t) for 0 <= s <= t.
Obligation pairs_obligation(const Knowledge& knowledge, const std::string& function);
// f(k) >= 1 and f(k+m) >= 2 f(k) give f(m q + r) >= 2^q for 0 <= r < m.
std::vector<Obligation> doubling_obligations(const Knowledge& knowledge,
                                             const std::string& function, int m);
// f(k+1) <= c f(k) gives f(t) <= f(0) c^t.
std::vector<Obligation> ratio_obligations(const Knowledge& knowledge, const std::string& function,
                                          const Integer& first, const Integer& ratio);

// "power(2)": 2^t >= t + 1, and 2 * 2^s <= 2^t for 0 <= s < t, with equality at t = s + 1.
Lemma power_lemma(const Knowledge& knowledge, const Integer& base);
// "powers(2,3)": 2^s <= 3^t for 0 <= s <= t, and 2 * 2^s <= 3^t for 0 <= s < t.
Lemma powers_lemma(const Knowledge& knowledge, const Integer& base, const Integer& larger);
// "within(2,3)": 3^t <= 2^(e t) for t >= 0, with the least e for which 3 <= 2^e.
Lemma within_lemma(const Knowledge& knowledge, const Integer& base, const Integer& larger);
// That e.
int steps_within(const Integer& base, const Integer& larger);
// "products": a c <= b d for 0 <= a <= b and 0 <= c <= d.
Lemma products_lemma(const Knowledge& knowledge);
// "squares": 2^(2t) = (2^t)^2 for t >= 0.
Lemma squares_lemma(const Knowledge& knowledge);
// "popcount": 1 <= popcount(x) <= l + 1 for 2^l <= x < 2^(l+1).
Lemma popcount_lemma(const Knowledge& knowledge);
// "bits": 2^popcount(x) <= x + 1 for x >= 0; 2^m - 1 is the least number with m one bits.
Lemma bits_lemma(const Knowledge& knowledge);

}  // namespace heddle::proof
