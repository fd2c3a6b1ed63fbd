// SPDX-License-Identifier: Apache-2.0
// Growth classes with explicit constants: M(i) <= c g(i) for i >= i0 and, the other way round,
// g(i) <= c M(i), where g(i) is the class's function built from floors of roots and logarithms.
#pragma once

#include <optional>

#include "analyzer/proof/exhaustive.hpp"
#include "analyzer/proof/measure_terms.hpp"
#include "analyzer/proof/structure.hpp"
#include "patterns/ast.hpp"

namespace heddle::proof {

enum class Direction { kAtMost, kAtLeast };

// `measure` takes the row i, or (i, j) for hops and then holds for every j < i. The constants are
// suggested by `measured` and proved for every i; parameters "c" and "i0" of the result. With
// `detail`, from laws of that detail only.
std::optional<Proved> prove_growth(const Structure& structure, const MeasuredRows& measured,
                                   MeasureKind measure, const GrowthClass& growth,
                                   Direction direction,
                                   std::optional<Detail> detail = std::nullopt);

// Both sides from the same laws, as an auditor reads off the laws which of them to use; the lower
// one's constants are parameters "d" and "j0".
std::optional<Proved> prove_both(const Structure& structure, const MeasuredRows& measured,
                                 MeasureKind measure, const GrowthClass& growth);
// "all i", "all i, j"; from the larger of i0 and j0 on, "all i >= 2", "all i, j with i >= 2"; "no
// i" of what is vacuous.
std::string scope_of(const Proved& proved, const std::vector<std::string>& names);

// From O(1) to O(n^2), slowest first.
const std::vector<GrowthClass>& growth_ladder();

}  // namespace heddle::proof
