// SPDX-License-Identifier: Apache-2.0
#include "analyzer/proof/far_failure.hpp"

#include <algorithm>

#include "analyzer/proof/far_rows.hpp"

namespace heddle::proof {
namespace {

constexpr int kMostRounds = 4;
constexpr int kFarthestExponent = 220;

class Further {
 public:
  Further(const Subject& subject, Deriver& deriver, const Claim& claim,
          const std::vector<std::string>& names)
      : subject_(subject), deriver_(deriver), claim_(claim), names_(names) {}

  // The first copy task, beyond those that were solved, of which some token is out of reach, if the
  // claim fails there. Tasks in between are not solved, so only a proof makes it the smallest.
  std::optional<Refuted> out_of_reach(std::int64_t checked) const {
    if (names_.size() != 1 || !mentions(claim_, MeasureKind::kCongestion)) return {};
    const MeasuredRows& measured = *subject_.measured();
    for (std::int64_t n = checked + 1; n <= subject_.options().check_up_to / 2; ++n) {
      if (!measured.copy_out_of_reach(n)) continue;
      std::optional<Refuted> refuted = search(subject_.pattern(), claim_, measured, n, n).refuted;
      if (!refuted) continue;
      refuted->smallest =
          n == checked + 1 || subject_.bound(claim_, names_, Integer(n - 1)).proved.has_value();
      return refuted;
    }
    return std::nullopt;
  }

  // Looks at every row as far as that is cheap; then at single rows, where the solver has a
  // counterexample and at powers of two, far out. The first failure is pulled in by halving, and is
  // the smallest one if a proof vouches for every row before it.
  std::optional<Refuted> look_further(const std::optional<Integer>& suspect,
                                      std::int64_t checked) const {
    const bool pairs = names_ == std::vector<std::string>{"i", "j"};
    if (names_.size() != 1 && !pairs) return std::nullopt;
    const bool listed =
        !pairs && !rank_or_congestion(claim_) && !mentions(claim_, MeasureKind::kHops);
    if (suspect && listed && subject_.farther().ok()) {
      const MeasuredRows& farther = *subject_.farther();
      const std::int64_t last = farther.rows_for(MeasureKind::kTime);
      if (last > checked) {
        const SearchResult found = search(subject_.pattern(), claim_, farther, checked + 1, last);
        if (found.refuted) return found.refuted;
        checked = found.checked_up_to;
      }
    }
    std::optional<Integer> failing = far_failure(suspect, checked);
    if (!failing) return std::nullopt;
    bool smallest = false;
    for (int round = 0; round < kMostRounds && !smallest; ++round) {
      Integer low = checked;
      while (low + Integer(1) < *failing) {
        const Integer middle = floor_div(low + *failing, 2);
        if (fails_at(middle)) {
          failing = middle;
        } else {
          low = middle;
        }
      }
      if (*failing == Integer(checked + 1)) {
        smallest = true;
        break;
      }
      const ClaimAttempt attempt = subject_.bound(claim_, names_, *failing - Integer(1));
      smallest = attempt.proved.has_value();
      if (smallest || !attempt.suspect || !fails_at(*attempt.suspect)) break;
      failing = *attempt.suspect;
    }
    std::optional<Refuted> refuted = refuted_at(*failing);
    if (refuted) refuted->smallest = smallest;
    return refuted;
  }

 private:
  // Of pairs (value, j) the first is that with j = 1.
  std::optional<Refuted> refuted_at(const Integer& value) const {
    Bindings at{{names_[0], value}};
    if (names_.size() == 2) at.emplace_back(names_[1], 1);
    std::string forms;
    std::optional<Refuted> refuted =
        refute_at(subject_.pattern(), claim_, at, [&](auto measure, const auto& arguments) {
          const Result<Integer> found = deriver_.value(measure, arguments);
          if (found.ok())
            forms += (forms.empty() ? "" : " and ") + deriver_.exact_form(measure)->text;
          return found;
        });
    if (refuted && !forms.empty()) refuted->explanation = "as " + forms + ", which is proved";
    return refuted;
  }
  bool fails_at(const Integer& value) const { return refuted_at(value).has_value(); }

  // A row at which the claim fails by evaluation, beyond those that were all looked at.
  std::optional<Integer> far_failure(const std::optional<Integer>& suspect,
                                     std::int64_t checked) const {
    if (suspect && Integer(checked) < *suspect && fails_at(*suspect)) return suspect;
    const bool of_rows =
        mentions(claim_, MeasureKind::kTime) || mentions(claim_, MeasureKind::kCache);
    Integer power = 1;
    for (int exponent = 0; exponent < kFarthestExponent; ++exponent, power = power * Integer(2)) {
      if (power <= Integer(checked)) continue;
      const Integer row = power + Integer(1);
      // Rows are too long from here on.
      if (of_rows && !far_time(subject_.pattern(), row, subject_.options().longest_far_row).ok())
        return std::nullopt;
      if (fails_at(power)) return power;
      if (fails_at(row)) return row;
    }
    return std::nullopt;
  }

  const Subject& subject_;
  Deriver& deriver_;
  const Claim& claim_;
  const std::vector<std::string>& names_;
};

}  // namespace

std::optional<Refuted> refute_further(const Subject& subject, Deriver& deriver, const Claim& claim,
                                      const std::vector<std::string>& names,
                                      const std::optional<Integer>& suspect, std::int64_t checked) {
  const Further further(subject, deriver, claim, names);
  if (auto refuted = further.look_further(suspect, checked)) return refuted;
  return further.out_of_reach(checked);
}

}  // namespace heddle::proof
