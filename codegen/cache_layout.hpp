// SPDX-License-Identifier: Apache-2.0
// What of a pattern's rows a manifest keeps as numbers: how much a cache holds, how wide rows are.
#pragma once

#include <string>

#include "codegen/manifest.hpp"
#include "patterns/materialize.hpp"
#include "patterns/pattern.hpp"

namespace heddle {

CacheRetention retention_of(const Pattern& pattern, Side side);

// |live(n)| = |row(n+1) up to n|, and the most of it over all shorter sequences, up to `exact_to`.
CacheLayout layout_of(CacheRetention keep, const RowTable& table, std::int64_t exact_to);

// The most entries of any row up to each length.
RowWidth counted_width(const RowTable& table, std::int64_t exact_to);

// A function in C++ that tells a cache's slots to callers without a manifest at hand; it gives -1
// where the size was not computed.
std::string slots_function(const std::string& pattern, const std::string& side,
                           const CacheLayout& layout);

}  // namespace heddle
