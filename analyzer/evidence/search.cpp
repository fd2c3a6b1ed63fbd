// SPDX-License-Identifier: Apache-2.0
// The simplex proposes a point; a disjunction that fails there is split, products of facts that
// fail there are added, and where neither does, equal arguments and fractions are cut apart. A case
// whose proof does not use what the case assumes is a proof without cases.
#include <algorithm>
#include <memory>
#include <set>

#include "analyzer/audit/arithmetic.hpp"
#include "analyzer/evidence/evidence.hpp"
#include "analyzer/evidence/proof.hpp"
#include "analyzer/evidence/simplex.hpp"

namespace heddle {
namespace {

using auditing::Assumed;
using auditing::Formula;
using auditing::Monomial;
using auditing::Polynomial;
using auditing::Refutation;
using auditing::sum;
using evidence::Bound;
using evidence::Proof;
using evidence::ProofPtr;
using evidence::Rational;
using evidence::Simplex;
using Kind = Formula::Kind;

struct Effort {
  int nodes;
  std::size_t tried;  // sums and products that are looked at
};
constexpr Effort kLong{1500, 80000}, kShort{150, 2000};
constexpr int kDeepest = 60, kMostCuts = 10;
constexpr int kMostTimes = 6;           // an equation, in a rounded sum
constexpr std::size_t kMostFacts = 90;  // whose pairs are multiplied
constexpr std::size_t kMostCubed = 12;  // whose triples are multiplied
constexpr std::size_t kMostProducts = 400;

std::optional<int> degree_of(const Polynomial& value) {
  std::size_t degree = 0;
  for (const auto& [monomial, coefficient] : value) degree = std::max(degree, monomial.size());
  return static_cast<int>(degree);
}

void collect_monomials(const Formula& formula, std::set<Monomial>& monomials) {
  for (const auto& [monomial, coefficient] : formula.value) {
    if (!monomial.empty()) monomials.insert(monomial);
  }
  for (const Formula& part : formula.parts) collect_monomials(part, monomials);
}

class Search {
 public:
  Search(Refutation& arithmetic, Products products)
      : arithmetic_(arithmetic), effort_(products == Products::kOfFacts ? kLong : kShort) {
    for (const Formula& fact : arithmetic.assumed().facts) collect_monomials(fact, known_);
    for (const Formula& any : arithmetic.assumed().disjunctions) collect_monomials(any, known_);
    const auto is_known_of = [&](std::size_t degree) {
      return std::any_of(known_.begin(), known_.end(),
                         [&](const Monomial& monomial) { return monomial.size() >= degree; });
    };
    nonlinear_ = products == Products::kOfFacts && is_known_of(2);
    cubic_ = nonlinear_ && is_known_of(3);
    add(arithmetic.assumed());
  }

  std::string find() {
    const ProofPtr proof = refute(0);
    if (!proof) return "";
    return text_of(*proof, arithmetic_) + "\n";
  }

 private:
  // ---- what is assumed
  struct Source {
    std::vector<int> facts;
    Polynomial times;
  };
  struct Mark {
    std::size_t facts, disjunctions, bounds;
  };

  Mark mark() const { return {active_.size(), open_.size(), simplex_.mark()}; }
  void undo(const Mark& mark) {
    active_.resize(mark.facts);
    open_.resize(mark.disjunctions);
    simplex_.undo(mark.bounds);
  }

  Proof::Case add(const Assumed& assumed) {
    Proof::Case added;
    for (const Formula& fact : assumed.facts) {
      const int number = static_cast<int>(facts_.size());
      facts_.push_back(fact);
      active_.push_back(number);
      added.facts.push_back(number);
      bound(fact, {{number}, {}});
    }
    for (const Formula& any : assumed.disjunctions) {
      open_.push_back(static_cast<int>(disjunctions_.size()));
      added.disjunctions.push_back(open_.back());
      disjunctions_.push_back(any);
    }
    return added;
  }

  int variable(const Monomial& monomial) {
    const auto [at, fresh] = variables_.emplace(monomial, -1);
    if (fresh) at->second = simplex_.add_variable();
    return at->second;
  }

