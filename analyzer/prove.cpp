// SPDX-License-Identifier: Apache-2.0
// The order for each claim: search a small range, prove, and look further out only where the solver
// has a counterexample. Nothing is reported as refuted that was not evaluated exactly.
#include "analyzer/prove.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/proof/claims.hpp"
#include "analyzer/proof/describe.hpp"
#include "analyzer/proof/exhaustive.hpp"
#include "analyzer/proof/far_rows.hpp"
#include "analyzer/proof/growth.hpp"
#include "patterns/ast_print.hpp"

namespace heddle {
namespace {

using proof::Direction;
using proof::MeasuredRows;
using proof::Structure;

constexpr int kMostHalvings = 256;
constexpr int kFarthestExponent = 220;
constexpr std::int64_t kMostPositions = 30'000'000;

class Prover {
 public:
  Prover(const Pattern& pattern, const ProveOptions& options)
      : pattern_(pattern),
        options_(options),
        structure_(proof::structure_of(pattern, options.resource_limit)),
        measured_(MeasuredRows::up_to(pattern, options.check_up_to,
                                      std::min(options.check_pairs_up_to, options.check_up_to))) {}

  ClaimVerdict judge(const Claim& claim) {
    ClaimVerdict result{print(claim), Unknown{}, {}};
    names_ = proof::variables_of(claim, pattern_);
    result.verdict = std::holds_alternative<GrowthClaim>(claim.node)
                         ? growth(std::get<GrowthClaim>(claim.node), claim)
                         : pointwise(claim);
    result.scope = scope_of(result.verdict);
    return result;
  }

  DerivedMeasure derive(MeasureKind measure) {
    DerivedMeasure derived;
    if (!measured_.ok() || cache_is_uncertain(measure)) return derived;
    const auto prove = [&](const GrowthClass& growth, Direction direction) {
      return proof::prove_growth(structure_, measured_.value(), measure, growth, direction);
    };
    const std::vector<GrowthClass>& ladder = proof::growth_ladder();
    for (const GrowthClass& growth : ladder) {
      derived.upper_proof = prove(growth, Direction::kAtMost);
      if (!derived.upper_proof) continue;
      derived.upper = growth;
      break;
    }
    for (auto growth = ladder.rbegin(); growth != ladder.rend(); ++growth) {
      if (derived.upper && proof::grows_faster(*growth, *derived.upper)) continue;
      derived.lower_proof = prove(*growth, Direction::kAtLeast);
      if (!derived.lower_proof) continue;
      derived.lower = *growth;
      break;
    }
    derived.closed_form = closed_form(measure);
    return derived;
  }

 private:
  bool cache_is_uncertain(MeasureKind measure) const {
    return measure == MeasureKind::kCache && measured_.value().cache_horizon().has_value();
  }

  std::string closed_form(MeasureKind measure) const {
    const auto describe =
        measure == MeasureKind::kTime ? proof::describe_row_size : proof::describe_live_size;
    const std::optional<std::string> a = describe(structure_.a.model);
    const std::optional<std::string> b = describe(structure_.b.model);
    if (!a || !b) return "";
    if (*a == "0") return *b;
    return *b == "0" ? *a : *a + " + " + *b;
  }

  std::string scope_of(const Verdict& verdict) const {
    return match(
        verdict,
        [&](const Proved& proved) {
          const bool never = std::any_of(proved.parameters.begin(), proved.parameters.end(),
                                         [](const auto& each) { return each.first == "applies"; });
          std::string text;
          for (const std::string& name : names_) {
            text += (!text.empty() ? ", " : never ? "no " : "all ") + name;
          }
          for (const auto& [key, value] : proved.parameters) {
            if (key == "i0" && value != "1") text += " >= " + value;
          }
          return text;
        },
        [&](const Checked& checked) {
          return fmt::format("{} <= {}", names_.size() == 1 ? names_[0] : "n", checked.n);
        },
        [&](const Refuted& refuted) {
          std::string text;
          for (const auto& [name, value] : refuted.counterexample.variables) {
            text += fmt::format("{}{} = {}", text.empty() ? "" : ", ", name, value.to_string());
          }
          return text;
        },
        [](const Unknown&) { return std::string(); });
  }

