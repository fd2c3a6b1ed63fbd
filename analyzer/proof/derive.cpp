// SPDX-License-Identifier: Apache-2.0
// Bounds that nobody asked for: the least class and the sharpest closed forms that can be proved.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "analyzer/proof/closed_forms.hpp"
#include "analyzer/proof/describe.hpp"
#include "analyzer/proof/growth.hpp"
#include "analyzer/proof/subject.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/growth_class.hpp"

namespace heddle {
namespace {

using namespace proof;  // NOLINT: their parts

constexpr std::uint64_t kShareOfGuess = 4;
constexpr std::int64_t kTried = 24, kTriedPairs = 24;

class Deriver {
 public:
  Deriver(const Pattern& pattern, const ProveOptions& options) : subject_(pattern, options) {}

  // Guesses are many and mostly wrong: each proof from here on gets a share of the resources.
  void hurry() { subject_.limit(subject_.options().resource_limit / kShareOfGuess); }

  DerivedMeasure derive(MeasureKind measure) {
    DerivedMeasure derived;
    if (!subject_.measured().ok() || is_uncertain(measure)) return derived;
    for (const GrowthClass& growth : growth_ladder()) {
      derived.upper_proof = prove_class(measure, growth, Direction::kAtMost);
      if (!derived.upper_proof) continue;
      derived.upper = growth;
      break;
    }
    const std::vector<GrowthClass>& ladder = growth_ladder();
    for (auto growth = ladder.rbegin(); growth != ladder.rend(); ++growth) {
      if (derived.upper && grows_faster(*growth, *derived.upper)) continue;
      derived.lower_proof = prove_class(measure, *growth, Direction::kAtLeast);
      if (!derived.lower_proof) continue;
      derived.lower = *growth;
      break;
    }
    derived.closed_form = closed_form(measure);
    state_classes(measure, "i", derived);
    return derived;
  }

  void derive_forms(MeasureKind measure, DerivedMeasure& derived) {
    if (!subject_.measured().ok() || is_uncertain(measure)) return;
    std::vector<std::int64_t> values;
    for (std::int64_t i = 1; i <= subject_.options().check_up_to; ++i) {
      values.push_back(*subject_.measured()->value(measure, {Integer(i)})->to_int64());
    }
    const std::string text = std::string(name_of(measure)) + "(i)";
    const auto decide = [&](FormKind kind, const std::string& form) {
      if (kind != FormKind::kExact)
        return proves(text + (kind == FormKind::kUpper ? " <= " : " >= ") + form);
      // An exact form is tried seldom and is worth the most.
      subject_.limit(subject_.options().resource_limit);
      const bool proved = proves(text + " = " + form);
      hurry();
      return proved;
    };
    set_forms(derived, find_closed_forms("i", values, {derived.upper, derived.lower}, decide));
    state_forms(text, derived);
  }

  DerivedMeasure derive_depth() {
    return first_of("depth(n)", {"n - 1", "0", "min(n - 1, 1)"}, {"n - 1"}, {});
  }

  DerivedMeasure derive_hops() {
    if (!subject_.structure().reaches_all()) return {};
    std::vector<std::string> exact{"1", "popcount(i - j)"}, upper{"1", "2", "3", "4"};
    if (const auto longest = longest_distance()) {
      exact.push_back(*longest == 1 ? "i - j" : fmt::format("ceil((i - j) / {})", *longest));
    }
    for (const HopBound& bound : subject_.know_hop_bounds()) {
      upper.push_back(print(*in_rows(bound.bound)));
    }
    upper.push_back("popcount(i - j)");
    upper.push_back("i - j");
    return first_of("hops(i, j)", exact, upper, {"1"});
  }

