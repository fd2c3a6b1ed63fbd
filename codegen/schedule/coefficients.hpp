// SPDX-License-Identifier: Apache-2.0
// Where the coefficients of given and gated weights lie: one number for an entry of a row, or one
// for each of its channels. The only place that knows which.
#pragma once

#include <string>
#include <vector>

#include "codegen/ir/builder.hpp"
#include "codegen/schedule/kernel_spec.hpp"

namespace heddle::schedule {

// The shape of coef_a or coef_b, and of their gradients, for `tokens` tokens.
std::vector<std::string> coefficient_shape(const KernelSpec& spec, const std::string& tokens,
                                           Side side);

// The place of what belongs to entry 0 of a row of so many columns, `row` counting rows over batch,
// tokens and heads; and how far behind it that of entry e begins.
ir::Ex coefficient_row(const KernelSpec& spec, ir::Ex row, ir::Ex width);
ir::Ex coefficient_entry(const KernelSpec& spec, ir::Ex entry);

}  // namespace heddle::schedule
