// SPDX-License-Identifier: Apache-2.0
// The order for each claim: search a small range, prove, and look further out only where the solver
// has a counterexample. Nothing is reported as refuted that was not evaluated exactly.
#include "analyzer/proof/prove.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/proof/explain.hpp"
#include "analyzer/proof/far_failure.hpp"
#include "analyzer/proof/growth.hpp"
#include "analyzer/proof/subject.hpp"
#include "patterns/ast_print.hpp"

namespace heddle {
namespace {

using proof::Direction;
using proof::MeasuredRows;

class Prover {
 public:
  Prover(const Pattern& pattern, const ProveOptions& options) : subject_(pattern, options) {}

  ClaimVerdict judge(const Claim& claim) {
    ClaimVerdict result{print(claim), Unknown{}, {}};
    names_ = proof::variables_of(claim, subject_.pattern());
    result.verdict = std::holds_alternative<GrowthClaim>(claim.node)
                         ? growth(std::get<GrowthClaim>(claim.node), claim)
                         : pointwise(claim);
    result.scope = scope_of(result.verdict);
    if (auto* refuted = std::get_if<Refuted>(&result.verdict);
        refuted && refuted->explanation.empty()) {
      refuted->explanation = proof::explain(subject_.pattern(), claim, refuted->counterexample);
    }
    return result;
  }

  std::optional<ClaimVerdict> opposite(const Claim& claim, const Refuted& refuted) {
    const Counterexample& at = refuted.counterexample;
    const auto* bound = std::get_if<BoundClaim>(&claim.node);
    const auto* term = bound ? std::get_if<MeasureTerm>(&bound->left->node) : nullptr;
    const bool by_later_rows = term != nullptr && (term->measure == MeasureKind::kCache ||
                                                   term->measure == MeasureKind::kRank);
    if (!by_later_rows || at.bound_infinite != 0 || at.bound <= at.value) return std::nullopt;
    std::string text = fmt::format("{} <= {} for ", print(*bound->left), at.value.to_string());
    for (const auto& [name, value] : at.variables) {
      text += fmt::format("{}{} = {}", text.back() == ' ' ? "" : " and ", name, value.to_string());
    }
    const std::optional<Claim> there = claim_about(subject_.pattern(), text);
    if (!there) return std::nullopt;
    ClaimVerdict judged = judge(*there);
    if (!std::holds_alternative<Proved>(judged.verdict)) return std::nullopt;
    return judged;
  }

 private:
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
    if (!subject_.measured().ok()) return subject_.measured().error().message;
    if (proof::mentions(claim, MeasureKind::kCache) && subject_.cache_is_uncertain()) {
      return "cache(i) has no rule and is only counted up to a horizon";
    }
    return "";
  }

  // A cache that rows up to a horizon fill beyond its bound is too large, whatever further rows
  // read.
  std::optional<Refuted> refute_from_below(const Claim& claim) const {
    const auto* bound = std::get_if<BoundClaim>(&claim.node);
    const auto* term = bound ? std::get_if<MeasureTerm>(&bound->left->node) : nullptr;
    int measures = 0;
    proof::for_each_measure(claim, [&](const MeasureTerm&) { ++measures; });
    if (!subject_.measured().ok() || term == nullptr || term->measure != MeasureKind::kCache ||
        bound->op != ComparisonOperator::kLessEqual || measures != 1) {
      return std::nullopt;
    }
    std::optional<Refuted> refuted =
        proof::search(subject_.pattern(), claim, *subject_.measured(), 1, range_for(claim)).refuted;
    if (!refuted) return std::nullopt;
    refuted->smallest = false;
    refuted->explanation =
        fmt::format("rows up to {} read at least so many", *subject_.measured()->cache_horizon());
    return refuted;
  }

  std::int64_t range_for(const Claim& claim) const {
    const ProveOptions& options = subject_.options();
    const std::int64_t pairs = std::min(options.check_pairs_up_to, options.check_up_to);
    for (const MeasureKind measure : {MeasureKind::kCongestion, MeasureKind::kRank}) {
      if (proof::mentions(claim, measure)) return subject_.measured()->rows_for(measure);
    }
    if (proof::mentions(claim, MeasureKind::kHops) || names_.size() == 2) return pairs;
    return names_.size() <= 1 ? options.check_up_to : std::min<std::int64_t>(pairs, 40);
  }

