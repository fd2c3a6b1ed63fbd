// SPDX-License-Identifier: Apache-2.0
// Obligations that a symbolic run meets on its way: what has to be so where it stands, and that
// 64 bits hold whatever is computed.
#include <algorithm>

#include "codegen/verify/execute.hpp"

namespace heddle::verify {
namespace {

const Integer kFine(std::int64_t{1} << 40);  // no few of these make an overflow

}  // namespace

bool Execution::proves(const Path& path, const Term& goal, const std::string& statement) {
  return prover_.proves(facts_.context(path, {goal}), goal, statement);
}

void Execution::require(const char* obligation, const Term& goal, const std::string& sentence,
                        TextPlace at) {
  if (!recording_ || proves(path_, goal, sentence)) return;
  findings.push_back({obligation, false, "it is not proved that " + sentence, at});
}

void Execution::in_range(const Polynomial& value, TextPlace at) {
  if (!recording_) return;
  ++arithmetic;
  const std::optional<Facts::Interval> range = facts_.interval(value);
  if (range && -kMost <= range->low && range->high <= kMost) return;
  ranged_.push_back({value, path_, at});
}

void Execution::in_range(const Polynomial& value, const Term& when, TextPlace at) {
  const Path before = path_;
  const bool anywhere = when.operation() == smt::Operation::kAnd && when.operands().empty();
  if (!anywhere) path_ = extend(path_, when);
  in_range(value, at);
  path_ = before;
}

// Products of sizes are bounded where a buffer has at least so many elements: each factor, or so
// many times a loop's counter as the loop goes up by, lies between 0 and another size of the
// buffer, and the sizes left over are at least 1.
std::vector<Term> Execution::size_lemmas(const std::vector<Term>& facts, const Term& about) {
  std::set<std::string> variables;
  collect_variables(about, variables);
  std::vector<Term> known = facts;
  for (const Term& fact :
       facts_.context(nullptr, {facts_.term(Polynomial::atom(launch_.length))})) {
    known.push_back(fact);
  }
  // What holds of a launch is asked first: it is short, and the same wherever it is asked.
  const auto of_launch = [&](const Term& goal, const std::string& statement) {
    return prover_.proves(facts_.context(nullptr, {goal}), goal, statement);
  };
  const auto within = [&](const std::string& factor, AtomId size, const Integer& times) {
    const Term x = Term::variable(factor);
    const Term most = facts_.term(Polynomial::atom(size));
    const Term goal =
        conjunction({x >= 0, times == Integer(1) ? x <= most : Term(times) * x <= most});
    const std::string statement = factor + " lies within a size";
    const Atom& atom = facts_[facts_.find(factor)];
    if (atom.sharing != Sharing::kThread && atom.nature == Nature::kGiven) {
      return of_launch(goal, statement);
    }
    return prover_.proves(known, goal, statement);
  };
  // How many times the factor lies within the size, as far as is shown; 0: not at all.
  const auto times_within = [&](const std::string& factor, AtomId size) {
    if (facts_[size].name == factor) return Integer(1);
    const Integer& step = facts_[facts_.find(factor)].step;
    if (step > Integer(1) && within(factor, size, step)) return step;
    return Integer(within(factor, size, Integer(1)) ? 1 : 0);
  };
  const auto at_least_one = [&](AtomId size) {
    const Term goal = facts_.term(Polynomial::atom(size)) >= 1;
    return of_launch(goal, "a size is not 0") || prover_.proves(known, goal, "a size is not 0");
  };
  std::vector<Term> lemmas;
  for (const std::string& variable : variables) {
    const std::vector<std::string> factors = factors_of(variable);
    if (factors.size() < 2) continue;
    const Term product = Term::variable(variable);
    Monomial monomial;
    for (const std::string& factor : factors) monomial.push_back(facts_.find(factor));
    std::sort(monomial.begin(), monomial.end());
    if (const auto range = facts_.interval(Polynomial::term(1, monomial))) {
      lemmas.push_back(conjunction({product >= Term(range->low), product <= Term(range->high)}));
      if (range->high < kFine) continue;
    }
    for (const auto& [sizes, most] : launch_.bounded) {
      if (sizes.size() < factors.size()) continue;
      Monomial left = sizes;
      const std::function<Integer(std::size_t)> fits = [&](std::size_t index) {
        if (index == factors.size()) {
          return Integer(std::all_of(left.begin(), left.end(), at_least_one) ? 1 : 0);
        }
        for (std::size_t choice = 0; choice < left.size(); ++choice) {
          const AtomId size = left[choice];
          const Integer times = times_within(factors[index], size);
          if (times.sign() == 0) continue;
          left.erase(left.begin() + static_cast<std::ptrdiff_t>(choice));
          const Integer others = fits(index + 1);
          if (others.sign() > 0) return times * others;
          left.insert(left.begin() + static_cast<std::ptrdiff_t>(choice), size);
        }
        return Integer(0);
      };
      const Integer times = fits(0);
      if (times.sign() == 0) continue;
      lemmas.push_back(conjunction({product >= 0, product <= Term(floor_div(most, times))}));
      break;
    }
  }
  return lemmas;
}

// One question for all that is computed under one path.
void Execution::settle_ranges() {
  std::vector<std::vector<Ranged>> groups;
  std::map<const PathNode*, std::size_t> place;
  for (const Ranged& each : ranged_) {
    const auto [group, fresh] = place.emplace(each.path.get(), groups.size());
    if (fresh) groups.emplace_back();
    groups[group->second].push_back(each);
  }
  for (const std::vector<Ranged>& group : groups) {
    std::vector<Term> goals;
    for (const Ranged& each : group) {
      const Term value = facts_.term(each.value);
      goals.push_back(conjunction({Term(-kMost) <= value, value <= Term(kMost)}));
    }
    const auto fits = [&](const Term& goal) {
      std::vector<Term> known = facts_.context(group[0].path, {goal});
      for (Term& lemma : size_lemmas(known, goal)) known.push_back(std::move(lemma));
      return prover_.proves(known, goal, "no 64-bit overflow");
    };
    if (fits(conjunction(goals))) continue;
    for (std::size_t index = 0; index < group.size(); ++index) {
      if (goals.size() > 1 && fits(goals[index])) continue;
      findings.push_back(
          {"arithmetic", false, "it is not proved that this fits 64 bits", group[index].at});
    }
  }
  ranged_.clear();
}

std::vector<Polynomial> Execution::size_bounds() const {
  std::vector<Polynomial> result;
  for (const char* name : {"slots_a", "slots_b"}) {
    const auto size = launch_.sizes.find(name);
    if (size != launch_.sizes.end()) result.push_back(Polynomial::atom(size->second));
  }
  return result;
}

// Lists of the rows that are kept name them, and have no more entries than there are rows.
std::vector<Polynomial> Execution::row_bounds() const {
  const auto rows = launch_.sizes.find("live_rows");
  if (rows == launch_.sizes.end()) return {};
  const Polynomial all = Polynomial::atom(rows->second);
  return {all, all - Polynomial(1)};
}

}  // namespace heddle::verify
