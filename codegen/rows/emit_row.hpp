// SPDX-License-Identifier: Apache-2.0
// Writes the walk over a row, or the question whether a row holds a position, into a kernel. Each
// leaf becomes a few integers that move down the row; several leaves are merged by their heads.
#pragma once

#include <functional>

#include "codegen/ir/builder.hpp"
#include "codegen/rows/row_plan.hpp"

namespace heddle::rows {

// Emits body(position) for each position of the row, descending, each once. The row is in
// 1..2^31; all state lives in variables of the current scope.
void emit_walk(ir::Builder& builder, const Pattern& pattern, const RowPlan& plan, ir::Ex row,
               const std::function<void(ir::Ex)>& body);

// Whether the row holds the position; statements that decide it come first.
ir::Ex emit_contains(ir::Builder& builder, const Pattern& pattern, const RowPlan& plan, ir::Ex row,
                     ir::Ex position);
// The same of position row - 1 >= 1.
ir::Ex emit_contains_newest(ir::Builder& builder, const Pattern& pattern, const RowPlan& plan,
                            ir::Ex row, ir::Ex newest);

// Emits body(f(k), a_k) for each term of a single lattice with f(k) < row, k = 0, 1, ...
void emit_lattice_terms(ir::Builder& builder, const Pattern& pattern, const RowPlan& plan,
                        ir::Ex row, const std::function<void(ir::Ex, ir::Ex)>& body);

// The same, and for the first term with f(k) >= row besides.
void emit_lattice_terms_beyond(ir::Builder& builder, const Pattern& pattern, const RowPlan& plan,
                               ir::Ex row, const std::function<void(ir::Ex, ir::Ex)>& body);

// How many rows behind a position read it, of a single lattice: they are the next ones, without a
// gap. Term k finds p from the a_k rows up to p + f(k), if a_k divides p, and then so do all before
// it; each of these stretches begins where the one before it ends or earlier, for
// a_k >= f(k) - f(k - 1). Where there are `most` or more it may be any number from `most` on.
ir::Ex emit_lattice_reach(ir::Builder& builder, const Pattern& pattern, const RowPlan& plan,
                          ir::Ex position, ir::Ex most);

}  // namespace heddle::rows
