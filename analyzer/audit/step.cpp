// SPDX-License-Identifier: Apache-2.0
// The canonical encoding of README.md, read against the script instead of written into one: where
// the prover made a fresh number, its defining hypothesis is looked up.
#include "analyzer/audit/step.hpp"

#include <algorithm>

namespace heddle::auditing {
namespace {

constexpr int kMostEncoded = 20000;
constexpr std::size_t kMostConstants = 200, kMostHypotheses = 4000;
constexpr std::int64_t kLargestUnrolledPower = 12;

struct Symbols {
  std::set<std::string> constants, functions;
  bool nonlinear = false;
};

// Does a symbol occur in the term?
bool collect(const Term& term, Symbols& symbols) {
  static const std::set<std::string> kOperators = {"+",  "-",  "*",   "<",   "<=", "=",
                                                   "=>", "or", "and", "not", "ite"};
  int symbolic = 0;
  for (const Term& part : term.parts) symbolic += collect(part, symbols) ? 1 : 0;
  if (term.head == "*" && symbolic > 1) symbols.nonlinear = true;
  if (value_of(term) || term.head == "true" || term.head == "false") return false;
  if (kOperators.count(term.head) > 0) return symbolic > 0;
  (term.parts.empty() ? symbols.constants : symbols.functions).insert(term.head);
  return true;
}

}  // namespace

std::string Script::text(bool with_goal) const {
  std::vector<Term> all = hypotheses;
  if (with_goal) all.push_back({"not", {goal}});
  Symbols symbols;
  for (const Term& fact : all) collect(fact, symbols);
  std::string text = std::string("(set-logic QF_") + (symbols.functions.empty() ? "" : "UF") +
                     (symbols.nonlinear ? "NIA)\n" : "LIA)\n");
  for (const auto& name : symbols.constants) text += "(declare-fun " + name + " () Int)\n";
  for (const auto& name : symbols.functions) text += "(declare-fun " + name + " (Int) Int)\n";
  for (const Term& fact : all) text += "(assert " + text_of(fact) + ")\n";
  return text + "(check-sat)\n";
}

Result<Script> read_script(const Obligation& obligation) {
  if (obligation.expected != "unsat") return Error{"the expected answer is not unsat"};
  Script script;
  std::string plain, plain_companion;
  for (const bool companion : {true, false}) {
    const std::string& text = companion ? obligation.companion : obligation.script;
    // Readers differ in where a comment ends: a carriage return does it for some.
    if (std::any_of(text.begin(), text.end(),
                    [](char c) { return c >= 0 && c < ' ' && c != '\n'; })) {
      return Error{"the script has a control character"};
    }
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const std::string line = text.substr(at, end - at);
      at = end + 1;
      if (!line.empty() && line[0] == ';') continue;
      (companion ? plain_companion : plain) += line + "\n";
      if (line.find('?') != std::string::npos) return Error{"a symbol looks like a hole"};
      if (companion || line.rfind("(assert ", 0) != 0) continue;
      const std::optional<Term> term = parse_term(line);
      if (!term || term->parts.size() != 1) return Error{"an assertion is not a plain formula"};
      script.hypotheses.push_back(term->parts[0]);
    }
  }
  if (script.hypotheses.empty() || script.hypotheses.back().head != "not" ||
      script.hypotheses.back().parts.size() != 1) {
    return Error{"the last assertion is not a negated goal"};
  }
  script.goal = script.hypotheses.back().parts[0];
  script.hypotheses.pop_back();
  if (script.text(true) != plain) return Error{"the script is not what its formulas make"};
  if (script.text(false) != plain_companion) {
    return Error{"the companion does not hold the same hypotheses"};
  }
  Symbols symbols;
  for (const Term& fact : script.hypotheses) collect(fact, symbols);
  collect(script.goal, symbols);
  script.constants = std::move(symbols.constants);
  script.functions = std::move(symbols.functions);
  if (script.constants.size() > kMostConstants || script.hypotheses.size() > kMostHypotheses) {
    return Error{"the script is larger than any that is needed"};
  }
  return script;
}