  // Tells the simplex that fact.value >= 0, or = 0.
  void bound(const Formula& fact, Source source) {
    Polynomial form = fact.value;
    Integer constant = 0;
    if (const auto at = form.find({}); at != form.end()) {
      constant = at->second;
      form.erase(at);
    }
    Integer scale = 0;
    for (const auto& [monomial, coefficient] : form) scale = evidence::gcd(scale, coefficient);
    if (scale.sign() == 0) scale = 1;
    if (!form.empty() && form.begin()->second.sign() < 0) scale = -scale;
    for (auto& [monomial, coefficient] : form) coefficient = floor_div(coefficient, scale);
    const auto [known, fresh] = rows_.emplace(form, -1);
    if (fresh) {
      std::vector<std::pair<int, Rational>> sum;
      for (const auto& [monomial, coefficient] : form) {
        sum.emplace_back(variable(monomial), Rational(coefficient));
      }
      known->second = simplex_.add_sum(sum);
    }
    const int number = static_cast<int>(sources_.size());
    sources_.push_back(std::move(source));
    const Rational limit = Rational(-constant) / Rational(scale);
    const Rational multiplier = Rational(1) / Rational(scale);
    const bool equal = fact.kind == Kind::kZero;
    if (equal || scale.sign() > 0) {
      simplex_.bound_below(known->second, {limit, number, multiplier});
    }
    if (equal || scale.sign() < 0) {
      simplex_.bound_above(known->second, {limit, number, -multiplier});
    }
  }

  // ---- the point of the simplex
  Rational value(const Monomial& monomial) const {
    if (monomial.empty()) return 1;
    const auto at = variables_.find(monomial);
    return at == variables_.end() ? Rational(0) : simplex_.value(at->second);
  }
  Rational value(const Polynomial& polynomial) const {
    Rational sum;
    for (const auto& [monomial, coefficient] : polynomial) {
      sum = sum + Rational(coefficient) * value(monomial);
    }
    return sum;
  }
  bool holds(const Formula& formula) const {
    const auto part_holds = [&](const Formula& part) { return holds(part); };
    switch (formula.kind) {
      case Kind::kAtLeastZero:
        return value(formula.value).sign() >= 0;
      case Kind::kZero:
        return value(formula.value).sign() == 0;
      case Kind::kAll:
        return std::all_of(formula.parts.begin(), formula.parts.end(), part_holds);
      case Kind::kAny:
        return std::any_of(formula.parts.begin(), formula.parts.end(), part_holds);
    }
    unreachable("formula");
  }

  // ---- proofs
  bool spent() const {
    return nodes_ > effort_.nodes || simplex_.exhausted() || tried_ > effort_.tried;
  }

  ProofPtr refute(int depth) {
    ++nodes_;
    for (int rounds = 0; !spent() && depth < kDeepest; ++rounds) {
      if (const auto conflict = simplex_.check()) return leaf(*conflict);
      if (const int chosen = violated(); chosen >= 0) {
        const std::vector<Formula> cases = disjunctions_[static_cast<std::size_t>(chosen)].parts;
        return split("case", chosen, cases, depth);
      }
      if (rounds < 40 && multiply()) continue;
      return cut(depth);
    }
    return nullptr;
  }

  ProofPtr leaf(const evidence::Conflict& conflict) const {
    auto proof = std::make_shared<Proof>();
    Integer common = 1;
    for (const auto& [source, multiplier] : conflict) {
      const Integer& under = multiplier.under();
      common = floor_div(common * under, evidence::gcd(common, under));
    }
    for (const auto& [source, multiplier] : conflict) {
      const Source& from = sources_[static_cast<std::size_t>(source)];
      const Rational whole = multiplier * Rational(common);
      if (whole.sign() == 0) continue;
      proof->sum.push_back({whole.over(), from.times, from.facts});
      proof->facts.insert(from.facts.begin(), from.facts.end());
    }
    return proof;
  }

