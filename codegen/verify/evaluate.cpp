// SPDX-License-Identifier: Apache-2.0
// Values of a symbolic run: integers as polynomials, truths as terms, reals not at all.
#include <algorithm>

#include "codegen/verify/execute.hpp"

namespace heddle::verify {

using ir::BinaryOperator;
using ir::Helper;
using ir::Type;

namespace {

const Integer kMost(std::int64_t{1} << 62);  // half of what 64 bits hold
const Integer kFine(std::int64_t{1} << 40);  // no few of these make an overflow

Term yes() { return conjunction({}); }
bool is_yes(const Term& term) {
  return term.operation() == smt::Operation::kAnd && term.operands().empty();
}
Term both(const Term& a, const Term& b) {
  if (is_yes(a)) return b;
  return is_yes(b) ? a : conjunction({a, b});
}
Symbolic whole(Polynomial value) {
  Symbolic result;
  result.integer.push_back({yes(), std::move(value)});
  return result;
}
Symbolic truth_value(Term term) {
  Symbolic result;
  result.truth = std::move(term);
  return result;
}

}  // namespace

// ---- atoms ------------------------------------------------------------------------------------

// A function of what the inputs speak of, and shared as they are.
AtomId Execution::total(const std::string& name, const std::vector<Term>& inputs) {
  const AtomId id = facts_.fresh(name, Sharing::kLaunch, Nature::kTotal);
  std::set<std::string> names;
  for (const Term& input : inputs) collect_factors(input, names);
  for (const std::string& input : names) {
    const Atom source = facts_[facts_.find(input)];
    Atom& atom = facts_[id];
    atom.sharing = std::max(atom.sharing, source.sharing);
    for (const int loop : source.loops) {
      if (std::count(atom.loops.begin(), atom.loops.end(), loop) == 0) atom.loops.push_back(loop);
    }
  }
  return id;
}

Polynomial Execution::collapse(const Symbolic& value, const std::string& name, bool with_square) {
  assert_that(!value.integer.empty(), "an integer was expected");
  if (value.integer.size() == 1) return value.integer[0].value;
  std::vector<Term> inputs;
  for (const Alternative& each : value.integer) {
    inputs.push_back(each.when);
    inputs.push_back(facts_.term(each.value));
  }
  const AtomId id = total(name, inputs);
  const Term chosen = facts_.term(Polynomial::atom(id));
  std::optional<Facts::Interval> hull;
  bool bounded = true;
  for (const Alternative& each : value.integer) {
    facts_.add(id, nullptr, implies(each.when, equal(chosen, facts_.term(each.value))));
    if (with_square) {
      // To the solver a product is a variable: that x = v gives x x = v v has to be said.
      const Polynomial x = Polynomial::atom(id);
      facts_.add(
          id, nullptr,
          implies(each.when, equal(facts_.term(x * x), facts_.term(each.value * each.value))));
    }
    const std::optional<Facts::Interval> range = facts_.interval(each.value);
    bounded = bounded && range.has_value();
    if (!range) continue;
    if (!hull) hull = range;
    hull = Facts::Interval{std::min(hull->low, range->low), std::max(hull->high, range->high)};
  }
  if (bounded) {
    facts_[id].low = hull->low;
    facts_[id].high = hull->high;
  }
  return Polynomial::atom(id);
}

// ---- questions --------------------------------------------------------------------------------

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
  if (!is_yes(when)) path_ = extend(path_, when);
  in_range(value, at);
  path_ = before;
}

