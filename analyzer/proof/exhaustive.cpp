// SPDX-License-Identifier: Apache-2.0
// Tuples of values are visited by their maximum, then in dictionary order, so the first failure is
// the smallest.
#include "analyzer/proof/exhaustive.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/proof/far_rows.hpp"
#include "analyzer/proof/infinite.hpp"
#include "analyzer/rules/liveness.hpp"

namespace heddle::proof {
namespace {

constexpr std::int64_t kFarthestRow = std::int64_t{1} << 32;

struct Outcome {
  bool holds = true;
  bool applies = true;  // the condition after `for` holds
  Extended value;
  Extended bound;
  std::string explanation;
};

Refuted refuted_at(const Bindings& values, const Outcome& outcome, bool smallest) {
  const Counterexample found{values, outcome.value.value, outcome.bound.value,
                             outcome.value.infinite, outcome.bound.infinite};
  return {found, smallest, outcome.explanation};
}

class Judge {
 public:
  Judge(const Pattern& pattern, const Claim& claim, MeasureOracle oracle)
      : evaluator_(pattern), claim_(claim), oracle_(std::move(oracle)) {}

  Result<Outcome> decide(const Bindings& bindings) const {
    if (claim_.where) {
      const Result<bool> applies = holds_extended(evaluator_, *claim_.where, bindings, oracle_);
      if (!applies.ok()) return applies.error();
      if (!applies.value()) return Outcome{true, false, {}, {}, {}};
    }
    if (const auto* bound = std::get_if<BoundClaim>(&claim_.node)) return compare(*bound, bindings);
    const auto* reach = std::get_if<ReachClaim>(&claim_.node);
    assert_that(reach != nullptr, "growth claims are not decided point by point");
    return reaches(*reach, bindings);
  }

 private:
  Result<Outcome> compare(const BoundClaim& claim, const Bindings& bindings) const {
    std::string why;  // a measure is infinite
    const MeasureOracle measures = [&](MeasureKind kind, const std::vector<Integer>& arguments) {
      Result<Integer> value = oracle_(kind, arguments);
      if (!value.ok() && is_infinite(value.error()) && why.empty()) why = value.error().message;
      return value;
    };
    const auto side = [&](const ExpressionPtr& expression) {
      return evaluate_extended(evaluator_, *expression, bindings, measures);
    };
    const Result<Extended> left = side(claim.left);
    if (!left.ok()) return left.error();
    const Result<Extended> right = side(claim.right);
    if (!right.ok()) return right.error();
    const bool below = at_most(*left, *right), above = at_most(*right, *left);
    const bool holds = claim.op == ComparisonOperator::kLessEqual      ? below
                       : claim.op == ComparisonOperator::kGreaterEqual ? above
                                                                       : below && above;
    return Outcome{holds, true, *left, *right, why};
  }

  Result<Outcome> reaches(const ReachClaim& claim, const Bindings& bindings) const {
    const Result<Integer> later = evaluator_.evaluate(*claim.from_row, bindings, oracle_);
    if (!later.ok()) return later.error();
    const Result<Integer> earlier = evaluator_.evaluate(*claim.to_row, bindings, oracle_);
    if (!earlier.ok()) return earlier.error();
    if (later.value() >= Integer(1) && later.value() < earlier.value()) {
      return Outcome{false,
                     true,
                     {0, *later},
                     {0, *earlier},
                     fmt::format("token {} cannot reach token {}, which comes before it",
                                 earlier.value().to_string(), later.value().to_string())};
    }
    const Result<Integer> hops = oracle_(MeasureKind::kHops, {later.value(), earlier.value()});
    if (hops.ok()) return Outcome{};
    if (!is_infinite(hops.error())) return hops.error();
    return Outcome{false,
                   true,
                   {0, *later},
                   {0, *earlier},
                   fmt::format("token {} does not reach token {}", earlier.value().to_string(),
                               later.value().to_string())};
  }

