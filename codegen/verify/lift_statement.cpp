// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/lift_statement.hpp"

#include "patterns/integer.hpp"

namespace heddle::verify {

using ir::Body;
using ir::LoopKind;
using ir::Statement;
using ir::Type;

ir::VariableId StatementReader::variable(const std::string& name, Type type, bool changes) {
  lifted_.kernel.variables.push_back({name, type, changes, false});
  return {static_cast<std::int32_t>(lifted_.kernel.variables.size() - 1)};
}
void StatementReader::declare(const std::string& name, Symbol symbol, TextPlace at) {
  for (const auto& [known, unused] : scopes_.back()) {
    if (known == name) return fail(at, "'" + name + "' is declared twice");
  }
  scopes_.back().emplace_back(name, symbol);
}

// In C++ a name that is being declared already hides an outer one: `const Index x = x;`.
void StatementReader::not_itself(const std::string& name, std::size_t from) {
  for (std::size_t index = from; index < at_ && index < tokens_.size(); ++index) {
    const Token& token = tokens_[index];
    if (token.kind != TokenKind::kName || token.text != name) continue;
    return fail(token.at, "'" + name + "' is declared by what it is");
  }
}

// Up to and with the closing bracket.
void StatementReader::body(Body& statements) {
  while (!failed() && !is("}")) {
    if (peek().kind == TokenKind::kEnd) return fail(peek().at, "the kernel ends too early");
    statement(statements);
  }
  expect("}");
  scopes_.pop_back();
}
void StatementReader::block(Body& statements) {
  expect("{");
  scopes_.emplace_back();
  body(statements);
}

void StatementReader::add(Body& statements, decltype(Statement::node) node) {
  statements.push_back({std::move(node)});
}

void StatementReader::statement(Body& statements) {
  const Token token = peek();
  places_.push_back(token.at);
  if (token.kind == TokenKind::kComment) {
    next();
    return add(statements, ir::Comment{token.text});
  }
  if (token.kind == TokenKind::kDirective) {
    next();
    const bool rolled = token.text == "#pragma unroll 1";
    if ((token.text != "#pragma unroll" && !rolled) || !is("for")) {
      return fail(token.at, "this directive has no place in a kernel");
    }
    return for_loop(statements, rolled ? LoopKind::kRolled : LoopKind::kUnrolled);
  }
  if (is("for")) return for_loop(statements, LoopKind::kSerial);
  if (is("while")) return while_loop(statements);
  if (is("if")) return branch(statements);
  if (accept("__syncthreads")) {
    expect("(");
    expect(")");
    expect(";");
    return add(statements, ir::Barrier{});
  }
  if (accept("__shared__")) return array(statements, true);
  if (is("extern")) return dynamic_array(statements);
  if (calls_helper()) return helper(statements);
  if (is("float") && is("*", 1)) return rest_of_dynamic_array(statements);
  if (is("const") || is("Index") || is("float") || is("bool")) return declaration(statements);
  if (token.kind == TokenKind::kName) return change(statements);
  fail(token.at, "no kernel of heddle has such a statement");
}

std::optional<Type> StatementReader::type_name() {
  if (accept("Index")) return Type::kI64;
  if (accept("float")) return Type::kF32;
  if (accept("bool")) return Type::kBool;
  return std::nullopt;
}
// What lies in memory.
std::optional<CType> StatementReader::element_name() {
  if (accept("float")) return CType::kFloat;
  if (accept("bf16")) return CType::kBf16;
  if (accept("f16")) return CType::kF16;
  return std::nullopt;
}
CType StatementReader::c_type(Type type) {
  return type == Type::kI64 ? CType::kIndex : type == Type::kF32 ? CType::kFloat : CType::kBool;
}

void StatementReader::declaration(Body& statements) {
  const TextPlace at = peek().at;
  const bool constant = accept("const");
  if (constant && (is("*", 1) || is("bf16") || is("f16"))) return view(statements);
  if (!constant && is("[", 2)) return array(statements, false);
  const std::optional<Type> type = type_name();
  if (!type) return fail(at, "a type must stand here");
  const std::string name = expect_name();
  expect("=");
  const TextPlace value_at = peek().at;
  const std::size_t value_begin = at_;
  const ir::ValueId value = as(expression(), c_type(*type), value_at);
  expect(";");
  not_itself(name, value_begin);
  const ir::VariableId id = variable(name, *type, !constant);
  declare(name, id, at);
  add(statements, ir::Define{id, value});
}

void StatementReader::array(Body& statements, bool shared) {
  const TextPlace at = peek().at;
  const bool vectors = shared && is("__align__");
  if (vectors) begin_of_vectors();
  const std::optional<Type> type = type_name();
  if (!type || *type == Type::kBool) return fail(at, "arrays hold Index or float");
  const std::string name = expect_name();
  expect("[");
  const Token length = next();
  const std::optional<Integer> count = Integer::parse(length.text);
  if (length.kind != TokenKind::kInteger || !count || *count < Integer(1) ||
      *count > Integer(1 << 20)) {
    return fail(length.at, "the length of an array is a number from 1 to 2^20");
  }
  expect("]");
  expect(";");
  if (shared && scopes_.size() != 2) {
    return fail(at, "shared arrays are declared at the top of a kernel");
  }
  lifted_.kernel.arrays.push_back(
      {name, *type, static_cast<int>(count->to_int64().value()), shared});
  lifted_.kernel.arrays.back().vectors = vectors;
  const ir::ArrayId id{static_cast<std::int32_t>(lifted_.kernel.arrays.size() - 1)};
  declare(name, ir::MemoryId(id), at);
  add(statements, ir::Declare{id});
}

// const float* const keys = cached ? cache_b_key : k;
void StatementReader::view(Body& statements) {
  const TextPlace at = peek().at;
  const std::optional<CType> wanted = element_name();
  if (!wanted) return fail(at, "a pointer goes to float, bf16 or f16");
  expect("*");
  expect("const");
  const std::string name = expect_name();
  expect("=");
  const std::size_t condition_at = at_;
  const ir::ValueId condition = as(disjunction(), CType::kBool, at);
  expect("?");
  const std::optional<ir::BufferId> yes = buffer_name();
  expect(":");
  const std::optional<ir::BufferId> no = buffer_name();
  expect(";");
  not_itself(name, condition_at);
  if (!yes || !no) return;
  if (element_of(*yes) != *wanted || element_of(*no) != *wanted) {
    return fail(at, "the two buffers differ in type");
  }
  for (const auto& [one, other] : {std::pair(*yes, *no), std::pair(*no, *yes)}) {
    const ir::Kernel& kernel = lifted_.kernel;
    if (kernel[one].takes_turns || !kernel.take_turns(one, other)) continue;
    return fail(at, "a compiler may read " + kernel[other].name +
                        ", which the kernel writes, as if nothing did, since " + kernel[one].name +
                        " is __restrict__");
  }
  lifted_.kernel.views.push_back({name, condition, *yes, *no});
  const ir::ViewId id{static_cast<std::int32_t>(lifted_.kernel.views.size() - 1)};
  declare(name, ir::MemoryId(id), at);
  add(statements, ir::Choose{id});
}
std::optional<ir::BufferId> StatementReader::buffer_name() {
  const TextPlace at = peek().at;
  const Symbol* symbol = find(expect_name());
  if (symbol != nullptr) {
    if (const ir::MemoryId* memory = std::get_if<ir::MemoryId>(symbol)) {
      if (const ir::BufferId* id = std::get_if<ir::BufferId>(memory)) return *id;
    }
  }
  fail(at, "a buffer must stand here");
  return std::nullopt;
}

// x = e; x += e; m[i] = e;
void StatementReader::change(Body& statements) {
  const Token token = next();
  const Symbol* symbol = find(token.text);
  if (symbol == nullptr) return fail(token.at, "'" + token.text + "' is not declared");
  if (const ir::MemoryId* memory = std::get_if<ir::MemoryId>(symbol)) {
    return store(statements, *memory, token.at);
  }
  const ir::VariableId id = std::get<ir::VariableId>(*symbol);
  const ir::Variable target = lifted_.kernel[id];
  if (!target.changes) return fail(token.at, "'" + token.text + "' may not change");
  const Token op = next();
  const TextPlace at = peek().at;
  const ir::ValueId value = as(expression(), c_type(target.type), at);
  expect(";");
  if (op.text == "=") return add(statements, ir::Assign{id, value});
  const bool known = op.text == "+=" || op.text == "-=" || op.text == "*=";
  if (!known || target.type == Type::kBool) return fail(op.at, "an assignment must stand here");
  const ir::BinaryOperator kind = op.text == "+="   ? ir::BinaryOperator::kAdd
                                  : op.text == "-=" ? ir::BinaryOperator::kSubtract
                                                    : ir::BinaryOperator::kMultiply;
  const ir::ValueId old = make(target.type, ir::Read{id}, token.at);
  add(statements, ir::Assign{id, make(target.type, ir::Binary{kind, old, value}, op.at)});
}

void StatementReader::store(Body& statements, ir::MemoryId memory, TextPlace at) {
  if (std::holds_alternative<ir::ViewId>(memory)) return fail(at, "a view is read only");
  const ir::BufferId* buffer = std::get_if<ir::BufferId>(&memory);
  if (buffer != nullptr && lifted_.kernel[*buffer].access == heddle::Access::kRead) {
    return fail(at, "this buffer is read only");
  }
  expect("[");
  const TextPlace index_at = peek().at;
  const ir::ValueId index = as_index(expression(), index_at);
  expect("]");
  expect("=");
  const TextPlace value_at = peek().at;
  const CType element = element_of(memory);
  const char* conversion = element == CType::kInt    ? "static_cast"
                           : element == CType::kBf16 ? "to_bf16"
                           : element == CType::kF16  ? "to_f16"
                                                     : "";
  ir::ValueId value;
  if (*conversion != '\0' && accept(conversion)) {
    if (element == CType::kInt) {
      for (const char* part : {"<", "int", ">"}) expect(part);
    }
    expect("(");
    value = as(expression(), element == CType::kInt ? CType::kIndex : CType::kFloat, value_at);
    expect(")");
  } else {
    value = as(expression(), element == CType::kInt ? CType::kIndex : element, value_at);
  }
  expect(";");
  add(statements, ir::Store{memory, index, value});
}

void StatementReader::branch(Body& statements) {
  expect("if");
  expect("(");
  ir::If node;
  const TextPlace at = peek().at;
  node.condition = as(expression(), CType::kBool, at);
  expect(")");
  if (!is("{")) {
    // One statement, in a scope of its own; a comment is none.
    scopes_.emplace_back();
    while (!failed() && peek().kind == TokenKind::kComment) statement(node.body);
    statement(node.body);
    scopes_.pop_back();
    return add(statements, std::move(node));
  }
  block(node.body);
  if (accept("else")) {
    if (is("if")) return fail(peek().at, "an else takes its own brackets");
    block(node.otherwise);
  }
  add(statements, std::move(node));
}

}  // namespace heddle::verify
