// SPDX-License-Identifier: Apache-2.0
// Loops as they are written: those that count up with a steady end are for loops of the IR, all
// others the while loops that C++ says they are.
#include <algorithm>

#include "codegen/verify/lift_statement.hpp"

namespace heddle::verify {

using ir::Body;
using ir::LoopKind;
using ir::Statement;
using ir::Type;

namespace {

// What evaluating a value depends on.
void collect_reads(const ir::Kernel& kernel, ir::ValueId id, std::set<std::int32_t>& variables,
                   bool& loads) {
  const auto into = [&](ir::ValueId part) { collect_reads(kernel, part, variables, loads); };
  match(
      kernel[id].node, [&](const ir::Read& node) { variables.insert(node.variable.index); },
      [&](const ir::Unary& node) { into(node.operand); },
      [&](const ir::Binary& node) {
        into(node.left);
        into(node.right);
      },
      [&](const ir::Select& node) {
        into(node.condition);
        into(node.yes);
        into(node.no);
      },
      [&](const ir::Load& node) {
        loads = true;
        into(node.index);
      },
      [&](const ir::Call& node) {
        for (const ir::ValueId argument : node.arguments) into(argument);
      },
      [&](const ir::Reduce& node) { into(node.operand); },
      [&](const ir::Pick& node) {
        into(node.operand);
        into(node.from);
      },
      [](const auto&) {});
}

bool changes_one_of(const Body& statements, const std::set<std::int32_t>& variables) {
  return std::any_of(statements.begin(), statements.end(), [&](const Statement& each) {
    return match(
        each.node,
        [&](const ir::Assign& node) { return variables.count(node.variable.index) != 0; },
        [&](const ir::For& node) { return changes_one_of(node.body, variables); },
        [&](const ir::While& node) { return changes_one_of(node.body, variables); },
        [&](const ir::If& node) {
          return changes_one_of(node.body, variables) || changes_one_of(node.otherwise, variables);
        },
        [](const auto&) { return false; });
  });
}

}  // namespace

void StatementReader::for_loop(Body& statements, LoopKind kind) {
  expect("for");
  expect("(");
  expect("Index");
  const TextPlace at = peek().at;
  const std::string name = expect_name();
  ir::For loop;
  loop.kind = kind;
  loop.variable = variable(name, Type::kI64, false);
  expect("=");
  const std::size_t begin_at = at_;
  loop.begin = as_index(expression(), at);
  expect(";");
  not_itself(name, begin_at);
  scopes_.emplace_back();
  declare(name, loop.variable, at);
  expect(name.c_str());
  const Token op = next();
  if (op.text != "<" && op.text != "<=") return other_loop(statements, std::move(loop), op, at);
  loop.end = as_index(sum(), at);  // C++ reads `c < a ? b : d` as a choice
  if (op.text == "<=") {
    const ir::ValueId one = make(Type::kI64, ir::IntegerLiteral{1}, op.at);
    loop.end = make(Type::kI64, ir::Binary{ir::BinaryOperator::kAdd, loop.end, one}, op.at);
  }
  expect(";");
  if (accept("++")) {
    expect(name.c_str());
    loop.step = make(Type::kI64, ir::IntegerLiteral{1}, at);
  } else {
    expect(name.c_str());
    if (!is("+=")) return backward_loop(statements, std::move(loop), at);
    next();
    loop.step = as_index(expression(), at);
  }
  expect(")");
  block(loop.body);
  scopes_.pop_back();
  require_steady(loop, at);
  add(statements, std::move(loop));
}

// No printer writes these, but hands do: a loop that counts otherwise than up is the while loop
// that C++ says it is.
void StatementReader::other_loop(Body& statements, ir::For loop, const Token& op, TextPlace at) {
  using ir::BinaryOperator;
  const BinaryOperator kind = op.text == ">"    ? BinaryOperator::kGreater
                              : op.text == ">=" ? BinaryOperator::kGreaterEqual
                              : op.text == "==" ? BinaryOperator::kEqual
                                                : BinaryOperator::kNotEqual;
  if (kind == BinaryOperator::kNotEqual && op.text != "!=") {
    return fail(op.at, "here a kernel of heddle has <");
  }
  const ir::ValueId counter = make(Type::kI64, ir::Read{loop.variable}, at);
  const ir::ValueId end = as_index(sum(), at);
  const ir::ValueId condition = make(Type::kBool, ir::Binary{kind, counter, end}, op.at);
  expect(";");
  if (!accept("++")) {
    expect(lifted_.kernel[loop.variable].name.c_str());
    return while_counting(statements, loop, condition, at);
  }
  expect(lifted_.kernel[loop.variable].name.c_str());
  const ir::ValueId one = make(Type::kI64, ir::IntegerLiteral{1}, at);
  while_stepping(statements, loop, condition, ir::BinaryOperator::kAdd, one, at);
}
void StatementReader::backward_loop(Body& statements, ir::For loop, TextPlace at) {
  const ir::ValueId counter = make(Type::kI64, ir::Read{loop.variable}, at);
  const ir::ValueId condition =
      make(Type::kBool, ir::Binary{ir::BinaryOperator::kLess, counter, loop.end}, at);
  while_counting(statements, loop, condition, at);
}
// From the operator of the step on.
void StatementReader::while_counting(Body& statements, const ir::For& loop, ir::ValueId condition,
                                     TextPlace at) {
  const Token op = next();
  const ir::ValueId value = as_index(expression(), at);
  if (op.text == "=") return while_stepping(statements, loop, condition, std::nullopt, value, at);
  const bool known = op.text == "+=" || op.text == "-=" || op.text == "*=";
  if (!known) return fail(op.at, "an assignment must stand here");
  const ir::BinaryOperator kind = op.text == "+="   ? ir::BinaryOperator::kAdd
                                  : op.text == "-=" ? ir::BinaryOperator::kSubtract
                                                    : ir::BinaryOperator::kMultiply;
  while_stepping(statements, loop, condition, kind, value, at);
}
void StatementReader::while_stepping(Body& statements, const ir::For& loop, ir::ValueId condition,
                                     std::optional<ir::BinaryOperator> op, ir::ValueId value,
                                     TextPlace at) {
  expect(")");
  lifted_.kernel.variables[static_cast<std::size_t>(loop.variable.index)].changes = true;
  add(statements, ir::Define{loop.variable, loop.begin});
  places_.push_back(at);  // of the loop
  ir::While result;
  result.condition = condition;
  block(result.body);
  scopes_.pop_back();
  places_.push_back(at);  // of the step
  if (op) {
    const ir::ValueId old = make(Type::kI64, ir::Read{loop.variable}, at);
    value = make(Type::kI64, ir::Binary{*op, old, value}, at);
  }
  add(result.body, ir::Assign{loop.variable, value});
  add(statements, std::move(result));
}

// C++ asks for the end and the step again and again: they must not change meanwhile.
void StatementReader::require_steady(const ir::For& loop, TextPlace at) {
  if (failed()) return;
  std::set<std::int32_t> read;
  bool loads = false;
  collect_reads(lifted_.kernel, loop.end, read, loads);
  collect_reads(lifted_.kernel, loop.step, read, loads);
  if (read.count(loop.variable.index) != 0) fail(at, "the end of this loop moves with it");
  if (loads || changes_one_of(loop.body, read)) fail(at, "the end of this loop may change");
}

void StatementReader::while_loop(Body& statements) {
  expect("while");
  expect("(");
  ir::While loop;
  const TextPlace at = peek().at;
  loop.condition = as(expression(), CType::kBool, at);
  expect(")");
  block(loop.body);
  add(statements, std::move(loop));
}

}  // namespace heddle::verify
