// SPDX-License-Identifier: Apache-2.0
// Growth classes with explicit constants: M(i) <= c g(i) for i >= i0 and, the other way round,
// g(i) <= c M(i), where g(i) is the class's function built from floors of roots and logarithms.
#pragma once

#include <optional>

#include "analyzer/proof/exhaustive.hpp"
#include "analyzer/proof/structure.hpp"
#include "patterns/ast.hpp"

namespace heddle::proof {

enum class Direction { kAtMost, kAtLeast };

// `measure` takes the row i, or (i, j) for hops and then holds for every j < i. The constants are
// suggested by `measured` and proved for every i; parameters "c" and "i0" of the result.
std::optional<Proved> prove_growth(const Structure& structure, const MeasuredRows& measured,
                                   MeasureKind measure, const GrowthClass& growth,
                                   Direction direction);

// g(i) of the class; for the refutation of a claim.
Integer growth_value(const GrowthClass& growth, std::int64_t i);
bool grows_faster(const GrowthClass& a, const GrowthClass& b);
// From O(1) to O(n^2), slowest first.
const std::vector<GrowthClass>& growth_ladder();

}  // namespace heddle::proof