  Evaluator evaluator_;
  const Claim& claim_;
  MeasureOracle oracle_;
};

}  // namespace

SearchResult search(const Pattern& pattern, const Claim& claim, const MeasuredRows& measured,
                    std::int64_t first, std::int64_t last) {
  const std::vector<std::string> names = variables_of(claim, pattern);
  const Judge judge(pattern, claim, [&measured](auto kind, const auto& arguments) {
    return measured.value(kind, arguments);
  });
  const auto index_of = [&](const char* name) {
    return static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  };
  const std::size_t i = index_of("i"), j = index_of("j");
  const bool ordered = i < names.size() && j < names.size();
  SearchResult result;
  result.checked_up_to = first - 1;
  Bindings bindings;
  for (const std::string& name : names) bindings.emplace_back(name, 1);
  std::vector<std::int64_t> values(names.size(), 1);

  // Decides at the present values; false ends the search.
  const auto decide = [&]() {
    if (ordered && values[j] >= values[i]) return true;
    for (std::size_t at = 0; at < names.size(); ++at) bindings[at].second = Integer(values[at]);
    measured.count_above(0);
    const Result<Outcome> outcome = judge.decide(bindings);
    // Where a measure is only enclosed, every value it may have must agree; two that are enclosed
    // need not move together, so nothing is decided of both.
    if (outcome.ok() && measured.enclosed() > 1) {
      result.incomplete = true;
      return true;
    }
    for (std::int64_t above = 1; outcome.ok() && above <= measured.widest(); ++above) {
      measured.count_above(above);
      const Result<Outcome> other = judge.decide(bindings);
      if (other.ok() && other->holds == outcome->holds) continue;
      result.incomplete = true;
      return true;
    }
    if (!outcome.ok()) {
      if (measured.beyond()) return false;
      std::string at;
      for (const auto& [name, value] : bindings) {
        at += fmt::format("{}{} = {}", at.empty() ? "" : ", ", name, value.to_string());
      }
      result.stopped = fmt::format("the claim has no value at {}: {}", at, outcome.error().message);
      return false;
    }
    result.applied = result.applied || outcome->applies;
    if (outcome->holds) return true;
    result.refuted = refuted_at(bindings, *outcome, !result.incomplete);
    return false;
  };
  // All tuples whose maximum is `maximum`, in dictionary order.
  const std::function<bool(std::size_t, bool, std::int64_t)> visit =
      [&](std::size_t at, bool reached, std::int64_t maximum) {
        if (at == names.size()) return decide();
        const bool forced = !reached && at + 1 == names.size();
        for (std::int64_t value = forced ? maximum : 1; value <= maximum; ++value) {
          values[at] = value;
          if (!visit(at + 1, reached || value == maximum, maximum)) return false;
        }
        return true;
      };
  for (std::int64_t maximum = first; maximum <= last; ++maximum) {
    if (!visit(0, false, maximum)) return result;
    result.checked_up_to = maximum;
    if (names.empty()) {
      result.checked_up_to = last;
      return result;
    }
  }
  return result;
}

namespace {

// time(i) and, where a rule of liveness applies, cache(i) of a single row.
Result<Integer> measure_row(const Pattern& pattern, const Evaluator& evaluator, MeasureKind measure,
                            std::int64_t i) {
  Integer total = 0;
  for (const Side side : {Side::kA, Side::kB}) {
    const Retention retention = liveness(pattern, side).retention;
    const bool live = measure == MeasureKind::kCache;
    if (live && retention == Retention::kNothing) continue;
    if (live && retention == Retention::kHorizon) return Error{"the live set has no rule"};
    if (live && retention == Retention::kEverything) {
      total = total + Integer(i);
      continue;
    }
    const Result<Row> row = evaluator.row(side, live ? i + 1 : i);
    if (!row.ok()) return row.error();
    total = total + Integer(count_of(intersection_of(row.value().positions, {{1, i}})));
  }
  return total;
}

Result<Outcome> decide_at(const Pattern& pattern, const Claim& claim, const Bindings& values,
                          const MeasureOracle& known) {
  const Evaluator evaluator(pattern);
  const Judge judge(
      pattern, claim,
      [&](MeasureKind measure, const std::vector<Integer>& arguments) -> Result<Integer> {
        if (arguments[0] < Integer(1)) return Error{"not a row"};
        const std::optional<std::int64_t> i = arguments[0].to_int64();
        const bool one_row = measure == MeasureKind::kTime || measure == MeasureKind::kCache;
        if (!one_row) return known(measure, arguments);
        const Result<Integer> found =
            i && *i <= kFarthestRow         ? measure_row(pattern, evaluator, measure, *i)
            : measure == MeasureKind::kTime ? far_time(pattern, arguments[0])
                                            : far_cache(pattern, arguments[0]);
        return found.ok() ? found : known(measure, arguments);
      });
  return judge.decide(values);
}

}  // namespace

std::optional<Refuted> refute_at(const Pattern& pattern, const Claim& claim, const Bindings& values,
                                 const MeasureOracle& known) {
  const Result<Outcome> outcome = decide_at(pattern, claim, values, known);
  if (!outcome.ok() || outcome.value().holds) return std::nullopt;
  return refuted_at(values, *outcome, false);
}

bool holds_at(const Pattern& pattern, const Claim& claim, const Bindings& values,
              const MeasureOracle& known) {
  const Result<Outcome> outcome = decide_at(pattern, claim, values, known);
  return outcome.ok() && outcome.value().holds;
}

}  // namespace heddle::proof