bool Step::allow(std::string_view shape, const Holes& holes) {
  const Term fact = fill(shape, holes);
  const std::vector<Term>& all = script_.hypotheses;
  if (std::find(all.begin(), all.end(), fact) == all.end()) return false;
  now_.licensed.insert(text_of(fact));
  return true;
}

Term Step::variable(const std::string& name) {
  // A name that SMT-LIB gives a meaning of its own has ".v" behind it.
  const auto& all = script_.constants;
  const bool reserved = all.count(name + ".v") > 0;
  const Term symbol{reserved ? name + ".v" : name, {}};
  if (now_.defined.count(symbol.head) > 0) fail(name + " is a variable and is defined");
  now_.variables.insert(symbol.head);
  return symbol;
}

Term Step::choose(const std::string& what, const std::function<void(const Term&)>& attempt) {
  for (const std::string& symbol : script_.constants) {
    if (!now_.problem.empty() || now_.variables.count(symbol) + now_.defined.count(symbol) > 0)
      continue;
    const State before = now_;
    now_.defined.insert(symbol);
    attempt({symbol, {}});
    if (now_.problem.empty()) return {symbol, {}};
    now_ = before;
  }
  fail("nothing defines " + what);
  return {"0", {}};
}

Term Step::define(std::string_view shape, Holes holes) {
  const std::string key = text_of(fill(shape, holes));
  if (const auto known = now_.known.find(key); known != now_.known.end()) return known->second;
  const Term symbol = choose("the ?x of " + key, [&](const Term& x) {
    holes["?x"] = x;
    if (!allow(shape, holes)) fail(key);
  });
  return now_.known[key] = symbol;
}

bool Step::introduce(const Term& symbol, const Term& from) {
  const auto& all = script_.constants;
  const auto known = [&](const auto& self, const Term& term) -> bool {
    if (!term.parts.empty()) {
      return std::all_of(term.parts.begin(), term.parts.end(),
                         [&](const Term& part) { return self(self, part); });
    }
    return value_of(term) || now_.variables.count(term.head) + now_.defined.count(term.head) > 0;
  };
  return symbol.parts.empty() && all.count(symbol.head) > 0 &&
         now_.variables.count(symbol.head) == 0 && known(known, from) &&
         now_.defined.insert(symbol.head).second;
}

Term Step::encode_known(const Expression& expression, const Scope& scope) {
  std::vector<Term> outer = take_needs();
  Term value = encode(expression, scope);
  now_.needs = std::move(outer);
  return value;
}

Term Step::encode(const Condition& condition, const Scope& scope) {
  return match(
      condition.node,
      [&](const Comparison& node) {
        static const std::map<ComparisonOperator, const char*> kShapes = {
            {ComparisonOperator::kLess, "(< ?a ?b)"},
            {ComparisonOperator::kLessEqual, "(<= ?a ?b)"},
            {ComparisonOperator::kGreater, "(< ?b ?a)"},
            {ComparisonOperator::kGreaterEqual, "(<= ?b ?a)"},
            {ComparisonOperator::kEqual, "(= ?a ?b)"},
            {ComparisonOperator::kNotEqual, "(not (= ?a ?b))"}};
        const Term left = encode(*node.left, scope);
        return fill(kShapes.at(node.op), {{"?a", left}, {"?b", encode(*node.right, scope)}});
      },
      [&](const Conjunction& node) {
        const Term left = encode(*node.left, scope);
        return Term{"and", {left, encode(*node.right, scope)}};
      },
      [&](const Disjunction& node) {
        const Term left = encode(*node.left, scope);
        return Term{"or", {left, encode(*node.right, scope)}};
      },
      [&](const Negation& node) {
        return Term{"not", {encode(*node.operand, scope)}};
      });
}

