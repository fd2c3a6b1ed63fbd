// SPDX-License-Identifier: Apache-2.0
#include "analyzer/proof/measured_rows.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/measures/congestion.hpp"
#include "analyzer/measures/cost.hpp"
#include "analyzer/measures/depth.hpp"
#include "analyzer/measures/rank.hpp"
#include "analyzer/proof/far_rows.hpp"
#include "analyzer/proof/infinite.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::proof {
namespace {

constexpr std::int64_t kLongestSample = 10'000;  // parts of a row farther out
constexpr std::int64_t kMostCopied = 24;         // tokens of the copy tasks that are solved
constexpr std::int64_t kFarthestCut = 48;

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

std::optional<std::int64_t> MeasuredRows::far_time(std::int64_t i) const {
  const auto [found, fresh] = far_times_.emplace(i, std::nullopt);
  if (!fresh) return found->second;
  const Result<Integer> time = proof::far_time(*pattern_, i, kLongestSample);
  if (time.ok()) found->second = time->to_int64();
  return found->second;
}

Result<MeasuredRows> MeasuredRows::up_to(const Pattern& pattern, std::int64_t n,
                                         std::int64_t hop_rows, std::int64_t copy_work) {
  MaterializeResult result = materialize(pattern, n);
  if (const auto* error = std::get_if<Error>(&result)) return *error;
  const auto* rows = std::get_if<Rows>(&result);
  assert_that(rows != nullptr, "a causal pattern reads earlier positions only");
  MeasuredRows measured;
  measured.n_ = n;
  measured.copy_work_ = copy_work;
  measured.rows_ = std::make_shared<const Rows>(*rows);
  measured.total_ = std::max(rows->a.total() + rows->b.total(), rows->looked_at);
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
    const Result<Congestion> found = copy_congestion(*rows_, n, {copy_work_});
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

}  // namespace heddle::proof
