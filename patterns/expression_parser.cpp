// SPDX-License-Identifier: Apache-2.0
#include "patterns/expression_parser.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "patterns/names.hpp"

namespace heddle {
namespace {

template <typename Value>
using NameTable = std::map<std::string_view, Value>;

const NameTable<BuiltinFunction> kBuiltins = {
    {"sqrt", BuiltinFunction::kSqrt},    {"log2", BuiltinFunction::kLog2},
    {"min", BuiltinFunction::kMin},      {"max", BuiltinFunction::kMax},
    {"abs", BuiltinFunction::kAbs},      {"popcount", BuiltinFunction::kPopcount},
    {"lowbit", BuiltinFunction::kLowbit}};

const NameTable<MeasureKind> kMeasures = {
    {"time", MeasureKind::kTime}, {"cache", MeasureKind::kCache},
    {"hops", MeasureKind::kHops}, {"congestion", MeasureKind::kCongestion},
    {"rank", MeasureKind::kRank}, {"depth", MeasureKind::kDepth}};

const NameTable<ComparisonOperator> kComparisons = {
    {"<", ComparisonOperator::kLess},    {"<=", ComparisonOperator::kLessEqual},
    {">", ComparisonOperator::kGreater}, {">=", ComparisonOperator::kGreaterEqual},
    {"=", ComparisonOperator::kEqual},   {"!=", ComparisonOperator::kNotEqual}};

std::optional<ComparisonOperator> comparison_operator(const Token& token) {
  const auto found = kComparisons.find(token.text);
  if (token.kind != TokenKind::kSymbol || found == kComparisons.end()) return std::nullopt;
  return found->second;
}

// The largest k that `k <= e`, `k < e` and their mirror images allow, for an e that is the same in
// every row: the end of a range in the words of a condition. Null for other conditions.
ExpressionPtr end_of(const Comparison& comparison, const std::string& k,
                     const std::vector<Binder>& binders) {
  const bool mirrored = comparison.op == ComparisonOperator::kGreater ||
                        comparison.op == ComparisonOperator::kGreaterEqual;
  const bool strict =
      comparison.op == ComparisonOperator::kLess || comparison.op == ComparisonOperator::kGreater;
  if (comparison.op == ComparisonOperator::kEqual || comparison.op == ComparisonOperator::kNotEqual)
    return nullptr;
  const ExpressionPtr& variable = mirrored ? comparison.right : comparison.left;
  const ExpressionPtr& end = mirrored ? comparison.left : comparison.right;
  const auto* name = std::get_if<Name>(&variable->node);
  if (name == nullptr || name->name != k) return nullptr;
  const Names used = names_in(*end);
  const bool moves =
      used.contains("i") ||
      std::any_of(binders.begin(), binders.end(), [&](auto& b) { return used.contains(b.name); });
  if (moves) return nullptr;
  if (!strict) return end;
  if (const auto* number = std::get_if<Literal>(&end->node)) {
    return make_expression(Literal{number->value - Integer(1)}, end->span);
  }
  return make_expression(
      Arithmetic{ArithmeticOperator::kSubtract, end, make_expression(Literal{1}, end->span)},
      end->span);
}

// Takes the first such end out of the condition; what is left of it may be nothing.
ExpressionPtr take_end(ConditionPtr& condition, const std::string& k,
                       const std::vector<Binder>& binders) {
  if (const auto* comparison = std::get_if<Comparison>(&condition->node)) {
    ExpressionPtr end = end_of(*comparison, k, binders);
    if (end) condition = nullptr;
    return end;
  }
  const auto* both = std::get_if<Conjunction>(&condition->node);
  if (both == nullptr) return nullptr;
  Conjunction rest = *both;
  ExpressionPtr end = take_end(rest.left, k, binders);
  if (!end) end = take_end(rest.right, k, binders);
  if (!end) return nullptr;
  condition = !rest.left    ? rest.right
              : !rest.right ? rest.left
                            : make_condition(std::move(rest), condition->span);
  return end;
}

// { e : k >= 1, k <= 9 } is { e : k in 1..9 }, the form that rules know.
void close_ranges(Comprehension& set) {
  for (Binder& binder : set.binders) {
    for (ConditionPtr& condition : set.conditions) {
      if (!binder.high) binder.high = take_end(condition, binder.name, set.binders);
    }
    std::erase(set.conditions, nullptr);
  }
}

}  // namespace

// ---- expressions ------------------------------------------------------------------------------

ExpressionPtr ExpressionParser::expression() {
  const std::size_t begin = token().span.begin;
  ExpressionPtr left = product();
  while (peek("+") || peek("-")) {
    const auto op = peek("+") ? ArithmeticOperator::kAdd : ArithmeticOperator::kSubtract;
    advance();
    ExpressionPtr right = product();
    left = make_expression(Arithmetic{op, std::move(left), std::move(right)}, since(begin));
  }
  return left;
}

ExpressionPtr ExpressionParser::product() {
  const std::size_t begin = token().span.begin;
  ExpressionPtr left = factor();
  while (peek("*") || peek_name("mod")) {
    const auto op = peek("*") ? ArithmeticOperator::kMultiply : ArithmeticOperator::kMod;
    advance();
    ExpressionPtr right = factor();
    left = make_expression(Arithmetic{op, std::move(left), std::move(right)}, since(begin));
  }
  return left;
}

ExpressionPtr ExpressionParser::factor() {
  const std::size_t begin = token().span.begin;
  if (!accept("-")) return power();
  Nesting deeper(*this);
  ExpressionPtr operand = factor();
  return make_expression(Negate{std::move(operand)}, since(begin));
}

ExpressionPtr ExpressionParser::power() {
  const std::size_t begin = token().span.begin;
  ExpressionPtr base = primary();
  if (!accept("^")) return base;
  Nesting deeper(*this);
  ExpressionPtr exponent = factor();
  return make_expression(
      Arithmetic{ArithmeticOperator::kPower, std::move(base), std::move(exponent)}, since(begin));
}

ExpressionPtr ExpressionParser::primary() {
  const Token first = token();
  if (statement_ended()) fail("E003", "expected a number, a name or `(`, found " + found());
  if (first.kind == TokenKind::kNumber && !first.text.empty()) {
    if (first.text.size() > 1000) fail("E005", "a number has at most 1000 digits");
    advance();
    return make_expression(Literal{*Integer::parse(first.text)}, first.span);
  }
  if (accept("(")) {
    Brackets inside(*this);
    ExpressionPtr inner = expression();
    expect(")", "to close the bracket");
    return inner;
  }
  if (first.kind == TokenKind::kName) {
    expect_name("a name");
    return named(first);
  }
  fail("E003", "expected a number, a name or `(`, found " + found());
}

ExpressionPtr ExpressionParser::named(const Token& name) {
  const std::size_t begin = name.span.begin;
  if (!peek("(")) return make_expression(Name{std::string(name.text)}, name.span);
  advance();
  Brackets inside(*this);
  if (name.text == "floor") return quotient(ArithmeticOperator::kFloorDivide, begin);
  if (name.text == "ceil") return quotient(ArithmeticOperator::kCeilDivide, begin);
  std::vector<ExpressionPtr> given = arguments();
  const Span span = since(begin);
  const auto expect_count = [&](std::size_t low, std::size_t high) {
    if (given.size() >= low && given.size() <= high) return;
    fail_at("E031", span,
            "`" + std::string(name.text) + "` takes " + std::to_string(low) +
                (high > low ? " or more arguments"
                 : low == 1 ? " argument"
                            : " arguments") +
                ", found " + std::to_string(given.size()));
  };
  if (const auto builtin = kBuiltins.find(name.text); builtin != kBuiltins.end()) {
    const bool many =
        builtin->second == BuiltinFunction::kMin || builtin->second == BuiltinFunction::kMax;
    expect_count(many ? 2 : 1, many ? 64 : 1);
    return make_expression(BuiltinCall{builtin->second, std::move(given)}, span);
  }
  if (const auto measure = kMeasures.find(name.text); measure != kMeasures.end()) {
    const std::size_t count = measure->second == MeasureKind::kHops ? 2 : 1;
    expect_count(count, count);
    return make_expression(MeasureTerm{measure->second, std::move(given)}, span);
  }
  expect_count(1, 1);
  return make_expression(Apply{std::string(name.text), std::move(given.front())}, span);
}

// The inside of floor( x / y ): exactly one division, whose two sides are products.
ExpressionPtr ExpressionParser::quotient(ArithmeticOperator op, std::size_t begin) {
  const std::string word = op == ArithmeticOperator::kFloorDivide ? "floor" : "ceil";
  ExpressionPtr numerator = product();
  if (!accept("/")) {
    fail("E006", "`" + word + "` needs one quotient, found " + found(),
         {"write `" + word + "(x / y)`, and brackets around a sum: `" + word + "((x + 1) / y)`"});
  }
  ExpressionPtr denominator = factor();
  if (!peek(")")) {
    fail("E006", "`" + word + "` holds one quotient and nothing else, found " + found(),
         {"put brackets around the denominator: `" + word + "(x / (y * z))`"});
  }
  advance();
  return make_expression(Arithmetic{op, std::move(numerator), std::move(denominator)},
                         since(begin));
}

std::vector<ExpressionPtr> ExpressionParser::arguments() {
  std::vector<ExpressionPtr> list;
  if (accept(")")) return list;
  do {
    list.push_back(expression());
  } while (accept(","));
  expect(")", "after the arguments");
  return list;
}

// ---- conditions -------------------------------------------------------------------------------

ConditionPtr ExpressionParser::condition() {
  const std::size_t begin = token().span.begin;
  ConditionPtr left = conjunction();
  while (accept_name("or")) {
    ConditionPtr right = conjunction();
    left = make_condition(Disjunction{std::move(left), std::move(right)}, since(begin));
  }
  return left;
}

ConditionPtr ExpressionParser::conjunction() {
  const std::size_t begin = token().span.begin;
  ConditionPtr left = negation();
  while (accept_name("and")) {
    ConditionPtr right = negation();
    left = make_condition(Conjunction{std::move(left), std::move(right)}, since(begin));
  }
  return left;
}

ConditionPtr ExpressionParser::negation() {
  const std::size_t begin = token().span.begin;
  if (accept_name("not")) {
    Nesting deeper(*this);
    ConditionPtr operand = negation();
    return make_condition(Negation{std::move(operand)}, since(begin));
  }
  if (peek("(") && bracket_holds_condition()) {
    advance();
    Brackets inside(*this);
    ConditionPtr inner = condition();
    expect(")", "to close the bracket");
    return inner;
  }
  return comparison();
}

ConditionPtr ExpressionParser::comparison() {
  const std::size_t begin = token().span.begin;
  ExpressionPtr left = expression();
  ConditionPtr chain;
  while (true) {
    if (peek("==")) fail("E003", "expected a comparison, found `==`", {"equality is written `=`"});
    const auto op = comparison_operator(token());
    if (!op || !peek(token().text)) break;
    advance();
    ExpressionPtr right = expression();
    ConditionPtr link = make_condition(Comparison{*op, left, right}, since(begin));
    chain = chain ? make_condition(Conjunction{std::move(chain), std::move(link)}, since(begin))
                  : std::move(link);
    left = std::move(right);
  }
  if (!chain) fail("E003", "expected a comparison such as `f(k) < i`, found " + found());
  return chain;
}

// ---- sets -------------------------------------------------------------------------------------

SetPtr ExpressionParser::set() {
  const std::size_t begin = token().span.begin;
  SetPtr left = set_intersection();
  while (peek("|") || peek("-")) {
    const auto op = peek("|") ? SetOperator::kUnion : SetOperator::kDifference;
    advance();
    SetPtr right = set_intersection();
    left = make_set(SetOperation{op, std::move(left), std::move(right)}, since(begin));
  }
  return left;
}

SetPtr ExpressionParser::set_intersection() {
  const std::size_t begin = token().span.begin;
  SetPtr left = set_primary();
  while (accept("&")) {
    SetPtr right = set_primary();
    left = make_set(SetOperation{SetOperator::kIntersection, std::move(left), std::move(right)},
                    since(begin));
  }
  return left;
}

SetPtr ExpressionParser::set_primary() {
  const Token first = token();
  if (accept("(")) {
    Brackets inside(*this);
    SetPtr inner = set();
    expect(")", "to close the bracket");
    return inner;
  }
  if (peek("{")) return braces();
  const std::vector<std::string> known = {
      "sets are `none`, `diagonal`, `dense`, `window(w)`, `offsets(f)`, `lattice(f)`, `{ ... }`, "
      "joined by `|`, `&`, `-`"};
  if (accept_name("none")) return make_set(EmptySet{}, first.span);
  if (accept_name("diagonal")) return make_set(DiagonalSet{}, first.span);
  if (accept_name("dense")) return make_set(DenseSet{}, first.span);
  if (accept_name("window")) {
    expect("(", "as in `window(4)`");
    Brackets inside(*this);
    ExpressionPtr width = expression();
    expect(")", "after the width of the window");
    return make_set(WindowSet{std::move(width)}, since(first.span.begin));
  }
  for (const bool lattice : {false, true}) {
    if (!accept_name(lattice ? "lattice" : "offsets")) continue;
    expect("(", "and a function, as in `offsets(f)`");
    Brackets inside(*this);
    if (token().kind == TokenKind::kNumber) {
      fail("E007", "`offsets` and `lattice` take the name of a function, not distances",
           {"write `f(k) = ...` on a line of its own and `offsets(f)` here, or name single "
            "positions: `{ i - 3 : i > 3 }`"});
    }
    std::string function = expect_name("the name of a function");
    if (peek("(")) {
      fail("E007", "`offsets` and `lattice` take the name of a function, without its argument",
           {"write `offsets(" + function + ")`"});
    }
    expect(")", "after the function");
    const Span span = since(first.span.begin);
    return lattice ? make_set(LatticeSet{std::move(function)}, span)
                   : make_set(OffsetsSet{std::move(function)}, span);
  }
  fail("E007", "expected a set of positions, found " + found(), known);
}

SetPtr ExpressionParser::braces() {
  const std::size_t begin = token().span.begin;
  advance();
  Brackets inside(*this);
  if (peek("}")) fail("E007", "an empty set is written `none`");
  ExpressionPtr first = expression();
  if (accept("..")) {
    ExpressionPtr last = expression();
    expect("}", "after the range");
    return make_set(RangeSet{std::move(first), std::move(last)}, since(begin));
  }
  if (peek(",")) {
    fail("E007", "a set holds one expression", {"write `{ 1 } | { 2 }` for several positions"});
  }
  Comprehension result;
  result.element = std::move(first);
  if (accept(":")) {
    do {
      comprehension_item(result);
    } while (accept(","));
  }
  expect("}", "to close the set");
  close_ranges(result);
  return make_set(std::move(result), since(begin));
}

// k in lo..hi and the first k >= lo bind k; everything else is a condition.
void ExpressionParser::comprehension_item(Comprehension& result) {
  const Token name = token();
  const bool bound =
      name.text == "i" || std::any_of(result.binders.begin(), result.binders.end(),
                                      [&](const Binder& b) { return b.name == name.text; });
  const std::size_t begin = name.span.begin;
  const Token& next = name.kind == TokenKind::kName ? following() : name;
  if (name.kind == TokenKind::kName && next.kind == TokenKind::kName && next.text == "in") {
    if (bound) fail("E022", "`" + std::string(name.text) + "` is bound twice");
    Binder binder;
    binder.name = expect_name("a variable");
    advance();
    binder.low = expression();
    expect("..", "between the ends of a range, as in `k in 0..9`");
    binder.high = expression();
    binder.span = since(begin);
    result.binders.push_back(std::move(binder));
    return;
  }
  if (name.kind == TokenKind::kName && !bound && !is_parameter(name.text) &&
      next.kind == TokenKind::kSymbol && next.text == ">=") {
    Binder binder;
    binder.name = expect_name("a variable");
    advance();
    binder.low = expression();
    binder.span = since(begin);
    result.binders.push_back(std::move(binder));
    if (accept_name("and")) result.conditions.push_back(condition());
    return;
  }
  result.conditions.push_back(condition());
}

}  // namespace heddle