// Products of sizes are bounded where a buffer has at least so many elements: each factor lies
// between 0 and another size of the buffer, and the sizes left over are at least 1.
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
  const auto within = [&](const std::string& factor, AtomId size) {
    if (facts_[size].name == factor) return true;
    const Term x = Term::variable(factor);
    const Term goal = conjunction({x >= 0, x <= facts_.term(Polynomial::atom(size))});
    const std::string statement = factor + " lies within a size";
    if (facts_[facts_.find(factor)].sharing == Sharing::kLaunch &&
        facts_[facts_.find(factor)].nature == Nature::kGiven) {
      return of_launch(goal, statement);
    }
    return prover_.proves(known, goal, statement);
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
      const std::function<bool(std::size_t)> fits = [&](std::size_t index) {
        if (index == factors.size()) return std::all_of(left.begin(), left.end(), at_least_one);
        for (std::size_t choice = 0; choice < left.size(); ++choice) {
          const AtomId size = left[choice];
          if (!within(factors[index], size)) continue;
          left.erase(left.begin() + static_cast<std::ptrdiff_t>(choice));
          if (fits(index + 1)) return true;
          left.insert(left.begin() + static_cast<std::ptrdiff_t>(choice), size);
        }
        return false;
      };
      if (!fits(0)) continue;
      lemmas.push_back(conjunction({product >= 0, product <= Term(most)}));
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

// ---- expressions ------------------------------------------------------------------------------

Polynomial Execution::integer(ir::ValueId id) { return collapse(evaluate(id), "value"); }
Term Execution::truth(ir::ValueId id) { return evaluate(id).truth; }

// What decides by reals, or by what a loop left: any truth, as a number 0 or 1.
Symbolic Execution::opaque_truth() {
  const AtomId id = facts_.fresh("flag", Sharing::kThread, Nature::kState);
  facts_[id].low = 0;
  facts_[id].high = 1;
  const Term flag = facts_.term(Polynomial::atom(id));
  facts_.add(id, nullptr, conjunction({flag >= 0, flag <= 1}));
  return truth_value(equal(flag, 1));
}

Symbolic Execution::evaluate(ir::ValueId id) {
  const ir::Value& value = kernel()[id];
  return match(
      value.node,
      [&](const ir::IntegerLiteral& node) {
        if (value.type == Type::kBool)
          return truth_value(node.value != 0 ? yes() : negation(yes()));
        return whole(node.value);
      },
      [&](const ir::RealLiteral&) { return Symbolic{}; },
      [&](const ir::LowestScore&) { return Symbolic{}; },
      [&](const ir::Read& node) { return value_of(node.variable); },
      [&](const ir::Where& node) {
        const Polynomial warp = Polynomial::atom(launch_.warp);
        const Polynomial lane = Polynomial::atom(launch_.lane);
        switch (node.place) {
          case ir::Place::kBlock:
            return whole(launch_.block);
          case ir::Place::kThread:
            return whole(warp * Polynomial(32) + lane);
          case ir::Place::kWarp:
            return whole(warp);
          case ir::Place::kLane:
            return whole(lane);
          case ir::Place::kFirstBlock:
          case ir::Place::kLastBlock:
            break;
        }
        unreachable("a place of the cpu in a cuda kernel");
      },
      [&](const ir::Unary& node) {
        Symbolic operand = evaluate(node.operand);
        if (node.op == ir::UnaryOperator::kNot) return truth_value(negation(operand.truth));
        for (Alternative& each : operand.integer) {
          each.value = Polynomial() - each.value;
          in_range(each.value, lifted_.place(id));
        }
        return operand;
      },
      [&](const ir::Binary& node) { return binary(id, node); },
      [&](const ir::Select& node) { return select(id, node); },
      [&](const ir::Load& node) { return load(id, node); },
      [&](const ir::Call& node) { return call(id, node); },
      [&](const ir::Reduce& node) { return reduce(id, node); });
}

Symbolic Execution::binary(ir::ValueId id, const ir::Binary& node) {
  if (node.op == BinaryOperator::kAnd || node.op == BinaryOperator::kOr) {
    const bool conjoined = node.op == BinaryOperator::kAnd;
    const Term left = truth(node.left);
    // The right side is asked for only where the left side does not decide.
    const Path before = path_;
    path_ = extend(path_, conjoined ? left : negation(left));
    const Term right = truth(node.right);
    path_ = before;
    return truth_value(conjoined ? conjunction({left, right}) : disjunction({left, right}));
  }
  const bool compares = is_comparison(node.op);
  const Type operands = kernel()[node.left].type;
  if (operands != Type::kI64) {
    evaluate(node.left);
    evaluate(node.right);
    return compares ? opaque_truth() : Symbolic{};
  }
  const TextPlace at = lifted_.place(id);
  if (node.op == BinaryOperator::kDivide || node.op == BinaryOperator::kModulo) {
    const Polynomial x = integer(node.left);
    const Polynomial y = integer(node.right);
    require("arithmetic", conjunction({facts_.term(x) >= 0, facts_.term(y) >= 1}),
            "this division has a dividend >= 0 and a divisor >= 1", at);
    const Division result = quotient(x, y, at);
    return whole(node.op == BinaryOperator::kDivide ? result.quotient : result.remainder);
  }
  const Symbolic left = evaluate(node.left);
  const Symbolic right = evaluate(node.right);
  Symbolic result;
  std::vector<Term> cases;
  for (const Alternative& a : left.integer) {
    for (const Alternative& b : right.integer) {
      const Term when = both(a.when, b.when);
      const auto compared = [&](const Term& term) { cases.push_back(both(when, term)); };
      const auto computed = [&](Polynomial value) {
        in_range(value, when, at);
        result.integer.push_back({when, std::move(value)});
      };
      const Term x = facts_.term(a.value);
      const Term y = facts_.term(b.value);
      switch (node.op) {
        case BinaryOperator::kAdd:
          computed(a.value + b.value);
          break;
        case BinaryOperator::kSubtract:
          computed(a.value - b.value);
          break;
        case BinaryOperator::kMultiply:
          computed(a.value * b.value);
          break;
        case BinaryOperator::kLess:
          compared(x < y);
          break;
        case BinaryOperator::kLessEqual:
          compared(x <= y);
          break;
        case BinaryOperator::kGreater:
          compared(x > y);
          break;
        case BinaryOperator::kGreaterEqual:
          compared(x >= y);
          break;
        case BinaryOperator::kEqual:
          compared(equal(x, y));
          break;
        case BinaryOperator::kNotEqual:
          compared(negation(equal(x, y)));
          break;
        default:
          unreachable("an operator on integers");
      }
    }
  }
  if (compares) return truth_value(disjunction(cases));
  if (result.integer.size() > 4) return whole(collapse(result, "value"));
  return result;
}

Symbolic Execution::select(ir::ValueId id, const ir::Select& node) {
  const Term condition = truth(node.condition);
  const Path before = path_;
  path_ = extend(before, condition);
  const Symbolic chosen = evaluate(node.yes);
  path_ = extend(before, negation(condition));
  const Symbolic other = evaluate(node.no);
  path_ = before;
  if (kernel()[id].type == Type::kBool) {
    return truth_value(disjunction(
        {conjunction({condition, chosen.truth}), conjunction({negation(condition), other.truth})}));
  }
  Symbolic result;
  for (const Alternative& each : chosen.integer) {
    result.integer.push_back({both(condition, each.when), each.value});
  }
  for (const Alternative& each : other.integer) {
    result.integer.push_back({both(negation(condition), each.when), each.value});
  }
  return result;
}

// x = y q + r with 0 <= r < y, for x >= 0 and y >= 1; floor for other x.
Division Execution::quotient(const Polynomial& x, const Polynomial& y, TextPlace) {
  std::vector<Quotient>& known = quotients_[{x, y}];
  for (const Quotient& each : known) {
    if (continues(path_, each.path)) return each.division;
  }
  const std::optional<Integer> constant = y.constant();
  std::optional<Division> exact;
  if (constant && constant->sign() > 0) exact = divide(x, *constant);
  if (!constant && y.terms().size() == 1 && y.terms().begin()->first.size() == 1 &&
      y.terms().begin()->second == Integer(1)) {
    exact = divide(x, y.terms().begin()->first[0]);
  }
  if (exact) {
    const Term rest = facts_.term(exact->remainder);
    const Term fits = conjunction({rest >= 0, rest < facts_.term(y)});
    const std::optional<Facts::Interval> range = facts_.interval(exact->remainder);
    const bool plain = constant && range && range->low >= Integer(0) && range->high < *constant;
    // By what holds everywhere; of places and counters by what holds here, since a loop's range is
    // a condition of its body. What depends on the run keeps its remainder, which is small even
    // where a witness for another place names the number.
    const std::set<AtomId> atoms = exact->remainder.atoms();
    const bool runs = std::any_of(atoms.begin(), atoms.end(), [&](AtomId atom) {
      return facts_[atom].nature == Nature::kState;
    });
    const Path where = plain || runs ? Path() : path_;
    if (plain || proves(where, fits, "the division is exact up to a remainder below the divisor")) {
      known.push_back({where, *exact});
      return *exact;
    }
  }
  const AtomId id = total("quotient", {facts_.term(x), facts_.term(y)});
  const Polynomial q = Polynomial::atom(id);
  const Term product = facts_.term(y * q);
  const Term upper = facts_.term(y * q + y - Polynomial(1));
  const Term between = conjunction({product <= facts_.term(x), facts_.term(x) <= upper});
  const bool positive = constant && constant->sign() > 0;
  facts_.add(id, nullptr, positive ? between : implies(facts_.term(y) >= 1, between));
  const std::optional<Facts::Interval> range = facts_.interval(x);
  if (positive && range) {
    facts_[id].low = floor_div(range->low, *constant);
    facts_[id].high = floor_div(range->high, *constant);
  }
  known.push_back({nullptr, {q, x - y * q}});
  return known.back().division;
}

Symbolic Execution::call(ir::ValueId id, const ir::Call& node) {
  const TextPlace at = lifted_.place(id);
  if (kernel()[id].type == Type::kF32) {
    for (const ir::ValueId argument : node.arguments) evaluate(argument);
    return {};
  }
  std::vector<Polynomial> arguments;
  std::vector<Term> terms;
  for (const ir::ValueId argument : node.arguments) {
    arguments.push_back(integer(argument));
    terms.push_back(facts_.term(arguments.back()));
  }
  const auto made = [&](const char* name) { return total(name, terms); };
  const auto of = [&](AtomId atom) { return facts_.term(Polynomial::atom(atom)); };
  const Polynomial& x = arguments[0];
  const auto positive_divisor = [&] {
    require("arithmetic", terms[1] >= 1, "this divisor is at least 1", at);
  };
  switch (node.helper) {
    case Helper::kMinimum:
    case Helper::kMaximum: {
      const bool least = node.helper == Helper::kMinimum;
      if (x.constant() && arguments[1].constant()) {
        return whole(least ? std::min(*x.constant(), *arguments[1].constant())
                           : std::max(*x.constant(), *arguments[1].constant()));
      }
      const AtomId result = made(least ? "least" : "largest");
      const Term value = of(result);
      facts_.add(result, nullptr,
                 conjunction({least ? value <= terms[0] : value >= terms[0],
                              least ? value <= terms[1] : value >= terms[1],
                              disjunction({equal(value, terms[0]), equal(value, terms[1])})}));
      const auto a = facts_.interval(x);
      const auto b = facts_.interval(arguments[1]);
      if (a && b) {
        facts_[result].low = least ? std::min(a->low, b->low) : std::max(a->low, b->low);
        facts_[result].high = least ? std::min(a->high, b->high) : std::max(a->high, b->high);
      }
      return whole(Polynomial::atom(result));
    }
    case Helper::kAbsolute: {
      const AtomId result = made("absolute");
      const Term value = of(result);
      facts_.add(
          result, nullptr,
          conjunction({value >= terms[0], value >= Term(0) - terms[0],
                       disjunction({equal(value, terms[0]), equal(value, Term(0) - terms[0])})}));
      in_range(x, at);
      return whole(Polynomial::atom(result));
    }
    case Helper::kFloorDivide:
      positive_divisor();
      return whole(quotient(x, arguments[1], at).quotient);
    case Helper::kFloorModulo:
      positive_divisor();
      return whole(quotient(x, arguments[1], at).remainder);
    case Helper::kCeilDivide: {
      positive_divisor();
      // ceil(x / y) = floor((x + y - 1) / y)
      return whole(quotient(x + arguments[1] - Polynomial(1), arguments[1], at).quotient);
    }
    case Helper::kPower:
      // By squaring, and no step of it exceeds the result.
      if (const auto exponent = arguments[1].constant();
          exponent && Integer(0) <= *exponent && *exponent <= Integer(8)) {
        Polynomial product(1);
        for (Integer count(0); count < *exponent; count = count + Integer(1)) {
          product = product * x;
        }
        in_range(product, at);
        return whole(std::move(product));
      }
      if (recording_) {
        findings.push_back(
            {"arithmetic", false, "powers are not followed by the static layer", at});
      }
      return whole(Polynomial::atom(made("power")));
    case Helper::kSquareRoot: {
      require("arithmetic", conjunction({terms[0] >= 0, terms[0] <= Term(kMost)}),
              "a root is taken of 0..2^62", at);
      const AtomId result = made("root");
      const Polynomial root = Polynomial::atom(result);
      facts_[result].low = 0;
      facts_[result].high = std::int64_t{1} << 31;
      facts_.add(result, nullptr,
                 implies(terms[0] >= 0,
                         conjunction({of(result) >= 0, facts_.term(root * root) <= terms[0],
                                      terms[0] <= facts_.term(root * root + root + root)})));
      return whole(root);
    }
    case Helper::kLogarithm:
    case Helper::kPopcount:
    case Helper::kLowbit: {
      const bool zero = node.helper == Helper::kPopcount;
      require("arithmetic", terms[0] >= Term(zero ? 0 : 1), "this argument is in its domain", at);
      const AtomId result = made("bits");
      facts_[result].low = 0;
      facts_[result].high = node.helper == Helper::kLowbit ? kMost : Integer(63);
      const Term least = Term(node.helper == Helper::kLowbit ? 1 : 0);
      facts_.add(result, nullptr,
                 implies(terms[0] >= Term(zero ? 0 : 1),
                         conjunction({of(result) >= least, of(result) <= terms[0]})));
      facts_.add(result, nullptr, of(result) <= Term(*facts_[result].high));
      return whole(Polynomial::atom(result));
    }
    case Helper::kExponential:
    case Helper::kRoundToBf16:
      break;
  }
  unreachable("a helper on reals");
}

std::vector<Polynomial> Execution::size_bounds() const {
  std::vector<Polynomial> result;
  for (const char* name : {"slots_a", "slots_b"}) {
    const auto size = launch_.sizes.find(name);
    if (size != launch_.sizes.end()) result.push_back(Polynomial::atom(size->second));
  }
  return result;
}

Symbolic Execution::reduce(ir::ValueId id, const ir::Reduce& node) {
  if (kernel()[id].type == Type::kF32) {
    evaluate(node.operand);
    return {};
  }
  const Polynomial operand = integer(node.operand);
  const Term own = facts_.term(operand);
  require("arithmetic", conjunction({own >= 0, own <= Term(INT32_MAX)}),
          "warp_max is taken of 0..2^31 - 1", lifted_.place(id));
  const AtomId result = facts_.fresh("of_warp", Sharing::kThread, Nature::kState);
  facts_[result].low = 0;
  facts_[result].high = INT32_MAX;
  const Term value = facts_.term(Polynomial::atom(result));
  facts_.add(result, path_, conjunction({value >= 0, value <= Term(INT32_MAX), value >= own}));
  // The result is the operand of some lane: what holds for the operand of any lane holds for it.
  for (const Polynomial& size : size_bounds()) {
    for (const Polynomial& most : {size - Polynomial(1), size}) {
      const Term bound = facts_.term(most);
      if (!proves(path_, own <= bound, "a bound of all lanes")) continue;
      facts_.add(result, path_, value <= bound);
      break;
    }
  }
  return whole(Polynomial::atom(result));
}

}  // namespace heddle::verify
