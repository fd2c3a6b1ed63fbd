// SPDX-License-Identifier: Apache-2.0
// What the helpers of the prelude give in a symbolic run: a quotient, a root or a minimum is a new
// number, and the facts about it are the helper's definition.
#include <algorithm>

#include "codegen/verify/execute.hpp"

namespace heddle::verify {

using ir::Helper;
using ir::Type;

namespace {

Symbolic whole(Polynomial value) {
  Symbolic result;
  result.integer = always(std::move(value));
  return result;
}

}  // namespace

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
  if (positive) facts_.note_quotient(id, x, *constant);
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
      facts_.note_extreme(result, x, arguments[1]);
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
    case Helper::kRoundToF16:
      break;
  }
  unreachable("a helper on reals");
}

Symbolic Execution::reduce(ir::ValueId id, const ir::Reduce& node) {
  if (kernel()[id].type == Type::kF32) {
    evaluate(node.operand);
    return {};
  }
  const Polynomial operand = integer(node.operand);
  const Term own = facts_.term(operand);
  require("arithmetic", conjunction({own >= 0, own <= Term(INT32_MAX)}),
          "the largest is taken of 0..2^31 - 1", lifted_.place(id));
  const AtomId result = facts_.fresh("of_warp", Sharing::kThread, Nature::kState);
  facts_[result].low = 0;
  facts_[result].high = INT32_MAX;
  const Term value = facts_.term(Polynomial::atom(result));
  facts_.add(result, path_, conjunction({value >= 0, value <= Term(INT32_MAX), value >= own}));
  // The result is the operand of some lane: what holds for the operand of any lane holds for it.
  std::vector<Polynomial> bounds = size_bounds();
  for (const ir::VariableId number : block_numbers_) {
    if (value_of(number).integer.size() == 1) bounds.push_back(value_of(number).integer[0].value);
  }
  for (const Polynomial& size : bounds) {
    for (const Polynomial& most : {size - Polynomial(1), size}) {
      const Term bound = facts_.term(most);
      if (!proves(path_, own <= bound, "a bound of all lanes")) continue;
      facts_.add(result, path_, value <= bound);
      break;
    }
  }
  held_by_warp(operand, result);
  return whole(Polynomial::atom(result));
}

}  // namespace heddle::verify
