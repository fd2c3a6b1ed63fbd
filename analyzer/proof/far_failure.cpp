// SPDX-License-Identifier: Apache-2.0
// Places are tried along rays: the rows i of a claim with one variable, and of one about i and j
// those for one j each, taken from the numbers that the claim names. Along a ray powers of two are
// tried and what the claim names itself, and the first failure is pulled in by halving.
#include "analyzer/proof/far_failure.hpp"

#include <algorithm>
#include <set>

#include "analyzer/proof/far_rows.hpp"
#include "analyzer/proof/growth.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::proof {
namespace {

constexpr int kMostRounds = 4;
constexpr int kFarthestExponent = 220;
constexpr std::size_t kMostConstants = 12;
constexpr std::int64_t kNearTokens = 8;       // j that are tried whatever the claim says
constexpr std::int64_t kMostBeside = 20'000;  // places of one row that are all looked at

class Further {
 public:
  Further(const Subject& subject, Deriver& deriver, const Claim& claim,
          const std::vector<std::string>& names)
      : subject_(subject), deriver_(deriver), claim_(claim), names_(names) {
    for (const Integer& constant : constants_of(claim, subject.pattern())) {
      if (constant.sign() > 0 && constants_.size() < kMostConstants) constants_.push_back(constant);
    }
  }

  // The first copy task, beyond those that were solved, of which some token is out of reach, if the
  // claim fails there. Tasks in between are not solved, so only a proof makes it the smallest.
  std::optional<FarFailure> out_of_reach(std::int64_t checked) const {
    if (names_.size() != 1 || !mentions(claim_, MeasureKind::kCongestion)) return {};
    const MeasuredRows& measured = *subject_.measured();
    for (std::int64_t n = checked + 1; n <= subject_.options().check_up_to / 2; ++n) {
      if (!measured.copy_out_of_reach(n)) continue;
      std::optional<Refuted> refuted = search(subject_.pattern(), claim_, measured, n, n).refuted;
      if (!refuted) continue;
      FarFailure found{*std::move(refuted), std::nullopt};
      ProofBefore proof;
      if (n > checked + 1) proof = prove_before(subject_, claim_, names_, {{names_[0], n}});
      found.refuted.smallest = n == checked + 1 || proof.proved || proof.without_words;
      found.before = std::move(proof.proved);
      return found;
    }
    return std::nullopt;
  }

  // Looks at every row as far as that is cheap; then at single places, where the solver has a
  // counterexample and along rays, far out. The first failure is the smallest one if a proof
  // vouches for every row before it, and all places before it in its row hold.
  std::optional<FarFailure> look_further(const std::optional<Integer>& suspect,
                                         std::int64_t checked) const {
    if (names_.size() != 1 && !pairs()) return std::nullopt;
    const bool listed =
        !pairs() && !rank_or_congestion(claim_) && !mentions(claim_, MeasureKind::kHops);
    if (suspect && listed && subject_.farther().ok()) {
      const MeasuredRows& farther = *subject_.farther();
      const std::int64_t last = farther.rows_for(MeasureKind::kTime);
      if (last > checked) {
        const SearchResult found = search(subject_.pattern(), claim_, farther, checked + 1, last);
        if (found.refuted) return FarFailure{*found.refuted, std::nullopt};
        checked = found.checked_up_to;
      }
    }
    std::optional<Place> failing;
    if (suspect) failing = failing_in_row(*suspect, checked);
    for (const auto& j : failing ? std::vector<std::optional<Integer>>{} : rays()) {
      if (const auto found = first_along(j, checked); found && (!failing || *found < *failing)) {
        failing = found;
      }
    }
    if (!failing) return std::nullopt;
    bool smallest = false;
    std::optional<ClaimVerdict> before;
    for (int round = 0; round < kMostRounds && !smallest && !before; ++round) {
      failing = pulled_in(*failing, checked);
      if (failing->i == Integer(checked + 1)) {
        smallest = none_beside(*failing);
        break;
      }
      ProofBefore attempt = prove_before(subject_, claim_, names_, bindings(*failing));
      before = std::move(attempt.proved);
      if (before || attempt.without_words) {
        smallest = none_beside(*failing);
        break;
      }
      const auto nearer =
          attempt.suspect ? failing_in_row(*attempt.suspect, checked) : std::nullopt;
      if (!nearer) break;
      failing = nearer;
    }
    std::optional<Refuted> refuted = refuted_at(*failing);
    if (!refuted) return std::nullopt;
    refuted->smallest = smallest;
    return FarFailure{*std::move(refuted), std::move(before)};
  }

 private:
  struct Place {
    Integer i;                 // of the first variable
    std::optional<Integer> j;  // of pairs
    friend bool operator<(const Place& a, const Place& b) {
      return a.i < b.i || (a.i == b.i && a.j && b.j && *a.j < *b.j);
    }
  };

  bool pairs() const { return names_ == std::vector<std::string>{"i", "j"}; }
  bool of_rows() const {
    return mentions(claim_, MeasureKind::kTime) || mentions(claim_, MeasureKind::kCache);
  }

  Bindings bindings(const Place& place) const {
    Bindings at{{names_[0], place.i}};
    if (place.j) at.emplace_back(names_[1], *place.j);
    return at;
  }
  std::optional<Refuted> refuted_at(const Place& place) const {
    if (place.i < Integer(1) || (place.j && (*place.j < Integer(1) || place.i <= *place.j))) {
      return std::nullopt;
    }
    std::string forms;
    std::optional<Refuted> refuted = refute_at(
        subject_.pattern(), claim_, bindings(place), [&](auto measure, const auto& arguments) {
          const Result<Integer> found = deriver_.value(measure, arguments);
          if (found.ok())
            forms += (forms.empty() ? "" : " and ") + deriver_.exact_form(measure)->text;
          return found;
        });
    if (refuted && !forms.empty()) refuted->explanation = "as " + forms + ", which is proved";
    return refuted;
  }
  bool fails_at(const Place& place) const { return refuted_at(place).has_value(); }