  // The disjunction that no alternative fulfils at the point and that leaves the fewest of them
  // open; -1 if each is fulfilled.
  int violated() {
    int best = -1;
    std::size_t fewest = 0;
    std::vector<int> failing;
    for (const int number : open_) {
      if (split_.count(number) == 0 && !holds(disjunctions_[static_cast<std::size_t>(number)])) {
        failing.push_back(number);
      }
    }
    for (const int number : failing) {
      const std::vector<Formula> cases = disjunctions_[static_cast<std::size_t>(number)].parts;
      std::size_t left = 0;
      for (const Formula& each : cases) {
        const Mark before = mark();
        Assumed assumed;
        assumed.add(each);
        add(assumed);
        left += simplex_.check() ? 0 : 1;
        undo(before);
        if (best >= 0 && left >= fewest) break;
      }
      if (best >= 0 && left >= fewest) continue;
      best = number;
      fewest = left;
      if (fewest <= 1) break;
    }
    return best;
  }

  ProofPtr split(const std::string& head, int disjunction, const std::vector<Formula>& cases,
                 int depth) {
    auto proof = std::make_shared<Proof>();
    proof->head = head;
    proof->disjunction = disjunction;
    if (disjunction >= 0) proof->disjunctions.insert(disjunction);
    split_.insert(disjunction);
    const bool closed = close_cases(*proof, cases, depth);
    if (disjunction >= 0) split_.erase(disjunction);
    if (closed && proof->cases.size() == cases.size()) return proof;
    return closed ? proof->cases.back().proof : nullptr;
  }

  // Stops at a case whose proof does not use it, and leaves it last; false where there is none.
  bool close_cases(Proof& proof, const std::vector<Formula>& cases, int depth) {
    for (const Formula& each : cases) {
      const Mark before = mark();
      Assumed assumed;
      assumed.add(each);
      Proof::Case added = add(assumed);
      added.proof = refute(depth + 1);
      undo(before);
      if (!added.proof) return false;
      std::set<int> facts = added.proof->facts, disjunctions = added.proof->disjunctions;
      std::size_t used = 0;
      for (const int number : added.facts) used += facts.erase(number);
      for (const int number : added.disjunctions) used += disjunctions.erase(number);
      if (used == 0) {
        proof.cases.clear();
        proof.cases.push_back(std::move(added));
        return true;
      }
      proof.facts.insert(facts.begin(), facts.end());
      proof.disjunctions.insert(disjunctions.begin(), disjunctions.end());
      proof.cases.push_back(std::move(added));
    }
    return true;
  }

  bool familiar(const Polynomial& value, bool wide) const {
    if (++tried_ > effort_.tried) return false;
    return std::all_of(value.begin(), value.end(), [&](const auto& term) {
      return term.first.size() <= (wide ? 2 : 1) || known_.count(term.first) > 0;
    });
  }

  // Adds products of facts that fail at the point; false if there are none.
  bool multiply() {
    if (!nonlinear_ || active_.size() > kMostFacts || products_ > kMostProducts) return false;
    std::vector<std::pair<Formula, Source>> found;
    for (const bool wide : {false, true}) {
      for (std::size_t x = 0; x < active_.size(); ++x) {
        const Formula& first = facts_[static_cast<std::size_t>(active_[x])];
        if (*degree_of(first.value) == 0) continue;
        if (first.kind == Kind::kZero) {
          for (std::size_t number = 0; number < arithmetic_.atoms().size(); ++number) {
            const Polynomial atom{{{static_cast<int>(number)}, 1}};
            const Polynomial value = auditing::product(first.value, atom);
            if (!familiar(value, wide) || this->value(value).sign() == 0) continue;
            found.push_back({{Kind::kZero, value, {}}, {{active_[x]}, atom}});
          }
          continue;
        }
        for (std::size_t y = x; y < active_.size(); ++y) {
          const Formula& second = facts_[static_cast<std::size_t>(active_[y])];
          if (second.kind == Kind::kZero || *degree_of(second.value) == 0) continue;
          if (*degree_of(first.value) + *degree_of(second.value) > 3) continue;
          const Polynomial value = auditing::product(first.value, second.value);
          if (!familiar(value, wide) || this->value(value).sign() >= 0) continue;
          found.push_back({{Kind::kAtLeastZero, value, {}}, {{active_[x], active_[y]}, {}}});
        }
      }
      if (found.empty() && cubic_) multiply_thrice(wide, found);
      if (!found.empty()) break;
    }
    if (found.size() > 12) found.resize(12);
    products_ += found.size();
    for (auto& [fact, source] : found) bound(fact, std::move(source));
    return !found.empty();
  }

