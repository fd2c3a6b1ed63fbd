// SPDX-License-Identifier: Apache-2.0
// Rows, times, hops and live tokens from the definitions, and each claim at each choice of small
// tokens.
#include "analyzer/audit/evaluate.hpp"

#include <algorithm>
#include <cctype>
#include <set>

#include "patterns/ast_print.hpp"

namespace heddle::auditing {
namespace {

using Outcome = Evaluation::Outcome;

constexpr const char* kNoPath = "no path";
// Live tokens are looked for in so many times the rows.
constexpr int kFarther = 4;

// The words of the text that stand for numbers: not followed by a bracket, not a parameter.
std::vector<std::string> names_in(const std::string& text, const Pattern& pattern) {
  std::set<std::string> names;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    while (end < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[end])) || text[end] == '_'))
      ++end;
    const std::string word = text.substr(at, end - at);
    static const std::set<std::string> kWords = {"for", "and", "or", "not", "mod", "in"};
    if (!word.empty() && !std::isdigit(static_cast<unsigned char>(word[0])) &&
        text.substr(end, 1) != "(" && kWords.count(word) == 0 && !pattern.parameter(word)) {
      names.insert(word);
    }
    at = std::max(end, at + 1);
  }
  return {names.begin(), names.end()};
}

}  // namespace

Result<SmallRows> SmallRows::of(const Pattern& pattern, int n) {
  SmallRows rows(pattern);
  const int farthest = kFarther * n;
  rows.last_a_.resize(static_cast<std::size_t>(farthest) + 1);
  rows.last_b_ = rows.last_a_;
  for (int i = 1; i <= farthest; ++i) {
    std::vector<int> here(static_cast<std::size_t>(i) + 1, -1);
    const auto shorten = [&](std::int64_t j, int steps) {
      int& best = here[static_cast<std::size_t>(j)];
      if (best < 0 || steps < best) best = steps;
    };
    for (const Side side : {Side::kA, Side::kB}) {
      const Result<Row> row = rows.evaluator_.row(side, i);
      if (!row.ok() || row->violation) {
        return Error{"row " + std::to_string(i) + " is not causal"};
      }
      std::vector<int>& last = side == Side::kA ? rows.last_a_ : rows.last_b_;
      for (const Interval& interval : row->positions) {
        std::fill(last.begin() + interval.low, last.begin() + interval.high + 1, i);
        for (std::int64_t p = interval.low; i <= n && p <= interval.high; ++p) {
          if (side == Side::kA) shorten(p, p == i ? 0 : 1);
          if (side == Side::kA) continue;
          const std::vector<int>& there = rows.hops_[static_cast<std::size_t>(p)];
          for (std::int64_t j = 1; j <= p; ++j) {
            const int steps = there[static_cast<std::size_t>(j)];
            if (steps >= 0) shorten(j, steps + 1);
          }
        }
      }
    }
    if (i <= n) rows.hops_.push_back(std::move(here));
  }
  return rows;
}

std::optional<Integer> SmallRows::live_at_least(const Integer& i) const {
  const std::optional<std::int64_t> row = i.to_int64();
  if (!row || *row < 1 || *row >= static_cast<std::int64_t>(last_a_.size())) return std::nullopt;
  std::int64_t live = 0;
  for (const std::vector<int>* last : {&last_a_, &last_b_}) {
    live += std::count_if(last->begin() + 1, last->begin() + *row + 1,
                          [&](int reader) { return reader > *row; });
  }
  return Integer(live);
}

Result<Integer> SmallRows::measure(MeasureKind kind, const std::vector<Integer>& arguments) const {
  const std::optional<std::int64_t> i = arguments[0].to_int64();
  if (!i || *i < 1) return Error{"not a row"};
  if (kind == MeasureKind::kTime) {
    std::int64_t total = 0;
    for (const Side side : {Side::kA, Side::kB}) {
      const Result<Row> row = evaluator_.row(side, *i);
      if (!row.ok()) return row.error();
      total += count_of(row->positions);
    }
    return Integer(total);
  }
  const auto n = static_cast<std::int64_t>(hops_.size()) - 1;
  const std::optional<std::int64_t> j = arguments.back().to_int64();
  if (kind != MeasureKind::kHops || *i > n || !j || *j < 1 || *j > *i) {
    return Error{"not evaluated here"};
  }
  const int hops = hops_[static_cast<std::size_t>(*i)][static_cast<std::size_t>(*j)];
  return hops < 0 ? Result<Integer>(Error{kNoPath}) : Result<Integer>(Integer(hops));
}

