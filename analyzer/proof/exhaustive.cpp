// SPDX-License-Identifier: Apache-2.0
// Tuples of values are visited by their maximum, then in dictionary order, so the first failure is
// the smallest.
#include "analyzer/proof/exhaustive.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "analyzer/measures/congestion.hpp"
#include "analyzer/measures/cost.hpp"
#include "analyzer/measures/depth.hpp"
#include "analyzer/measures/rank.hpp"
#include "analyzer/proof/far_rows.hpp"
#include "analyzer/proof/infinite.hpp"
#include "analyzer/rules/liveness.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::proof {
namespace {

constexpr std::int64_t kMostCopied = 24;       // tokens of the copy tasks that are solved
constexpr std::int64_t kCopyWork = 2'000'000;  // reads looked at in one of them
constexpr std::int64_t kFarthestCut = 48;
constexpr std::int64_t kFarthestRow = std::int64_t{1} << 32;

// visit(expression) for every expression in the claim, outermost first.
class Walk {
 public:
  explicit Walk(std::function<void(const Expression&)> visit) : visit_(std::move(visit)) {}

  void claim(const Claim& claim) {
    match(
        claim.node,
        [&](const BoundClaim& node) {
          expression(*node.left);
          expression(*node.right);
        },
        [&](const GrowthClaim& node) { expression(*node.measure); },
        [&](const ReachClaim& node) {
          expression(*node.from_row);
          expression(*node.to_row);
        });
    if (claim.where) condition(*claim.where);
  }

 private:
  void condition(const Condition& node) {
    match(
        node.node,
        [&](const Comparison& comparison) {
          expression(*comparison.left);
          expression(*comparison.right);
        },
        [&](const Conjunction& both) {
          condition(*both.left);
          condition(*both.right);
        },
        [&](const Disjunction& either) {
          condition(*either.left);
          condition(*either.right);
        },
        [&](const Negation& negated) { condition(*negated.operand); });
  }

  void expression(const Expression& node) {
    visit_(node);
    match(
        node.node, [](const Literal&) {}, [](const Name&) {},
        [&](const Apply& apply) { expression(*apply.argument); },
        [&](const Negate& negate) { expression(*negate.operand); },
        [&](const Arithmetic& arithmetic) {
          expression(*arithmetic.left);
          expression(*arithmetic.right);
        },
        [&](const BuiltinCall& call) {
          for (const ExpressionPtr& argument : call.arguments) expression(*argument);
        },
        [&](const MeasureTerm& measure) {
          for (const ExpressionPtr& argument : measure.arguments) expression(*argument);
        });
  }

  std::function<void(const Expression&)> visit_;
};

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
      const Result<bool> applies = evaluator_.holds(*claim_.where, bindings, oracle_);
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

Error no_path(std::int64_t i, std::int64_t j) {
  return Error{fmt::format("{} from token {} to token {}", kNoPath, j, i)};
}

}  // namespace

std::int64_t MeasuredRows::rows_for(MeasureKind measure) const {
  if (measure == MeasureKind::kHops) return hops_ ? hops_->n() : 0;
  if (measure == MeasureKind::kCongestion) return std::min(n_ / 2, kMostCopied);
  if (measure == MeasureKind::kRank) return std::min(n_ / 4, kFarthestCut);
  return n_;
}

Result<MeasuredRows> MeasuredRows::up_to(const Pattern& pattern, std::int64_t n,
                                         std::int64_t hop_rows) {
  MaterializeResult result = materialize(pattern, n);
  if (const auto* error = std::get_if<Error>(&result)) return *error;
  const auto* rows = std::get_if<Rows>(&result);
  assert_that(rows != nullptr, "a causal pattern reads earlier positions only");
  MeasuredRows measured;
  measured.n_ = n;
  measured.rows_ = std::make_shared<const Rows>(*rows);
  measured.total_ = rows->a.total() + rows->b.total();
  measured.time_ = time_by_row(*rows);
  measured.depth_ = depth_by_row(*rows);
  measured.pattern_ = &pattern;
  if (hop_rows == n) {
    measured.hops_ = all_hops(*rows);
  } else if (hop_rows > 0) {
    const MaterializeResult first = materialize(pattern, hop_rows);
    measured.hops_ = all_hops(std::get<Rows>(first));
  }
  return measured;
}

Result<Integer> MeasuredRows::value(MeasureKind measure,
                                    const std::vector<Integer>& arguments) const {
  beyond_ = false;
  const Integer& argument = arguments[0];
  if (argument < Integer(1)) {
    return Error{fmt::format("{} of {}", heddle::name_of(measure), argument.to_string())};
  }
  if (Integer(rows_for(measure)) < argument) {
    if (measure == MeasureKind::kCongestion && argument <= Integer(n_ / 2)) {
      if (const auto lost = copy_out_of_reach(*argument.to_int64()))
        return no_path(lost->first, lost->second);
    }
    beyond_ = true;
    return Error{"not computed so far out"};
  }
  const auto i = static_cast<std::size_t>(*argument.to_int64());
  switch (measure) {
    case MeasureKind::kTime:
      return Integer(time_[i - 1]);
    case MeasureKind::kCache:
      if (!cache().ok()) return cache().error();
      return Integer(cache()->size[i - 1]);
    case MeasureKind::kDepth:
      return Integer(depth_[i - 1]);
    case MeasureKind::kHops: {
      if (arguments[1] < Integer(1) || argument < arguments[1]) {
        return Error{fmt::format("hops({}, {}) needs 1 <= j <= i", argument.to_string(),
                                 arguments[1].to_string())};
      }
      const int hops = hops_->at(*argument.to_int64(), *arguments[1].to_int64());
      if (hops == kUnreachable) return no_path(*argument.to_int64(), *arguments[1].to_int64());
      return Integer(hops);
    }
    case MeasureKind::kCongestion:
      return congestion(*argument.to_int64());
    case MeasureKind::kRank:
      return rank(*argument.to_int64());
  }
  unreachable("measure");
}

