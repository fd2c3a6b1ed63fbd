// SPDX-License-Identifier: Apache-2.0
// Places before a counterexample, in the order that the certificate's format gives them: each is
// evaluated, but for rows of which a proved claim says that nothing fails there.
#include <algorithm>
#include <map>

#include "analyzer/audit/evaluate.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::auditing {
namespace {

using Outcome = Evaluation::Outcome;

constexpr std::int64_t kMostRowsCounted = 4096, kMostPairsCounted = 100'000;
constexpr std::int64_t kMostOpen = 1000;  // places without a value, before there is no hope

// Is the claim, said of values up to `last` of the variable, among those that are proved?
bool proved_up_to(const Claim& claim, const std::string& variable, const Integer& last,
                  const std::vector<Claim>& proved) {
  const ConditionPtr near =
      make_condition(Comparison{ComparisonOperator::kLessEqual, make_expression(Name{variable}),
                                make_expression(Literal{last})});
  Claim before = claim;
  before.where = claim.where ? make_condition(Conjunction{claim.where, near}) : near;
  const std::string text = print(before);
  return std::any_of(proved.begin(), proved.end(),
                     [&](const Claim& each) { return print(each) == text; });
}

}  // namespace

Evaluation SmallRows::smallest(const Claim& claim, const CertifiedClaim& certified,
                               const std::vector<Claim>& proved) const {
  if (std::holds_alternative<GrowthClaim>(claim.node)) {
    return {Outcome::kContradicts, "no place is the first at which a class fails"};
  }
  std::map<std::string, Integer> at;
  for (const auto& [name, text] : certified.counterexample) {
    if (name == "value" || name == "bound") continue;
    const std::optional<Integer> value = Integer::parse(text);
    if (!value) return {Outcome::kContradicts, "its counterexample is not made of numbers"};
    at.emplace(name, *value);
  }
  if (at.empty()) return {Outcome::kAgrees, "there is no other place"};
  if (at.size() > 2) return {Outcome::kOutOfReach, "it has more than two variables"};
  const auto& [first_name, x] = *at.begin();
  const auto& [second_name, y] = *at.rbegin();
  const bool pair = at.size() == 2, ordered = pair && first_name == "i" && second_name == "j";
  const Integer one = 1, far = pair ? std::max(x, y) : x;
  const bool by_proof =
      (!pair || ordered) && far > one && proved_up_to(claim, first_name, far - one, proved);

  std::int64_t places = 0, open = 0;
  const std::int64_t most_places = pair ? kMostPairsCounted : kMostRowsCounted;
  std::optional<Evaluation> contradiction;
  // False where the search ends: at the counterexample, at a place before it that fails, or out of
  // patience.
  const auto goes_on = [&](const Integer& a, const Integer& b) {
    if (a == x && (!pair || b == y)) return false;
    if (++places > most_places || open > kMostOpen) {
      ++open;
      return false;
    }
    Bindings bindings{{first_name, a}};
    if (pair) bindings.emplace_back(second_name, b);
    const std::optional<Decided> here = decide(claim, bindings, {{}, &proved, bindings});
    if (!here) ++open;
    if (!here || here->holds) return true;
    contradiction = {Outcome::kContradicts,
                     "it fails before its counterexample, at " + first_name + " = " +
                         a.to_string() +
                         (pair ? ", " + second_name + " = " + b.to_string() : std::string())};
    return false;
  };
  Integer seen = by_proof ? far - one : Integer(0);  // all places up to here hold
  bool going = true;
  for (Integer most = seen + one; going && most <= far; most = most + one) {
    if (!pair) {
      going = goes_on(most, most);
    } else {
      for (Integer a = ordered ? most : one; going && a <= most; a = a + one) {
        const Integer last = ordered ? most - one : most;
        for (Integer b = a < most ? most : one; going && b <= last; b = b + one) {
          going = goes_on(a, b);
        }
      }
    }
    if (open == 0 && going) seen = most;
  }
  if (contradiction) return *contradiction;
  if (open == 0) {
    return {Outcome::kAgrees, by_proof
                                  ? "proved of all " + first_name + " <= " + (far - one).to_string()
                                  : "every place was evaluated"};
  }
  return {Outcome::kOutOfReach, seen.sign() == 0
                                    ? std::string("none was evaluated")
                                    : "it was evaluated up to " + seen.to_string() + " only"};
}

}  // namespace heddle::auditing
