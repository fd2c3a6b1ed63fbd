// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/lift_expression.hpp"

#include <cstdlib>
#include <map>

#include "patterns/integer.hpp"

namespace heddle::verify {

using ir::BinaryOperator;
using ir::Helper;
using ir::Type;

namespace {

bool is_integer(CType type) {
  return type == CType::kInt || type == CType::kIndex || type == CType::kUnsigned;
}

struct HelperShape {
  Helper helper;
  int arguments;
  bool real;
};
const std::map<std::string, HelperShape>& helpers() {
  static const std::map<std::string, HelperShape> table = {
      {"minimum", {Helper::kMinimum, 2, false}},
      {"maximum", {Helper::kMaximum, 2, false}},
      {"fmaxf", {Helper::kMaximum, 2, true}},
      {"absolute", {Helper::kAbsolute, 1, false}},
      {"floor_div", {Helper::kFloorDivide, 2, false}},
      {"ceil_div", {Helper::kCeilDivide, 2, false}},
      {"floor_mod", {Helper::kFloorModulo, 2, false}},
      {"power", {Helper::kPower, 2, false}},
      {"integer_sqrt", {Helper::kSquareRoot, 1, false}},
      {"integer_log2", {Helper::kLogarithm, 1, false}},
      {"popcount", {Helper::kPopcount, 1, false}},
      {"lowbit", {Helper::kLowbit, 1, false}},
      {"__expf", {Helper::kExponential, 1, true}},
      {"rounded_to_bf16", {Helper::kRoundToBf16, 1, true}},
      {"rounded_to_f16", {Helper::kRoundToF16, 1, true}}};
  return table;
}

}  // namespace

// ---- tokens -----------------------------------------------------------------------------------

const Token& ExpressionReader::peek(std::size_t ahead) const {
  return failed() || at_ + ahead >= tokens_.size() ? tokens_.back() : tokens_[at_ + ahead];
}
bool ExpressionReader::is(const char* text, std::size_t ahead) const {
  const Token& token = peek(ahead);
  return (token.kind == TokenKind::kSymbol || token.kind == TokenKind::kName) && token.text == text;
}
Token ExpressionReader::next() {
  const Token token = peek();
  if (token.kind != TokenKind::kEnd) ++at_;
  return token;
}
bool ExpressionReader::accept(const char* text) {
  if (!is(text)) return false;
  ++at_;
  return true;
}
void ExpressionReader::expect(const char* text) {
  if (!accept(text)) fail(peek().at, std::string("here a kernel of heddle has ") + text);
}
std::string ExpressionReader::expect_name() {
  if (peek().kind != TokenKind::kName) fail(peek().at, "here a kernel of heddle has a name");
  return next().text;
}
std::int64_t ExpressionReader::expect_integer() {
  const Token token = next();
  const std::optional<Integer> number = Integer::parse(token.text);
  if (token.kind == TokenKind::kInteger && number && *number <= Integer(1 << 20)) {
    return number->to_int64().value();
  }
  fail(token.at, "here a kernel of heddle has a small number");
  return 1;
}
void ExpressionReader::fail(TextPlace at, const std::string& sentence) {
  if (!error_) error_ = refusal(file_, at, sentence);
}

ir::ValueId ExpressionReader::make(Type type, decltype(ir::Value::node) node, TextPlace at) {
  const ir::ValueId id{static_cast<std::int32_t>(lifted_.kernel.values.size())};
  lifted_.kernel.values.push_back({std::move(node), type});
  lifted_.value_at.push_back(at);
  return id;
}

const ExpressionReader::Symbol* ExpressionReader::find(const std::string& name) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    for (const auto& [known, symbol] : *scope) {
      if (known == name) return &symbol;
    }
  }
  return nullptr;
}

// ---- conversions ------------------------------------------------------------------------------

Typed ExpressionReader::nothing() {
  return {make(Type::kI64, ir::IntegerLiteral{0}, {}), CType::kInt, 0};
}

ir::ValueId ExpressionReader::as_index(const Typed& value, TextPlace at) {
  if (!is_integer(value.type)) fail(at, "an integer must stand here");
  return value.id;
}
ir::ValueId ExpressionReader::as(const Typed& value, CType type, TextPlace at) {
  if (type == CType::kIndex) return as_index(value, at);
  if (value.type != type) fail(at, "this has another type than its place needs");
  return value.id;
}

