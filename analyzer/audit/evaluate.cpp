// SPDX-License-Identifier: Apache-2.0
// Rows, times, hops, chains and live tokens from the definitions, and each claim at each choice of
// small tokens.
#include "analyzer/audit/evaluate.hpp"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "patterns/ast_print.hpp"
#include "patterns/growth_class.hpp"

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

// A claim speaks of tokens from 1 on, and of i and j where j < i.
bool in_range(const Claim& claim, const Pattern& pattern, const Bindings& bindings) {
  std::map<std::string, Integer> at(bindings.begin(), bindings.end());
  const auto* grow = std::get_if<GrowthClaim>(&claim.node);
  const std::vector<std::string> names =
      names_in(grow ? print(*grow->measure) : print(claim), pattern);
  if (at.size() != bindings.size() || at.size() != names.size()) return false;
  for (const std::string& name : names) {
    if (at.count(name) == 0 || at.at(name) < Integer(1)) return false;
  }
  return at.count("i") == 0 || at.count("j") == 0 || at.at("j") < at.at("i");
}

// A class on the other side, which leaves no room for the claim's constants.
bool excludes(const GrowthClaim& shown, const GrowthClaim& claim) {
  if (print(*shown.measure) != print(*claim.measure)) return false;
  return (shown.bound != GrowthBound::kAtMost && claim.bound != GrowthBound::kAtLeast &&
          grows_faster(shown.growth, claim.growth)) ||
         (shown.bound != GrowthBound::kAtLeast && claim.bound != GrowthBound::kAtMost &&
          grows_faster(claim.growth, shown.growth));
}

}  // namespace

Result<SmallRows> SmallRows::of(const Pattern& pattern, int n, std::set<std::string> nested) {
  SmallRows rows(pattern);
  rows.nested_ = std::move(nested);
  const int farthest = kFarther * n;
  rows.last_a_.resize(static_cast<std::size_t>(farthest) + 1);
  rows.last_b_ = rows.last_a_;
  std::vector<int> chain{0};  // edges of a longest one that ends in y_i
  for (int i = 1; i <= farthest; ++i) {
    int edges = 0;
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
          if (side == Side::kA) {
            shorten(p, p == i ? 0 : 1);
            edges = std::max(edges, p == i ? 0 : 1);
            continue;
          }
          edges = std::max(edges, chain[static_cast<std::size_t>(p)] + 1);
          const std::vector<int>& there = rows.hops_[static_cast<std::size_t>(p)];
          for (std::int64_t j = 1; j <= p; ++j) {
            const int steps = there[static_cast<std::size_t>(j)];
            if (steps >= 0) shorten(j, steps + 1);
          }
        }
      }
    }
    if (i > n) continue;
    rows.hops_.push_back(std::move(here));
    chain.push_back(edges);
    rows.depth_.push_back(std::max(rows.depth_.back(), edges));
  }
  return rows;
}

std::optional<Integer> SmallRows::live_at_least(const Integer& i) const {
  const std::optional<std::int64_t> row = i.to_int64();
  if (!row || *row < 1 || kFarthestRow < *row) return std::nullopt;
  std::int64_t live = 0;
  if (*row >= static_cast<std::int64_t>(last_a_.size())) {  // what the next row alone reads
    for (const Side side : {Side::kA, Side::kB}) {
      const Result<Row> next = evaluator_.row(side, *row + 1);
      if (!next.ok()) return std::nullopt;
      live += count_of(intersection_of(next->positions, {{1, *row}}));
    }
    return Integer(live);
  }
  for (const std::vector<int>* last : {&last_a_, &last_b_}) {
    live += std::count_if(last->begin() + 1, last->begin() + *row + 1,
                          [&](int reader) { return reader > *row; });
  }
  return Integer(live);
}