Result<Integer> MeasuredRows::congestion(std::int64_t n) const {
  auto known = congestions_.find(n);
  if (known == congestions_.end()) {
    const Result<Congestion> found = copy_congestion(*rows_, n, {kCopyWork});
    Result<std::pair<std::int64_t, std::int64_t>> bounds = Error{"not computed"};
    if (found.ok()) {
      bounds = std::pair{found->lower, found->upper};
    } else if (const auto lost = copy_out_of_reach(n)) {
      bounds = no_path(lost->first, lost->second);
    } else {
      bounds = found.error();
    }
    known = congestions_.emplace(n, std::move(bounds)).first;
  }
  if (!known->second.ok()) return known->second.error();
  const auto [lower, upper] = known->second.value();
  widest_ = std::max(widest_, upper - lower);
  if (lower < upper) enclosed_.insert(n);
  return Integer(std::min(lower + above_, upper));
}

// Looked up in the table of hops, and further out among distances where rows are translates.
std::optional<std::pair<std::int64_t, std::int64_t>> MeasuredRows::copy_out_of_reach(
    std::int64_t n) const {
  if (hops_ && 2 * n <= hops_->n()) {
    for (std::int64_t j = 1; j <= n; ++j) {
      if (hops_->at(j + n, j) == kUnreachable) return std::pair{j + n, j};
    }
    return std::nullopt;
  }
  if (!distances_) distances_ = hops_by_distance(*rows_).value_or(std::vector<std::int32_t>());
  const auto at = static_cast<std::size_t>(n);
  if (at < distances_->size() && (*distances_)[at] == kUnreachable)
    return std::pair{n + 1, std::int64_t{1}};
  return std::nullopt;
}

// Without a rule this looks at rows far beyond n, so only when asked.
const Result<CacheSizes>& MeasuredRows::cache() const {
  if (!cache_) cache_ = cache_by_row(*pattern_, *rows_);
  return *cache_;
}

std::optional<std::int64_t> MeasuredRows::cache_horizon() const {
  return cache().ok() ? cache()->horizon : std::optional(n_);
}

// More rows after the cut can only raise the rank, and the live set bounds it.
Result<Integer> MeasuredRows::rank(std::int64_t m) const {
  const auto known = ranks_.find(m);
  if (known != ranks_.end()) return Integer(known->second);
  const Result<RankResult> found = rank_across(*rows_, m);
  if (!found.ok()) return found.error();
  const std::int64_t value = found->value;
  if (value == m) {
    ranks_.emplace(m, value);
    return Integer(value);
  }
  const bool exact = cache().ok() && !cache()->horizon;
  const std::int64_t most = exact ? std::min(m, cache()->size[static_cast<std::size_t>(m - 1)]) : m;
  if (value < most) return Error{"more rows than were looked at may raise the rank"};
  ranks_.emplace(m, value);
  return Integer(value);
}

bool mentions(const Claim& claim, MeasureKind measure) {
  bool found = measure == MeasureKind::kHops && std::holds_alternative<ReachClaim>(claim.node);
  Walk([&](const Expression& node) {
    const auto* term = std::get_if<MeasureTerm>(&node.node);
    found = found || (term != nullptr && term->measure == measure);
  }).claim(claim);
  return found;
}

void for_each_measure(const Claim& claim, const std::function<void(const MeasureTerm&)>& visit) {
  Walk([&](const Expression& node) {
    if (const auto* term = std::get_if<MeasureTerm>(&node.node)) visit(*term);
  }).claim(claim);
}

std::vector<std::string> variables_of(const Claim& claim, const Pattern& pattern) {
  std::set<std::string> names;
  Walk([&](const Expression& node) {
    const auto* name = std::get_if<Name>(&node.node);
    if (name != nullptr && !pattern.parameter(name->name)) names.insert(name->name);
  }).claim(claim);
  return {names.begin(), names.end()};
}

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
    result.refuted = refuted_at(bindings, *outcome, true);
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

}  // namespace

std::optional<Refuted> refute_at(const Pattern& pattern, const Claim& claim,
                                 const Bindings& values) {
  const Evaluator evaluator(pattern);
  const Judge judge(
      pattern, claim,
      [&](MeasureKind measure, const std::vector<Integer>& arguments) -> Result<Integer> {
        const std::optional<std::int64_t> i = arguments[0].to_int64();
        const bool one_row = measure == MeasureKind::kTime || measure == MeasureKind::kCache;
        if (!one_row || arguments[0] < Integer(1)) return Error{"not one row within reach"};
        if (i && *i <= kFarthestRow) return measure_row(pattern, evaluator, measure, *i);
        return measure == MeasureKind::kTime ? far_time(pattern, arguments[0])
                                             : far_cache(pattern, arguments[0]);
      });
  const Result<Outcome> outcome = judge.decide(values);
  if (!outcome.ok() || outcome.value().holds) return std::nullopt;
  return refuted_at(values, *outcome, false);
}

}  // namespace heddle::proof
