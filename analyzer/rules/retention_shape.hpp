// SPDX-License-Identifier: Apache-2.0
// What is known of live(i) for every i, and how it survives union, intersection and difference.
// Three properties of a set of reads carry the rules:
//   nothing     row(i+1) reads nothing in 1..i; then nothing stays live
//   nested      row(i+1) restricted to 1..i is a subset of row(i) and {i}; then live(i) is row(i+1)
//               restricted to 1..i, because a position that one row skips is never read again
//   everything  each p is read by rows as late as one likes; then live(i) = 1..i
// A property that is not claimed may still hold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "patterns/intervals.hpp"

namespace heddle {

struct RetentionShape {
  bool nothing = false;
  bool nested = false;
  bool everything = false;
  std::optional<std::int64_t> reach;    // no row after p + reach reads p
  std::optional<IntervalList> offsets;  // row(i) = {i - c : c in offsets, c < i}
  std::string rule;
};

RetentionShape unknown_shape();
RetentionShape nothing_shape();
RetentionShape nested_shape(std::string rule);
RetentionShape everything_shape(std::string rule);
// row(i) = {i - c : c in offsets, c < i}.
RetentionShape finite_offsets_shape(IntervalList offsets);

RetentionShape union_shape(const RetentionShape& x, const RetentionShape& y);
RetentionShape intersection_shape(const RetentionShape& x, const RetentionShape& y);
RetentionShape difference_shape(const RetentionShape& x, const RetentionShape& y);

}  // namespace heddle
