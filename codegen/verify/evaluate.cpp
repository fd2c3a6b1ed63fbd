// SPDX-License-Identifier: Apache-2.0
// Values of a symbolic run: integers as polynomials, truths as terms, reals not at all.
#include <algorithm>

#include "codegen/verify/execute.hpp"

namespace heddle::verify {

using ir::BinaryOperator;
using ir::Type;

namespace {

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
        const Polynomial& warp = launch_.warp_in_parts;
        switch (node.place) {
          case ir::Place::kBlock:
            return whole(launch_.block);
          case ir::Place::kThread:
            return whole(warp * Polynomial(32) + launch_.lane_in_parts);
          case ir::Place::kWarp:
            return whole(warp);
          case ir::Place::kLane:
            return whole(launch_.lane_place);
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
      [&](const ir::Reduce& node) { return reduce(id, node); },
      [&](const ir::Pick& node) {
        evaluate(node.operand);
        const Term from = facts_.term(integer(node.from));
        require("arithmetic", conjunction({from >= 0, from < Term(node.lanes)}),
                "the lane that is read is one of the group", lifted_.place(id));
        return Symbolic{};
      });
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

}  // namespace heddle::verify