  // Is every measure of the claim known exactly for small arguments?
  std::string why_not_searchable(const Claim& claim) const {
    if (!measured_.ok()) return measured_.error().message;
    for (const MeasureKind measure : {MeasureKind::kCongestion, MeasureKind::kRank}) {
      if (proof::mentions(claim, measure)) {
        return fmt::format("{} is not computed for every argument", name_of(measure));
      }
    }
    if (proof::mentions(claim, MeasureKind::kCache) && cache_is_uncertain(MeasureKind::kCache)) {
      return "cache(i) has no rule and is only counted up to a horizon";
    }
    return "";
  }

  std::int64_t range_for(const Claim& claim) const {
    const std::int64_t pairs = std::min(options_.check_pairs_up_to, options_.check_up_to);
    if (proof::mentions(claim, MeasureKind::kHops) || names_.size() == 2) return pairs;
    return names_.size() <= 1 ? options_.check_up_to : std::min<std::int64_t>(pairs, 40);
  }

  Verdict pointwise(const Claim& claim) {
    const std::string unsearchable = why_not_searchable(claim);
    proof::SearchResult searched;
    if (unsearchable.empty()) {
      searched = proof::search(pattern_, claim, measured_.value(), 1, range_for(claim));
      if (searched.refuted) return *searched.refuted;
      if (!searched.stopped.empty()) return Unknown{searched.stopped};
    }
    if (auto vacuous = proof::prove_vacuous(structure_, claim, names_).proved) return *vacuous;
    const bool reach = std::holds_alternative<ReachClaim>(claim.node);
    proof::ClaimAttempt attempt =
        reach ? proof::prove_reach(structure_, claim, names_) : bound(claim);
    if (attempt.proved) return std::move(*attempt.proved);
    if (!unsearchable.empty()) return Unknown{attempt.reason + "; " + unsearchable};
    if (!reach) {
      if (auto refuted = look_further(claim, attempt.suspect, searched.checked_up_to)) {
        return *refuted;
      }
    }
    return Checked{searched.checked_up_to, attempt.reason};
  }

  // By plain rules if they do, for all values or for those up to `at_most`.
  proof::ClaimAttempt bound(const Claim& claim, std::optional<Integer> at_most = {}) const {
    proof::ClaimAttempt plain =
        proof::prove_bound(structure_, claim, names_, proof::Detail::kPlain, at_most);
    if (plain.proved) return plain;
    return proof::prove_bound(structure_, claim, names_, proof::Detail::kRefined, at_most);
  }

  // Looks at every row as far as that is cheap; then at single rows, where the solver has a
  // counterexample and at powers of two, far out; and pulls the first failure in by halving.
  std::optional<Refuted> look_further(const Claim& claim, const std::optional<Integer>& suspect,
                                      std::int64_t checked) const {
    if (names_.size() != 1 || proof::mentions(claim, MeasureKind::kHops)) return std::nullopt;
    const std::int64_t last = cheap_rows();
    if (suspect && last > checked) {
      const Result<MeasuredRows> farther = MeasuredRows::up_to(pattern_, last, 0);
      if (farther.ok()) {
        const proof::SearchResult found =
            proof::search(pattern_, claim, farther.value(), checked + 1, last);
        if (found.refuted) return found.refuted;
        checked = found.checked_up_to;
      }
    }
    std::optional<Integer> failing = far_failure(claim, suspect, checked);
    if (!failing) return std::nullopt;
    Integer low = checked;
    bool smallest = true;  // as long as a proof vouches for every row up to `low`
    for (int halving = 0; halving < kMostHalvings && low + Integer(1) < *failing; ++halving) {
      const Integer middle = floor_div(low + *failing, 2);
      if (fails_at(claim, middle)) {
        failing = middle;
        continue;
      }
      const proof::ClaimAttempt attempt = bound(claim, middle);
      if (attempt.suspect && fails_at(claim, *attempt.suspect)) {
        failing = *attempt.suspect;
        continue;
      }
      smallest = smallest && attempt.proved.has_value();
      low = middle;
    }
    std::optional<Refuted> refuted = proof::refute_at(pattern_, claim, {{names_[0], *failing}});
    if (refuted) refuted->smallest = smallest && low + Integer(1) == *failing;
    return refuted;
  }

  bool fails_at(const Claim& claim, const Integer& value) const {
    return proof::refute_at(pattern_, claim, {{names_[0], value}}).has_value();
  }

