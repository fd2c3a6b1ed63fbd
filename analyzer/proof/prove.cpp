// SPDX-License-Identifier: Apache-2.0
// The order for each claim: search a small range, prove, and look further out only where the solver
// has a counterexample. Nothing is reported as refuted that was not evaluated exactly.
#include "analyzer/proof/prove.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "analyzer/proof/claims.hpp"
#include "analyzer/proof/closed_forms.hpp"
#include "analyzer/proof/descent.hpp"
#include "analyzer/proof/describe.hpp"
#include "analyzer/proof/exhaustive.hpp"
#include "analyzer/proof/explain.hpp"
#include "analyzer/proof/far_rows.hpp"
#include "analyzer/proof/growth.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/parser.hpp"

namespace heddle {
namespace {

using proof::Direction;
using proof::MeasuredRows;
using proof::Structure;

constexpr int kMostRounds = 4;
constexpr std::uint64_t kShareOfGuess = 4;
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
    if (auto* refuted = std::get_if<Refuted>(&result.verdict);
        refuted && refuted->explanation.empty()) {
      refuted->explanation = proof::explain(pattern_, claim, refuted->counterexample);
    }
    return result;
  }

  // Guesses are many and mostly wrong: each proof from here on gets a share of the resources.
  void hurry() { structure_.knowledge.resource_limit = options_.resource_limit / kShareOfGuess; }

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

  void derive_forms(MeasureKind measure, DerivedMeasure& derived) {
    if (!measured_.ok() || cache_is_uncertain(measure)) return;
    std::vector<std::int64_t> values;
    for (std::int64_t i = 1; i <= options_.check_up_to; ++i) {
      values.push_back(*measured_.value().value(measure, {Integer(i)}).value().to_int64());
    }
    // An exact form is tried seldom and is worth the most.
    const auto decide = [&](const std::string& text) {
      const bool exact = text.find(" = ") != std::string::npos;
      structure_.knowledge.resource_limit = options_.resource_limit / (exact ? 1 : kShareOfGuess);
      const bool proved = proves(text);
      hurry();
      return proved;
    };
    set_forms(derived,
              proof::find_closed_forms(std::string(name_of(measure)) + "(i)", "i", values, decide));
  }

  DerivedMeasure derive_depth() {
    return first_of("depth(n)", {"n - 1", "0", "min(n - 1, 1)"}, {"n - 1"}, {});
  }

  DerivedMeasure derive_hops() {
    structure_.hop_bounds = proof::find_hop_bounds(structure_);
    hops_are_known_ = true;
    std::vector<std::string> exact{"1", "popcount(i - j)"}, upper{"1", "2", "3", "4"};
    if (const auto longest = longest_distance()) {
      exact.push_back(*longest == 1 ? "i - j" : fmt::format("ceil((i - j) / {})", *longest));
    }
    for (const proof::HopBound& bound : structure_.hop_bounds) {
      upper.push_back(print(*proof::in_rows(bound.bound)));
    }
    upper.push_back("popcount(i - j)");
    upper.push_back("i - j");
    if (!structure_.reaches_all()) return {};
    return first_of("hops(i, j)", exact, upper, {"1"});
  }

  DerivedMeasure derive_congestion(const DerivedMeasure& cache) {
    if (!structure_.reaches_all()) return {};
    std::vector<std::string> exact{"1", "n"}, upper{"1", "4"};
    if (const auto longest = longest_distance())
      exact.push_back(fmt::format("ceil(n / {})", *longest));
    for (const proof::HopBound& bound : structure_.hop_bounds) {
      upper.push_back(print(*proof::at_distance(bound.bound, make_expression(Name{"n"}))));
    }
    upper.push_back("n");
    DerivedMeasure derived = first_of("congestion(n)", exact, upper, {});
    const std::string live = in_variable(cache.upper_form, "n");
    if (derived.lower_form.empty() && !live.empty() && live != "n" &&
        proves(fmt::format("congestion(n) * ({}) >= n", live))) {
      derived.lower_form = fmt::format("ceil(n / ({}))", live);
    }
    return derived;
  }

