// SPDX-License-Identifier: Apache-2.0
// Bookkeeping of an obligation, and the ground instances of lemmas that it gets.
#include "analyzer/proof/query.hpp"

#include <fmt/format.h>

#include "analyzer/proof/functions.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

constexpr std::size_t kLongestConstant = 4096;  // bits of a value that is written out
constexpr int kMostSteps = 8;                   // powers of the least base that bound another's

// Names that SMT-LIB gives a meaning of its own; every other name of the language is a symbol.
bool is_reserved(const std::string& name) {
  static const std::set<std::string> kReserved = {
      "abs",    "and",   "as",  "assert", "distinct", "div",  "exists", "false", "forall",
      "ite",    "let",   "mod", "not",    "or",       "par",  "true",   "xor",   "match",
      "select", "store", "is",  "Int",    "Bool",     "Real", "_"};
  return kReserved.count(name) > 0;
}

bool contains_text(const std::vector<Term>& terms, const Term& term) {
  for (const Term& other : terms) {
    if (other.text() == term.text()) return true;
  }
  return false;
}

// For each size, the k with value(k) <= size < value(k + 1) and its neighbours; `value` increases.
std::set<std::int64_t> indices_around(const std::vector<Integer>& sizes,
                                      const std::function<Result<Integer>(std::int64_t)>& value) {
  constexpr std::int64_t kFarthest = 4000;
  std::set<std::int64_t> indices;
  for (const Integer& size : sizes) {
    std::int64_t k = 0;
    while (k < kFarthest) {
      const Result<Integer> next = value(k + 1);
      if (!next.ok() || size < next.value()) break;
      ++k;
    }
    for (const std::int64_t index : {k - 1, k, k + 1}) {
      if (index >= 0) indices.insert(index);
    }
  }
  return indices;
}

}  // namespace

Witness quotient_witness(const Term& dividend, const Term& divisor) {
  return [=](const Model& model) -> std::vector<Integer> {
    const std::optional<Integer> x = model.value(dividend), y = model.value(divisor);
    if (!x || !y) return {};
    return {y->sign() > 0 ? floor_div(*x, *y) : Integer(0)};
  };
}

Term polynomial(const ClosedForm& form, const Term& t) {
  Term sum(0), monomial(1);
  bool constant_term = true;
  for (const Integer& coefficient : form.coefficients) {
    if (coefficient.sign() != 0) sum = sum + Term(coefficient) * monomial;
    monomial = constant_term ? t : monomial * t;
    constant_term = false;
  }
  return sum;
}

Term Query::variable(const std::string& name) {
  std::string symbol = is_reserved(name) ? name + ".v" : name;
  if (!variables_.insert(symbol).second) symbol = unused(symbol);
  free_.push_back(symbol);
  return Term::variable(symbol);
}

std::string Query::unused(const std::string& stem) {
  for (int number = 1;; ++number) {
    std::string symbol = fmt::format("{}.{}", stem, number);
    if (variables_.insert(symbol).second) return symbol;
  }
}

Term Query::fresh(const std::string& stem, Witness witness) {
  const std::string symbol = unused(stem);
  defined_.emplace_back(symbol, std::move(witness));
  return Term::variable(symbol);
}

void Query::assume(const Term& fact, std::string why) { script_.assume(fact, std::move(why)); }

void Query::refuse(std::string why) {
  if (refusal_.empty()) refusal_ = std::move(why);
}

std::vector<Term> Query::take_needs() { return std::exchange(needs_, {}); }

Term Query::encode_known(const Expression& expression, const Scope& scope) {
  std::vector<Term> outer_needs = take_needs();
  const Term value = encode(expression, scope);
  needs_ = std::move(outer_needs);
  return value;
}

Term Query::apply(const FunctionDefinition& function, const Term& argument) {
  if (!function.recursive()) return encode(*function.step, {{function.variable, argument}});
  if (argument.is_constant()) {
    const std::optional<std::int64_t> k = argument.value().to_int64();
    if (k && *k >= 0 && *k < 4096) {
      const Result<Integer> value = knowledge_.evaluator->call(function.name, *k);
      if (value.ok() && value.value().bit_length() <= kLongestConstant) return Term(value.value());
    }
  }
  if (!knowledge_.facts(function.name).total && unfolded_.count(function.name) == 0) {
    refuse(fmt::format("{}(k) was not proved to have a value for every k", function.name));
  }
  const std::string total = "total(" + function.name + ")";
  if (knowledge_.lemmas.count(total) > 0) lemmas_.insert(total);
  std::vector<Term>& arguments = function_arguments_[function.name];
  if (!contains_text(arguments, argument)) arguments.push_back(argument);
  return Term::apply("fn." + function.name, argument);
}

Term Query::unfold(const FunctionDefinition& function, const Term& k) {
  unfolded_.insert(function.name);
  const std::vector<Term> outer_needs = take_needs();
  const Term step = encode(*function.step, {{function.variable, k}});
  const Term needed = conjunction(take_needs());
  needs_ = outer_needs;
  const Term next = apply(function, k + Term(static_cast<std::int64_t>(function.base.size())));
  assume(implies(conjunction({k >= 0, needed}), equal(next, step)),
         fmt::format("the step of {} at {}", function.name, k.text()));
  return needed;
}