CType ExpressionReader::element_of(ir::MemoryId memory) const {
  const ir::Kernel& kernel = lifted_.kernel;
  const auto of_buffer = [&](ir::BufferId id) {
    switch (kernel[id].element) {
      case ElementType::kF32:
        return CType::kFloat;
      case ElementType::kBF16:
        return CType::kBf16;
      case ElementType::kI32:
        return CType::kInt;
      case ElementType::kF16:
        return CType::kF16;
    }
    unreachable("an element type that no kernel stores");
  };
  return match(
      memory, of_buffer,
      [&](ir::ArrayId id) {
        if (kernel[id].element == ElementType::kBF16) return CType::kBf16;
        if (kernel[id].element == ElementType::kF16) return CType::kF16;
        return kernel[id].type == Type::kI64 ? CType::kIndex : CType::kFloat;
      },
      [&](ir::ViewId id) { return of_buffer(kernel[id].yes); });
}

Typed ExpressionReader::arithmetic(BinaryOperator op, const Typed& left, const Typed& right,
                                   TextPlace at) {
  const bool divides = op == BinaryOperator::kDivide || op == BinaryOperator::kModulo;
  if (left.type == CType::kFloat && right.type == CType::kFloat && op != BinaryOperator::kModulo) {
    return {make(Type::kF32, ir::Binary{op, left.id, right.id}, at), CType::kFloat};
  }
  if (!is_integer(left.type) || !is_integer(right.type)) {
    fail(at, "this operator does not fit its operands");
    return nothing();
  }
  if (left.type == CType::kUnsigned && divides && right.literal && *right.literal > 0) {
    // The places of a warp and of a lane have names of their own.
    const ir::Where* where = std::get_if<ir::Where>(&lifted_.kernel[left.id].node);
    if (where != nullptr && where->place == ir::Place::kThread && *right.literal == 32) {
      const bool warp = op == BinaryOperator::kDivide;
      return {make(Type::kI64, ir::Where{warp ? ir::Place::kWarp : ir::Place::kLane}, at),
              CType::kUnsigned};
    }
    return {make(Type::kI64, ir::Binary{op, left.id, right.id}, at), CType::kUnsigned};
  }
  if (left.type == CType::kUnsigned && left.literal && right.literal &&
      op == BinaryOperator::kSubtract && *right.literal >= 0 && *right.literal <= *left.literal) {
    return {make(Type::kI64, ir::Binary{op, left.id, right.id}, at), CType::kUnsigned,
            *left.literal - *right.literal};
  }
  if (left.type != CType::kIndex && right.type != CType::kIndex) {
    // Literals are 32 bits wide among themselves; nothing else is let to be.
    if (!left.literal || !right.literal || op != BinaryOperator::kMultiply ||
        left.type == CType::kUnsigned || right.type == CType::kUnsigned ||
        *left.literal > INT16_MAX || *right.literal > INT16_MAX || *left.literal < 0 ||
        *right.literal < 0) {
      fail(at, "this arithmetic is 32 bits wide; kernels of heddle compute in Index");
      return nothing();
    }
    return {make(Type::kI64, ir::Binary{op, left.id, right.id}, at), CType::kInt,
            *left.literal * *right.literal};
  }
  return {make(Type::kI64, ir::Binary{op, left.id, right.id}, at), CType::kIndex};
}

Typed ExpressionReader::compare(BinaryOperator op, const Typed& left, const Typed& right,
                                TextPlace at) {
  const bool reals = left.type == CType::kFloat && right.type == CType::kFloat;
  const bool integers =
      is_integer(left.type) && is_integer(right.type) &&
      // Unsigned beside int would turn negative numbers into large ones.
      (left.type != CType::kUnsigned || right.type != CType::kInt || right.literal >= 0) &&
      (right.type != CType::kUnsigned || left.type != CType::kInt || left.literal >= 0);
  if (!reals && !integers) fail(at, "these cannot be compared");
  return {make(Type::kBool, ir::Binary{op, left.id, right.id}, at), CType::kBool};
}

// ---- grammar, loosest binding first -----------------------------------------------------------

Typed ExpressionReader::expression() {
  const Typed condition = disjunction();
  const TextPlace at = peek().at;
  if (!accept("?")) return condition;
  const ir::ValueId test = as(condition, CType::kBool, at);
  const Typed yes = expression();
  expect(":");
  const Typed no = expression();
  if (is_integer(yes.type) && is_integer(no.type)) {
    const bool narrow = yes.type != CType::kIndex && no.type != CType::kIndex;
    if (narrow && (yes.type == CType::kUnsigned || no.type == CType::kUnsigned)) {
      fail(at, "this choice is unsigned; kernels of heddle choose between Index");
    }
    const bool wide = yes.type == CType::kIndex || no.type == CType::kIndex;
    return {make(Type::kI64, ir::Select{test, yes.id, no.id}, at),
            wide ? CType::kIndex : CType::kInt};
  }
  if (yes.type != no.type || is_narrow(yes.type)) fail(at, "the two sides differ in type");
  const Type type = yes.type == CType::kBool ? Type::kBool : Type::kF32;
  return {make(type, ir::Select{test, yes.id, no.id}, at), yes.type};
}

