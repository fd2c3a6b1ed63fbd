// SPDX-License-Identifier: Apache-2.0
// Operators and helpers of kernels on numbers. Nothing where an operation has no value: beyond 64
// bits, or outside the domain that the prelude states.
#pragma once

#include <cstdint>
#include <optional>

#include "codegen/ir/ir.hpp"

namespace heddle::verify {

constexpr float kLowestReplayScore = -3.402823466e+38f;

std::optional<std::int64_t> replayed(ir::BinaryOperator op, std::int64_t x, std::int64_t y);
float replayed(ir::BinaryOperator op, float x, float y);
bool compared(ir::BinaryOperator op, std::int64_t x, std::int64_t y);
bool compared(ir::BinaryOperator op, float x, float y);
std::optional<std::int64_t> replayed(ir::Helper helper, std::int64_t x, std::int64_t y);
float replayed(ir::Helper helper, float x, float y);

}  // namespace heddle::verify