  // Does the claim hold at every place before this one in its row? Else the place moves to the
  // first that fails, if all before that hold.
  bool none_beside(Place& place) const {
    if (!place.j) return true;
    if (Integer(kMostBeside) < *place.j) return false;
    for (Integer j = 1; j < *place.j; j = j + Integer(1)) {
      const Place beside{place.i, j};
      const bool holds = holds_at(
          subject_.pattern(), claim_, bindings(beside),
          [&](auto measure, const auto& arguments) { return deriver_.value(measure, arguments); });
      if (holds) continue;
      if (!fails_at(beside)) return false;
      place = beside;
      return true;
    }
    return true;
  }

  // Tokens j that the claim may be about: the nearest to the start, and those that it names.
  std::vector<std::optional<Integer>> rays() const {
    if (!pairs()) return {std::nullopt};
    std::set<Integer> tokens{Integer(1)};
    for (std::int64_t j = 2; j <= kNearTokens && !of_rows(); ++j) tokens.insert(Integer(j));
    for (const Integer& constant : constants_) {
      for (const int by : {-1, 0, 1}) {
        if (const Integer j = constant + Integer(by); j.sign() > 0) tokens.insert(j);
      }
    }
    return {tokens.begin(), tokens.end()};
  }

  // A place of the row at which the claim fails, beyond those that were all looked at.
  std::optional<Place> failing_in_row(const Integer& i, std::int64_t checked) const {
    if (i <= Integer(checked)) return std::nullopt;
    std::set<Integer> tokens;
    for (const std::optional<Integer>& j : rays()) {
      if (!j && fails_at({i, j})) return Place{i, j};
      if (j) tokens.insert(*j);
    }
    if (!pairs()) return std::nullopt;
    for (const Integer& constant : constants_) {
      for (const int by : {-1, 0, 1}) tokens.insert(i - constant + Integer(by));
    }
    for (const Integer& j : tokens) {
      if (fails_at({i, j})) return Place{i, j};
    }
    return std::nullopt;
  }

  // The first of the rows that are tried along the ray at which the claim fails, pulled in.
  std::optional<Place> first_along(const std::optional<Integer>& j, std::int64_t checked) const {
    const Integer from = j.value_or(Integer(1));
    std::set<Integer> rows;
    Integer power = 1;
    for (int exponent = 0; exponent < kFarthestExponent; ++exponent, power = power * Integer(2)) {
      rows.insert(from + power - Integer(1));
      rows.insert(from + power);
    }
    for (const Integer& constant : constants_) {
      for (const int by : {-1, 0, 1}) {
        rows.insert(constant + Integer(by));
        rows.insert(from + constant + Integer(by));
      }
    }
    for (const Integer& row : rows) {
      if (row <= Integer(checked)) continue;
      // Rows are too long from here on.
      if (of_rows() && !far_time(subject_.pattern(), row, subject_.options().longest_far_row).ok())
        return std::nullopt;
      if (fails_at({row, j})) return pulled_in({row, j}, checked);
    }
    return std::nullopt;
  }

  Place pulled_in(Place failing, std::int64_t checked) const {
    Integer low = std::max(Integer(checked), failing.j.value_or(Integer(1)));
    while (low + Integer(1) < failing.i) {
      const Integer middle = floor_div(low + failing.i, 2);
      if (fails_at({middle, failing.j})) {
        failing.i = middle;
      } else {
        low = middle;
      }
    }
    return failing;
  }

  const Subject& subject_;
  Deriver& deriver_;
  const Claim& claim_;
  const std::vector<std::string>& names_;
  std::vector<Integer> constants_;  // that the claim names
};

}  // namespace

namespace {

bool mentions_measures(const Condition& condition) {
  const ExpressionPtr nothing = make_expression(Literal{0});
  bool found = false;
  for_each_measure({BoundClaim{ComparisonOperator::kEqual, nothing, nothing},
                    std::make_shared<const Condition>(condition),
                    {}},
                   [&](const MeasureTerm&) { found = true; });
  return found;
}

}  // namespace

ProofBefore prove_before(const Subject& subject, const Claim& claim,
                         const std::vector<std::string>& names, const Bindings& place) {
  const Integer last = place.front().second - Integer(1);
  const Claim before = up_to(claim, names.front(), last);
  std::vector<Integer> landmarks{last};
  if (place.size() == 2) landmarks.push_back(last - place.back().second);  // distances end there
  ClaimAttempt attempt = subject.bound(before, names, {landmarks, std::nullopt});
  ProofBefore result;
  result.suspect = attempt.suspect;
  if (attempt.proved) {
    std::string scope = scope_of(*attempt.proved, names);
    result.proved = {print(before), *std::move(attempt.proved), std::move(scope)};
  } else if (claim.where && mentions_measures(*claim.where)) {
    attempt = subject.bound(claim, names, {landmarks, last});
    result.without_words = attempt.proved.has_value();
    if (attempt.suspect) result.suspect = attempt.suspect;
  }
  return result;
}

std::optional<FarFailure> refute_further(const Subject& subject, Deriver& deriver,
                                         const Claim& claim, const std::vector<std::string>& names,
                                         const std::optional<Integer>& suspect,
                                         std::int64_t checked) {
  const Further further(subject, deriver, claim, names);
  if (auto found = further.look_further(suspect, checked)) return found;
  return further.out_of_reach(checked);
}

}  // namespace heddle::proof
