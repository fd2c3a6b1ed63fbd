// SPDX-License-Identifier: Apache-2.0
// Formulas as polynomials, and the checks of a proof against them.
#include "analyzer/audit/arithmetic.hpp"

#include <algorithm>
#include <numeric>

namespace heddle::auditing {
namespace {

using Kind = Formula::Kind;

constexpr std::size_t kMostWork = 4'000'000;  // coefficients computed in one proof

Formula at_least_zero(Polynomial value) { return {Kind::kAtLeastZero, std::move(value), {}}; }
Polynomial constant(const Integer& value) {
  return value.sign() == 0 ? Polynomial{} : Polynomial{{{}, value}};
}
Polynomial negated(const Polynomial& value) { return sum({}, value, -1); }
// value - 1 >= 0
Formula positive(const Polynomial& value) { return at_least_zero(sum(value, constant(1), -1)); }

Integer gcd(Integer a, Integer b) {
  while (b.sign() != 0) a = std::exchange(b, floor_mod(a, abs(b)));
  return abs(a);
}

// Integers: g x + c >= 0 says x + floor(c / g) >= 0, and g x + c = 0 nothing unless g divides c.
Formula tightened(Formula fact) {
  Integer content = 0;
  for (const auto& [monomial, coefficient] : fact.value) {
    if (!monomial.empty()) content = gcd(content, coefficient);
  }
  if (content.sign() == 0 || content == Integer(1)) return fact;
  Polynomial divided;
  for (const auto& [monomial, coefficient] : fact.value) {
    if (fact.kind == Kind::kZero && floor_mod(coefficient, content).sign() != 0) {
      return at_least_zero(constant(-1));
    }
    const Integer quotient = floor_div(coefficient, content);
    if (quotient.sign() != 0) divided.emplace(monomial, quotient);
  }
  return {fact.kind, std::move(divided), {}};
}

void join(Formula& whole, Formula part) {
  if (part.kind != whole.kind) return whole.parts.push_back(std::move(part));
  for (Formula& each : part.parts) whole.parts.push_back(std::move(each));
}

std::optional<std::size_t> index_of(const Term& term, std::size_t size) {
  const std::optional<Integer> value = term.parts.empty() ? value_of(term) : std::nullopt;
  if (!value || value->sign() < 0 || Integer(static_cast<std::int64_t>(size)) <= *value) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(*value->to_int64());
}

}  // namespace

Polynomial sum(Polynomial a, const Polynomial& b, const Integer& factor) {
  for (const auto& [monomial, coefficient] : b) {
    Integer& there = a[monomial];
    there = there + factor * coefficient;
    if (there.sign() == 0) a.erase(monomial);
  }
  return a;
}

Polynomial product(const Polynomial& a, const Polynomial& b) {
  Polynomial result;
  for (const auto& [monomial, coefficient] : a) {
    Polynomial row;
    for (const auto& [other, factor] : b) {
      Monomial both = monomial;
      both.insert(both.end(), other.begin(), other.end());
      std::sort(both.begin(), both.end());
      row.emplace(std::move(both), factor);
    }
    result = sum(std::move(result), row, coefficient);
  }
  return result;
}

void Assumed::add(const Formula& formula) {
  if (formula.kind == Kind::kAny) return disjunctions.push_back(formula);
  if (formula.kind != Kind::kAll) return facts.push_back(tightened(formula));
  for (const Formula& part : formula.parts) add(part);
}

std::optional<std::string> check_evidence(const Script& script, std::string proof) {
  if (!proof.empty() && proof.back() == '\n') proof.pop_back();
  std::replace(proof.begin(), proof.end(), '\n', ' ');
  const std::optional<Term> tree = parse_term(proof);
  if (!tree) return "it is not a tree of cases and sums";
  Result<Refutation> refutation = Refutation::of(script);
  return refutation.ok() ? refutation->check(*tree) : refutation.error().message;
}

Result<Refutation> Refutation::of(const Script& script) {
  Refutation result;
  std::vector<Formula> all;
  for (const Term& fact : script.hypotheses) all.push_back(result.formula(fact, true));
  all.push_back(result.formula(script.goal, false));
  for (const Formula& formula : all) result.assumed_.add(formula);
  result.open_ = false;
  if (!result.problem_.empty()) return Error{result.problem_};
  return result;
}

int Refutation::atom(Atom atom) {
  if (const auto known = numbers_.find(atom.name); known != numbers_.end()) return known->second;
  if (!open_) fail("it speaks of something that the script does not");
  const int number = static_cast<int>(atoms_.size());
  numbers_.emplace(atom.name, number);
  atoms_.push_back(std::move(atom));
  return number;
}

Polynomial Refutation::polynomial(const Term& term) {
  if (++work_ > kMostWork) fail("it is too long");
  if (!problem_.empty()) return {};
  if (const std::optional<Integer> value = value_of(term)) return constant(*value);
  if (term.parts.empty()) return {{{atom({term.head, "", {}})}, 1}};
  if (term.head == "ite" && term.parts.size() == 3) {
    const std::string name = auditing::text_of(term);
    if (const auto known = numbers_.find(name); known != numbers_.end()) {
      return {{{known->second}, 1}};
    }
    const Polynomial yes = polynomial(term.parts[1]), no = polynomial(term.parts[2]);
    Formula then = formula(term.parts[0], true), otherwise = formula(term.parts[0], false);
    const Polynomial here{{{atom({name, "", {}})}, 1}};
    Formula first{Kind::kAll, {}, {{Kind::kZero, sum(here, yes, -1), {}}}}, second = first;
    second.parts[0].value = sum(here, no, -1);
    join(first, std::move(then));
    join(second, std::move(otherwise));
    assumed_.add({Kind::kAny, {}, {std::move(first), std::move(second)}});
    return here;
  }
  std::vector<Polynomial> parts;
  for (const Term& part : term.parts) parts.push_back(polynomial(part));
  const bool minus = term.head == "-";
  if (term.head != "+" && !minus && term.head != "*") {
    if (parts.size() != 1 || term.head == "not") fail("a symbol is not one of arithmetic");
    Atom application{"", term.head, parts[0]};
    application.name = text_of(application);
    return {{{atom(std::move(application))}, 1}};
  }
  if (minus && parts.size() == 1) return negated(parts[0]);
  for (std::size_t at = 1; at < parts.size(); ++at) {
    work_ += parts[0].size() * parts[at].size();
    if (work_ > kMostWork) {
      fail("it is too long");
      return {};
    }
    parts[0] = term.head == "*" ? product(parts[0], parts[at])
                                : sum(std::move(parts[0]), parts[at], minus ? -1 : 1);
  }
  return parts[0];
}

Formula Refutation::formula(const Term& term, bool positively) {
  if (term.head == "true" || term.head == "false") {
    if ((term.head == "true") == positively) return {};
    return at_least_zero(constant(-1));
  }
  if (term.head == "not" && term.parts.size() == 1) return formula(term.parts[0], !positively);
  if (term.head == "and" || term.head == "or" || term.head == "=>") {
    Formula whole;
    whole.kind = (term.head == "and") == positively ? Kind::kAll : Kind::kAny;
    for (const Term& part : term.parts) {
      const bool premise = term.head == "=>" && &part != &term.parts.back();
      join(whole, formula(part, positively != premise));
    }
    return whole;
  }
  if (term.parts.size() != 2) fail("a formula is not one of arithmetic");
  if (!problem_.empty()) return {};
  const Polynomial left = polynomial(term.parts[0]);
  const Polynomial difference = sum(polynomial(term.parts[1]), left, -1);
  if (term.head == "<=") {
    return positively ? at_least_zero(difference) : positive(negated(difference));
  }
  if (term.head == "<") {
    return positively ? positive(difference) : at_least_zero(negated(difference));
  }
  if (term.head != "=") fail("a relation is not one of arithmetic");
  if (positively) return {Kind::kZero, difference, {}};
  return {Kind::kAny, {}, {positive(difference), positive(negated(difference))}};
}

std::string Refutation::text_of(const Atom& atom) const {
  return atom.function.empty() ? atom.name
                               : "(" + atom.function + " " + text_of(atom.argument) + ")";
}

std::string Refutation::text_of(const Polynomial& value) const {
  std::vector<std::string> parts;
  for (const auto& [monomial, coefficient] : value) {
    std::string text = auditing::text_of(numeral(coefficient));
    if (!monomial.empty()) text = "(* " + text;
    for (const int number : monomial)
      text += " " + text_of(atoms_[static_cast<std::size_t>(number)]);
    parts.push_back(text + (monomial.empty() ? "" : ")"));
  }
  if (parts.empty()) return "0";
  return parts.size() == 1
             ? parts[0]
             : "(+ " +
                   std::accumulate(parts.begin() + 1, parts.end(), parts[0],
                                   [](const std::string& all, const std::string& part) {
                                     return all + " " + part;
                                   }) +
                   ")";
}

std::vector<Formula> Refutation::comparison(int application, int other) const {
  const Atom& a = atoms_[static_cast<std::size_t>(application)];
  const Atom& b = atoms_[static_cast<std::size_t>(other)];
  const Polynomial further = sum(b.argument, a.argument, -1);
  return {positive(further),
          positive(negated(further)),
          {Kind::kZero, {{{application}, 1}, {{other}, -1}}, {}}};
}

std::optional<std::string> Refutation::check(const Term& proof) {
  problem_.clear();
  work_ = 0;
  check_node(proof);
  return problem_.empty() ? std::nullopt : std::optional(problem_);
}

void Refutation::check_cases(const Term& proof, std::size_t first,
                             const std::vector<Formula>& cases) {
  if (proof.parts.size() != first + cases.size()) return fail("a case is missing or too many");
  for (std::size_t at = 0; at < cases.size() && problem_.empty(); ++at) {
    const std::size_t facts = assumed_.facts.size(), disjunctions = assumed_.disjunctions.size();
    assumed_.add(cases[at]);
    check_node(proof.parts[first + at]);
    assumed_.facts.resize(facts);
    assumed_.disjunctions.resize(disjunctions);
  }
}

void Refutation::check_node(const Term& proof) {
  if (proof.head == "sum") return check_sum(proof);
  if (proof.head == "case" && !proof.parts.empty()) {
    const auto at = index_of(proof.parts[0], assumed_.disjunctions.size());
    if (!at) return fail("there is no such disjunction");
    const std::vector<Formula> cases = assumed_.disjunctions[*at].parts;
    return check_cases(proof, 1, cases);
  }
  if (proof.head == "cut" && proof.parts.size() == 3) {
    const Polynomial value = polynomial(proof.parts[0]);
    return check_cases(proof, 1, {at_least_zero(value), positive(negated(value))});
  }
  if (proof.head == "same" && proof.parts.size() == 5) {
    const Polynomial first = polynomial(proof.parts[0]), second = polynomial(proof.parts[1]);
    const auto application = [&](const Polynomial& value) {
      if (value.size() != 1 || value.begin()->second != Integer(1)) return -1;
      const Monomial& monomial = value.begin()->first;
      return monomial.size() == 1 && !atoms_[static_cast<std::size_t>(monomial[0])].function.empty()
                 ? monomial[0]
                 : -1;
    };
    const int a = application(first), b = application(second);
    if (a < 0 || b < 0 || a == b ||
        atoms_[static_cast<std::size_t>(a)].function !=
            atoms_[static_cast<std::size_t>(b)].function) {
      return fail("two values are not of one function");
    }
    return check_cases(proof, 2, comparison(a, b));
  }
  fail("it has a rule that is not known");
}

// One term of a sum: at least 0, whatever the integers are that fulfil the assumptions.
Polynomial Refutation::summand(const Term& part) {
  const bool times = part.head == "times";
  const std::optional<Integer> number = times ? std::nullopt : Integer::parse(part.head);
  if ((!times && !number) || part.parts.size() < (times ? 2 : 1)) fail("a multiplier is no number");
  if (!problem_.empty()) return {};
  Polynomial value = times ? polynomial(part.parts[0]) : constant(*number);
  bool equation = false;
  for (std::size_t at = times ? 1 : 0; at < part.parts.size() && problem_.empty(); ++at) {
    const auto index = index_of(part.parts[at], assumed_.facts.size());
    if (!index) {
      fail("there is no such fact");
      return {};
    }
    const Formula& fact = assumed_.facts[*index];
    equation = equation || fact.kind == Kind::kZero;
    work_ += value.size() * fact.value.size();
    if (work_ > kMostWork) fail("it is too long");
    if (problem_.empty()) value = product(value, fact.value);
  }
  if (!equation && (times || number->sign() < 0)) fail("a multiplier is not positive");
  return value;
}

void Refutation::check_sum(const Term& proof) {
  Polynomial total;
  for (const Term& part : proof.parts) total = sum(std::move(total), summand(part), 1);
  if (!problem_.empty()) return;
  const bool negative =
      total.size() == 1 && total.begin()->first.empty() && total.begin()->second.sign() < 0;
  if (!negative) fail("a sum is not a negative number");
}

}  // namespace heddle::auditing