  // A row at which the claim fails by evaluation, beyond those that were all looked at.
  std::optional<Integer> far_failure(const Claim& claim, const std::optional<Integer>& suspect,
                                     std::int64_t checked) const {
    if (suspect && fails_at(claim, *suspect)) return suspect;
    Integer power = 1;
    for (int exponent = 0; exponent < kFarthestExponent; ++exponent, power = power * Integer(2)) {
      if (power <= Integer(checked)) continue;
      const Integer row = power + Integer(1);
      if (!proof::far_time(pattern_, row).ok()) return std::nullopt;  // rows are too long from here
      if (fails_at(claim, row)) return row;
    }
    return std::nullopt;
  }

  // As many rows as hold a few million positions, if they go on as they begin.
  std::int64_t cheap_rows() const {
    const std::int64_t n = options_.check_up_to;
    std::int64_t rows = n, total = std::max<std::int64_t>(measured_.value().total(), n);
    while (rows * 2 <= options_.farthest_search && total <= kMostPositions / 4) {
      rows *= 2;
      total *= 4;
    }
    return rows;
  }

  Verdict growth(const GrowthClaim& claim, const Claim& whole) {
    const auto* term = std::get_if<MeasureTerm>(&claim.measure->node);
    bool plain = term != nullptr && !whole.where;
    if (plain) {
      for (const ExpressionPtr& argument : term->arguments) {
        plain = plain && std::holds_alternative<Name>(argument->node);
      }
    }
    if (plain && term->measure == MeasureKind::kHops) {
      plain = print(*term->arguments[0]) == "i" && print(*term->arguments[1]) == "j";
    }
    if (!plain || names_.size() != term->arguments.size()) {
      return Unknown{"a class is proved for one measure of plain variables only"};
    }
    const std::string unsearchable = why_not_searchable(whole);
    if (!unsearchable.empty()) return Unknown{unsearchable};
    const MeasuredRows& measured = measured_.value();
    if (auto proved = proof::prove_growth(structure_, measured, term->measure, claim.growth,
                                          Direction::kAtMost)) {
      return std::move(*proved);
    }
    const std::vector<GrowthClass>& ladder = proof::growth_ladder();
    for (auto at = ladder.rbegin(); at != ladder.rend(); ++at) {
      const GrowthClass& faster = *at;
      if (!proof::grows_faster(faster, claim.growth) || term->measure == MeasureKind::kHops) break;
      const auto below =
          proof::prove_growth(structure_, measured, term->measure, faster, Direction::kAtLeast);
      if (!below) continue;
      const std::int64_t i = measured.rows_for(term->measure);
      const Result<Integer> value = measured.value(term->measure, {Integer(i)});
      return Refuted{{{{names_[0], i}}, value.value(), proof::growth_value(claim.growth, i)},
                     false,
                     fmt::format("{} grows at least as fast as {} (proved), so no constant times "
                                 "the bound suffices",
                                 name_of(term->measure), to_string(faster))};
    }
    return Unknown{"no constants were found for which a proof succeeds"};
  }

  const Pattern& pattern_;
  const ProveOptions& options_;
  Structure structure_;
  Result<MeasuredRows> measured_;
  std::vector<std::string> names_;
};

}  // namespace

ProofReport prove(const Pattern& pattern, const ProveOptions& options) {
  ProofReport report;
  CausalityOptions causality;
  causality.resource_limit = options.resource_limit;
  report.causality = prove_causal(pattern, causality);
  if (report.causality.status != CausalityVerdict::Status::kProved) {
    for (const Claim& claim : pattern.claims()) {
      report.claims.push_back({print(claim), Unknown{"the pattern is not proved causal"}, {}});
    }
    return report;
  }
  Prover prover(pattern, options);
  for (const Claim& claim : pattern.claims()) report.claims.push_back(prover.judge(claim));
  return report;
}

DerivedBounds derive(const Pattern& pattern, const ProveOptions& options) {
  CausalityOptions causality;
  causality.resource_limit = options.resource_limit;
  if (prove_causal(pattern, causality).status != CausalityVerdict::Status::kProved) return {};
  Prover prover(pattern, options);
  return {prover.derive(MeasureKind::kTime), prover.derive(MeasureKind::kCache)};
}

}  // namespace heddle
