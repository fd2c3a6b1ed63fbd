// SPDX-License-Identifier: Apache-2.0
// Sizes of rows and live sets in words, where they are exact.
#pragma once

#include <optional>
#include <string>

#include "analyzer/proof/row_model.hpp"

namespace heddle::proof {

// |row(i)|, e.g. "#{k >= 0 : f(k) <= i - 1}"; nothing when the rules only bound it.
std::optional<std::string> describe_row_size(const RowModel& model);
// |live(i)|, e.g. "min(i, 4)".
std::optional<std::string> describe_live_size(const RowModel& model);

}  // namespace heddle::proof
