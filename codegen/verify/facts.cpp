// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/facts.hpp"

#include <algorithm>

#include "patterns/result.hpp"

namespace heddle::verify {

using smt::Operation;

// ---- paths ------------------------------------------------------------------------------------

Path extend(const Path& path, Term condition, bool settled) {
  return std::make_shared<const PathNode>(
      PathNode{std::move(condition), path, path == nullptr ? 1 : path->depth + 1, settled});
}

std::vector<Term> conditions(const Path& path) {
  std::vector<Term> result;
  for (const PathNode* node = path.get(); node != nullptr; node = node->before.get()) {
    result.push_back(node->condition);
  }
  std::reverse(result.begin(), result.end());
  return result;
}

std::vector<bool> settled(const Path& path) {
  std::vector<bool> result;
  for (const PathNode* node = path.get(); node != nullptr; node = node->before.get()) {
    result.push_back(node->settled);
  }
  std::reverse(result.begin(), result.end());
  return result;
}

bool continues(const Path& path, const Path& prefix) {
  if (prefix == nullptr) return true;
  const PathNode* node = path.get();
  while (node != nullptr && node->depth > prefix->depth) node = node->before.get();
  return node == prefix.get();
}

// ---- names ------------------------------------------------------------------------------------

std::vector<std::string> factors_of(const std::string& variable) {
  std::vector<std::string> factors;
  for (std::size_t begin = 0; begin <= variable.size();) {
    const std::size_t end = std::min(variable.find('*', begin), variable.size());
    factors.push_back(variable.substr(begin, end - begin));
    begin = end + 1;
  }
  return factors;
}

std::string product_of(std::vector<std::string> factors) {
  std::sort(factors.begin(), factors.end());
  std::string name;
  for (const std::string& factor : factors) name += (name.empty() ? "" : "*") + factor;
  return name;
}

void collect_variables(const Term& term, std::set<std::string>& names) {
  if (term.operation() == Operation::kVariable) names.insert(term.name());
  for (const Term& operand : term.operands()) collect_variables(operand, names);
}

void collect_factors(const Term& term, std::set<std::string>& names) {
  std::set<std::string> variables;
  collect_variables(term, variables);
  for (const std::string& variable : variables) {
    for (std::string& factor : factors_of(variable)) names.insert(std::move(factor));
  }
}

Term renamed(const Term& term, const Renaming& rename) {
  if (term.operation() == Operation::kVariable) {
    std::vector<std::string> factors = factors_of(term.name());
    for (std::string& factor : factors) factor = rename(factor);
    return Term::variable(product_of(std::move(factors)));
  }
  if (term.operands().empty()) return term;
  std::vector<Term> operands;
  for (const Term& operand : term.operands()) operands.push_back(renamed(operand, rename));
  return Term::make(term.operation(), std::move(operands));
}

std::optional<Term> substituted(const Term& term, const std::map<std::string, Term>& values) {
  if (term.operation() == Operation::kVariable) {
    const std::vector<std::string> factors = factors_of(term.name());
    if (factors.size() == 1) {
      const auto value = values.find(term.name());
      return value == values.end() ? term : value->second;
    }
    // A number or another variable may stand for a factor.
    Integer coefficient(1);
    std::vector<std::string> product;
    for (const std::string& factor : factors) {
      const auto value = values.find(factor);
      if (value == values.end()) {
        product.push_back(factor);
      } else if (value->second.operation() == Operation::kVariable) {
        for (std::string& each : factors_of(value->second.name())) product.push_back(each);
      } else if (value->second.operation() == Operation::kConstant) {
        coefficient = coefficient * value->second.value();
      } else {
        return std::nullopt;
      }
    }
    if (product.empty() || coefficient.sign() == 0) return Term(coefficient);
    const Term moved = Term::variable(product_of(std::move(product)));
    return coefficient == Integer(1) ? moved : Term(coefficient) * moved;
  }
  if (term.operands().empty()) return term;
  std::vector<Term> operands;
  for (const Term& operand : term.operands()) {
    std::optional<Term> part = substituted(operand, values);
    if (!part) return std::nullopt;
    operands.push_back(std::move(*part));
  }
  return Term::make(term.operation(), std::move(operands));
}

namespace {

// Lemmas about pairs of more squares would drown the rest.
constexpr std::size_t kSquares = 4;

}  // namespace

std::vector<Term> monomial_lemmas(const std::vector<Term>& terms) {
  std::set<std::string> todo;
  for (const Term& term : terms) collect_variables(term, todo);
  std::set<std::string> done;
  std::vector<Term> lemmas;
  while (!todo.empty()) {
    const std::string name = *todo.begin();
    todo.erase(todo.begin());
    const std::vector<std::string> factors = factors_of(name);
    if (factors.size() < 2 || !done.insert(name).second) continue;
    const Term product = Term::variable(name);
    for (std::size_t index = 0; index < factors.size(); ++index) {
      if (index > 0 && factors[index] == factors[index - 1]) continue;
      std::vector<std::string> others = factors;
      others.erase(others.begin() + static_cast<std::ptrdiff_t>(index));
      const std::string rest_name = product_of(others);
      todo.insert(rest_name);
      const Term x = Term::variable(factors[index]);
      const Term rest = Term::variable(rest_name);
      if (factors[index] == rest_name) {
        lemmas.push_back(product >= x);
        lemmas.push_back(product >= Term(0) - x);
        continue;
      }
      lemmas.push_back(
          implies(conjunction({x >= 1, rest >= 1}), conjunction({product >= x, product >= rest})));
      lemmas.push_back(implies(conjunction({x >= 0, rest >= 0}), product >= 0));
      lemmas.push_back(implies(conjunction({x <= 0, rest >= 0}), product <= 0));
      lemmas.push_back(implies(conjunction({x >= 0, rest <= 0}), product <= 0));
    }
  }
  // (x - c)^2 >= y^2 where x - c >= y >= 0.
  std::vector<std::string> squares;
  for (const std::string& name : done) {
    const std::vector<std::string> factors = factors_of(name);
    if (factors.size() == 2 && factors[0] == factors[1]) squares.push_back(factors[0]);
  }
  if (squares.size() > kSquares) return lemmas;
  for (const std::string& left : squares) {
    for (const std::string& right : squares) {
      if (left == right) continue;
      const Term x = Term::variable(left);
      const Term y = Term::variable(right);
      const Term xx = Term::variable(product_of({left, left}));
      const Term yy = Term::variable(product_of({right, right}));
      lemmas.push_back(implies(conjunction({y >= 0, x >= y}), xx >= yy));
      lemmas.push_back(
          implies(conjunction({y >= 0, x >= y + Term(1)}), xx - x - x + Term(1) >= yy));
    }
  }
  return lemmas;
}

// ---- facts ------------------------------------------------------------------------------------

AtomId Facts::fresh(const std::string& name, Sharing sharing, Nature nature) {
  const AtomId id = static_cast<AtomId>(atoms_.size());
  Atom atom;
  atom.name = name + "!" + std::to_string(id);
  atom.sharing = sharing;
  atom.nature = nature;
  names_[atom.name] = id;
  atoms_.push_back(std::move(atom));
  return id;
}

AtomId Facts::find(const std::string& name) const {
  const auto place = names_.find(name);
  assert_that(place != names_.end(), "a term speaks of an unknown atom");
  return place->second;
}

void Facts::add(AtomId owner, const Path& path, Term fact) {
  add(std::set<AtomId>{owner}, path, std::move(fact));
}

void Facts::add(const std::set<AtomId>& owners, const Path& path, Term fact) {
  for (const AtomId owner : owners) (*this)[owner].facts.push_back(facts_.size());
  facts_.push_back({path, std::move(fact)});
}

void Facts::add(Term fact) {
  std::set<std::string> names;
  collect_factors(fact, names);
  for (const std::string& name : names) {
    Atom& atom = (*this)[find(name)];
    assert_that(atom.nature == Nature::kGiven, "a fact about a launch speaks of its run");
    atom.facts.push_back(facts_.size());
  }
  facts_.push_back({nullptr, std::move(fact)});
}

Term Facts::term(const Polynomial& p) const {
  std::optional<Term> sum;
  for (const auto& [monomial, coefficient] : p.terms()) {
    Term part = Term(coefficient);
    if (!monomial.empty()) {
      std::vector<std::string> factors;
      for (const AtomId factor : monomial) factors.push_back((*this)[factor].name);
      const Term product = Term::variable(product_of(std::move(factors)));
      part = coefficient == Integer(1) ? product : part * product;
    }
    sum = sum ? *sum + part : part;
  }
  return sum.value_or(Term(0));
}

std::set<AtomId> Facts::with_inputs(const std::set<AtomId>& atoms) const {
  std::set<AtomId> result;
  std::set<AtomId> todo = atoms;
  while (!todo.empty()) {
    const AtomId id = *todo.begin();
    todo.erase(todo.begin());
    if (!result.insert(id).second || (*this)[id].nature != Nature::kTotal) continue;
    std::set<std::string> names;
    for (const std::size_t index : (*this)[id].facts) collect_factors(facts_[index].holds, names);
    for (const std::string& name : names) todo.insert(find(name));
  }
  return result;
}

std::vector<Term> Facts::context(const Path& path, const std::vector<Term>& about) const {
  std::vector<Term> result;
  for (Known& each : known(path, about)) result.push_back(std::move(each.holds));
  return result;
}

std::vector<Facts::Known> Facts::known(const Path& path, const std::vector<Term>& about) const {
  std::vector<Known> result;
  std::set<std::string> todo;
  for (const Term& condition : conditions(path)) {
    collect_factors(condition, todo);
    result.push_back({condition, -1});
  }
  for (const Term& term : about) collect_factors(term, todo);
  std::set<std::string> seen;
  std::set<std::size_t> used;
  while (!todo.empty()) {
    const std::string name = *todo.begin();
    todo.erase(todo.begin());
    if (!seen.insert(name).second) continue;
    const AtomId owner = find(name);
    for (const std::size_t index : (*this)[owner].facts) {
      if (!used.insert(index).second) continue;
      const Fact& fact = facts_[index];
      const Term holds = continues(path, fact.path)
                             ? fact.holds
                             : implies(conjunction(conditions(fact.path)), fact.holds);
      collect_factors(holds, todo);
      result.push_back({holds, owner});
    }
  }
  return result;
}

std::optional<Facts::Interval> Facts::interval(const Polynomial& p) const {
  Interval sum{0, 0};
  for (const auto& [monomial, coefficient] : p.terms()) {
    Interval product{coefficient, coefficient};
    for (const AtomId factor : monomial) {
      const Atom& atom = (*this)[factor];
      if (!atom.low || !atom.high) return std::nullopt;
      const Integer corners[] = {product.low * *atom.low, product.low * *atom.high,
                                 product.high * *atom.low, product.high * *atom.high};
      product = {*std::min_element(std::begin(corners), std::end(corners)),
                 *std::max_element(std::begin(corners), std::end(corners))};
    }
    sum = {sum.low + product.low, sum.high + product.high};
  }
  return sum;
}

void Facts::note_extreme(AtomId extreme, Polynomial a, Polynomial b) {
  extremes_.insert_or_assign(extreme, std::pair(std::move(a), std::move(b)));
}
std::optional<std::pair<Polynomial, Polynomial>> Facts::extreme_of(AtomId id) const {
  const auto known = extremes_.find(id);
  return known == extremes_.end() ? std::nullopt : std::optional(known->second);
}

void Facts::note_quotient(AtomId q, Polynomial x, Integer y) {
  quotients_.insert_or_assign(q, std::pair{std::move(x), std::move(y)});
}

std::optional<Facts::Interval> Facts::close_interval(const Polynomial& p) const {
  Interval rests{0, 0};
  Polynomial other = p;
  for (const AtomId atom : p.atoms()) {
    const auto quotient = quotients_.find(atom);
    if (quotient == quotients_.end()) continue;
    // p = k (x - y q) + what has no q any more.
    const auto& [x, y] = quotient->second;
    const Integer times = floor_div(-other.coefficient(atom), y);
    const Polynomial less =
        other - Polynomial(times) * (x - Polynomial(y) * Polynomial::atom(atom));
    if (less.mentions(atom)) continue;
    other = less;
    const Integer most = times * (y - Integer(1));
    (times.sign() < 0 ? rests.low : rests.high) =
        (times.sign() < 0 ? rests.low : rests.high) + most;
  }
  const std::optional<Interval> rest = interval(other);
  if (!rest) return interval(p);
  return Interval{rest->low + rests.low, rest->high + rests.high};
}

}  // namespace heddle::verify