Result<Integer> SmallRows::measure(MeasureKind kind, const std::vector<Integer>& arguments,
                                   const Known& known) const {
  if (arguments[0] < Integer(1)) return Error{"not a row"};
  const auto n = static_cast<std::int64_t>(hops_.size()) - 1;
  const std::optional<std::int64_t> i = arguments[0].to_int64();
  const std::optional<std::int64_t> j = arguments.back().to_int64();
  const auto hops = [this](std::int64_t to, std::int64_t from) {
    return hops_[static_cast<std::size_t>(to)][static_cast<std::size_t>(from)];
  };
  if (kind == MeasureKind::kTime && i) {
    const Result<Row> inputs = evaluator_.row(Side::kA, *i), outputs = evaluator_.row(Side::kB, *i);
    if (inputs.ok() && outputs.ok()) {
      return Integer(count_of(inputs->positions) + count_of(outputs->positions));
    }
  }
  if (kind == MeasureKind::kDepth && i && *i <= n) {
    return Integer(depth_[static_cast<std::size_t>(*i)]);
  }
  if (kind == MeasureKind::kHops && i && *i <= n && j && *j >= 1 && *j <= *i) {
    return hops(*i, *j) < 0 ? Result<Integer>(Error{kNoPath}) : Integer(hops(*i, *j));
  }
  if (kind == MeasureKind::kCongestion && i && *i <= n / 2) {
    for (std::int64_t token = 1; token <= *i; ++token) {
      if (hops(token + *i, token) < 0) return Error{kNoPath};
    }
  }
  const Enclosure here = enclosure(kind, arguments, known);
  return here.low && here.high && *here.low == *here.high
             ? Result<Integer>(*here.low)
             : Result<Integer>(Error{"not evaluated here"});
}

Enclosure SmallRows::enclosure(MeasureKind kind, const std::vector<Integer>& arguments,
                               const Known& known) const {
  const auto at = known.shown.find({kind, arguments[0].to_int64().value_or(0)});
  Enclosure here = at == known.shown.end() ? Enclosure{} : at->second;
  const bool of_live = kind == MeasureKind::kCache || kind == MeasureKind::kRank;
  const std::optional<Integer> most = of_live ? live_at_most(arguments[0]) : std::nullopt;
  // What is read already. That nothing else will be is known where nothing else may be.
  if (kind == MeasureKind::kCache) here.low = live_at_least(arguments[0]);
  if (kind == MeasureKind::kCache && here.low == most) here.high = most;
  // A block of m columns, whose paths pass what is live.
  if (kind == MeasureKind::kRank && !here.low) here.low = 0;
  if (kind == MeasureKind::kRank && !here.high) {
    here.high = most ? std::min(arguments[0], *most) : arguments[0];
  }
  if (known.proved == nullptr) return here;
  for (const Claim& claim : *known.proved) {
    const Enclosure proved = bounds(claim, kind, arguments, known.at);
    if (proved.low && (!here.low || *here.low < *proved.low)) here.low = proved.low;
    if (proved.high && (!here.high || *proved.high < *here.high)) here.high = proved.high;
  }
  return here;
}

Enclosure SmallRows::bounds(const Claim& claim, MeasureKind kind,
                            const std::vector<Integer>& arguments, const Bindings& at) const {
  const auto* bound = std::get_if<BoundClaim>(&claim.node);
  const auto* term = bound ? std::get_if<MeasureTerm>(&bound->left->node) : nullptr;
  if (term == nullptr || term->measure != kind) return {};
  // Of plain variables it speaks of any arguments, else of those at the counterexample.
  const std::vector<std::string> names = names_in(print(claim), *pattern_);
  Bindings bindings;
  bool plain = names.size() == arguments.size();
  for (std::size_t place = 0; plain && place < arguments.size(); ++place) {
    const auto* name = std::get_if<Name>(&term->arguments[place]->node);
    plain = name != nullptr;
    if (plain) bindings.emplace_back(name->name, arguments[place]);
  }
  if (!plain) {
    bindings.clear();
    for (const auto& [name, value] : at) {
      if (std::count(names.begin(), names.end(), name) != 0) bindings.emplace_back(name, value);
    }
  }
  if (!in_range(claim, *pattern_, bindings)) return {};
  for (std::size_t place = 0; place < arguments.size(); ++place) {
    const Result<Integer> asked = evaluator_.evaluate(*term->arguments[place], bindings);
    if (!asked.ok() || *asked != arguments[place]) return {};
  }
  if (claim.where) {
    const Result<bool> applies = evaluator_.holds(*claim.where, bindings);
    if (!applies.ok() || !*applies) return {};
  }
  const Result<Integer> right = evaluator_.evaluate(*bound->right, bindings);
  if (!right.ok()) return {};
  Enclosure proved;
  if (bound->op != ComparisonOperator::kLessEqual) proved.low = *right;
  if (bound->op != ComparisonOperator::kGreaterEqual) proved.high = *right;
  return proved;
}