  DerivedMeasure derive_congestion(const DerivedMeasure& cache) {
    if (!subject_.structure().reaches_all()) return {};
    std::vector<std::string> exact{"1", "n"}, upper{"1", "4"};
    if (const auto longest = longest_distance())
      exact.push_back(fmt::format("ceil(n / {})", *longest));
    for (const HopBound& bound : subject_.know_hop_bounds()) {
      upper.push_back(print(*at_distance(bound.bound, make_expression(Name{"n"}))));
    }
    upper.push_back("n");
    DerivedMeasure derived = first_of("congestion(n)", exact, upper, {});
    const std::string live = in_variable(cache.upper_form, "n");
    if (derived.lower_form.empty() && !live.empty() && live != "n" &&
        states(fmt::format("congestion(n) * ({}) >= n", live))) {
      derived.lower_form = fmt::format("ceil(n / ({}))", live);
    }
    if (derived.closed_form.empty()) derive_congestion_class(cache, derived);
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

  std::vector<ClaimVerdict> take_claims() { return std::move(claims_); }

 private:
  // A proof for every value of the variables. A few values are tried first, as most guesses fail
  // there.
  bool proves(const std::string& text) {
    const std::optional<Claim> stated = claim_about(subject_.pattern(), text);
    if (!stated) return false;
    const Claim& claim = *stated;
    const std::vector<std::string> names = variables_of(claim, subject_.pattern());
    if (subject_.measured().ok() && !is_uncertain(MeasureKind::kCache)) {
      const std::int64_t last = names.size() == 2 ? kTriedPairs : kTried;
      if (search(subject_.pattern(), claim, *subject_.measured(), 1, last).refuted) return false;
    }
    std::optional<Proved> proved = subject_.bound(claim, names).proved;
    if (!proved) proved = subject_.by_descent(claim);
    if (!proved) return false;
    std::string scope = scope_of(*proved, names);
    proved_[text] = {print(claim), *std::move(proved), std::move(scope)};
    return true;
  }

  bool states(const std::string& text) {
    if (proved_.count(text) == 0 && !proves(text)) return false;
    claims_.push_back(proved_.at(text));
    return true;
  }

  std::optional<Proved> prove_class(MeasureKind measure, const GrowthClass& growth,
                                    Direction direction) const {
    return prove_growth(subject_.structure(), *subject_.measured(), measure, growth, direction);
  }

  // n / cache(n) by the capacity law, where that is a class.
  void derive_congestion_class(const DerivedMeasure& cache, DerivedMeasure& derived) {
    if (!cache.upper || cache.upper->log_power != 0) return;
    const GrowthClass& live = *cache.upper;
    const GrowthClass growth{live.power_denominator - live.power_numerator, live.power_denominator,
                             0};
    if (growth.power_numerator <= 0) return;
    subject_.limit(subject_.options().resource_limit);
    derived.lower_proof = prove_class(MeasureKind::kCongestion, growth, Direction::kAtLeast);
    hurry();
    if (!derived.lower_proof) return;
    derived.lower = growth;
    state_classes(MeasureKind::kCongestion, "n", derived);
  }

  // One claim where both sides are of one class.
  void state_classes(MeasureKind measure, const std::string& variable,
                     const DerivedMeasure& derived) {
    const auto state = [&](const GrowthClass& growth, GrowthBound bound, const Proved& proved) {
      claims_.push_back(
          {fmt::format("{}({}) in {}", name_of(measure), variable, to_string(growth, bound)),
           proved, scope_of(proved, {variable})});
    };
    if (derived.upper && derived.upper == derived.lower) {
      if (const auto both =
              prove_both(subject_.structure(), *subject_.measured(), measure, *derived.upper)) {
        return state(*derived.upper, GrowthBound::kBoth, *both);
      }
    }
    if (derived.upper) state(*derived.upper, GrowthBound::kAtMost, *derived.upper_proof);
    if (derived.lower && *derived.lower != GrowthClass{}) {
      state(*derived.lower, GrowthBound::kAtLeast, *derived.lower_proof);
    }
  }

  // Only what was proved of a form is stated: others are words.
  void state_forms(const std::string& measure, const DerivedMeasure& derived) {
    const auto state = [&](const char* relation, const std::string& form) {
      const auto found = proved_.find(measure + relation + form);
      if (found == proved_.end()) return false;
      claims_.push_back(found->second);
      return true;
    };
    if (state(" = ", derived.closed_form)) return;
    state(" <= ", derived.upper_form);
    state(" >= ", derived.lower_form);
  }

  static void set_forms(DerivedMeasure& derived, const ClosedForms& forms) {
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
    state_forms(measure, derived);
    return derived;
  }

  // The farthest distance that some side reads, if there is one.
  std::optional<std::int64_t> longest_distance() const {
    std::int64_t longest = 0;
    for (const Side side : {Side::kA, Side::kB}) {
      const RowModel& model = subject_.structure().side(side).model;
      if (model.kind != RowModel::Kind::kDistances || model.points.infinite()) {
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

  std::string closed_form(MeasureKind measure) const {
    const auto describe = measure == MeasureKind::kTime ? describe_row_size : describe_live_size;
    const std::optional<std::string> a = describe(subject_.structure().a.model);
    const std::optional<std::string> b = describe(subject_.structure().b.model);
    if (!a || !b) return "";
    if (*a == "0") return *b;
    return *b == "0" ? *a : *a + " + " + *b;
  }

  bool is_uncertain(MeasureKind measure) const {
    return measure == MeasureKind::kCache && subject_.cache_is_uncertain();
  }

  Subject subject_;
  std::map<std::string, ClaimVerdict> proved_;  // by the text that was tried
  std::vector<ClaimVerdict> claims_;
};

}  // namespace

DerivedBounds derive(const Pattern& pattern, const ProveOptions& options) {
  CausalityOptions causality;
  causality.resource_limit = options.resource_limit;
  if (prove_causal(pattern, causality).status != CausalityVerdict::Status::kProved) return {};
  Deriver deriver(pattern, options);
  DerivedBounds bounds;
  bounds.time = deriver.derive(MeasureKind::kTime);
  bounds.cache = deriver.derive(MeasureKind::kCache);
  deriver.hurry();
  deriver.derive_forms(MeasureKind::kTime, bounds.time);
  deriver.derive_forms(MeasureKind::kCache, bounds.cache);
  bounds.depth = deriver.derive_depth();
  bounds.hops = deriver.derive_hops();
  bounds.congestion = deriver.derive_congestion(bounds.cache);
  bounds.rank = deriver.derive_rank(bounds.cache);
  bounds.claims = deriver.take_claims();
  return bounds;
}

}  // namespace heddle
