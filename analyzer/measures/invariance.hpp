// SPDX-License-Identifier: Apache-2.0
// Patterns whose rows are translates of one set of offsets: distances replace pairs of tokens.
#pragma once

#include <optional>

#include "patterns/materialize.hpp"

namespace heddle {

// The offsets D, ascending, with row(i) = {i - c : c in D, c < i} for each of the table's rows;
// null if there is no such set. Read off the last row and checked on all, so it holds at this n,
// and is no statement about later rows.
std::optional<IntervalList> invariant_offsets(const RowTable& table);

}  // namespace heddle
