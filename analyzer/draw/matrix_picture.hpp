// SPDX-License-Identifier: Apache-2.0
// The matrices A and B side by side: which inputs and which earlier outputs each row reads. Single
// entries for small n; beyond, each cell shows what share of its entries is read, counted exactly.
#pragma once

#include <string>
#include <string_view>

#include "patterns/materialize.hpp"

namespace heddle {

std::string matrix_svg(std::string_view name, const Rows& rows);

}  // namespace heddle
