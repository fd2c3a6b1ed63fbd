// SPDX-License-Identifier: Apache-2.0
#include "analyzer/proof/witnesses.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <set>
#include <vector>

#include "analyzer/measures/congestion.hpp"
#include "analyzer/measures/rank.hpp"
#include "analyzer/proof/claim_terms.hpp"
#include "patterns/expression.hpp"
#include "patterns/materialize.hpp"

namespace heddle::proof {
namespace {

constexpr std::int64_t kFarthest = 64;       // argument
constexpr std::int64_t kMostRows = 1 << 10;  // in which paths across a cut are looked for

std::string congestion_lines(const Pattern& pattern, std::int64_t m) {
  const MaterializeResult rows = materialize(pattern, 2 * m);
  const auto* causal = std::get_if<Rows>(&rows);
  if (causal == nullptr) return "";
  const Result<Congestion> found = copy_congestion(*causal, m);
  if (!found.ok()) return "";  // infinite: no path, which needs no witness
  std::string lines;
  for (const auto& path : found->paths) {
    lines += fmt::format("congestion({}) path {}\n", m, fmt::join(path, " "));
  }
  return lines + fmt::format("congestion({}) weights {}\n", m, fmt::join(found->weights, " "));
}

// As many paths as the block has columns, or as its first rows allow.
std::string rank_lines(const Pattern& pattern, std::int64_t m) {
  std::optional<RankEvidence> best;
  for (std::int64_t n = 4 * m; n <= kMostRows; n *= 2) {
    const MaterializeResult rows = materialize(pattern, n);
    const auto* causal = std::get_if<Rows>(&rows);
    if (causal == nullptr) break;
    Result<RankEvidence> found = rank_evidence(*causal, m);
    if (!found.ok()) break;
    const bool more = !best || best->paths.size() < found->paths.size();
    if (more) best = std::move(*found);
    if (!more || static_cast<std::int64_t>(best->paths.size()) == m) break;
  }
  std::string lines;
  for (const auto& path : best ? best->paths : std::vector<std::vector<GraphVertex>>()) {
    lines += fmt::format("rank({}) path", m);
    for (const GraphVertex& vertex : path) lines += fmt::format(" {}", vertex.token);
    lines += "\n";
  }
  return lines;
}

}  // namespace

std::string witnesses_of(const Pattern& pattern, const Claim& claim, const Counterexample& at) {
  const Evaluator evaluator(pattern);
  std::set<std::pair<MeasureKind, std::int64_t>> subjects;
  for_each_measure(claim, [&](const MeasureTerm& term) {
    if (term.measure != MeasureKind::kCongestion && term.measure != MeasureKind::kRank) return;
    const Result<Integer> argument = evaluator.evaluate(*term.arguments.front(), at.variables);
    if (!argument.ok() || *argument < Integer(1) || Integer(kFarthest) < *argument) return;
    subjects.emplace(term.measure, *argument->to_int64());
  });
  std::string lines;
  for (const auto& [measure, m] : subjects) {
    lines += measure == MeasureKind::kRank ? rank_lines(pattern, m) : congestion_lines(pattern, m);
  }
  return lines;
}

}  // namespace heddle::proof
