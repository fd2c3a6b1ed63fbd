// SPDX-License-Identifier: Apache-2.0
// Guesses come from measured values and from what is known of a pattern; only what is proved is
// kept.
#include "analyzer/proof/deriver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <set>

#include "analyzer/proof/closed_forms.hpp"
#include "analyzer/proof/describe.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/growth_class.hpp"

namespace heddle::proof {
namespace {

constexpr std::uint64_t kShareOfGuess = 4;
constexpr std::int64_t kTried = 24, kTriedPairs = 24;

// Guesses are many and mostly wrong: while this lives each proof gets a share of the resources.
class Hurry {
 public:
  explicit Hurry(Subject& subject) : subject_(subject) { go_on(); }
  ~Hurry() { stop(); }
  Hurry(const Hurry&) = delete;
  Hurry& operator=(const Hurry&) = delete;

  // For what is tried seldom and is worth the most.
  bool without(const std::function<bool()>& proves) {
    stop();
    const bool proved = proves();
    go_on();
    return proved;
  }

 private:
  void stop() { subject_.limit(subject_.options().resource_limit); }
  void go_on() { subject_.limit(subject_.options().resource_limit / kShareOfGuess); }

  Subject& subject_;
};

// A form of i in another variable; nothing for one that holds from some i on only.
std::string in_variable(const std::string& form, const std::string& variable) {
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

void set_forms(DerivedMeasure& derived, const ClosedForms& forms) {
  if (!forms.exact.empty()) derived.closed_form = forms.exact;
  derived.lower_form = forms.exact.empty() ? forms.lower : forms.exact;
  derived.upper_form = forms.exact.empty() ? forms.upper : forms.exact;
}

// The measure's name with the variables that forms of it are in.
std::string subject_of(MeasureKind measure) {
  const char* variables = measure == MeasureKind::kHops                                     ? "i, j"
                          : measure == MeasureKind::kRank                                   ? "m"
                          : measure == MeasureKind::kTime || measure == MeasureKind::kCache ? "i"
                                                                                            : "n";
  return fmt::format("{}({})", name_of(measure), variables);
}

}  // namespace

DerivedBounds Deriver::all() {
  DerivedBounds bounds;
  const std::pair<MeasureKind, DerivedMeasure*> members[] = {
      {MeasureKind::kTime, &bounds.time},
      {MeasureKind::kCache, &bounds.cache},
      {MeasureKind::kDepth, &bounds.depth},
      {MeasureKind::kHops, &bounds.hops},
      {MeasureKind::kCongestion, &bounds.congestion},
      {MeasureKind::kRank, &bounds.rank}};
  for (const auto& [measure, member] : members) {
    const Findings& found = about(measure);
    *member = found.bounds;
    bounds.claims.insert(bounds.claims.end(), found.claims.begin(), found.claims.end());
  }
  return bounds;
}

const ClaimVerdict* Deriver::exact_form(MeasureKind measure) {
  const Findings& found = about(measure);
  const std::string start = subject_of(measure) + " = ";
  for (const ClaimVerdict& claim : found.claims) {
    if (claim.text.compare(0, start.size(), start) == 0) return &claim;
  }
  return nullptr;
}

Result<Integer> Deriver::value(MeasureKind measure, const std::vector<Integer>& arguments) {
  const ClaimVerdict* form = exact_form(measure);
  if (form == nullptr) return Error{"no exact form is proved"};
  const auto read = forms_.find(measure);
  const Claim& claim =
      read != forms_.end()
          ? read->second
          : forms_.emplace(measure, *claim_about(subject_.pattern(), form->text)).first->second;
  const auto& bound = std::get<BoundClaim>(claim.node);
  const auto& term = std::get<MeasureTerm>(bound.left->node);
  Bindings bindings;
  for (std::size_t at = 0; at < arguments.size(); ++at) {
    bindings.emplace_back(std::get<Name>(term.arguments[at]->node).name, arguments[at]);
  }
  // Forms are of tokens, and of hops from an earlier one to a later one.
  if (arguments.back() < Integer(1) || (arguments.size() == 2 && arguments[0] <= arguments[1])) {
    return Error{"the form is not of these arguments"};
  }
  const Evaluator evaluator(subject_.pattern());
  if (claim.where) {
    const Result<bool> applies = evaluator.holds(*claim.where, bindings);
    if (!applies.ok()) return applies.error();
    if (!*applies) return Error{"the form is not of these arguments"};
  }
  return evaluator.evaluate(*bound.right, bindings);
}

const Deriver::Findings& Deriver::about(MeasureKind measure) {
  const auto known = found_.find(measure);
  if (known != found_.end()) return known->second;
  return found_[measure] = find(measure);
}

Deriver::Findings Deriver::find(MeasureKind measure) {
  Findings found;
  const auto from = [&](const std::vector<std::string>& exact,
                        const std::vector<std::string>& upper) {
    const Hurry hurry(subject_);
    first_of(subject_of(measure), exact, upper, {}, found);
  };
  switch (measure) {
    case MeasureKind::kTime:
    case MeasureKind::kCache:
      derive_sizes(measure, found);
      break;
    case MeasureKind::kDepth:
      from({"n - 1", "0", "min(n - 1, 1)"}, {"n - 1"});
      break;
    case MeasureKind::kHops:
      if (subject_.structure().reaches_all()) derive_hops(found);
      break;
    case MeasureKind::kCongestion:
      if (subject_.structure().reaches_all()) derive_congestion(found);
      break;
    case MeasureKind::kRank:
      derive_rank(found);
      break;
  }
  return found;
}

void Deriver::derive_sizes(MeasureKind measure, Findings& found) {
  DerivedMeasure& derived = found.bounds;
  if (!subject_.measured().ok() || is_uncertain(measure)) return;
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
  state_classes(measure, "i", found);

  derived.closed_form = closed_form(measure);
  std::vector<std::int64_t> values;
  for (std::int64_t i = 1; i <= subject_.options().check_up_to; ++i) {
    values.push_back(*subject_.measured()->value(measure, {Integer(i)})->to_int64());
  }
  const std::string text = subject_of(measure);
  Hurry hurry(subject_);
  const auto decide = [&](FormKind kind, const std::string& form) {
    if (kind != FormKind::kExact) {
      return proves(text + (kind == FormKind::kUpper ? " <= " : " >= ") + form);
    }
    return hurry.without([&] { return proves(text + " = " + form); });
  };
  set_forms(derived, find_closed_forms("i", values, {derived.upper, derived.lower}, decide));
  state_forms(text, found);
}

void Deriver::derive_hops(Findings& found) {
  const Hurry hurry(subject_);
  std::vector<std::string> exact{"1", "popcount(i - j)"}, upper{"1", "2", "3", "4"};
  if (const auto longest = longest_distance()) {
    exact.push_back(*longest == 1 ? "i - j" : fmt::format("ceil((i - j) / {})", *longest));
  }
  for (const HopBound& bound : subject_.know_hop_bounds()) {
    upper.push_back(print(*in_rows(bound.bound)));
  }
  upper.push_back("popcount(i - j)");
  upper.push_back("i - j");
  first_of(subject_of(MeasureKind::kHops), exact, upper, {"1"}, found);
}

void Deriver::derive_congestion(Findings& found) {
  const DerivedMeasure& live_set = cache();
  Hurry hurry(subject_);
  std::vector<std::string> exact{"1", "n"}, upper{"1", "4"};
  if (const auto longest = longest_distance())
    exact.push_back(fmt::format("ceil(n / {})", *longest));
  for (const HopBound& bound : subject_.know_hop_bounds()) {
    upper.push_back(print(*at_distance(bound.bound, make_expression(Name{"n"}))));
  }
  upper.push_back("n");
  first_of(subject_of(MeasureKind::kCongestion), exact, upper, {}, found);
  DerivedMeasure& derived = found.bounds;
  const std::string live = in_variable(live_set.upper_form, "n");
  const std::string law = fmt::format("congestion(n) * ({}) >= n", live);
  if (derived.lower_form.empty() && !live.empty() && live != "n" && proves(law)) {
    found.claims.push_back(proved_.at(law));
    derived.lower_form = fmt::format("ceil(n / ({}))", live);
  }
  if (!derived.closed_form.empty() || !live_set.upper || live_set.upper->log_power != 0) return;
  // n / cache(n) by the capacity law, where that is a class.
  const int p = live_set.upper->power_numerator, q = live_set.upper->power_denominator;
  const GrowthClass growth{q - p, q, 0};
  if (q <= p || !hurry.without([&] {
        derived.lower_proof = prove_class(MeasureKind::kCongestion, growth, Direction::kAtLeast);
        return derived.lower_proof.has_value();
      })) {
    return;
  }
  derived.lower = growth;
  state_classes(MeasureKind::kCongestion, "n", found);
}

void Deriver::derive_rank(Findings& found) {
  const DerivedMeasure& live_set = cache();
  const Hurry hurry(subject_);
  std::vector<std::string> exact{"m"}, upper;
  if (const auto longest = longest_distance()) exact.push_back(fmt::format("min(m, {})", *longest));
  if (const std::string live = in_variable(live_set.upper_form, "m"); !live.empty()) {
    upper.push_back(live);
  }
  upper.push_back("m");
  first_of(subject_of(MeasureKind::kRank), exact, upper, {}, found);
}

// A proof for every value of the variables. A few values are tried first, as most guesses fail
// there.
bool Deriver::proves(const std::string& text) {
  if (proved_.count(text) != 0) return true;
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

std::optional<Proved> Deriver::prove_class(MeasureKind measure, const GrowthClass& growth,
                                           Direction direction) const {
  return prove_growth(subject_.structure(), *subject_.measured(), measure, growth, direction);
}

// One claim where both sides are of one class.
void Deriver::state_classes(MeasureKind measure, const std::string& variable, Findings& found) {
  const DerivedMeasure& derived = found.bounds;
  const auto state = [&](const GrowthClass& growth, GrowthBound bound, const Proved& proved) {
    found.claims.push_back(
        {fmt::format("{}({}) in {}", name_of(measure), variable, to_string(growth, bound)), proved,
         scope_of(proved, {variable})});
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
void Deriver::state_forms(const std::string& measure, Findings& found) {
  const DerivedMeasure& derived = found.bounds;
  const auto state = [&](const char* relation, const std::string& form) {
    const auto proved = proved_.find(measure + relation + form);
    if (proved == proved_.end()) return false;
    found.claims.push_back(proved->second);
    return true;
  };
  if (state(" = ", derived.closed_form)) return;
  // What holds of every pattern says nothing about this one.
  static const std::set<std::string> kTrivial = {
      "depth(n) <= n - 1", "rank(m) <= m", "hops(i, j) >= 1", "time(i) >= 0", "cache(i) >= 0"};
  for (const auto& [relation, form] :
       {std::pair{" <= ", &derived.upper_form}, std::pair{" >= ", &derived.lower_form}}) {
    if (kTrivial.count(measure + relation + *form) == 0) state(relation, *form);
  }
}

// The first form of each list that is proved.
void Deriver::first_of(const std::string& measure, const std::vector<std::string>& exact,
                       const std::vector<std::string>& upper, const std::vector<std::string>& lower,
                       Findings& found) {
  const auto first = [&](const char* relation, const std::vector<std::string>& forms) {
    for (const std::string& form : forms) {
      if (proves(fmt::format("{} {} {}", measure, relation, form))) return form;
    }
    return std::string();
  };
  DerivedMeasure& derived = found.bounds;
  derived.closed_form = first("=", exact);
  derived.upper_form = derived.closed_form.empty() ? first("<=", upper) : derived.closed_form;
  derived.lower_form = derived.closed_form.empty() ? first(">=", lower) : derived.closed_form;
  state_forms(measure, found);
}

// The farthest distance that some side reads, if there is one.
std::optional<std::int64_t> Deriver::longest_distance() const {
  std::int64_t longest = 0;
  for (const Side side : {Side::kA, Side::kB}) {
    const RowModel& model = subject_.structure().side(side).model;
    if (model.kind != RowModel::Kind::kDistances || model.points.infinite()) return std::nullopt;
    if (!model.points.start.empty()) longest = std::max(longest, model.points.start.back().high);
  }
  return longest == 0 ? std::nullopt : std::optional(longest);
}

std::string Deriver::closed_form(MeasureKind measure) const {
  const auto describe = measure == MeasureKind::kTime ? describe_row_size : describe_live_size;
  const std::optional<std::string> a = describe(subject_.structure().a.model);
  const std::optional<std::string> b = describe(subject_.structure().b.model);
  if (!a || !b) return "";
  if (*a == "0") return *b;
  return *b == "0" ? *a : *a + " + " + *b;
}

bool Deriver::is_uncertain(MeasureKind measure) const {
  return measure == MeasureKind::kCache && subject_.cache_is_uncertain();
}

}  // namespace heddle::proof

namespace heddle {

DerivedBounds derive(const Pattern& pattern, const ProveOptions& options) {
  CausalityOptions causality;
  causality.resource_limit = options.resource_limit;
  if (prove_causal(pattern, causality).status != CausalityVerdict::Status::kProved) return {};
  proof::Subject subject(pattern, options);
  return proof::Deriver(subject).all();
}

}  // namespace heddle