Term Query::power_of(const Integer& base, const Term& exponent) {
  if (exponent.is_constant()) {
    const std::optional<std::int64_t> n = exponent.value().to_int64();
    if (n && *n >= 0) {
      if (std::optional<Integer> value = power(base, static_cast<std::uint64_t>(*n), 4096)) {
        return Term(*value);
      }
    }
  }
  std::vector<Term>& arguments = power_arguments_[base];
  if (!contains_text(arguments, exponent)) arguments.push_back(exponent);
  return Term::apply("pow." + base.to_string(), exponent);
}

void Query::order_products(const Term& a, const Term& b, const Term& c, const Term& d) {
  lemmas_.insert("products");
  assume(implies(conjunction({a >= 0, a <= b, c >= 0, c <= d}), a * c <= b * d), "products");
}

void Query::square_power(const Term& t) {
  lemmas_.insert("squares");
  const Term root = power_of(2, t);
  assume(implies(t >= 0, equal(power_of(2, t + t), root * root)), "squares");
}

void Query::add_function_instances(const FunctionDefinition& function, const Term& t) {
  const FunctionFacts& facts = knowledge_.facts(function.name);
  const Term value = Term::apply("fn." + function.name, t);
  const auto lemma = [&](const std::string& what) {
    std::string name = fmt::format("{}({})", what, function.name);
    lemmas_.insert(name);
    return name;
  };
  for (std::size_t b = 0; b < function.base.size(); ++b) {
    const Term index(static_cast<std::int64_t>(b));
    assume(implies(equal(t, index), equal(value, apply(function, index))),
           fmt::format("{}({}) by definition", function.name, b));
  }
  if (facts.positive) assume(implies(t >= 0, value >= 1), lemma("positive"));
  if (facts.increasing) {
    assume(implies(t >= 0, apply(function, Term(0)) + t <= value), lemma("increasing"));
    for (const Term& s : function_arguments_[function.name]) {
      if (s.text() == t.text()) continue;
      const Term lower = Term::apply("fn." + function.name, s);
      assume(implies(conjunction({s >= 0, s < t}), lower + (t - s) <= value), lemma("increasing"));
    }
    for (const std::int64_t landmark : indices_around(landmarks_, [&](std::int64_t k) {
           return knowledge_.evaluator->call(function.name, k);
         })) {
      const Term s(landmark), there = apply(function, s);
      assume(implies(t >= s, there + (t - s) <= value), lemma("increasing"));
      assume(implies(conjunction({t >= 0, t <= s}), value + (s - t) <= there), lemma("increasing"));
    }
    for (const int landmark : {1, 2, 4}) {
      const Term s(landmark), there = apply(function, s);
      assume(implies(t >= s, there + (t - s) <= value), lemma("increasing"));
      assume(implies(conjunction({t >= 0, t <= s}), value + (s - t) <= there), lemma("increasing"));
    }
  }
  if (facts.closed) {
    assume(implies(t >= 0,
                   equal(Term(facts.closed->denominator) * value, polynomial(*facts.closed, t))),
           lemma("closed_form"));
  } else if (facts.doubling) {
    const Term m(*facts.doubling);
    const Term doublings = fresh("doublings", quotient_witness(t, m));
    assume(implies(t >= 0, conjunction({m * doublings <= t, t < m * doublings + m,
                                        power_of(2, doublings) <= value})),
           lemma("doubling"));
  }
  if (refined_ && facts.ratio) {
    const Term first = apply(function, Term(0));
    assume(implies(t >= 0, value <= first * power_of(*facts.ratio, t)), lemma("ratio"));
    for (const Term& s : function_arguments_[function.name]) {
      if (s.text() == t.text()) continue;
      const Term before = Term::apply("fn." + function.name, s);
      assume(implies(conjunction({s >= 0, equal(t, s + 1)}), value <= Term(*facts.ratio) * before),
             lemma("ratio"));
    }
  }
  for (const std::string& other : facts.at_most) {
    const Term above = apply(*knowledge_.pattern->function(other), t);
    const std::string name = fmt::format("at_most({},{})", function.name, other);
    lemmas_.insert(name);
    assume(implies(t >= 0, value <= above), name);
  }
}

