// SPDX-License-Identifier: Apache-2.0
// Proof first; where it fails, the rows are evaluated in order, so that the violation reported is
// the first one. What the solver suspects further out is only a hint where to look.
#include "analyzer/proof/causality.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/proof/causal_set.hpp"
#include "patterns/ast_print.hpp"

namespace heddle {
namespace {

using Status = CausalityVerdict::Status;

constexpr std::int64_t kMostPositions = 2'000'000;  // looked at in one search
constexpr std::int64_t kFarthestSuspect = 20'000;

const char* name_of(Side side) { return side == Side::kA ? "A" : "B"; }

CausalityVerdict rejected(std::string code, std::string message,
                          std::optional<RowViolation> violation = {}) {
  CausalityVerdict verdict;
  verdict.status = Status::kRejected;
  verdict.code = std::move(code);
  verdict.message = std::move(message);
  verdict.violation = std::move(violation);
  return verdict;
}

std::string describe(const RowViolation& violation) {
  const std::int64_t last = violation.side == Side::kA ? violation.row : violation.row - 1;
  const std::string range = last == 0 ? "and may read nothing" : fmt::format("outside 1..{}", last);
  return fmt::format("row {} of {} reads position {}, {}", violation.row, name_of(violation.side),
                     violation.position.to_string(), range);
}

// Rows 1, 2, ... up to `last`: the first one that is wrong, or how far it got.
CausalityVerdict search(const Pattern& pattern, std::int64_t last) {
  const Evaluator evaluator(pattern);
  CausalityVerdict verdict;
  std::int64_t positions = 0;
  for (std::int64_t i = 1; i <= last && positions < kMostPositions; ++i) {
    for (const Side side : {Side::kA, Side::kB}) {
      const Result<Row> row = evaluator.row(side, i);
      if (!row.ok()) {
        return rejected("E043", row.error().message);
      }
      if (row.value().violation) {
        return rejected("E040", describe(*row.value().violation), row.value().violation);
      }
      positions += count_of(row.value().positions);
    }
    verdict.rows_checked = i;
  }
  return verdict;
}

void functions_in(const SetExpression& set, std::vector<std::string>& lattices,
                  std::vector<std::string>& offsets) {
  if (const auto* lattice = std::get_if<LatticeSet>(&set.node)) {
    lattices.push_back(lattice->function);
  } else if (const auto* shifted = std::get_if<OffsetsSet>(&set.node)) {
    offsets.push_back(shifted->function);
  } else if (const auto* operation = std::get_if<SetOperation>(&set.node)) {
    functions_in(*operation->left, lattices, offsets);
    functions_in(*operation->right, lattices, offsets);
  }
}

// The positions {a_k ceil((i - f(k)) / a_k) : f(k) < i}; nothing when a value is out of reach.
std::optional<IntervalList> lattice_row(const Evaluator& evaluator, const std::string& function,
                                        std::int64_t i) {
  IntervalList positions;
  Integer stride = 1, previous = 0;
  for (std::int64_t k = 0;; ++k) {
    const Result<Integer> value = evaluator.call(function, k);
    if (!value.ok()) return std::nullopt;
    if (Integer(i) <= value.value()) return normalized(positions);
    if (k > 0) stride = stride * ceil_div(value.value() - previous, stride);
    previous = value.value();
    const auto position = (stride * ceil_div(Integer(i) - previous, stride)).to_int64();
    if (!position) return std::nullopt;
    positions.push_back({*position, *position});
  }
}

// lattice(f) keeps row i + 1 within row i and {i} if f(0) = 1; otherwise some position that a row
// needs was dropped before, and this finds the first such row.
CausalityVerdict lattice_that_starts_late(const Evaluator& evaluator, const std::string& function,
                                          const Integer& first, std::int64_t rows) {
  const std::string start =
      fmt::format("lattice({0}) needs {0}(0) = 1, not {1}", function, first.to_string());
  std::optional<IntervalList> kept = IntervalList{};
  for (std::int64_t i = 2; i <= rows && kept; ++i) {
    const std::optional<IntervalList> row = lattice_row(evaluator, function, i);
    if (!row) break;
    const IntervalList lost = difference_of(*row, union_of(*kept, {{i - 1, i - 1}}));
    if (!lost.empty()) {
      return rejected(
          "E042", fmt::format("{}: row {} reads position {}, which the cache lost at row {}", start,
                              i, lost.front().low, i - 1));
    }
    kept = row;
  }
  return rejected("E042", start);
}

std::optional<CausalityVerdict> check_functions(const Pattern& pattern, std::int64_t rows) {
  const Evaluator evaluator(pattern);
  std::vector<std::string> lattices, functions;
  for (const Side side : {Side::kA, Side::kB}) {
    functions_in(*pattern.set(side), lattices, functions);
  }
  functions.insert(functions.end(), lattices.begin(), lattices.end());
  for (const std::string& function : functions) {
    Integer previous = 0;
    for (std::int64_t k = 0; k < std::min<std::int64_t>(rows, 512); ++k) {
      const Result<Integer> value = evaluator.call(function, k);
      if (!value.ok()) break;
      if (k == 0 && value.value() < Integer(1)) {
        return rejected("E041", fmt::format("{0}(0) is {1}, but offsets must be at least 1",
                                            function, value.value().to_string()));
      }
      if (k > 0 && value.value() <= previous) {
        return rejected(
            "E041",
            fmt::format("{0} must increase strictly, but {0}({1}) = {2} and {0}({3}) = {4}",
                        function, k - 1, previous.to_string(), k, value.value().to_string()));
      }
      previous = value.value();
      if (previous.bit_length() > 4096) break;
    }
  }
  for (const std::string& function : lattices) {
    const Result<Integer> first = evaluator.call(function, 0);
    if (first.ok() && first.value() != Integer(1)) {
      return lattice_that_starts_late(evaluator, function, first.value(), rows);
    }
  }
  return std::nullopt;
}

}  // namespace

CausalityVerdict prove_causal(const Pattern& pattern, const CausalityOptions& options) {
  const proof::Knowledge knowledge = proof::learn(pattern, options.resource_limit);
  CausalityVerdict verdict;
  std::set<std::string> rules, lemmas;
  std::string reason;
  std::int64_t rows = options.rows_to_check;
  for (const Side side : {Side::kA, Side::kB}) {
    const proof::ProvedModel proved = proof::model_of(knowledge, pattern.set(side), side);
    const proof::CausalProof causal = proof::prove_causal_set(knowledge, proved.model, side);
    if (!causal.proved) {
      if (reason.empty()) reason = fmt::format("{}: {}", name_of(side), causal.reason);
      const auto suspect = causal.suspect ? causal.suspect->to_int64() : std::nullopt;
      if (suspect && *suspect <= kFarthestSuspect) rows = std::max(rows, *suspect);
      continue;
    }
    rules.insert(causal.rules.begin(), causal.rules.end());
    for (const auto* obligations : {&proved.obligations, &causal.obligations}) {
      verdict.obligations.insert(verdict.obligations.end(), obligations->begin(),
                                 obligations->end());
    }
    lemmas.insert(proved.lemmas.begin(), proved.lemmas.end());
    lemmas.insert(causal.lemmas.begin(), causal.lemmas.end());
  }
  if (reason.empty()) {
    verdict.status = Status::kProved;
    for (const std::string& rule : rules) verdict.rule += (verdict.rule.empty() ? "" : "; ") + rule;
    for (Obligation& obligation : knowledge.obligations_of(lemmas)) {
      verdict.obligations.push_back(std::move(obligation));
    }
    return verdict;
  }
  if (auto wrong = check_functions(pattern, options.rows_to_check)) return *wrong;
  CausalityVerdict searched = search(pattern, rows);
  if (searched.status == Status::kRejected) return searched;
  searched.message = reason;
  return searched;
}

}  // namespace heddle