Term Step::encode(const Expression& expression, const Scope& scope) {
  if (++encoded_ > kMostEncoded) fail("an expression is too large");
  if (!now_.problem.empty()) return {"0", {}};
  return match(
      expression.node, [&](const Literal& node) { return numeral(node.value); },
      [&](const Name& node) { return name(node, scope); },
      [&](const Apply& node) {
        const Term argument = encode(*node.argument, scope);
        need(fill("(<= 0 ?a)", {{"?a", argument}}));
        if (const FunctionDefinition* f = pattern_->function(node.function)) {
          return apply(*f, argument);
        }
        fail("the function " + node.function + " has no meaning here");
        return Term{"0", {}};
      },
      [&](const Negate& node) {
        return fill("(- 0 ?a)", {{"?a", encode(*node.operand, scope)}});
      },
      [&](const Arithmetic& node) { return encode(node, scope); },
      [&](const BuiltinCall& node) { return encode(node, scope); },
      [&](const MeasureTerm& node) {
        std::vector<Term> arguments;
        for (const ExpressionPtr& part : node.arguments) arguments.push_back(encode(*part, scope));
        if (measure) return measure(node.measure, arguments);
        fail("a measure where none may stand");
        return Term{"0", {}};
      });
}

Term Step::name(const Name& node, const Scope& scope) {
  for (auto at = scope.rbegin(); at != scope.rend(); ++at) {
    if (at->first == node.name) return at->second;
  }
  if (const std::optional<Integer> value = pattern_->parameter(node.name)) return numeral(*value);
  if (!free_names) fail("the name " + node.name + " has no meaning here");
  const Term symbol = variable(node.name);
  allow("(<= 1 ?v)", {{"?v", symbol}});
  return symbol;
}

Term Step::apply(const FunctionDefinition& function, const Term& argument) {
  if (!function.recursive()) return encode(*function.step, {{function.variable, argument}});
  const std::optional<Integer> k = value_of(argument);
  if (k && k->sign() >= 0 && *k < Integer(64)) {
    const Result<Integer> value = evaluator_->call(function.name, *k->to_int64());
    if (value.ok()) return numeral(*value);
  }
  return {"fn." + function.name, {argument}};
}

Term Step::power(const Term& base, const Term& exponent) {
  const std::optional<Integer> n = value_of(exponent), b = value_of(base);
  if (n && n->sign() >= 0 && *n < Integer(4096)) {
    if (const auto value = heddle::power(*b, static_cast<std::uint64_t>(*n->to_int64()), 4096)) {
      return numeral(*value);
    }
  }
  return {"pow." + base.head, {exponent}};
}

// q = floor(a / d), d >= 1: d q <= a < d q + d
Term Step::quotient(const Term& a, const Term& d) {
  const std::string pinned = "(and (<= (* ?d ?x) ?a) (< ?a (+ (* ?d ?x) ?d)))";
  const std::optional<Integer> value = value_of(d), dividend = value_of(a);
  if (!value) {
    need(fill("(<= 1 ?d)", {{"?d", d}}));
    return define("(=> (<= 1 ?d) " + pinned + ")", {{"?a", a}, {"?d", d}});
  }
  if (value->sign() == 0) fail("a divisor is zero");
  if (value->sign() < 0) return quotient(fill("(- 0 ?a)", {{"?a", a}}), numeral(-*value));
  if (dividend && value->sign() > 0) return numeral(floor_div(*dividend, *value));
  return define(pinned, {{"?a", a}, {"?d", d}});
}

