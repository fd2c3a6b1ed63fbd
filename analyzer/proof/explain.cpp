// SPDX-License-Identifier: Apache-2.0
// Rows are evaluated again from the pattern; nothing is taken from the search or the prover.
#include "analyzer/proof/explain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "analyzer/proof/exhaustive.hpp"
#include "analyzer/rules/liveness.hpp"
#include "patterns/expression.hpp"

namespace heddle::proof {
namespace {

constexpr std::int64_t kFarthestTold = std::int64_t{1} << 32;
constexpr std::int64_t kLongestPath = 2048;  // rows looked at for a path
constexpr std::size_t kMostListed = 12;

// "12, 11, 9..7": nearest first.
std::string listed(const IntervalList& positions) {
  std::string text;
  std::size_t count = 0;
  for (auto at = positions.rbegin(); at != positions.rend(); ++at) {
    if (count++ == kMostListed) return text + ", ...";
    const std::string part =
        at->low == at->high ? std::to_string(at->low) : fmt::format("{}..{}", at->high, at->low);
    text += (text.empty() ? "" : ", ") + part;
  }
  return text;
}

std::string linked(const std::string& a, const std::string& b, const char* between) {
  return a.empty() || b.empty() ? a + b : a + between + b;
}

class Explainer {
 public:
  explicit Explainer(const Pattern& pattern) : pattern_(pattern), evaluator_(pattern) {}

  std::string time(std::int64_t i) const {
    const std::string x = side_text(Side::kA, i, i, "x"), y = side_text(Side::kB, i, i, "y");
    const std::string reads = linked(x, y, " and ");
    return reads.empty() ? fmt::format("row {} reads nothing", i)
                         : fmt::format("row {} reads {}", i, reads);
  }

  std::string cache(std::int64_t i) const {
    std::string kept;
    for (const Side side : {Side::kA, Side::kB}) {
      const char* what = side == Side::kA ? "x" : "y";
      switch (liveness(pattern_, side).retention) {
        case Retention::kNothing:
          break;
        case Retention::kEverything:
          kept = linked(kept, fmt::format("{} of 1..{}", what, i), " and ");
          break;
        case Retention::kNextRow:
          kept = linked(kept, side_text(side, i + 1, i, what), " and ");
          break;
        case Retention::kHorizon:
          return "";
      }
    }
    return kept.empty() ? fmt::format("after token {} nothing is kept", i)
                        : fmt::format("after token {} later rows still read {}", i, kept);
  }

  // A shortest path from token j to token i.
  std::string path(std::int64_t i, std::int64_t j) const {
    if (i - j > kLongestPath) return "";
    constexpr std::int64_t kFar = INT64_MAX / 2;
    const auto count = static_cast<std::size_t>(i - j + 1);
    std::vector<std::int64_t> hops(count, kFar), before(count, 0);
    for (std::int64_t r = j; r <= i; ++r) {
      const auto at = static_cast<std::size_t>(r - j);
      const Result<Row> inputs = evaluator_.row(Side::kA, r), outputs = evaluator_.row(Side::kB, r);
      if (!inputs.ok() || !outputs.ok()) return "";
      if (contains(inputs->positions, j)) hops[at] = r == j ? 0 : 1;
      for (const Interval& interval : intersection_of(outputs->positions, {{j, r - 1}})) {
        for (std::int64_t p = interval.low; p <= interval.high; ++p) {
          const std::int64_t through = hops[static_cast<std::size_t>(p - j)] + 1;
          if (through >= hops[at]) continue;
          hops[at] = through;
          before[at] = p;
        }
      }
    }
    if (hops.back() >= kFar) return fmt::format("no path leads from token {} to token {}", j, i);
    std::string text = std::to_string(i);
    for (std::int64_t r = before.back(); r != 0; r = before[static_cast<std::size_t>(r - j)]) {
      text = fmt::format("{} -> {}", r, text);
    }
    const std::string start = std::to_string(j);
    if (text.rfind(start + " -> ", 0) != 0 && text != start) text = start + " -> " + text;
    return "a shortest path is " + text;
  }

 private:
  // "y 5, 4, 2", of the positions up to `last` that row i reads.
  std::string side_text(Side side, std::int64_t i, std::int64_t last, const char* what) const {
    const Result<Row> row = evaluator_.row(side, i);
    if (!row.ok()) return "";
    const IntervalList positions = intersection_of(row->positions, {{1, last}});
    return positions.empty() ? "" : fmt::format("{} {}", what, listed(positions));
  }

  const Pattern& pattern_;
  Evaluator evaluator_;
};

}  // namespace

std::string explain(const Pattern& pattern, const Claim& claim, const Counterexample& found) {
  const Evaluator evaluator(pattern);
  const Explainer explainer(pattern);
  std::string text;
  std::set<std::string> said;
  for_each_measure(claim, [&](const MeasureTerm& term) {
    std::vector<std::int64_t> arguments;
    for (const ExpressionPtr& argument : term.arguments) {
      const Result<Integer> value = evaluator.evaluate(*argument, found.variables);
      const std::optional<std::int64_t> small = value.ok() ? value->to_int64() : std::nullopt;
      if (!small || *small < 1 || *small > kFarthestTold) return;
      arguments.push_back(*small);
    }
    std::string clause;
    switch (term.measure) {
      case MeasureKind::kTime:
        clause = explainer.time(arguments[0]);
        break;
      case MeasureKind::kCache:
        clause = explainer.cache(arguments[0]);
        break;
      case MeasureKind::kHops:
        clause = explainer.path(arguments[0], arguments[1]);
        break;
      case MeasureKind::kCongestion:
        clause = fmt::format("the copy task on {} tokens was solved", arguments[0]);
        break;
      case MeasureKind::kRank:
        clause = fmt::format("a largest set of disjoint paths across the cut after {} was found",
                             arguments[0]);
        break;
      case MeasureKind::kDepth:
        clause = "";
        break;
    }
    if (!clause.empty() && said.insert(clause).second) text = linked(text, clause, "; ");
  });
  return text;
}

}  // namespace heddle::proof