  void multiply_thrice(bool wide, std::vector<std::pair<Formula, Source>>& found) const {
    std::vector<int> linear;
    for (const int number : active_) {
      const Formula& fact = facts_[static_cast<std::size_t>(number)];
      if (fact.kind == Kind::kAtLeastZero && *degree_of(fact.value) == 1) linear.push_back(number);
    }
    if (linear.size() > kMostCubed) return;
    const auto of = [&](int number) { return facts_[static_cast<std::size_t>(number)].value; };
    for (std::size_t x = 0; x < linear.size(); ++x) {
      for (std::size_t y = x; y < linear.size(); ++y) {
        const Polynomial square = auditing::product(of(linear[x]), of(linear[y]));
        for (std::size_t z = y; z < linear.size(); ++z) {
          const Polynomial value = auditing::product(square, of(linear[z]));
          if (!familiar(value, wide) || this->value(value).sign() >= 0) continue;
          found.push_back(
              {{Kind::kAtLeastZero, value, {}}, {{linear[x], linear[y], linear[z]}, {}}});
        }
      }
    }
  }

  ProofPtr cut(int depth) {
    if (cuts_ >= kMostCuts) return nullptr;
    const auto& atoms = arithmetic_.atoms();
    ++cuts_;
    const auto done = [&](ProofPtr proof) {
      --cuts_;
      return proof;
    };
    for (std::size_t x = 0; x < atoms.size(); ++x) {
      for (std::size_t y = x + 1; y < atoms.size(); ++y) {
        if (atoms[x].function.empty() || atoms[x].function != atoms[y].function) continue;
        const int a = static_cast<int>(x), b = static_cast<int>(y);
        if (!(value(atoms[x].argument) == value(atoms[y].argument)) ||
            value(Monomial{a}) == value(Monomial{b})) {
          continue;
        }
        return done(
            split("same " + arithmetic_.text_of(atoms[x]) + " " + arithmetic_.text_of(atoms[y]), -1,
                  arithmetic_.comparison(a, b), depth));
      }
    }
    if (const auto rounded = round()) return done(cut_at(*rounded, depth));
    for (const auto& [monomial, variable] : variables_) {
      const Rational here = simplex_.value(variable);
      if (here.whole() || monomial.size() > 1) continue;
      const Integer below = floor_div(here.over(), here.under());
      return done(cut_at(sum({{monomial, 1}}, {{{}, 1}}, -(below + Integer(1))), depth));
    }
    return done(cut_factors(depth));
  }

  // Two facts, or one and multiples of equations, whose sum is g t + c >= 0: then t + floor(c / g)
  // >= 0, which the point may not fulfil. (Chvatal and Gomory)
  std::optional<Polynomial> round() const {
    std::vector<Polynomial> equations, facts;
    for (const int number : active_) {
      const Formula& fact = facts_[static_cast<std::size_t>(number)];
      if (*degree_of(fact.value) != 1) continue;
      facts.push_back(fact.value);
      if (fact.kind != Kind::kZero) continue;
      equations.push_back(fact.value);
      facts.push_back(sum({}, fact.value, -1));
    }
    for (std::size_t x = 0; x < facts.size(); ++x) {
      for (std::size_t y = x + 1; y < facts.size(); ++y) {
        if (const auto found = rounded(sum(facts[x], facts[y], 1))) return found;
      }
    }
    for (const Polynomial& fact : facts) {
      if (const auto found = rounded(fact)) return found;
      for (std::size_t x = 0; x < equations.size(); ++x) {
        for (int m = -kMostTimes; m <= kMostTimes; ++m) {
          const Polynomial once = sum(fact, equations[x], m);
          if (const auto found = rounded(once)) return found;
          for (std::size_t y = x + 1; y < equations.size(); ++y) {
            for (int n = -kMostTimes; n <= kMostTimes; ++n) {
              if (const auto found = rounded(sum(once, equations[y], n))) return found;
            }
          }
        }
      }
    }
    return std::nullopt;
  }