Typed ExpressionReader::disjunction() {
  Typed left = conjunction();
  while (is("||")) {
    const TextPlace at = next().at;
    const Typed right = conjunction();
    left = {make(Type::kBool,
                 ir::Binary{BinaryOperator::kOr, as(left, CType::kBool, at),
                            as(right, CType::kBool, at)},
                 at),
            CType::kBool};
  }
  return left;
}

Typed ExpressionReader::conjunction() {
  Typed left = equality();
  while (is("&&")) {
    const TextPlace at = next().at;
    const Typed right = equality();
    left = {make(Type::kBool,
                 ir::Binary{BinaryOperator::kAnd, as(left, CType::kBool, at),
                            as(right, CType::kBool, at)},
                 at),
            CType::kBool};
  }
  return left;
}

Typed ExpressionReader::equality() {
  Typed left = relation();
  while (is("==") || is("!=")) {
    const Token op = next();
    left = compare(op.text == "==" ? BinaryOperator::kEqual : BinaryOperator::kNotEqual, left,
                   relation(), op.at);
  }
  return left;
}

Typed ExpressionReader::relation() {
  Typed left = sum();
  while (is("<") || is("<=") || is(">") || is(">=")) {
    const Token op = next();
    const BinaryOperator kind = op.text == "<"    ? BinaryOperator::kLess
                                : op.text == "<=" ? BinaryOperator::kLessEqual
                                : op.text == ">"  ? BinaryOperator::kGreater
                                                  : BinaryOperator::kGreaterEqual;
    left = compare(kind, left, sum(), op.at);
  }
  return left;
}

Typed ExpressionReader::sum() {
  Typed left = product();
  while (is("+") || is("-")) {
    const Token op = next();
    left = arithmetic(op.text == "+" ? BinaryOperator::kAdd : BinaryOperator::kSubtract, left,
                      product(), op.at);
  }
  return left;
}

Typed ExpressionReader::product() {
  Typed left = prefix();
  while (is("*") || is("/") || is("%")) {
    const Token op = next();
    const BinaryOperator kind = op.text == "*"   ? BinaryOperator::kMultiply
                                : op.text == "/" ? BinaryOperator::kDivide
                                                 : BinaryOperator::kModulo;
    left = arithmetic(kind, left, prefix(), op.at);
  }
  return left;
}

Typed ExpressionReader::prefix() {
  const TextPlace at = peek().at;
  if (accept("!")) {
    return {
        make(Type::kBool, ir::Unary{ir::UnaryOperator::kNot, as(prefix(), CType::kBool, at)}, at),
        CType::kBool};
  }
  if (accept("-")) {
    if (peek().kind == TokenKind::kInteger) {
      Typed value = primary();
      value.literal = -value.literal.value_or(0);
      value.id = make(Type::kI64, ir::IntegerLiteral{*value.literal}, at);
      return value;
    }
    if (peek().kind == TokenKind::kReal) {
      const double value = std::strtod(next().text.c_str(), nullptr);
      return {make(Type::kF32, ir::RealLiteral{-value}, at), CType::kFloat};
    }
    const Typed operand = prefix();
    if (operand.type != CType::kIndex && operand.type != CType::kFloat) {
      fail(at, "this arithmetic is not in Index or float");
    }
    const Type type = operand.type == CType::kFloat ? Type::kF32 : Type::kI64;
    return {make(type, ir::Unary{ir::UnaryOperator::kNegate, operand.id}, at), operand.type};
  }
  return primary();
}

Typed ExpressionReader::primary() {
  const Token token = next();
  if (token.kind == TokenKind::kInteger) {
    const std::optional<std::int64_t> value =
        Integer::parse(token.text.substr(0, token.text.find('L'))).value_or(Integer(0)).to_int64();
    if (!value) {
      fail(token.at, "this number exceeds 64 bits");
      return nothing();
    }
    const bool narrow = *value <= INT32_MAX && token.text.back() != 'L';
    return {make(Type::kI64, ir::IntegerLiteral{*value}, token.at),
            narrow ? CType::kInt : CType::kIndex, *value};
  }
  if (token.kind == TokenKind::kReal) {
    const double value = std::strtod(token.text.c_str(), nullptr);
    return {make(Type::kF32, ir::RealLiteral{value}, token.at), CType::kFloat};
  }
  if (token.kind == TokenKind::kSymbol && token.text == "(") {
    const Typed inner = expression();
    expect(")");
    return inner;
  }
  if (token.kind == TokenKind::kName) return named(token.text, token.at);
  fail(token.at, "an expression must stand here");
  return nothing();
}

