// SPDX-License-Identifier: Apache-2.0
#include "cli/rows.hpp"

#include "cli/console.hpp"

namespace heddle {

RowsOrCode rows_of(const Pattern& pattern, std::int64_t n) {
  MaterializeResult result = materialize(pattern, n);
  if (auto* rows = std::get_if<Rows>(&result)) return {std::move(*rows), kDone};
  if (const auto* error = std::get_if<Error>(&result)) {
    return {std::nullopt, fail(kPatternRejected, error->message)};
  }
  const auto& violation = std::get<RowViolation>(result);
  return {std::nullopt,
          fail(kPatternRejected, "row " + std::to_string(violation.row) + " of " +
                                     (violation.side == Side::kA ? "A" : "B") + " reads position " +
                                     violation.position.to_string())};
}

}  // namespace heddle
