// SPDX-License-Identifier: Apache-2.0
#include "patterns/ast_print.hpp"

#include "patterns/result.hpp"

namespace heddle {
namespace {

// How tightly a piece of text binds; brackets go where a weaker piece meets a stronger place.
enum Binding { kSum = 1, kProduct, kUnary, kPower, kAtom };
enum ConditionBinding { kOr = 1, kAnd, kNot, kCompare };
enum SetBinding { kUnionLevel = 1, kIntersectionLevel, kSetAtom };

struct Text {
  std::string text;
  int binding;
};

std::string at_least(const Text& part, int binding) {
  return part.binding >= binding ? part.text : "(" + part.text + ")";
}

Text text_of(const Expression& expression);

std::string inside(const ExpressionPtr& part, int binding) {
  return at_least(text_of(*part), binding);
}

std::string list_of(const std::vector<ExpressionPtr>& arguments) {
  std::string text;
  for (const ExpressionPtr& argument : arguments) {
    if (!text.empty()) text += ", ";
    text += text_of(*argument).text;
  }
  return text;
}

Text arithmetic(const Arithmetic& node) {
  // The right side of - and of mod needs brackets at equal strength; for + and * the tree keeps
  // its shape only if it has them too.
  switch (node.op) {
    case ArithmeticOperator::kAdd:
      return {inside(node.left, kSum) + " + " + inside(node.right, kProduct), kSum};
    case ArithmeticOperator::kSubtract:
      return {inside(node.left, kSum) + " - " + inside(node.right, kProduct), kSum};
    case ArithmeticOperator::kMultiply:
      return {inside(node.left, kProduct) + " * " + inside(node.right, kUnary), kProduct};
    case ArithmeticOperator::kMod:
      return {inside(node.left, kProduct) + " mod " + inside(node.right, kUnary), kProduct};
    case ArithmeticOperator::kPower:
      return {inside(node.left, kAtom) + "^" + inside(node.right, kUnary), kPower};
    case ArithmeticOperator::kFloorDivide:
      return {"floor(" + inside(node.left, kProduct) + " / " + inside(node.right, kUnary) + ")",
              kAtom};
    case ArithmeticOperator::kCeilDivide:
      return {"ceil(" + inside(node.left, kProduct) + " / " + inside(node.right, kUnary) + ")",
              kAtom};
  }
  unreachable("arithmetic operator");
}

Text text_of(const Expression& expression) {
  return match(
      expression.node,
      [](const Literal& node) {
        return Text{node.value.to_string(), node.value.sign() < 0 ? kUnary : kAtom};
      },
      [](const Name& node) {
        return Text{node.name, kAtom};
      },
      [](const Apply& node) {
        return Text{node.function + "(" + text_of(*node.argument).text + ")", kAtom};
      },
      [](const Negate& node) {
        return Text{"-" + inside(node.operand, kUnary), kUnary};
      },
      [](const Arithmetic& node) { return arithmetic(node); },
      [](const BuiltinCall& node) {
        return Text{name_of(node.function) + ("(" + list_of(node.arguments)) + ")", kAtom};
      },
      [](const MeasureTerm& node) {
        return Text{name_of(node.measure) + ("(" + list_of(node.arguments)) + ")", kAtom};
      });
}

Text text_of(const Condition& condition) {
  const auto part = [](const ConditionPtr& p, int binding) {
    return at_least(text_of(*p), binding);
  };
  return match(
      condition.node,
      [](const Comparison& node) {
        return Text{print(*node.left) + " " + name_of(node.op) + " " + print(*node.right),
                    kCompare};
      },
      [&](const Conjunction& node) {
        return Text{part(node.left, kAnd) + " and " + part(node.right, kNot), kAnd};
      },
      [&](const Disjunction& node) {
        return Text{part(node.left, kOr) + " or " + part(node.right, kAnd), kOr};
      },
      [&](const Negation& node) {
        return Text{"not " + part(node.operand, kNot), kNot};
      });
}

std::string comprehension(const Comprehension& node) {
  std::string text = "{ " + print(*node.element);
  const char* separator = " : ";
  for (const Binder& binder : node.binders) {
    text += separator + binder.name;
    text += binder.high ? " in " + print(*binder.low) + ".." + print(*binder.high)
                        : " >= " + print(*binder.low);
    separator = ", ";
  }
  for (const ConditionPtr& condition : node.conditions) {
    text += separator + print(*condition);
    separator = ", ";
  }
  return text + " }";
}

Text text_of(const SetExpression& set) {
  return match(
      set.node,
      [](const EmptySet&) {
        return Text{"none", kSetAtom};
      },
      [](const DiagonalSet&) {
        return Text{"diagonal", kSetAtom};
      },
      [](const DenseSet&) {
        return Text{"dense", kSetAtom};
      },
      [](const WindowSet& node) {
        return Text{"window(" + print(*node.width) + ")", kSetAtom};
      },
      [](const OffsetsSet& node) {
        return Text{"offsets(" + node.function + ")", kSetAtom};
      },
      [](const LatticeSet& node) {
        return Text{"lattice(" + node.function + ")", kSetAtom};
      },
      [](const RangeSet& node) {
        return Text{"{ " + print(*node.low) + ".." + print(*node.high) + " }", kSetAtom};
      },
      [](const Comprehension& node) {
        return Text{comprehension(node), kSetAtom};
      },
      [](const SetOperation& node) {
        const bool tight = node.op == SetOperator::kIntersection;
        const int here = tight ? kIntersectionLevel : kUnionLevel;
        const char* symbol = tight ? " & " : node.op == SetOperator::kUnion ? " | " : " - ";
        return Text{
            at_least(text_of(*node.left), here) + symbol + at_least(text_of(*node.right), here + 1),
            here};
      });
}

}  // namespace

std::string print(const Expression& expression) { return text_of(expression).text; }
std::string print(const Condition& condition) { return text_of(condition).text; }
std::string print(const SetExpression& set) { return text_of(set).text; }

std::string print(const FunctionDefinition& function) {
  std::string text;
  for (std::size_t i = 0; i < function.base.size(); ++i) {
    text += function.name + "(" + std::to_string(i) + ") = " + print(*function.base[i]) + "\n";
  }
  const std::string shift =
      function.recursive() ? " + " + std::to_string(function.base.size()) : std::string();
  return text + function.name + "(" + function.variable + shift + ") = " + print(*function.step);
}

std::string to_string(const GrowthClass& growth, GrowthBound bound) {
  std::string text;
  const int p = growth.power_numerator;
  const int q = growth.power_denominator;
  if (p != 0) {
    if (q == 1)
      text = p == 1 ? "n" : "n^" + std::to_string(p);
    else if (p == 1 && q == 2)
      text = "sqrt n";
    else
      text = "n^(" + std::to_string(p) + "/" + std::to_string(q) + ")";
  }
  if (growth.log_power != 0) {
    if (!text.empty()) text += " ";
    text += growth.log_power == 1 ? "log n" : "log(n)^" + std::to_string(growth.log_power);
  }
  const char* const name = bound == GrowthBound::kAtMost    ? "O("
                           : bound == GrowthBound::kAtLeast ? "Omega("
                                                            : "Theta(";
  return name + (text.empty() ? "1" : text) + ")";
}

std::string print(const Claim& claim) {
  std::string text = match(
      claim.node,
      [](const BoundClaim& node) {
        return print(*node.left) + " " + name_of(node.op) + " " + print(*node.right);
      },
      [](const GrowthClaim& node) {
        return print(*node.measure) + " in " + to_string(node.growth, node.bound);
      },
      [](const ReachClaim& node) {
        return "reaches(" + print(*node.from_row) + ", " + print(*node.to_row) + ")";
      });
  if (claim.where) text += " for " + print(*claim.where);
  return text;
}

std::string print(const PatternSyntax& pattern) {
  std::string text = "pattern " + pattern.name;
  if (!pattern.parameters.empty()) {
    text += "(";
    for (const Parameter& parameter : pattern.parameters) {
      if (&parameter != &pattern.parameters.front()) text += ", ";
      text += parameter.name + " = " + parameter.value.to_string();
    }
    text += ")";
  }
  text += " {\n";
  const auto line = [&](const std::string& statement) {
    std::string indented = "  ";
    for (char c : statement) {
      indented += c;
      if (c == '\n') indented += "  ";
    }
    text += indented + "\n";
  };
  for (const FunctionDefinition& function : pattern.functions) line(print(function));
  if (pattern.a) line("A = " + print(*pattern.a));
  if (pattern.b) line("B = " + print(*pattern.b));
  if (pattern.weights.kind == WeightKind::kLinear) {
    line("weights linear(state = " + print(*pattern.weights.state) + ")");
  } else if (pattern.weights.kind != WeightKind::kSoftmax) {
    line(std::string("weights ") + name_of(pattern.weights.kind));
  }
  if (!pattern.claims.empty()) text += "\n";
  for (const Claim& claim : pattern.claims) line("claim " + print(claim));
  return text + "}\n";
}

const char* name_of(MeasureKind measure) {
  switch (measure) {
    case MeasureKind::kTime:
      return "time";
    case MeasureKind::kCache:
      return "cache";
    case MeasureKind::kHops:
      return "hops";
    case MeasureKind::kCongestion:
      return "congestion";
    case MeasureKind::kRank:
      return "rank";
    case MeasureKind::kDepth:
      return "depth";
  }
  unreachable("measure");
}

const char* name_of(BuiltinFunction function) {
  switch (function) {
    case BuiltinFunction::kSqrt:
      return "sqrt";
    case BuiltinFunction::kLog2:
      return "log2";
    case BuiltinFunction::kMin:
      return "min";
    case BuiltinFunction::kMax:
      return "max";
    case BuiltinFunction::kAbs:
      return "abs";
    case BuiltinFunction::kPopcount:
      return "popcount";
    case BuiltinFunction::kLowbit:
      return "lowbit";
  }
  unreachable("built-in function");
}

const char* name_of(ComparisonOperator op) {
  switch (op) {
    case ComparisonOperator::kLess:
      return "<";
    case ComparisonOperator::kLessEqual:
      return "<=";
    case ComparisonOperator::kGreater:
      return ">";
    case ComparisonOperator::kGreaterEqual:
      return ">=";
    case ComparisonOperator::kEqual:
      return "=";
    case ComparisonOperator::kNotEqual:
      return "!=";
  }
  unreachable("comparison operator");
}

const char* name_of(WeightKind kind) {
  switch (kind) {
    case WeightKind::kSoftmax:
      return "softmax";
    case WeightKind::kGiven:
      return "given";
    case WeightKind::kGated:
      return "gated";
    case WeightKind::kLinear:
      return "linear";
  }
  unreachable("weights");
}

}  // namespace heddle
