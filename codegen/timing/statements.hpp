// SPDX-License-Identifier: Apache-2.0
// What can be told of statements by looking at them.
#pragma once

#include <cstdint>
#include <set>

#include "codegen/ir/ir.hpp"

namespace heddle::timing {

// By variable and by private array, what may be assigned.
struct Changed {
  std::set<std::int32_t> variables;
  std::set<std::int32_t> arrays;
};
Changed changed_by(const ir::Body& body);

bool holds_barrier(const ir::Statement& statement);
// Whether a compiler makes no branch of it but predicates: few instructions, and no way round.
bool is_predicated(const ir::Kernel& kernel, const ir::If& node);
// Whether nothing in it branches.
bool is_straight(const ir::Kernel& kernel, const ir::Body& body);
bool is_small_body(const ir::Kernel& kernel, const ir::Body& body);

// How many of the iterations that are left of a straight loop the compiler makes one stretch of
// code: one by one what is above a multiple of four, then as many as it can.
int iterations_of_a_stretch(std::int64_t left, bool is_small);

}  // namespace heddle::timing