// Nothing where the claim has no value or needs more than these rows.
std::optional<SmallRows::Decided> SmallRows::decide(const Claim& claim, const Bindings& bindings,
                                                    const Known& known) const {
  const MeasureOracle oracle = [&](MeasureKind kind, const std::vector<Integer>& arguments) {
    return measure(kind, arguments, known);
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
  const Result<Integer> left = value(reach ? reach->from_row : bound->left);
  // Hops without a path are infinite, which no number bounds from above.
  if (!left.ok() && left.error().message == kNoPath && right.ok() && measured != nullptr) {
    return Decided{bound->op == ComparisonOperator::kGreaterEqual, {}, *right, true};
  }
  if (!left.ok() && measured != nullptr && right.ok()) {
    std::vector<Integer> arguments;
    for (const ExpressionPtr& expression : measured->arguments) {
      const Result<Integer> argument = value(expression);
      if (!argument.ok()) return std::nullopt;
      arguments.push_back(*argument);
    }
    const Enclosure here = enclosure(measured->measure, arguments, known);
    const bool above = here.low && *here.low > *right;
    const bool below = here.high && *here.high < *right;
    const bool fails = (above && bound->op != ComparisonOperator::kGreaterEqual) ||
                       (below && bound->op != ComparisonOperator::kLessEqual);
    if (!fails) return std::nullopt;
    return Decided{false, here.low.value_or(Integer(0)), *right, false, false, here.high};
  }
  if (!left.ok() || !right.ok()) return std::nullopt;
  Decided decided{true, *left, *right};
  if (reach != nullptr) {
    // Information never flows back: a later token is out of reach whatever the rows are.
    if (Integer(1) <= *left && *left < *right) {
      decided.holds = false;
      return decided;
    }
    const Result<Integer> hops = measure(MeasureKind::kHops, {*left, *right}, known);
    if (!hops.ok() && hops.error().message != kNoPath) return std::nullopt;
    decided.holds = hops.ok();
  } else if (bound->op == ComparisonOperator::kEqual) {
    decided.holds = *left == *right;
  } else {
    decided.holds = bound->op == ComparisonOperator::kLessEqual ? *left <= *right : *right <= *left;
  }
  return decided;
}

// No single row refutes a class: the counterexample only says where the two stand there.
Evaluation SmallRows::evaluate_class(const GrowthClaim& claim, const Bindings& bindings,
                                     const Sides& stated, const Known& known) const {
  const auto* term = std::get_if<MeasureTerm>(&claim.measure->node);
  if (term == nullptr) return {Outcome::kOutOfReach, "it is no class of a measure"};
  std::vector<Integer> arguments;
  for (const ExpressionPtr& argument : term->arguments) {
    const Result<Integer> at = evaluator_.evaluate(*argument, bindings);
    if (!at.ok()) return {Outcome::kContradicts, "its counterexample is no row"};
    arguments.push_back(*at);
  }
  const std::optional<std::int64_t> row = arguments[0].to_int64();
  const Result<Integer> here = measure(term->measure, arguments, known);
  const Enclosure around = enclosure(term->measure, arguments, known);
  const bool agrees = here.ok() ? *here == stated.left
                                : (!around.low || *around.low <= stated.left) &&
                                      (!around.high || stated.left <= *around.high);
  if (!row || growth_value(claim.growth, *row) != stated.right || !agrees) {
    return {Outcome::kContradicts, "the sides at its counterexample are not what it says"};
  }
  if (!here.ok() && around.low != stated.left) {
    return {Outcome::kOutOfReach, "its counterexample's value was not seen"};
  }
  for (const Claim& other : *known.proved) {
    const auto* grows = std::get_if<GrowthClaim>(&other.node);
    if (grows != nullptr && !other.where && excludes(*grows, claim)) return {};
  }
  return {Outcome::kOutOfReach, "no class that excludes it is proved"};
}

Evaluation SmallRows::evaluate(const Claim& claim, const CertifiedClaim& certified,
                               const std::vector<Claim>& proved) const {
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
    if (!in_range(claim, *pattern_, bindings)) {
      return {Outcome::kContradicts, "its counterexample is none of what it speaks of"};
    }
    const Result<Enclosures> shown = read_witnesses(certified.evidence, evaluator_);
    if (!shown.ok()) return {Outcome::kContradicts, shown.error().message};
    const Known known{*shown, &proved, bindings};
    const auto* grow = std::get_if<GrowthClaim>(&claim.node);
    if (grow && !infinite && !claim.where) {
      return evaluate_class(*grow, bindings, {left, right}, known);
    }
    const std::optional<Decided> here = decide(claim, bindings, known);
    if (!here) return {Outcome::kOutOfReach, "its counterexample was not evaluated"};
    if (here->holds) return {Outcome::kContradicts, "it holds at its counterexample"};
    const bool within = here->exact ? here->left == left
                                    : here->left <= left && (!here->high || left <= *here->high);
    if (here->infinite == infinite && within && here->right == right) {
      if (here->exact || here->high || here->left == left) return {};
      return {Outcome::kOutOfReach, "not all of its counterexample's value was seen"};
    }
    return {Outcome::kContradicts, "the sides at its counterexample are not what it says"};
  }
  if (!certified.evidence.empty()) {
    return {Outcome::kContradicts, "it has evidence for a counterexample and none"};
  }
  const std::vector<std::string> names = names_in(print(claim), *pattern_);
  std::int64_t last = static_cast<std::int64_t>(hops_.size()) - 1;
  const bool checked = certified.verdict == "checked";
  bool whole = true;  // the range that it was checked on
  if (checked) {
    const std::optional<Integer> limit = Integer::parse(certified.checked_up_to);
    if (!limit) return {Outcome::kContradicts, "it is checked up to something that is no number"};
    if (*limit < Integer(last)) last = limit->to_int64().value_or(0);
    whole = Integer(last) == *limit;
  }
  if (names.empty() || names.size() > 2) return {Outcome::kOutOfReach, "it has other variables"};
  const bool ordered = names == std::vector<std::string>{"i", "j"};
  for (std::int64_t x = 1; x <= last; ++x) {
    for (std::int64_t y = 1; y <= (names.size() < 2 ? 1 : ordered ? x - 1 : last); ++y) {
      bindings = {{names[0], x}};
      if (names.size() == 2) bindings.emplace_back(names[1], y);
      const Known known{{}, checked ? &proved : nullptr, bindings};
      const std::optional<Decided> here = decide(claim, bindings, known);
      if (!here && checked) {
        return {Outcome::kOutOfReach, x == 1 || (names.size() == 2 && !ordered)
                                          ? "its measures were not evaluated"
                                          : "its measures were evaluated up to " + names[0] +
                                                " = " + std::to_string(x - 1) + " only"};
      }
      if (!here || here->holds) continue;
      std::string at = "it fails at " + names[0] + " = " + std::to_string(x);
      if (names.size() == 2) at += ", " + names[1] + " = " + std::to_string(y);
      return {Outcome::kContradicts, at};
    }
  }
  if (!whole)
    return {Outcome::kOutOfReach, "it was evaluated up to " + std::to_string(last) + " only"};
  return {};
}

}  // namespace heddle::auditing
