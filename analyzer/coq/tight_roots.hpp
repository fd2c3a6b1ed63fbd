// SPDX-License-Identifier: Apache-2.0
// Where a window and strides meet their lower bound by a root, which arithmetic alone does not
// find: w + b against floor(p sqrt(q (i - 1)) / r) + 1.
#pragma once

#include <optional>
#include <string>

#include "analyzer/coq/expressions.hpp"

namespace heddle::coq {

// "numbers_near K L" for a row of window(width) and the multiples of `stride` before it: the bound
// is all but met at i near K and, past the window, at L strides. Nothing where the bound is
// another.
std::optional<std::string> numbers_near(const Expression& bound, const Pattern& pattern,
                                        const Integer& width, const Integer& stride);

}  // namespace heddle::coq