  // t + floor(c / g), where the point makes it negative.
  std::optional<Polynomial> rounded(const Polynomial& fact) const {
    if (++tried_ > effort_.tried) return std::nullopt;
    Formula tight{Kind::kAll, {}, {{Kind::kAtLeastZero, fact, {}}}};
    Assumed assumed;
    assumed.add(tight);
    const Polynomial& value = assumed.facts[0].value;
    if (value == fact || *degree_of(value) == 0 || this->value(value).sign() >= 0) {
      return std::nullopt;
    }
    return value;
  }

  ProofPtr cut_at(Polynomial value, int depth) {
    const Polynomial other = sum(sum({}, value, -1), {{{}, 1}}, -1);
    return split("cut " + arithmetic_.text_of(value), -1,
                 {{Kind::kAtLeastZero, value, {}}, {Kind::kAtLeastZero, other, {}}}, depth);
  }

  // x y is not x times y at the point: compare x with what else y is multiplied by, with 0,
  // and with its value.
  ProofPtr cut_factors(int depth) {
    std::vector<Polynomial> candidates;
    for (const Monomial& first : known_) {
      Rational right = 1;
      for (const int x : first) right = right * value(Monomial{x});
      if (first.size() < 2 || value(first) == right) continue;
      for (const Monomial& second : known_) {
        if (first.size() != 2 || second.size() != 2 || second <= first) continue;
        for (const int shared : {0, 1}) {
          for (const int there : {0, 1}) {
            if (first[static_cast<std::size_t>(shared)] != second[static_cast<std::size_t>(there)])
              continue;
            const int x = first[static_cast<std::size_t>(1 - shared)];
            const int y = second[static_cast<std::size_t>(1 - there)];
            if (x != y) candidates.push_back({{{x}, 1}, {{y}, -1}});
          }
        }
      }
      for (const int x : first) {
        const Integer here = floor_div(value(Monomial{x}).over(), value(Monomial{x}).under());
        candidates.push_back({{{x}, 1}});
        for (const Integer& at : {here, here + Integer(1)}) {
          candidates.push_back(sum({{{x}, 1}}, {{{}, 1}}, -at));
        }
      }
    }
    for (const Polynomial& candidate : candidates) {
      if (both_possible(candidate)) return cut_at(candidate, depth);
    }
    return nullptr;
  }

  bool both_possible(const Polynomial& value) {
    const Polynomial other = sum(sum({}, value, -1), {{{}, 1}}, -1);
    for (const Polynomial& side : {value, other}) {
      const Mark before = mark();
      Assumed assumed;
      assumed.add({Kind::kAtLeastZero, side, {}});
      add(assumed);
      const bool impossible = simplex_.check().has_value();
      undo(before);
      if (impossible) return false;
    }
    return true;
  }

  Refutation& arithmetic_;
  const Effort effort_;
  Simplex simplex_;
  std::map<Monomial, int> variables_;
  std::map<Polynomial, int> rows_;
  std::vector<Source> sources_;
  std::vector<Formula> facts_, disjunctions_;  // all that ever were
  std::vector<int> active_, open_;             // those that are assumed now
  std::set<int> split_;                        // disjunctions whose cases are being looked at
  std::set<Monomial> known_;
  bool nonlinear_ = false, cubic_ = false;
  int nodes_ = 0, cuts_ = 0;
  std::size_t products_ = 0;
  mutable std::size_t tried_ = 0;
};

}  // namespace

std::string find_evidence(const Obligation& obligation, Products products) {
  const Result<auditing::Script> script = auditing::read_script(obligation);
  if (!script.ok()) return "";
  Result<Refutation> arithmetic = Refutation::of(*script);
  return arithmetic.ok() ? Search(*arithmetic, products).find() : "";
}

}  // namespace heddle
