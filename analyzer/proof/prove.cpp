// SPDX-License-Identifier: Apache-2.0
// The order for each claim: search a small range, prove, and look further out only where the solver
// has a counterexample. Nothing is reported as refuted that was not evaluated exactly, from rows
// or, where they are too many, by a form that is proved of the measure.
#include "analyzer/proof/prove.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "analyzer/proof/deriver.hpp"
#include "analyzer/proof/explain.hpp"
#include "analyzer/proof/far_failure.hpp"
#include "analyzer/proof/growth.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/expression.hpp"
#include "patterns/growth_class.hpp"

namespace heddle {
namespace {

using proof::Direction;
using proof::MeasuredRows;

class Prover {
 public:
  Prover(proof::Subject& subject, proof::Deriver& deriver) : subject_(subject), deriver_(deriver) {}

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

  // Proved claims by which an auditor sees that this one fails where rows alone do not show it:
  // exact forms where the counterexample is far out or `forms` are at hand anyway, else what is
  // proved at the counterexample only.
  std::vector<ClaimVerdict> opposites(const Claim& claim, const Refuted& refuted, bool forms) {
    std::vector<ClaimVerdict> found;
    const auto add = [&](std::optional<ClaimVerdict> opposite) {
      if (opposite) found.push_back(*std::move(opposite));
    };
    if (const auto excluded = excluded_by_.find(print(claim)); excluded != excluded_by_.end()) {
      add(judge_if_proved(excluded->second));
      return found;
    }
    const Counterexample& at = refuted.counterexample;
    const auto* bound = std::get_if<BoundClaim>(&claim.node);
    if (bound == nullptr || at.value_infinite != 0 || at.bound_infinite != 0) return found;
    const auto* left = std::get_if<MeasureTerm>(&bound->left->node);
    const Evaluator evaluator(subject_.pattern());
    proof::for_each_measure(claim, [&](const MeasureTerm& term) {
      std::vector<Integer> arguments;
      for (const ExpressionPtr& argument : term.arguments) {
        const Result<Integer> value = evaluator.evaluate(*argument, at.variables);
        if (value.ok()) arguments.push_back(*value);
      }
      if (arguments.size() != term.arguments.size()) return;
      const bool far = farthest_seen(term.measure) < arguments.front();
      // How large they are at most hangs on all later rows.
      const bool by_later_rows =
          &term == left && at.value < at.bound &&
          (term.measure == MeasureKind::kCache || term.measure == MeasureKind::kRank);
      if (!far && !by_later_rows) return;
      if ((far || forms) && deriver_.value(term.measure, arguments).ok()) {
        return add(*deriver_.exact_form(term.measure));
      }
      if (&term != left) return;
      std::string text = fmt::format("{} {} {} for ", print(*bound->left),
                                     at.value < at.bound ? "<=" : ">=", at.value.to_string());
      for (const auto& [name, value] : at.variables) {
        text +=
            fmt::format("{}{} = {}", text.back() == ' ' ? "" : " and ", name, value.to_string());
      }
      add(judge_if_proved(text));
    });
    return found;
  }

  // The claim for the rows before a smallest counterexample, where it is proved and rows alone do
  // not show it.
  std::optional<ClaimVerdict> before(const Claim& claim, const Refuted& refuted) {
    if (const auto known = before_.find(print(claim)); known != before_.end()) return known->second;
    const auto names = proof::variables_of(claim, subject_.pattern());
    const bool pairs = names == std::vector<std::string>{"i", "j"};
    if (!refuted.smallest || refuted.of_class || !std::holds_alternative<BoundClaim>(claim.node) ||
        (names.size() != 1 && !pairs)) {
      return std::nullopt;
    }
    const Integer last = refuted.counterexample.variables.front().second - Integer(1);
    const bool listed = last <= Integer(kMostListed);
    const bool by_rows =
        !proof::mentions(claim, MeasureKind::kCache) && !proof::rank_or_congestion(claim);
    if (last < Integer(pairs ? 2 : 1) || (listed && by_rows)) return std::nullopt;
    if (listed) subject_.limit(subject_.options().resource_limit / kShareOfRemark);
    std::optional<ClaimVerdict> proved =
        proof::prove_before(subject_, claim, names, refuted.counterexample.variables).proved;
    subject_.limit(subject_.options().resource_limit);
    return proved;
  }

 private:
  static constexpr std::int64_t kMostListed = 1024;   // rows that an auditor counts one by one
  static constexpr std::uint64_t kShareOfRemark = 8;  // of the resources: nothing hangs on it

  // Up to where an auditor sees what a measure is from the rows alone.
  static Integer farthest_seen(MeasureKind measure) {
    switch (measure) {
      case MeasureKind::kTime:
        return Integer((std::int64_t{1} << 60) - 1);
      case MeasureKind::kCache:
      case MeasureKind::kDepth:
      case MeasureKind::kHops:
        return 1024;
      case MeasureKind::kCongestion:
      case MeasureKind::kRank:
        return 64;
    }
    unreachable("measure");
  }