  DerivedMeasure derive_rank(const DerivedMeasure& cache) {
    std::vector<std::string> exact{"m"}, upper;
    if (const auto longest = longest_distance())
      exact.push_back(fmt::format("min(m, {})", *longest));
    if (const std::string live = in_variable(cache.upper_form, "m"); !live.empty()) {
      upper.push_back(live);
    }
    upper.push_back("m");
    return first_of("rank(m)", exact, upper, {});
  }

 private:
  // A proof for every value of the variables; no search.
  bool proves(const std::string& text) {
    const std::string& whole = pattern_.canonical_text();
    const std::size_t end = whole.rfind('}');
    Diagnostics diagnostics;
    const std::vector<PatternSyntax> parsed =
        parse({"derived", whole.substr(0, end) + "\n  claim " + text + "\n}\n"}, diagnostics);
    if (diagnostics.has_errors() || parsed.size() != 1) return false;
    const Claim& claim = parsed[0].claims.back();
    names_ = proof::variables_of(claim, pattern_);
    return bound(claim).proved.has_value() || by_descent(claim).has_value();
  }

  static void set_forms(DerivedMeasure& derived, const proof::ClosedForms& forms) {
    if (!forms.exact.empty()) derived.closed_form = forms.exact;
    derived.lower_form = forms.exact.empty() ? forms.lower : forms.exact;
    derived.upper_form = forms.exact.empty() ? forms.upper : forms.exact;
  }

  // The first form of each list that is proved.
  DerivedMeasure first_of(const std::string& measure, const std::vector<std::string>& exact,
                          const std::vector<std::string>& upper,
                          const std::vector<std::string>& lower) {
    const auto first = [&](const char* relation, const std::vector<std::string>& forms) {
      for (const std::string& form : forms) {
        if (proves(fmt::format("{} {} {}", measure, relation, form))) return form;
      }
      return std::string();
    };
    DerivedMeasure derived;
    derived.closed_form = first("=", exact);
    derived.upper_form = derived.closed_form.empty() ? first("<=", upper) : derived.closed_form;
    derived.lower_form = derived.closed_form.empty() ? first(">=", lower) : derived.closed_form;
    return derived;
  }

  // The farthest distance that some side reads, if there is one.
  std::optional<std::int64_t> longest_distance() const {
    std::int64_t longest = 0;
    for (const Side side : {Side::kA, Side::kB}) {
      const proof::RowModel& model = structure_.side(side).model;
      if (model.kind != proof::RowModel::Kind::kDistances || model.points.infinite()) {
        return std::nullopt;
      }
      if (!model.points.start.empty()) longest = std::max(longest, model.points.start.back().high);
    }
    return longest == 0 ? std::nullopt : std::optional(longest);
  }

