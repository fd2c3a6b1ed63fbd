// SPDX-License-Identifier: Apache-2.0
// The algebra of Points. Each result is exact; a combination that has no such form gives nothing.
#pragma once

#include <optional>

#include "analyzer/proof/row_model.hpp"

namespace heddle::proof {

Points interval_points(std::int64_t low, std::int64_t high);  // empty when low > high
Points points_from(std::int64_t low);                         // low, low + 1, ...
// Its values up to `split`, listed, and the rest; nothing when there are too many to list.
std::optional<Points> progression_points(const Knowledge& knowledge, Progression progression);

std::optional<Points> combine(const Knowledge& knowledge, SetOperator op, const Points& left,
                              const Points& right);

}  // namespace heddle::proof