Term Step::encode(const Arithmetic& node, const Scope& scope) {
  const Term left = encode(*node.left, scope);
  const Holes holes{{"?a", left}, {"?b", encode(*node.right, scope)}};
  const Term& right = holes.at("?b");
  switch (node.op) {
    case ArithmeticOperator::kAdd:
      return fill("(+ ?a ?b)", holes);
    case ArithmeticOperator::kSubtract:
      return fill("(- ?a ?b)", holes);
    case ArithmeticOperator::kMultiply:
      return fill("(* ?a ?b)", holes);
    case ArithmeticOperator::kFloorDivide:
      return quotient(left, right);
    case ArithmeticOperator::kCeilDivide:  // ceil(a / b) = -floor(-a / b)
      return fill("(- 0 ?q)", {{"?q", quotient(fill("(- 0 ?a)", holes), right)}});
    case ArithmeticOperator::kMod:
      return fill("(- ?a (* ?b ?q))", {{"?a", left}, {"?b", right}, {"?q", quotient(left, right)}});
    case ArithmeticOperator::kPower:
      break;
  }
  const std::optional<Integer> base = value_of(left), n = value_of(right);
  if (!n) {
    if (!base || *base < Integer(2)) fail("a power without a constant base of at least 2");
    need(fill("(<= 0 ?b)", holes));
    return power(left, right);
  }
  if (n->sign() < 0 || Integer(kLargestUnrolledPower) < *n) fail("an exponent is too large");
  Term product = n->sign() == 0 || !now_.problem.empty() ? Term{"1", {}} : left;
  for (Integer factor = 1; now_.problem.empty() && factor < *n; factor = factor + Integer(1)) {
    product = fill("(* ?p ?a)", {{"?p", product}, {"?a", left}});
  }
  return product;
}

Term Step::encode(const BuiltinCall& node, const Scope& scope) {
  std::vector<Term> arguments;
  for (const ExpressionPtr& part : node.arguments) arguments.push_back(encode(*part, scope));
  Holes holes{{"?a", arguments[0]}};
  const auto log2 = [&] {
    return define("(=> (<= 1 ?a) (and (<= 0 ?x) (<= (pow.2 ?x) ?a) (< ?a (* 2 (pow.2 ?x)))))",
                  holes);
  };
  switch (node.function) {
    case BuiltinFunction::kSqrt:
      need(fill("(<= 0 ?a)", holes));
      return define("(=> (<= 0 ?a) (and (<= 0 ?x) (<= (* ?x ?x) ?a) (< ?a (* (+ ?x 1) (+ ?x 1)))))",
                    holes);
    case BuiltinFunction::kLog2:
      need(fill("(<= 1 ?a)", holes));
      return log2();
    case BuiltinFunction::kPopcount:  // 1 <= popcount(a) <= log2(a) + 1, the lemma popcount
      holes["?l"] = log2();
      need(fill("(<= 0 ?a)", holes));
      return {"bit.popcount", {arguments[0]}};
    case BuiltinFunction::kLowbit:  // 1 <= lowbit(a) <= |a|
      need(fill("(not (= ?a 0))", holes));
      return {"bit.low", {arguments[0]}};
    case BuiltinFunction::kAbs:
      return fill("(ite (<= 0 ?a) ?a (- 0 ?a))", holes);
    case BuiltinFunction::kMin:
    case BuiltinFunction::kMax:
      break;
  }
  for (std::size_t at = 1; at < arguments.size(); ++at) {
    holes["?b"] = arguments[at];
    holes["?a"] = fill(node.function == BuiltinFunction::kMin ? "(ite (<= ?a ?b) ?a ?b)"
                                                              : "(ite (<= ?b ?a) ?a ?b)",
                       holes);
  }
  return holes["?a"];
}

void Step::conclude(Term wanted, const std::function<bool(const Term&)>& lemma) {
  now_.needs.push_back(std::move(wanted));
  wanted = both(take_needs());
  Term known = wanted;  // instances of lemmas may have brought needs of their own
  const std::vector<Term> alone{script_.goal};
  for (const Term& part : script_.goal.head == "and" ? script_.goal.parts : alone) {
    Holes holes;
    if (fits("(<= 0 ?t)", part, holes)) known = {"and", {known, part}};
  }
  if (!covers(script_.goal, wanted) || !covers(known, script_.goal)) {
    fail("its goal is not what has to be shown, which is " + text_of(wanted));
  }
  for (const Term& fact : script_.hypotheses) {
    if (!now_.problem.empty()) return;
    if (now_.licensed.count(text_of(fact)) == 0 && !lemma(fact)) {
      fail("the hypothesis " + text_of(fact) + " follows from no rule");
    }
  }
}

}  // namespace heddle::auditing