void Query::add_power_instances(const Integer& base, const Term& t) {
  const auto value = [&](const Integer& b, const Term& x) {
    return Term::apply("pow." + b.to_string(), x);
  };
  const Term power = value(base, t);
  const std::string name = fmt::format("power({})", base.to_string());
  lemmas_.insert(name);
  assume(implies(t >= 0, power >= t + 1), name);
  assume(implies(equal(t, 0), equal(power, 1)), name);
  for (const int landmark : {1, 2, 4, 8}) {
    const Term s(landmark), there = power_of(base, s);
    assume(implies(t > s, Term(base) * there <= power), name);
    assume(implies(conjunction({t >= 0, t < s}), Term(base) * power <= there), name);
  }
  for (const std::int64_t landmark :
       indices_around(landmarks_, [&](std::int64_t k) -> Result<Integer> {
         const auto value_at_k = heddle::power(base, static_cast<std::uint64_t>(k), 4096);
         return value_at_k ? Result<Integer>(*value_at_k) : Result<Integer>(Error{"too large"});
       })) {
    const Term s(landmark), there = power_of(base, s);
    assume(implies(t > s, Term(base) * there <= power), name);
    assume(implies(conjunction({t >= 0, t < s}), Term(base) * power <= there), name);
  }
  for (const auto& [other, arguments] : power_arguments_) {
    for (const Term& s : arguments) {
      if (other == base && s.text() == t.text()) continue;
      if (other == base) {
        const Term scaled = Term(base) * value(base, s);
        assume(implies(conjunction({s >= 0, s < t}), scaled <= power), name);
        assume(implies(conjunction({s >= 0, equal(t, s + 1)}), equal(scaled, power)), name);
      } else if (other < base) {
        const std::string pair = fmt::format("powers({},{})", other.to_string(), base.to_string());
        lemmas_.insert(pair);
        assume(implies(conjunction({s >= 0, s <= t}), value(other, s) <= power), pair);
        assume(implies(conjunction({s >= 0, s < t}), Term(other) * value(other, s) <= power), pair);
      }
    }
  }
}

// Bounds powers of larger bases from above by those of the least one.
void Query::add_powers_within() {
  if (power_arguments_.size() < 2) return;
  const Integer least = power_arguments_.begin()->first;
  for (const auto& [base, arguments] : std::map(power_arguments_)) {
    const int steps = base == least ? 0 : steps_within(least, base);
    if (steps == 0 || steps > kMostSteps) continue;
    const std::string name = fmt::format("within({},{})", least.to_string(), base.to_string());
    for (const Term& t : arguments) {
      lemmas_.insert(name);
      assume(implies(t >= 0, power_of(base, t) <= power_of(least, Term(steps) * t)), name);
    }
  }
}

// Instances can mention new arguments, which need instances in turn; the facts `at_most` could
// chase each other for ever through nested arguments, hence the generous end.
void Query::add_lemma_instances() {
  std::set<std::string> done;
  for (int round = 0; round < 8; ++round) {
    bool grew = false;
    for (const auto& [name, snapshot] : std::map(function_arguments_)) {
      for (const Term& t : snapshot) {
        if (!done.insert(name + "|" + t.text()).second) continue;
        add_function_instances(*knowledge_.pattern->function(name), t);
        grew = true;
      }
    }
    if (!grew) break;
  }
  if (refined_) add_powers_within();
  for (const auto& [base, arguments] : power_arguments_) {
    for (const Term& t : arguments) add_power_instances(base, t);
  }
}

Term Query::with_needs(const Term& goal) {
  add_lemma_instances();
  std::vector<Term> goals = take_needs();
  goals.push_back(goal);
  return conjunction(goals);
}

Obligation Query::step(const std::string& name, const std::string& statement, const Term& goal) {
  const Term whole = with_needs(goal);
  Obligation step;
  step.name = name;
  step.statement = statement;
  step.script = script_.refutation_text(statement, whole);
  step.companion = script_.hypotheses_text(statement);
  return step;
}

Attempt Query::prove(const std::string& name, const std::string& statement, const Term& goal) {
  Attempt attempt;
  attempt.obligation.name = name;
  attempt.obligation.statement = statement;
  if (refused()) {
    attempt.reason = refusal_;
    return attempt;
  }
  const Term whole = with_needs(goal);
  if (auto model =
          counter_model(*knowledge_.evaluator, {free_, defined_, script_.hypotheses(), whole})) {
    attempt.answer = Answer::kSat;
    attempt.model = std::move(*model);
    return attempt;
  }
  attempt.obligation.script = script_.refutation_text(statement, whole);
  attempt.obligation.companion = script_.hypotheses_text(statement);
  std::vector<std::string> constants;
  for (const std::string& variable : variables_) {
    const std::string declaration = "(declare-fun " + variable + " () Int)";
    if (attempt.obligation.script.find(declaration) != std::string::npos) {
      constants.push_back(variable);
    }
  }
  const Reply reply = solve(attempt.obligation.script, resource_limit_, constants);
  attempt.answer = reply.answer;
  attempt.model = reply.model;
  attempt.reason = reply.reason;
  if (attempt.proved()) {
    const bool consistent =
        counter_model(*knowledge_.evaluator,
                      {free_, defined_, script_.hypotheses(), disjunction({})}) ||
        solve(attempt.obligation.companion, resource_limit_).answer == Answer::kSat;
    if (!consistent) {
      attempt.answer = Answer::kUnknown;
      attempt.reason = "the hypotheses of " + name + " were not shown to be consistent";
    }
  }
  return attempt;
}

}  // namespace heddle::proof
