// SPDX-License-Identifier: Apache-2.0
#include "codegen/timing/helper_cost.hpp"

#include <map>

namespace heddle::timing {
namespace {

constexpr Cost operator+(Cost first, Cost then) {
  return {first.slots + then.slots, first.latency + then.latency};
}

constexpr Cost kMask = kCompareWide + kSelect;
constexpr Cost kWeigh = kPower + kReal;  // and the sum that it joins
// Of twelve numbers eight, the others weigh them, become products in two parts: it narrowed, what
// is left, and that narrowed.
constexpr Cost kInTwoParts{2 * (1 + kNarrowBf16.slots + 1 + kNarrowBf16.slots) / 3,
                           4 + kNarrowBf16.latency + 4 + kNarrowBf16.latency};

const std::map<std::string, HelperCost>& costs() {
  constexpr HelperCost kProducts{1, {0, 0}, {0, 0}, {0, 0}}, kMoves{};
  constexpr HelperCost kScales{0, {0, 0}, {0, 0}, kReal};
  static const std::map<std::string, HelperCost> table = {
      {"multiply_rows_by_rows", kProducts},
      {"multiply_rows_by_columns", kProducts},
      {"multiply_sums_by_columns", kProducts},
      {"multiply_sums_by_rows", kProducts},
      {"multiply_columns_by_rows", kProducts},
      {"multiply_columns", kProducts},
      {"multiply_columns_by_columns", {2, kInTwoParts, {0, 0}, {0, 0}}},
      {"scale_sums", kScales},
      {"scale_sums_across", kScales},
      {"scale_rows", kScales},
      {"scale_columns", kScales},
      {"dot_rows", {0, kReal + kReal, {0, 0}, {0, 0}}},
      {"store_sums", kMoves},
      {"load_sums", kMoves},
      {"store_sums_across", kMoves},
      {"load_sums_across", kMoves},
      {"mask_scores", {0, {0, 0}, {0, 0}, kMask}},
      {"mask_scores_before", {0, {0, 0}, {0, 0}, kMask}},
      {"mask_scores_by_position", {0, {0, 0}, {0, 0}, kMask}},
      {"drop_scores", {0, {0, 0}, {0, 0}, kMask}},
      {"raise_highest", {0, kReal, kPower, kReal}},
      {"weigh_scores", {0, {0, 0}, {0, 0}, kWeigh}},
      {"weigh_mixed", {0, {0, 0}, {0, 0}, kMask + kReal + kWeigh}},
      {"weigh_by_column", {0, {0, 0}, {0, 0}, kPower + kReal}},
      {"slopes_by_column", {0, {0, 0}, {0, 0}, kReal + kReal}},
      {"overlap_rows", {0, kReal, {0, 0}, {0, 0}}},
      {"sum_rows", kMoves},
      {"divide_rows", {0, {0, 0}, kDivideReals + kSelect, kReal}}};
  return table;
}

}  // namespace

const HelperCost* cost_of(const std::string& helper) {
  const auto found = costs().find(helper);
  return found == costs().end() ? nullptr : &found->second;
}

}  // namespace heddle::timing
