// SPDX-License-Identifier: Apache-2.0
// From a pattern and options to what a schedule is asked for, or why there is no such kernel.
#pragma once

#include "codegen/generate.hpp"
#include "codegen/rows/row_plan.hpp"
#include "codegen/schedule/kernel_spec.hpp"

namespace heddle {

// The spec refers to the pattern and its rows. Options have passed check_options. Symbol, schedule
// and whether rows are long are left to whoever knows them.
Result<schedule::KernelSpec> make_spec(const Pattern& pattern, const rows::RowPlan& a,
                                       const rows::RowPlan& b, const GenerateOptions& options);

}  // namespace heddle