Typed ExpressionReader::named(const std::string& name, TextPlace at) {
  const Symbol* symbol = find(name);
  if (symbol != nullptr) {
    if (const ir::MemoryId* memory = std::get_if<ir::MemoryId>(symbol)) return index_of(*memory);
    const ir::VariableId id = std::get<ir::VariableId>(*symbol);
    const Type type = lifted_.kernel[id].type;
    return {make(type, ir::Read{id}, at), type == Type::kI64   ? CType::kIndex
                                          : type == Type::kF32 ? CType::kFloat
                                                               : CType::kBool};
  }
  for (const auto& [argument, id] : narrow_arguments_) {
    if (argument == name) return {make(Type::kI64, ir::Read{id}, at), CType::kInt};
  }
  if (name == "true" || name == "false") {
    return {make(Type::kBool, ir::IntegerLiteral{name == "true"}, at), CType::kBool};
  }
  if (name == "kLowestScore") return {make(Type::kF32, ir::LowestScore{}, at), CType::kFloat};
  if (name == "blockDim") {
    expect(".");
    expect("x");
    const std::int64_t threads = lifted_.kernel.threads;
    return {make(Type::kI64, ir::IntegerLiteral{threads}, at), CType::kUnsigned, threads};
  }
  if (name == "blockIdx" || name == "threadIdx") {
    expect(".");
    expect("x");
    const ir::Place place = name == "blockIdx" ? ir::Place::kBlock : ir::Place::kThread;
    return {make(Type::kI64, ir::Where{place}, at), CType::kUnsigned};
  }
  return call(name, at);
}

Typed ExpressionReader::index_of(ir::MemoryId memory) {
  const TextPlace at = peek().at;
  expect("[");
  const ir::ValueId index = as_index(expression(), at);
  expect("]");
  const CType type = element_of(memory);
  const bool integer = type == CType::kInt || type == CType::kIndex;
  return {make(integer ? Type::kI64 : Type::kF32, ir::Load{memory, index}, at), type};
}

// <8>
int ExpressionReader::lanes_of_group() {
  const TextPlace at = peek().at;
  expect("<");
  const std::int64_t lanes = expect_integer();
  expect(">");
  if (!ir::is_group(lanes)) fail(at, "no lanes of a warp come in such groups");
  return static_cast<int>(lanes);
}

Typed ExpressionReader::call(const std::string& name, TextPlace at) {
  const bool reads = name == "group_read";
  const bool by_group = reads || name == "group_sum" || name == "group_max";
  const bool by_warp = name == "warp_sum" || name == "warp_max";
  const bool in_groups = by_group || (by_warp && is("<"));
  if (!is(in_groups ? "<" : "(")) {
    fail(at, "'" + name + "' is not declared");
    return nothing();
  }
  const int lanes = in_groups ? lanes_of_group() : 32;
  expect("(");
  if (reads) {
    const ir::ValueId operand = as(expression(), CType::kFloat, at);
    expect(",");
    const ir::ValueId from = as(expression(), CType::kIndex, at);
    expect(")");
    return {make(Type::kF32, ir::Pick{operand, from, lanes}, at), CType::kFloat};
  }
  if (by_group || by_warp) {
    const bool sum = name == "warp_sum" || name == "group_sum";
    const ir::ReduceOperator op = sum ? ir::ReduceOperator::kSum : ir::ReduceOperator::kMaximum;
    const ir::ValueId operand = as(expression(), sum ? CType::kFloat : CType::kIndex, at);
    expect(")");
    return {make(sum ? Type::kF32 : Type::kI64,
                 ir::Reduce{op, operand, lanes, by_warp && in_groups}, at),
            sum ? CType::kFloat : CType::kIndex};
  }
  if (name == "to_float") {
    const Typed operand = expression();
    expect(")");
    if (!is_narrow(operand.type)) fail(at, "to_float takes an element of two bytes");
    return {operand.id, CType::kFloat};
  }
  const auto shape = helpers().find(name);
  if (shape == helpers().end()) {
    fail(at, "'" + name + "' is no helper of the prelude");
    return nothing();
  }
  const CType type = shape->second.real ? CType::kFloat : CType::kIndex;
  std::vector<ir::ValueId> arguments;
  for (int index = 0; index < shape->second.arguments; ++index) {
    if (index > 0) expect(",");
    arguments.push_back(as(expression(), type, at));
  }
  expect(")");
  return {make(shape->second.real ? Type::kF32 : Type::kI64,
               ir::Call{shape->second.helper, std::move(arguments)}, at),
          type};
}

}  // namespace heddle::verify