  // Nothing unless it is proved.
  std::optional<ClaimVerdict> judge_if_proved(const std::string& text) {
    const std::optional<Claim> claim = claim_about(subject_.pattern(), text);
    if (!claim) return std::nullopt;
    ClaimVerdict judged = judge(*claim);
    if (!std::holds_alternative<Proved>(judged.verdict)) return std::nullopt;
    return judged;
  }

  std::string scope_of(const Verdict& verdict) const {
    return match(
        verdict, [&](const Proved& proved) { return proof::scope_of(proved, names_); },
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
      if (auto found = proof::refute_further(subject_, deriver_, claim, names_, attempt.suspect,
                                             searched.checked_up_to)) {
        if (found->before) before_.insert_or_assign(print(claim), *std::move(found->before));
        return std::move(found->refuted);
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
    const auto bounded = [&](const GrowthClass& growth, Direction direction) {
      return proof::prove_growth(subject_.structure(), measured, term->measure, growth, direction);
    };
    std::optional<Proved> proved =
        claim.bound == GrowthBound::kAtMost ? bounded(claim.growth, Direction::kAtMost)
        : claim.bound == GrowthBound::kAtLeast
            ? bounded(claim.growth, Direction::kAtLeast)
            : proof::prove_both(subject_.structure(), measured, term->measure, claim.growth);
    if (proved) return *std::move(proved);

    // Refuted by a class on the other side: a larger one from below, a smaller one from above.
    std::vector<GrowthClass> others = proof::growth_ladder();
    const auto refuting = [&](Direction direction) -> std::optional<GrowthClass> {
      if (term->measure == MeasureKind::kHops) return std::nullopt;
      for (const GrowthClass& other : others) {
        const bool apart = direction == Direction::kAtLeast ? grows_faster(other, claim.growth)
                                                            : grows_faster(claim.growth, other);
        if (apart && bounded(other, direction)) return other;
      }
      return std::nullopt;
    };
    std::optional<GrowthClass> slower, faster;
    if (claim.bound != GrowthBound::kAtMost) slower = refuting(Direction::kAtMost);
    std::reverse(others.begin(), others.end());
    if (claim.bound != GrowthBound::kAtLeast && !slower) faster = refuting(Direction::kAtLeast);
    if (slower || faster) {
      const std::string excluding =
          " in " + (faster ? to_string(*faster, GrowthBound::kAtLeast) : to_string(*slower));
      excluded_by_[print(whole)] = print(*claim.measure) + excluding;
      const std::int64_t i = measured.rows_for(term->measure);
      const Result<Integer> value = measured.value(term->measure, {Integer(i)});
      return Refuted{{{{names_[0], i}}, value.value(), growth_value(claim.growth, i)},
                     false,
                     "is" + excluding,
                     true};
    }
    return Unknown{"no constants were found for which a proof succeeds"};
  }

  proof::Subject& subject_;
  proof::Deriver& deriver_;
  std::vector<std::string> names_;
  std::map<std::string, std::string> excluded_by_;  // refuted classes, and what leaves them no room
  std::map<std::string, ClaimVerdict> before_;  // refuted claims, and what is proved of rows before
};

bool lists(const std::vector<ClaimVerdict>& claims, const std::string& text) {
  return std::any_of(claims.begin(), claims.end(),
                     [&](const ClaimVerdict& claim) { return claim.text == text; });
}

ProofReport report_of(const Pattern& pattern, const ProveOptions& options, bool derive) {
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
  proof::Subject subject(pattern, options);
  proof::Deriver deriver(subject);
  Prover prover(subject, deriver);
  for (const Claim& claim : pattern.claims()) report.claims.push_back(prover.judge(claim));
  const auto list = [&](ClaimVerdict claim) {
    if (lists(report.derived, claim.text)) return;
    for (const ClaimVerdict& judged : report.claims) {
      if (judged.text == claim.text && std::holds_alternative<Proved>(judged.verdict)) return;
    }
    report.derived.push_back(std::move(claim));
  };
  if (derive) {
    report.bounds = deriver.all();
    for (const ClaimVerdict& claim : report.bounds.claims) list(claim);
  }
  for (std::size_t at = 0; at < report.claims.size(); ++at) {
    const auto* refuted = std::get_if<Refuted>(&report.claims[at].verdict);
    if (refuted == nullptr) continue;
    for (ClaimVerdict& opposite : prover.opposites(pattern.claims()[at], *refuted, derive)) {
      list(std::move(opposite));
    }
    if (auto before = prover.before(pattern.claims()[at], *refuted)) list(*std::move(before));
  }
  return report;
}

}  // namespace

ProofReport prove(const Pattern& pattern, const ProveOptions& options) {
  return report_of(pattern, options, false);
}

ProofReport prove_and_derive(const Pattern& pattern, const ProveOptions& options) {
  return report_of(pattern, options, true);
}

}  // namespace heddle