// Nothing where the claim has no value or needs more than these rows.
std::optional<SmallRows::Decided> SmallRows::decide(const Claim& claim,
                                                    const Bindings& bindings) const {
  const MeasureOracle oracle = [this](MeasureKind kind, const std::vector<Integer>& arguments) {
    return measure(kind, arguments);
  };
  if (claim.where) {
    const Result<bool> applies = evaluator_.holds(*claim.where, bindings, oracle);
    if (!applies.ok()) return std::nullopt;
    if (!applies.value()) return Decided{};
  }
  const auto* reach = std::get_if<ReachClaim>(&claim.node);
  const auto* bound = std::get_if<BoundClaim>(&claim.node);
  if (reach == nullptr && bound == nullptr) return std::nullopt;
  const auto value = [&](const ExpressionPtr& expression) {
    return evaluator_.evaluate(*expression, bindings, oracle);
  };
  const Result<Integer> right = value(reach ? reach->to_row : bound->right);
  const auto* measured = bound ? std::get_if<MeasureTerm>(&bound->left->node) : nullptr;
  if (measured != nullptr && measured->measure == MeasureKind::kCache && right.ok()) {
    // What is read already may be too much; that nothing else will be read is not seen here.
    const Result<Integer> i = value(measured->arguments.front());
    const std::optional<Integer> live = i.ok() ? live_at_least(*i) : std::nullopt;
    if (!live || bound->op == ComparisonOperator::kGreaterEqual || *live <= *right) {
      return std::nullopt;
    }
    return Decided{false, *live, *right, false, true};
  }
  const Result<Integer> left = value(reach ? reach->from_row : bound->left);
  // Hops without a path are infinite, which no number bounds from above.
  if (!left.ok() && left.error().message == kNoPath && right.ok() && measured != nullptr) {
    return Decided{bound->op == ComparisonOperator::kGreaterEqual, {}, *right, true};
  }
  if (!left.ok() || !right.ok()) return std::nullopt;
  Decided decided{true, *left, *right};
  if (reach != nullptr) {
    // Information never flows back: a later token is out of reach whatever the rows are.
    if (Integer(1) <= *left && *left < *right) {
      decided.holds = false;
      return decided;
    }
    const Result<Integer> hops = measure(MeasureKind::kHops, {*left, *right});
    if (!hops.ok() && hops.error().message != kNoPath) return std::nullopt;
    decided.holds = hops.ok();
  } else if (bound->op == ComparisonOperator::kEqual) {
    decided.holds = *left == *right;
  } else {
    decided.holds = bound->op == ComparisonOperator::kLessEqual ? *left <= *right : *right <= *left;
  }
  return decided;
}

Evaluation SmallRows::evaluate(const Claim& claim, const CertifiedClaim& certified) const {
  Bindings bindings;
  if (certified.verdict == "refuted") {
    bool infinite = false;
    for (const auto& [name, text] : certified.counterexample) {
      if (name == "value" && text == "infinity") infinite = true;
      const std::optional<Integer> value =
          name == "value" && infinite ? Integer(0) : Integer::parse(text);
      if (!value) return {Outcome::kContradicts, "its counterexample is not made of numbers"};
      bindings.emplace_back(name, *value);
    }
    if (bindings.size() < 2 || bindings[bindings.size() - 2].first != "value" ||
        bindings.back().first != "bound") {
      return {Outcome::kContradicts, "its counterexample has no value and no bound"};
    }
    const Integer right = bindings.back().second, left = bindings[bindings.size() - 2].second;
    bindings.resize(bindings.size() - 2);
    const std::optional<Decided> here = decide(claim, bindings);
    if (!here) return {Outcome::kOutOfReach, "its counterexample was not evaluated"};
    if (here->holds) return {Outcome::kContradicts, "it holds at its counterexample"};
    if (here->at_least && here->left < left && here->right == right) {
      return {Outcome::kOutOfReach, "not all of its counterexample's value was seen"};
    }
    if (here->infinite == infinite && here->left == left && here->right == right) return {};
    return {Outcome::kContradicts, "the sides at its counterexample are not what it says"};
  }
  const std::vector<std::string> names = names_in(print(claim), *pattern_);
  std::int64_t last = static_cast<std::int64_t>(hops_.size()) - 1;
  const bool checked = certified.verdict == "checked";
  if (checked) {
    const std::optional<Integer> limit = Integer::parse(certified.checked_up_to);
    if (!limit) return {Outcome::kContradicts, "it is checked up to something that is no number"};
    if (Integer(last) < *limit) return {Outcome::kOutOfReach, "it was evaluated less far"};
    last = limit->to_int64().value_or(0);
  }
  if (names.empty() || names.size() > 2) return {Outcome::kOutOfReach, "it has other variables"};
  const bool ordered = names == std::vector<std::string>{"i", "j"};
  for (std::int64_t x = 1; x <= last; ++x) {
    for (std::int64_t y = 1; y <= (names.size() < 2 ? 1 : ordered ? x - 1 : last); ++y) {
      bindings = {{names[0], x}};
      if (names.size() == 2) bindings.emplace_back(names[1], y);
      const std::optional<Decided> here = decide(claim, bindings);
      if (!here && checked) return {Outcome::kOutOfReach, "its measures were not evaluated"};
      if (!here || here->holds) continue;
      std::string at = "it fails at " + names[0] + " = " + std::to_string(x);
      if (names.size() == 2) at += ", " + names[1] + " = " + std::to_string(y);
      return {Outcome::kContradicts, at};
    }
  }
  return {};
}

}  // namespace heddle::auditing
