// SPDX-License-Identifier: Apache-2.0
#include "codegen/timing/warp.hpp"

#include <algorithm>
#include <cstring>

#include "codegen/verify/scalar_replay.hpp"

namespace heddle::timing {

using ir::BinaryOperator;
using ir::Type;

namespace {

// What tells one kind of operation from another, as the first part of its name.
enum Kind : std::int64_t { kUnaryKind = 100, kFused, kSelectKind, kRealKind, kCallKind };

bool is_power_of_two(std::int64_t value) { return value > 0 && (value & (value - 1)) == 0; }

Cost cost_of(ir::Helper helper, Type type) {
  switch (helper) {
    case ir::Helper::kMinimum:
    case ir::Helper::kMaximum:
      return type == Type::kF32 ? kReal : kWideMinimum;
    case ir::Helper::kAbsolute:
      return kWideMinimum;
    case ir::Helper::kFloorDivide:
    case ir::Helper::kCeilDivide:
    case ir::Helper::kFloorModulo:
      return kWideDivision;
    case ir::Helper::kPower:
    case ir::Helper::kSquareRoot:
    case ir::Helper::kLogarithm:
    case ir::Helper::kPopcount:
      return kWideLoop;
    case ir::Helper::kLowbit:
      return kWideMinimum;
    case ir::Helper::kExponential:
      return kExponential;
    case ir::Helper::kRoundToBf16:
      return kNarrowBf16;
    case ir::Helper::kRoundToF16:
      return kNarrowF16;
  }
  unreachable("a helper");
}

}  // namespace

Warp::Warp(BlockState& block, int number) : block_(block), number_(number) {
  variables_.resize(kernel().variables.size());
  for (Number& each : variables_) each.name = {names_.fresh(), 0};
  registers_.resize(kernel().arrays.size());
  views_.resize(kernel().views.size());
  stored_.assign(kernel().buffers.size() + kernel().arrays.size(), 0);
}

Cycle Warp::issue(Cycle ready, Cost cost) { return clock.issue(ready, cost); }

void Warp::name(Number& result, const Names::Operation& operation, Cycle ready, Cost cost) {
  const Names::Result* known = names_.find(operation);
  const Names::Result found = known != nullptr ? *known : names_.add(operation, issue(ready, cost));
  result.name = {found.base, 0};
  result.ready = found.ready;
}

bool Warp::whole(ir::ValueId id) const { return kernel()[id].type == Type::kI64; }

const Number& Warp::of(ir::VariableId variable) const {
  return variables_[static_cast<std::size_t>(variable.index)];
}

void Warp::forget(const Changed& changed) {
  for (const std::int32_t index : changed.variables) {
    variables_[static_cast<std::size_t>(index)].name = {names_.fresh(), 0};
  }
  for (const std::int32_t index : changed.arrays) {
    for (Number& held : registers_[static_cast<std::size_t>(index)]) {
      held.name = {names_.fresh(), 0};
    }
  }
}

// ---- values -------------------------------------------------------------------------------------

Number Warp::evaluate(ir::ValueId id, Mask mask, bool as_place) {
  if (--block_.work < 0) throw Unfit{"the kernel runs for too long to be followed"};
  const ir::Value& value = kernel()[id];
  return match(
      value.node,
      [&](const ir::IntegerLiteral& node) {
        Number result;
        result.whole.fill(node.value);
        result.name = {0, node.value};
        return result;
      },
      [&](const ir::RealLiteral& node) {
        Number result;
        result.real.fill(static_cast<float>(node.value));
        std::int64_t bits = 0;
        std::memcpy(&bits, &node.value, sizeof bits);
        name(result, {kRealKind, bits}, 0, {0, 0});
        return result;
      },
      [&](const ir::LowestScore&) {
        Number result;
        result.real.fill(verify::kLowestReplayScore);
        name(result, {kRealKind, 0, 1}, 0, {0, 0});
        return result;
      },
      [&](const ir::Read& node) { return of(node.variable); },
      [&](const ir::Where& node) {
        Number result;
        each_lane(kAllLanes, [&](std::size_t lane) {
          const auto own = static_cast<std::int64_t>(lane);
          result.whole[lane] = node.place == ir::Place::kBlock  ? block_.block
                               : node.place == ir::Place::kWarp ? number_
                               : node.place == ir::Place::kLane ? own
                                                                : number_ * kLanes + own;
        });
        name(result, {kRealKind, static_cast<std::int64_t>(node.place), 2}, 0, {0, 0});
        return result;
      },
      [&](const ir::Unary& node) { return unary(id, node, mask, as_place); },
      [&](const ir::Binary& node) { return binary(id, node, mask, as_place); },
      [&](const ir::Select& node) { return select(id, node, mask, as_place); },
      [&](const ir::Load& node) { return load(id, node, mask); },
      [&](const ir::Call& node) { return call(id, node, mask); },
      [&](const ir::Reduce& node) { return reduce(id, node, mask); },
      [&](const ir::Pick& node) { return pick(node, mask); });
}

Number Warp::unary(ir::ValueId id, const ir::Unary& node, Mask mask, bool as_place) {
  Number result = evaluate(node.operand, mask, as_place);
  const Number operand = result;
  const bool is_not = node.op == ir::UnaryOperator::kNot;
  each_lane(mask, [&](std::size_t lane) {
    result.real[lane] = -operand.real[lane];
    result.whole[lane] = is_not ? (operand.whole[lane] == 0 ? 1 : 0) : -operand.whole[lane];
  });
  if (!whole(id)) {  // a modifier of whoever reads it
    name(result, {kUnaryKind, operand.name.base, operand.name.added}, operand.ready, {0, 0});
    return result;
  }
  name_of_whole(result, BinaryOperator::kSubtract, Number{}, operand, as_place);
  return result;
}

void Warp::name_of_whole(Number& result, BinaryOperator op, const Number& left, const Number& right,
                         bool as_place) {
  const Name a = left.name, b = right.name;
  const Cycle ready = std::max(left.ready, right.ready);
  const auto kind = static_cast<std::int64_t>(op);
  if (a.constant() && b.constant()) {
    result.name = {0, result.whole[0]};
    result.ready = 0;
    return;
  }
  const bool sum = op == BinaryOperator::kAdd || op == BinaryOperator::kSubtract;
  const std::int64_t sign = op == BinaryOperator::kSubtract ? -1 : 1;
  if (sum && (b.constant() || (a.constant() && sign > 0))) {
    result.name = {a.base + b.base, a.added + sign * b.added};
    result.ready = ready;
    return;
  }
  if (sum && a.base == b.base && sign < 0) {
    result.name = {0, a.added - b.added};
    result.ready = 0;
    return;
  }
  if (sum) {
    const bool swapped = sign > 0 && a.base > b.base;
    name(result, {kind, swapped ? b.base : a.base, swapped ? a.base : b.base}, ready,
         as_place ? kWhole : kWide);
    result.name.added = a.added + sign * b.added;
    return;
  }
  if (op == BinaryOperator::kMultiply && (a.constant() || b.constant())) {
    const Name& other = a.constant() ? b : a;
    const std::int64_t factor = a.constant() ? a.added : b.added;
    if (factor == 0 || factor == 1) {
      result.name = factor == 0 ? Name{} : other;
      result.ready = factor == 0 ? 0 : ready;
      return;
    }
    const bool shifts = is_power_of_two(factor);
    name(result, {kind, other.base, factor}, ready,
         as_place ? kWhole
         : shifts ? kWide
                  : kWideProduct);
    result.name.added = other.added * factor;
    return;
  }
  const bool divides = op == BinaryOperator::kDivide || op == BinaryOperator::kModulo;
  const bool long_way = divides && !(b.constant() && is_power_of_two(b.added));
  const Cost cost = long_way                          ? (as_place ? kDivision : kWideDivision)
                    : is_comparison(op)               ? kCompareWide
                    : op == BinaryOperator::kMultiply ? (as_place ? kWhole : kWideProduct)
                                                      : (as_place ? kWhole : kWide);
  name(result, {kind, a.base, a.added, b.base, b.added, 1}, ready, cost);
}

Number Warp::binary(ir::ValueId id, const ir::Binary& node, Mask mask, bool as_place) {
  if (node.op == BinaryOperator::kAnd || node.op == BinaryOperator::kOr) {
    return logical(node, mask);
  }
  if (kernel()[node.left].type == Type::kF32) return real(id, node, mask);
  // A quotient needs all bits of what it is of.
  const bool low = as_place && node.op != BinaryOperator::kDivide &&
                   node.op != BinaryOperator::kModulo && !is_comparison(node.op);
  const Number left = evaluate(node.left, mask, low);
  const Number right = evaluate(node.right, mask, low);
  Number result;
  each_lane(mask, [&](std::size_t lane) {
    if (is_comparison(node.op)) {
      result.whole[lane] = verify::compared(node.op, left.whole[lane], right.whole[lane]) ? 1 : 0;
      return;
    }
    const auto number = verify::replayed(node.op, left.whole[lane], right.whole[lane]);
    if (!number) throw Unfit{"arithmetic without a value"};
    result.whole[lane] = *number;
  });
  name_of_whole(result, node.op, left, right, as_place);
  return result;
}

// A product that is added to is part of the addition.
Number Warp::real(ir::ValueId, const ir::Binary& node, Mask mask) {
  const bool adds = node.op == BinaryOperator::kAdd || node.op == BinaryOperator::kSubtract;
  const auto product = [&](ir::ValueId part) -> const ir::Binary* {
    const auto* const binary = std::get_if<ir::Binary>(&kernel()[part].node);
    return adds && binary != nullptr && binary->op == BinaryOperator::kMultiply ? binary : nullptr;
  };
  const bool fused_right = product(node.right) != nullptr;
  const ir::Binary* const fused = fused_right ? product(node.right) : product(node.left);
  Number result;
  if (fused != nullptr) {
    const Number other = evaluate(fused_right ? node.left : node.right, mask);
    const Number x = evaluate(fused->left, mask), y = evaluate(fused->right, mask);
    each_lane(mask, [&](std::size_t lane) {
      const float together = x.real[lane] * y.real[lane];
      result.real[lane] = fused_right ? verify::replayed(node.op, other.real[lane], together)
                                      : verify::replayed(node.op, together, other.real[lane]);
    });
    name(result,
         {kFused, static_cast<std::int64_t>(node.op) * 2 + (fused_right ? 1 : 0), x.name.base,
          y.name.base, other.name.base},
         std::max({x.ready, y.ready, other.ready}), kReal);
    return result;
  }
  const Number left = evaluate(node.left, mask), right = evaluate(node.right, mask);
  const bool compares = is_comparison(node.op);
  each_lane(mask, [&](std::size_t lane) {
    if (compares) {
      result.whole[lane] = verify::compared(node.op, left.real[lane], right.real[lane]) ? 1 : 0;
    } else {
      result.real[lane] = verify::replayed(node.op, left.real[lane], right.real[lane]);
    }
  });
  name(result, {static_cast<std::int64_t>(node.op), left.name.base, right.name.base, 0, 2},
       std::max(left.ready, right.ready),
       compares                             ? kCompareReals
       : node.op == BinaryOperator::kDivide ? kDivideReals
                                            : kReal);
  return result;
}

Number Warp::logical(const ir::Binary& node, Mask mask) {
  const bool both = node.op == BinaryOperator::kAnd;
  Number result = evaluate(node.left, mask);
  Mask open = 0;
  each_lane(mask, [&](std::size_t lane) {
    if ((result.whole[lane] != 0) == both) open |= Mask{1} << lane;
  });
  const Number right = evaluate(node.right, open);
  each_lane(open, [&](std::size_t lane) { result.whole[lane] = right.whole[lane]; });
  name(result,
       {static_cast<std::int64_t>(node.op), result.name.base, result.name.added, right.name.base,
        right.name.added},
       std::max(result.ready, right.ready), kLogical);
  return result;
}

Number Warp::select(ir::ValueId id, const ir::Select& node, Mask mask, bool as_place) {
  const Number truth = evaluate(node.condition, mask);
  Mask yes = 0;
  each_lane(mask, [&](std::size_t lane) {
    if (truth.whole[lane] != 0) yes |= Mask{1} << lane;
  });
  // What is loaded on one of the ways waits for the truth.
  const Cycle before = std::exchange(guard, std::max(guard, truth.ready));
  const Number first = evaluate(node.yes, yes, as_place);
  const Number second = evaluate(node.no, mask & ~yes, as_place);
  guard = before;
  Number result = second;
  each_lane(yes, [&](std::size_t lane) {
    result.whole[lane] = first.whole[lane];
    result.real[lane] = first.real[lane];
  });
  if (truth.name.constant()) {
    const Number& taken = truth.name.added != 0 ? first : second;
    result.name = taken.name;
    result.ready = taken.ready;
    return result;
  }
  name(result,
       {kSelectKind, truth.name.base, truth.name.added, first.name.base, first.name.added,
        second.name.base, second.name.added},
       std::max({truth.ready, first.ready, second.ready}),
       whole(id) && !as_place ? kWide : kSelect);
  return result;
}

Number Warp::call(ir::ValueId id, const ir::Call& node, Mask mask) {
  std::vector<Number> arguments;
  for (const ir::ValueId argument : node.arguments) arguments.push_back(evaluate(argument, mask));
  const Number& first = arguments.front();
  const Number second = arguments.size() > 1 ? arguments[1] : Number{};
  Number result;
  const Type type = kernel()[id].type;
  each_lane(mask, [&](std::size_t lane) {
    if (type == Type::kF32) {
      result.real[lane] = verify::replayed(node.helper, first.real[lane], second.real[lane]);
      return;
    }
    const auto number = verify::replayed(node.helper, first.whole[lane], second.whole[lane]);
    if (!number) throw Unfit{"a helper is called outside of its domain"};
    result.whole[lane] = *number;
  });
  if (type == Type::kI64 && first.name.constant() && second.name.constant()) {
    result.name = {0, result.whole[0]};
    return result;
  }
  name(result,
       {kCallKind, static_cast<std::int64_t>(node.helper), first.name.base, first.name.added,
        second.name.base, second.name.added},
       std::max(first.ready, second.ready), cost_of(node.helper, type));
  return result;
}

// All lanes of a group have to be there, or none.
void Warp::meet(Mask mask, int lanes) const {
  for (int first = 0; first < kLanes; first += lanes) {
    const Mask group = (kAllLanes >> (kLanes - lanes)) << first;
    if ((mask & group) != 0 && (mask & group) != group) {
      throw Unfit{"lanes meet and some do not take part"};
    }
  }
}

Number Warp::reduce(ir::ValueId id, const ir::Reduce& node, Mask mask) {
  meet(mask, node.meeting());
  const Number operand = evaluate(node.operand, mask);
  Number result;
  const bool reals = kernel()[id].type == Type::kF32;
  each_lane(mask, [&](std::size_t lane) {
    const std::size_t lanes = static_cast<std::size_t>(node.lanes), first = lane / lanes * lanes;
    result.whole[lane] = operand.whole[first];
    for (std::size_t other = first; other < first + lanes; ++other) {
      result.real[lane] += operand.real[other];
      result.whole[lane] = std::max(result.whole[lane], operand.whole[other]);
    }
  });
  int steps = 0;
  while (1 << steps < node.lanes) ++steps;
  const Cost step = reals ? kReal : kWhole;
  result.ready = issue(operand.ready, {steps * (kShuffle.slots + step.slots),
                                       steps * (kShuffle.latency + step.latency)});
  result.name = {names_.fresh(), 0};
  block_.requests += steps;
  return result;
}

Number Warp::pick(const ir::Pick& node, Mask mask) {
  meet(mask, node.lanes);
  const Number operand = evaluate(node.operand, mask), from = evaluate(node.from, mask, true);
  Number result;
  each_lane(mask, [&](std::size_t lane) {
    if (from.whole[lane] < 0 || from.whole[lane] >= node.lanes) {
      throw Unfit{"a lane reads outside of its group"};
    }
    const std::size_t lanes = static_cast<std::size_t>(node.lanes);
    result.real[lane] =
        operand.real[lane / lanes * lanes + static_cast<std::size_t>(from.whole[lane])];
  });
  result.ready = issue(std::max(operand.ready, from.ready), kShuffle);
  result.name = {names_.fresh(), 0};
  ++block_.requests;
  return result;
}

}  // namespace heddle::timing
