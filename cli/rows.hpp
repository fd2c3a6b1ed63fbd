// SPDX-License-Identifier: Apache-2.0
// Rows 1..n of a loaded pattern, or an exit code with the reason printed.
#pragma once

#include <optional>

#include "cli/exit_code.hpp"
#include "patterns/materialize.hpp"

namespace heddle {

inline constexpr std::int64_t kMostRows = 1 << 20;  // of any -n

struct RowsOrCode {
  std::optional<Rows> rows;
  ExitCode code = kDone;
};
RowsOrCode rows_of(const Pattern& pattern, std::int64_t n);

}  // namespace heddle