  // A form of i in another variable; nothing for one that holds from some i on only.
  static std::string in_variable(const std::string& form, const std::string& variable) {
    if (form.find(" for ") != std::string::npos) return "";
    std::string text;
    for (std::size_t at = 0; at < form.size(); ++at) {
      const auto part_of_word = [&](std::size_t where) {
        return where < form.size() && (std::isalnum(static_cast<unsigned char>(form[where])) != 0);
      };
      const bool alone =
          form[at] == 'i' && (at == 0 || !part_of_word(at - 1)) && !part_of_word(at + 1);
      text += alone ? variable : std::string(1, form[at]);
    }
    return text;
  }

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
    if (proof::mentions(claim, MeasureKind::kCache) && cache_is_uncertain(MeasureKind::kCache)) {
      return "cache(i) has no rule and is only counted up to a horizon";
    }
    return "";
  }

  static bool rank_or_congestion(const Claim& claim) {
    return proof::mentions(claim, MeasureKind::kCongestion) ||
           proof::mentions(claim, MeasureKind::kRank);
  }

  std::int64_t range_for(const Claim& claim) const {
    const std::int64_t pairs = std::min(options_.check_pairs_up_to, options_.check_up_to);
    for (const MeasureKind measure : {MeasureKind::kCongestion, MeasureKind::kRank}) {
      if (proof::mentions(claim, measure)) return measured_.value().rows_for(measure);
    }
    if (proof::mentions(claim, MeasureKind::kHops) || names_.size() == 2) return pairs;
    return names_.size() <= 1 ? options_.check_up_to : std::min<std::int64_t>(pairs, 40);
  }

  Verdict pointwise(const Claim& claim) {
    // Rows that cannot be listed leave nothing to hold the proof rules to.
    if (!measured_.ok()) return Unknown{measured_.error().message};
    const std::string unsearchable = why_not_searchable(claim);
    proof::SearchResult searched;
    if (unsearchable.empty()) {
      searched = proof::search(pattern_, claim, measured_.value(), 1, range_for(claim));
      if (searched.refuted) return *searched.refuted;
      if (!searched.stopped.empty() && !rank_or_congestion(claim)) {
        return Unknown{searched.stopped};
      }
    }
    if (auto vacuous = proof::prove_vacuous(structure_, claim, names_).proved) return *vacuous;
    const bool reach = std::holds_alternative<ReachClaim>(claim.node);
    proof::ClaimAttempt attempt =
        reach ? proof::prove_reach(structure_, claim, names_) : bound(claim);
    if (attempt.proved) return std::move(*attempt.proved);
    if (std::optional<Proved> proved = by_descent(claim)) return std::move(*proved);
    if (know_hops(claim)) {
      proof::ClaimAttempt again =
          proof::prove_bound(structure_, claim, names_, proof::Detail::kRefined);
      if (again.proved) return std::move(*again.proved);
    }
    if (!unsearchable.empty()) return Unknown{attempt.reason + "; " + unsearchable};
    if (!searched.stopped.empty()) return Unknown{attempt.reason + "; " + searched.stopped};
    if (searched.incomplete) {
      return Unknown{attempt.reason + "; congestion is only enclosed for some n"};
    }
    if (!reach) {
      if (auto refuted = look_further(claim, attempt.suspect, searched.checked_up_to)) {
        return *refuted;
      }
      if (auto refuted = out_of_reach(claim, searched.checked_up_to)) return *refuted;
    }
    if (claim.where && !searched.applied) {
      return Checked{searched.checked_up_to,
                     "the condition after `for` holds nowhere so far; " + attempt.reason};
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

  // Bounds on hops are looked for once, and only where a claim needs them. True where there are.
  bool know_hops(const Claim& claim) {
    const bool needed = std::holds_alternative<BoundClaim>(claim.node) &&
                        (proof::mentions(claim, MeasureKind::kHops) ||
                         proof::mentions(claim, MeasureKind::kCongestion));
    if (!needed) return false;
    if (!hops_are_known_) structure_.hop_bounds = proof::find_hop_bounds(structure_);
    hops_are_known_ = true;
    return !structure_.hop_bounds.empty();
  }

  // The first copy task, beyond those that were solved, of which some token is out of reach, if the
  // claim fails there. Tasks in between are not solved, so only a proof makes it the smallest.
  std::optional<Refuted> out_of_reach(const Claim& claim, std::int64_t checked) const {
    if (names_.size() != 1 || !proof::mentions(claim, MeasureKind::kCongestion)) return {};
    const MeasuredRows& measured = measured_.value();
    for (std::int64_t n = checked + 1; n <= options_.check_up_to / 2; ++n) {
      if (!measured.copy_out_of_reach(n)) continue;
      std::optional<Refuted> refuted = proof::search(pattern_, claim, measured, n, n).refuted;
      if (!refuted) continue;
      refuted->smallest = n == checked + 1 || bound(claim, Integer(n - 1)).proved.has_value();
      return refuted;
    }
    return std::nullopt;
  }

  // hops(i, j) <= E(i - j) by descent on this very bound.
  std::optional<Proved> by_descent(const Claim& claim) const {
    const auto* bound = std::get_if<BoundClaim>(&claim.node);
    if (bound == nullptr || bound->op != ComparisonOperator::kLessEqual) return std::nullopt;
    const auto* hops = std::get_if<MeasureTerm>(&bound->left->node);
    if (hops == nullptr || print(*bound->left) != "hops(i, j)") return std::nullopt;
    const ExpressionPtr distance = proof::in_distance(bound->right);
    if (!distance) return std::nullopt;
    std::optional<proof::HopBound> found = proof::prove_hop_bound(structure_, distance);
    if (!found) return std::nullopt;
    Proved proved;
    proved.rule = proof::joined({found->rules.begin(), found->rules.end()});
    for (const proof::ProvedModel* side : {&structure_.a, &structure_.b}) {
      proved.obligations.insert(proved.obligations.end(), side->obligations.begin(),
                                side->obligations.end());
      found->lemmas.insert(side->lemmas.begin(), side->lemmas.end());
    }
    proved.obligations.insert(proved.obligations.end(), found->obligations.begin(),
                              found->obligations.end());
    for (Obligation& obligation : structure_.knowledge.obligations_of(found->lemmas)) {
      proved.obligations.push_back(std::move(obligation));
    }
    proved.obligations = proof::distinct(std::move(proved.obligations));
    return proved;
  }

  // Looks at every row as far as that is cheap; then at single rows, where the solver has a
  // counterexample and at powers of two, far out. The first failure is pulled in by halving, and is
  // the smallest one if a proof vouches for every row before it.
  std::optional<Refuted> look_further(const Claim& claim, const std::optional<Integer>& suspect,
                                      std::int64_t checked) const {
    if (names_.size() != 1 || proof::mentions(claim, MeasureKind::kHops)) return std::nullopt;
    const std::int64_t last = cheap_rows();
    if (suspect && last > checked && !rank_or_congestion(claim)) {
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
    bool smallest = false;
    for (int round = 0; round < kMostRounds && !smallest; ++round) {
      Integer low = checked;
      while (low + Integer(1) < *failing) {
        const Integer middle = floor_div(low + *failing, 2);
        if (fails_at(claim, middle)) {
          failing = middle;
        } else {
          low = middle;
        }
      }
      if (*failing == Integer(checked + 1)) {
        smallest = true;
        break;
      }
      const proof::ClaimAttempt attempt = bound(claim, *failing - Integer(1));
      smallest = attempt.proved.has_value();
      if (smallest || !attempt.suspect || !fails_at(claim, *attempt.suspect)) break;
      failing = *attempt.suspect;
    }
    std::optional<Refuted> refuted = proof::refute_at(pattern_, claim, {{names_[0], *failing}});
    if (refuted) refuted->smallest = smallest;
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
      // Rows are too long from here on.
      if (!proof::far_time(pattern_, row, options_.longest_far_row).ok()) return std::nullopt;
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
  bool hops_are_known_ = false;
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
  DerivedBounds bounds;
  bounds.time = prover.derive(MeasureKind::kTime);
  bounds.cache = prover.derive(MeasureKind::kCache);
  prover.hurry();
  prover.derive_forms(MeasureKind::kTime, bounds.time);
  prover.derive_forms(MeasureKind::kCache, bounds.cache);
  bounds.depth = prover.derive_depth();
  bounds.hops = prover.derive_hops();
  bounds.congestion = prover.derive_congestion(bounds.cache);
  bounds.rank = prover.derive_rank(bounds.cache);
  return bounds;
}

}  // namespace heddle