  Verdict pointwise(const Claim& claim) {
    // Rows that cannot be listed leave nothing to hold the proof rules to.
    if (!subject_.measured().ok()) return Unknown{subject_.measured().error().message};
    const proof::Structure& structure = subject_.structure();
    const std::string unsearchable = why_not_searchable(claim);
    proof::SearchResult searched;
    if (unsearchable.empty()) {
      searched =
          proof::search(subject_.pattern(), claim, *subject_.measured(), 1, range_for(claim));
      if (searched.refuted) return *searched.refuted;
      if (!searched.stopped.empty() && !proof::rank_or_congestion(claim)) {
        return Unknown{searched.stopped};
      }
    }
    if (claim.where && !searched.applied) {
      if (auto vacuous = proof::prove_vacuous(structure, claim, names_).proved) return *vacuous;
    }
    const bool reach = std::holds_alternative<ReachClaim>(claim.node);
    proof::ClaimAttempt attempt =
        reach ? proof::prove_reach(structure, claim, names_) : subject_.bound(claim, names_);
    if (attempt.proved) return std::move(*attempt.proved);
    if (std::optional<Proved> proved = subject_.by_descent(claim)) return std::move(*proved);
    // Bounds on hops are looked for only where a claim needs them.
    const bool about_hops = !reach && (proof::mentions(claim, MeasureKind::kHops) ||
                                       proof::mentions(claim, MeasureKind::kCongestion));
    if (about_hops && !subject_.know_hop_bounds().empty()) {
      proof::ClaimAttempt again =
          proof::prove_bound(structure, claim, names_, proof::Detail::kRefined);
      if (again.proved) return std::move(*again.proved);
    }
    if (!unsearchable.empty()) {
      if (auto refuted = refute_from_below(claim)) return *refuted;
      return Unknown{attempt.reason + "; " + unsearchable};
    }
    if (!searched.stopped.empty()) return Unknown{attempt.reason + "; " + searched.stopped};
    if (searched.incomplete) {
      return Unknown{attempt.reason + "; congestion is only enclosed for some n"};
    }
    if (!reach) {
      if (auto refuted = proof::refute_further(subject_, claim, names_, attempt.suspect,
                                               searched.checked_up_to)) {
        return *refuted;
      }
    }
    if (claim.where && !searched.applied) {
      return Checked{searched.checked_up_to,
                     "the condition after `for` holds nowhere so far; " + attempt.reason};
    }
    return Checked{searched.checked_up_to, attempt.reason};
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
    const MeasuredRows& measured = *subject_.measured();
    if (auto proved = proof::prove_growth(subject_.structure(), measured, term->measure,
                                          claim.growth, Direction::kAtMost)) {
      return std::move(*proved);
    }
    const std::vector<GrowthClass>& ladder = proof::growth_ladder();
    for (auto at = ladder.rbegin(); at != ladder.rend(); ++at) {
      const GrowthClass& faster = *at;
      if (!proof::grows_faster(faster, claim.growth) || term->measure == MeasureKind::kHops) break;
      const auto below = proof::prove_growth(subject_.structure(), measured, term->measure, faster,
                                             Direction::kAtLeast);
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

  proof::Subject subject_;
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
  for (std::size_t at = 0; at < report.claims.size(); ++at) {
    const auto* refuted = std::get_if<Refuted>(&report.claims[at].verdict);
    if (refuted == nullptr) continue;
    std::optional<ClaimVerdict> opposite = prover.opposite(pattern.claims()[at], *refuted);
    if (!opposite) continue;
    const auto same = [&](const ClaimVerdict& known) { return known.text == opposite->text; };
    if (std::any_of(report.opposites.begin(), report.opposites.end(), same)) continue;
    report.opposites.push_back(*std::move(opposite));
  }
  return report;
}

}  // namespace heddle
