// SPDX-License-Identifier: Apache-2.0
// The syntax of a pattern file as immutable trees. Each node shows the text it stands for. Trees
// are shared freely and never changed; every node keeps the span it came from.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "patterns/integer.hpp"
#include "patterns/source.hpp"

namespace heddle {

struct Expression;
struct Condition;
struct SetExpression;
using ExpressionPtr = std::shared_ptr<const Expression>;
using ConditionPtr = std::shared_ptr<const Condition>;
using SetPtr = std::shared_ptr<const SetExpression>;

// ---- expressions ------------------------------------------------------------------------------

enum class ArithmeticOperator {
  kAdd,
  kSubtract,
  kMultiply,
  kPower,
  kMod,
  kFloorDivide,
  kCeilDivide
};
enum class BuiltinFunction { kSqrt, kLog2, kMin, kMax, kAbs, kPopcount, kLowbit };
enum class MeasureKind { kTime, kCache, kHops, kCongestion, kRank, kDepth };

struct Literal {  // 42
  Integer value;
};
struct Name {  // i
  std::string name;
};
struct Apply {  // f(k + 1)
  std::string function;
  ExpressionPtr argument;
};
struct Negate {  // -x
  ExpressionPtr operand;
};
struct Arithmetic {  // x + y, x - y, x * y, x ^ y, x mod y, floor(x / y), ceil(x / y)
  ArithmeticOperator op;
  ExpressionPtr left;
  ExpressionPtr right;
};
struct BuiltinCall {  // sqrt(x), log2(x), min(x, y, ...), max(x, y, ...), abs(x), popcount(x),
                      // lowbit(x)
  BuiltinFunction function;
  std::vector<ExpressionPtr> arguments;
};
struct MeasureTerm {  // time(i), cache(i), hops(i, j), congestion(n), rank(m), depth(n); claims
                      // only
  MeasureKind measure;
  std::vector<ExpressionPtr> arguments;
};

struct Expression {
  std::variant<Literal, Name, Apply, Negate, Arithmetic, BuiltinCall, MeasureTerm> node;
  Span span;
};

// ---- conditions -------------------------------------------------------------------------------

enum class ComparisonOperator { kLess, kLessEqual, kGreater, kGreaterEqual, kEqual, kNotEqual };

struct Comparison {  // x < y
  ComparisonOperator op;
  ExpressionPtr left;
  ExpressionPtr right;
};
struct Conjunction {  // p and q; a chain x < y < z is read as x < y and y < z
  ConditionPtr left;
  ConditionPtr right;
};
struct Disjunction {  // p or q
  ConditionPtr left;
  ConditionPtr right;
};
struct Negation {  // not p
  ConditionPtr operand;
};

struct Condition {
  std::variant<Comparison, Conjunction, Disjunction, Negation> node;
  Span span;
};

// ---- sets of positions, for row i -------------------------------------------------------------

struct Binder {  // k >= lo, or k in lo..hi
  std::string name;
  ExpressionPtr low;
  ExpressionPtr high;  // null: unbounded, ended by a condition that is monotone in the variable
  Span span;
};

struct EmptySet {};     // none
struct DiagonalSet {};  // diagonal: {i}
struct DenseSet {};     // dense: 1..i for A, 1..i-1 for B
struct WindowSet {      // window(w): i-w+1..i for A, i-w..i-1 for B, clipped at 1
  ExpressionPtr width;
};
struct OffsetsSet {  // offsets(f): {i - f(k) : k >= 0, f(k) < i}
  std::string function;
};
struct LatticeSet {  // lattice(f): {a_k ceil((i - f(k)) / a_k) : k >= 0, f(k) < i}, a_k as in
                     // README
  std::string function;
};
struct RangeSet {  // { lo..hi }
  ExpressionPtr low;
  ExpressionPtr high;
};
struct Comprehension {  // { e : k >= lo, conditions }, or { e } with no binders and no conditions
  ExpressionPtr element;
  std::vector<Binder> binders;
  std::vector<ConditionPtr> conditions;
};
enum class SetOperator { kUnion, kIntersection, kDifference };
struct SetOperation {  // S | T, S & T, S - T
  SetOperator op;
  SetPtr left;
  SetPtr right;
};

struct SetExpression {
  std::variant<EmptySet, DiagonalSet, DenseSet, WindowSet, OffsetsSet, LatticeSet, RangeSet,
               Comprehension, SetOperation>
      node;
  Span span;
};

// ---- statements -------------------------------------------------------------------------------

struct Parameter {  // w = 4
  std::string name;
  Integer value;
  Span span;
};

// f(k) = e                                  base is empty, step is e
// f(0) = e0, f(1) = e1, f(k+2) = e          base is {e0, e1}, step is e; its order is base.size()
struct FunctionDefinition {
  std::string name;
  std::string variable;  // the k of the step
  std::vector<ExpressionPtr> base;
  ExpressionPtr step;
  Span span;

  bool recursive() const { return !base.empty(); }
};

enum class WeightKind { kSoftmax, kGiven, kGated, kLinear };
struct Weights {  // weights softmax, weights linear(state = 16)
  WeightKind kind = WeightKind::kSoftmax;
  ExpressionPtr state;  // kLinear only: number of rows of the matrix state
};

// n^(power) (log n)^(log_power); O(1) has power 0.
struct GrowthClass {
  int power_numerator = 0;
  int power_denominator = 1;
  int log_power = 0;

  friend bool operator==(const GrowthClass&, const GrowthClass&) = default;
};
// O, Omega and Theta: at most, at least, or both of these, up to constants and from some n on.
enum class GrowthBound { kAtMost, kAtLeast, kBoth };
// "O(1)", "Omega(log n)", "Theta(sqrt n)", "O(n log n)", "O(n^(2/3))".
std::string to_string(const GrowthClass& growth, GrowthBound bound = GrowthBound::kAtMost);

struct BoundClaim {  // claim time(i) <= sqrt(i) + 2 ; <=, >= or = only
  ComparisonOperator op;
  ExpressionPtr left;
  ExpressionPtr right;
};
struct GrowthClaim {  // claim time(i) in O(sqrt n)
  ExpressionPtr measure;
  GrowthBound bound = GrowthBound::kAtMost;
  GrowthClass growth;
};
struct ReachClaim {        // claim reaches(i, j)
  ExpressionPtr from_row;  // i: the later token
  ExpressionPtr to_row;    // j: the earlier token that must be reachable
};
struct Claim {
  std::variant<BoundClaim, GrowthClaim, ReachClaim> node;
  ConditionPtr where;  // after `for`; null when unrestricted
  Span span;
};

struct PatternSyntax {
  std::string name;
  std::vector<Parameter> parameters;
  std::vector<FunctionDefinition> functions;
  SetPtr a;
  SetPtr b;
  Weights weights;
  std::vector<Claim> claims;
  Span span;
};

template <typename Node>
ExpressionPtr make_expression(Node node, Span span = {}) {
  return std::make_shared<const Expression>(Expression{std::move(node), span});
}
template <typename Node>
ConditionPtr make_condition(Node node, Span span = {}) {
  return std::make_shared<const Condition>(Condition{std::move(node), span});
}
template <typename Node>
SetPtr make_set(Node node, Span span = {}) {
  return std::make_shared<const SetExpression>(SetExpression{std::move(node), span});
}

}  // namespace heddle
