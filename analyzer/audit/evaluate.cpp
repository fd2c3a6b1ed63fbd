// SPDX-License-Identifier: Apache-2.0
// Rows, times and hops from the definitions, and each claim at each pair of small tokens.
#include "analyzer/audit/evaluate.hpp"

#include <algorithm>

#include "patterns/expression.hpp"

namespace heddle::auditing {
namespace {

constexpr const char* kNoPath = "no path";

// True or false, or nothing where the claim has no value or needs rows that are not there.
std::optional<bool> holds_at(const Evaluator& evaluator, const Claim& claim,
                             const Bindings& bindings, const MeasureOracle& oracle) {
  if (claim.where) {
    const Result<bool> applies = evaluator.holds(*claim.where, bindings, oracle);
    if (!applies.ok()) return std::nullopt;
    if (!applies.value()) return true;
  }
  if (const auto* reach = std::get_if<ReachClaim>(&claim.node)) {
    const Result<Integer> later = evaluator.evaluate(*reach->from_row, bindings, oracle);
    const Result<Integer> earlier = evaluator.evaluate(*reach->to_row, bindings, oracle);
    if (!later.ok() || !earlier.ok()) return std::nullopt;
    const Result<Integer> hops = oracle(MeasureKind::kHops, {later.value(), earlier.value()});
    if (hops.ok()) return true;
    return hops.error().message == kNoPath ? std::optional(false) : std::nullopt;
  }
  const auto* bound = std::get_if<BoundClaim>(&claim.node);
  if (bound == nullptr) return std::nullopt;
  const Result<Integer> left = evaluator.evaluate(*bound->left, bindings, oracle);
  const Result<Integer> right = evaluator.evaluate(*bound->right, bindings, oracle);
  if (!left.ok() || !right.ok()) return std::nullopt;
  switch (bound->op) {
    case ComparisonOperator::kLessEqual:
      return left.value() <= right.value();
    case ComparisonOperator::kGreaterEqual:
      return right.value() <= left.value();
    default:
      return left.value() == right.value();
  }
}

}  // namespace

Result<SmallRows> SmallRows::of(const Pattern& pattern, int n) {
  SmallRows rows(pattern);
  const Evaluator evaluator(pattern);
  rows.n_ = n;
  const auto size = static_cast<std::size_t>(n) + 1;
  std::vector<std::vector<int>> cost(size, std::vector<int>(size, -1));
  for (int i = 1; i <= n; ++i) {
    const Result<Row> a = evaluator.row(Side::kA, i);
    const Result<Row> b = evaluator.row(Side::kB, i);
    if (!a.ok() || !b.ok() || a.value().violation || b.value().violation) {
      return Error{"row " + std::to_string(i) + " is not causal"};
    }
    rows.time_.push_back(count_of(a.value().positions) + count_of(b.value().positions));
    std::vector<int>& here = cost[static_cast<std::size_t>(i)];
    const auto shorten = [&](std::int64_t j, int steps) {
      int& best = here[static_cast<std::size_t>(j)];
      if (best < 0 || steps < best) best = steps;
    };
    for (const Interval& interval : a.value().positions) {
      for (std::int64_t j = interval.low; j <= interval.high; ++j) shorten(j, j == i ? 0 : 1);
    }
    for (const Interval& interval : b.value().positions) {
      for (std::int64_t p = interval.low; p <= interval.high; ++p) {
        const std::vector<int>& there = cost[static_cast<std::size_t>(p)];
        for (std::int64_t j = 1; j <= p; ++j) {
          const int steps = there[static_cast<std::size_t>(j)];
          if (steps >= 0) shorten(j, steps + 1);
        }
      }
    }
  }
  rows.hops_ = std::move(cost);
  return rows;
}

bool SmallRows::can_evaluate(const CertifiedClaim& certified) {
  for (const char* other : {"cache(", "congestion(", "rank(", "depth(", " in O("}) {
    if (certified.text.find(other) != std::string::npos) return false;
  }
  return true;
}

std::optional<std::string> SmallRows::contradiction(const Claim& claim,
                                                    const CertifiedClaim& certified) const {
  if (!can_evaluate(certified)) return std::nullopt;
  const MeasureOracle oracle = [this](MeasureKind kind,
                                      const std::vector<Integer>& arguments) -> Result<Integer> {
    const std::int64_t i = arguments[0].to_int64().value_or(0);
    if (i < 1 || i > n_) return Error{"not among these rows"};
    if (kind == MeasureKind::kTime) return Integer(time_[static_cast<std::size_t>(i - 1)]);
    if (kind != MeasureKind::kHops) return Error{"not evaluated here"};
    const std::int64_t j = arguments[1].to_int64().value_or(0);
    if (j < 1 || j > i) return Error{"not an earlier token"};
    const int hops = hops_[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)];
    return hops < 0 ? Result<Integer>(Error{kNoPath}) : Result<Integer>(Integer(hops));
  };
  const Evaluator evaluator(*pattern_);
  if (certified.verdict == "refuted") {
    Bindings bindings;
    for (const auto& [name, text] : certified.counterexample) {
      const std::optional<Integer> value = Integer::parse(text);
      if (!value) return "a counterexample holds something that is not a number";
      if (name != "value" && name != "bound") bindings.emplace_back(name, *value);
    }
    const std::optional<bool> holds = holds_at(evaluator, claim, bindings, oracle);
    if (holds && *holds) return "the claim holds at its counterexample";
    return std::nullopt;
  }
  // Every value of up to two names of the contract's free variables; others are left alone.
  std::int64_t last = n_;
  for (const auto& [name, text] : certified.parameters) {
    if (certified.verdict != "checked" || name != "n") continue;
    const std::optional<Integer> value = Integer::parse(text);
    const std::optional<std::int64_t> n = value ? value->to_int64() : std::nullopt;
    if (!n) return "the row up to which it was checked is not a number";
    last = std::min(last, *n);
  }
  for (std::int64_t i = 1; i <= last; ++i) {
    for (std::int64_t j = 1; j <= std::max<std::int64_t>(1, i - 1); ++j) {
      Bindings bindings{{"n", i}, {"m", i}, {"i", i}};
      if (j < i) bindings.emplace_back("j", j);
      const std::optional<bool> holds = holds_at(evaluator, claim, bindings, oracle);
      if (holds && !*holds) {
        return "the claim fails at i = " + std::to_string(i) + ", j = " + std::to_string(j);
      }
    }
  }
  return std::nullopt;
}

}  // namespace heddle::auditing
