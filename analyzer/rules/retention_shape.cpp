// SPDX-License-Identifier: Apache-2.0
// The algebra of retention shapes; each rule is a line of set theory on rows i and i + 1.
#include "analyzer/rules/retention_shape.hpp"

#include <algorithm>

namespace heddle {
namespace {

// The same later reads; the position i itself may be missing on side A.
RetentionShape without_offsets(const RetentionShape& shape) {
  RetentionShape result = shape;
  result.offsets = std::nullopt;
  return result;
}

}  // namespace

RetentionShape unknown_shape() {
  RetentionShape shape;
  shape.rule = "no rule for this set";
  return shape;
}

RetentionShape nothing_shape() {
  RetentionShape shape;
  shape.nothing = shape.nested = true;
  shape.reach = 0;
  shape.rule = "no later row reads position i";
  return shape;
}

RetentionShape nested_shape(std::string rule) {
  RetentionShape shape;
  shape.nested = true;
  shape.rule = std::move(rule);
  return shape;
}

RetentionShape everything_shape(std::string rule) {
  RetentionShape shape;
  shape.everything = true;
  shape.rule = std::move(rule);
  return shape;
}

// Nested if and only if c - 1 is an offset for each
// offset c >= 2, that is, if the positive offsets are 1..h.
RetentionShape finite_offsets_shape(IntervalList offsets) {
  if (!offsets.empty() && offsets.front().low < 0) return unknown_shape();
  const IntervalList later = difference_of(offsets, {{0, 0}});
  RetentionShape shape;
  shape.nothing = later.empty();
  shape.nested = later.empty() || (later.size() == 1 && later.front().low == 1);
  shape.reach = later.empty() ? 0 : later.back().high;
  shape.offsets = std::move(offsets);
  shape.rule = shape.nothing  ? "no later row reads position i"
               : shape.nested ? "a window only loses its oldest position"
                              : "no row after p + " + std::to_string(*shape.reach) + " reads p";
  return shape;
}

RetentionShape union_shape(const RetentionShape& x, const RetentionShape& y) {
  if (x.offsets && y.offsets) {
    return finite_offsets_shape(union_of(*x.offsets, *y.offsets));
  }
  RetentionShape result;
  result.nothing = x.nothing && y.nothing;
  result.nested = x.nested && y.nested;
  result.everything = x.everything || y.everything;
  if (x.reach && y.reach) result.reach = std::max(*x.reach, *y.reach);
  if (result.everything) {
    result.rule = x.everything ? x.rule : y.rule;
  } else if (x.nothing || y.nothing) {
    result.rule = x.nothing ? y.rule : x.rule;
  } else if (result.nested) {
    result.rule = "a union of nested sets is nested: " + x.rule + "; " + y.rule;
  } else {
    result.rule = "a union in which some part has no rule";
  }
  return result;
}

RetentionShape intersection_shape(const RetentionShape& x, const RetentionShape& y) {
  if (x.offsets && y.offsets) {
    return finite_offsets_shape(intersection_of(*x.offsets, *y.offsets));
  }
  // Nested and everything together mean that row(i+1) reads all of 1..i.
  if (x.nested && x.everything) return without_offsets(y);
  if (y.nested && y.everything) return without_offsets(x);
  RetentionShape result;
  result.nothing = x.nothing || y.nothing;
  result.nested = result.nothing || (x.nested && y.nested);
  if (x.reach || y.reach) {
    result.reach = std::min(x.reach.value_or(INT64_MAX), y.reach.value_or(INT64_MAX));
  }
  if (result.nothing) {
    result.rule = x.nothing ? x.rule : y.rule;
  } else if (result.nested) {
    result.rule = "an intersection of nested sets is nested: " + x.rule + "; " + y.rule;
  } else {
    result.rule = "an intersection in which some part has no rule";
  }
  return result;
}

RetentionShape difference_shape(const RetentionShape& x, const RetentionShape& y) {
  if (x.offsets && y.offsets) {
    return finite_offsets_shape(difference_of(*x.offsets, *y.offsets));
  }
  RetentionShape result = x;
  result.offsets.reset();
  if (x.nothing || y.nothing) return result;
  result.nested = false;
  // Reads of p taken away end at p + reach, those of the left side do not.
  result.everything = x.everything && y.reach;
  if (!result.everything) result.rule = "a difference without a rule";
  return result;
}

}  // namespace heddle
