// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/lift.hpp"

#include <algorithm>
#include <set>

#include "codegen/verify/lift_expression.hpp"
#include "patterns/integer.hpp"

namespace heddle::verify {
namespace {

using ir::Body;
using ir::LoopKind;
using ir::Statement;
using ir::Type;

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
      [&](const ir::Reduce& node) { into(node.operand); }, [](const auto&) {});
}

class Lifter : public ExpressionReader {
 public:
  Lifter(std::vector<Token> tokens, const KernelEntry& entry)
      : ExpressionReader(std::move(tokens), entry.file), entry_(entry) {}

  Result<Lifted> run() {
    preamble();
    signature();
    prologue();
    body(lifted_.kernel.body);
    if (peek().kind != TokenKind::kEnd) fail(peek().at, "nothing may follow the kernel");
    if (failed()) return *error_;
    place(lifted_.kernel.body);
    return std::move(lifted_);
  }

 private:
  // ---- around the kernel --------------------------------------------------------------------

  void preamble() {
    bool included = false;
    bool opened = false;
    while (!failed() && !is("extern")) {
      const Token token = next();
      if (token.kind == TokenKind::kComment) continue;
      if (token.kind == TokenKind::kDirective && !included &&
          token.text == "#include \"device_prelude.cuh\"") {
        included = true;
      } else if (token.text == "using" && !opened) {
        expect("namespace");
        expect("heddle");
        expect(";");
        opened = true;
      } else {
        return fail(token.at, "this does not belong before a kernel");
      }
    }
    if (!included) fail(peek().at, "device_prelude.cuh is not included");
    if (!opened) fail(peek().at, "'using namespace heddle' is missing");
  }

  void signature() {
    ir::Kernel& kernel = lifted_.kernel;
    kernel.target = ir::Target::kCuda;
    expect("extern");
    expect("\"C\"");
    expect("__global__");
    expect("void");
    expect("__launch_bounds__");
    expect("(");
    const Token threads = next();
    kernel.threads = entry_.threads;
    if (threads.text != std::to_string(entry_.threads)) {
      fail(threads.at, "the manifest launches " + std::to_string(entry_.threads) + " threads");
    }
    expect(")");
    const TextPlace at = peek().at;
    kernel.symbol = expect_name();
    if (kernel.symbol != entry_.symbol) fail(at, "the manifest calls this " + entry_.symbol);
    kernel.arguments = entry_.arguments;
    scopes_.emplace_back();
    expect("(");
    bool first = true;
    for (const Argument& argument : entry_.arguments) {
      if (!first) expect(",");
      first = false;
      parameter(argument);
    }
    expect(")");
    expect("{");
    scopes_.emplace_back();
  }

  void parameter(const Argument& argument) {
    ir::Kernel& kernel = lifted_.kernel;
    const TextPlace at = peek().at;
    if (argument.kind == ArgumentKind::kBuffer) {
      if (argument.access == heddle::Access::kRead) expect("const");
      expect(argument.type == ElementType::kF32    ? "float"
             : argument.type == ElementType::kBF16 ? "bf16"
                                                   : "int");
      expect("*");
      expect("__restrict__");
      expect(argument.name.c_str());
      kernel.buffers.push_back({argument.name, argument.type, argument.access});
      const ir::BufferId id{static_cast<std::int32_t>(kernel.buffers.size() - 1)};
      return declare(argument.name, ir::MemoryId(id), at);
    }
    const bool size = argument.kind == ArgumentKind::kSize;
    expect(size ? "int" : "float");
    expect((argument.name + (size ? "_arg" : "")).c_str());
    const ir::VariableId id = variable(argument.name, size ? Type::kI64 : Type::kF32, false);
    kernel.variables.back().argument = true;
    if (size) {
      narrow_arguments_.emplace_back(argument.name + "_arg", id);
    } else {
      declare(argument.name, id, at);
    }
  }

  // const Index heads = heads_arg; gives the argument the name that the kernel uses.
  void prologue() {
    for (const auto& [narrow, id] : narrow_arguments_) {
      const std::string wide = lifted_.kernel[id].name;
      if (!(is("const") && is("Index", 1) && is(wide.c_str(), 2) && is("=", 3) &&
            is(narrow.c_str(), 4) && is(";", 5))) {
        continue;
      }
      const TextPlace at = peek().at;
      at_ += 6;
      declare(wide, id, at);
    }
  }

  // ---- names --------------------------------------------------------------------------------

  ir::VariableId variable(const std::string& name, Type type, bool changes) {
    lifted_.kernel.variables.push_back({name, type, changes, false});
    return {static_cast<std::int32_t>(lifted_.kernel.variables.size() - 1)};
  }
  void declare(const std::string& name, Symbol symbol, TextPlace at) {
    for (const auto& [known, unused] : scopes_.back()) {
      if (known == name) return fail(at, "'" + name + "' is declared twice");
    }
    scopes_.back().emplace_back(name, symbol);
  }

  // In C++ a name that is being declared already hides an outer one: `const Index x = x;`.
  void not_itself(const std::string& name, std::size_t from) {
    for (std::size_t index = from; index < at_ && index < tokens_.size(); ++index) {
      const Token& token = tokens_[index];
      if (token.kind != TokenKind::kName || token.text != name) continue;
      return fail(token.at, "'" + name + "' is declared by what it is");
    }
  }

  // ---- statements ---------------------------------------------------------------------------

  // Up to and with the closing bracket.
  void body(Body& statements) {
    while (!failed() && !is("}")) {
      if (peek().kind == TokenKind::kEnd) return fail(peek().at, "the kernel ends too early");
      statement(statements);
    }
    expect("}");
    scopes_.pop_back();
  }
  void block(Body& statements) {
    expect("{");
    scopes_.emplace_back();
    body(statements);
  }

  void add(Body& statements, decltype(Statement::node) node) {
    statements.push_back({std::move(node)});
  }

  void statement(Body& statements) {
    const Token token = peek();
    places_.push_back(token.at);
    if (token.kind == TokenKind::kComment) {
      next();
      return add(statements, ir::Comment{token.text});
    }
    if (token.kind == TokenKind::kDirective) {
      next();
      if (token.text != "#pragma unroll" || !is("for")) {
        return fail(token.at, "this directive has no place in a kernel");
      }
      return for_loop(statements, LoopKind::kUnrolled);
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
    if (is("const") || is("Index") || is("float") || is("bool")) return declaration(statements);
    if (token.kind == TokenKind::kName) return change(statements);
    fail(token.at, "no kernel of heddle has such a statement");
  }

  std::optional<Type> type_name() {
    if (accept("Index")) return Type::kI64;
    if (accept("float")) return Type::kF32;
    if (accept("bool")) return Type::kBool;
    return std::nullopt;
  }
  static CType c_type(Type type) {
    return type == Type::kI64 ? CType::kIndex : type == Type::kF32 ? CType::kFloat : CType::kBool;
  }

  void declaration(Body& statements) {
    const TextPlace at = peek().at;
    const bool constant = accept("const");
    if (constant && (is("*", 1) || is("bf16"))) return view(statements);
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

  void array(Body& statements, bool shared) {
    const TextPlace at = peek().at;
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
    const ir::ArrayId id{static_cast<std::int32_t>(lifted_.kernel.arrays.size() - 1)};
    declare(name, ir::MemoryId(id), at);
    add(statements, ir::Declare{id});
  }

  // const float* const keys = cached ? cache_b_key : k;
  void view(Body& statements) {
    const TextPlace at = peek().at;
    const bool real = is("float");
    if (!real && !is("bf16")) return fail(at, "a pointer goes to float or bf16");
    next();
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
    const CType wanted = real ? CType::kFloat : CType::kBf16;
    if (element_of(*yes) != wanted || element_of(*no) != wanted) {
      return fail(at, "the two buffers differ in type");
    }
    lifted_.kernel.views.push_back({name, condition, *yes, *no});
    const ir::ViewId id{static_cast<std::int32_t>(lifted_.kernel.views.size() - 1)};
    declare(name, ir::MemoryId(id), at);
    add(statements, ir::Choose{id});
  }
  std::optional<ir::BufferId> buffer_name() {
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
  void change(Body& statements) {
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

  void store(Body& statements, ir::MemoryId memory, TextPlace at) {
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

  // ---- control ------------------------------------------------------------------------------

  void for_loop(Body& statements, LoopKind kind) {
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
  void other_loop(Body& statements, ir::For loop, const Token& op, TextPlace at) {
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
  void backward_loop(Body& statements, ir::For loop, TextPlace at) {
    const ir::ValueId counter = make(Type::kI64, ir::Read{loop.variable}, at);
    const ir::ValueId condition =
        make(Type::kBool, ir::Binary{ir::BinaryOperator::kLess, counter, loop.end}, at);
    while_counting(statements, loop, condition, at);
  }
  // From the operator of the step on.
  void while_counting(Body& statements, const ir::For& loop, ir::ValueId condition, TextPlace at) {
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
  void while_stepping(Body& statements, const ir::For& loop, ir::ValueId condition,
                      std::optional<ir::BinaryOperator> op, ir::ValueId value, TextPlace at) {
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
  void require_steady(const ir::For& loop, TextPlace at) {
    if (failed()) return;
    std::set<std::int32_t> read;
    bool loads = false;
    collect_reads(lifted_.kernel, loop.end, read, loads);
    collect_reads(lifted_.kernel, loop.step, read, loads);
    if (read.count(loop.variable.index) != 0) fail(at, "the end of this loop moves with it");
    if (loads || changes_one_of(loop.body, read)) fail(at, "the end of this loop may change");
  }
  static bool changes_one_of(const Body& statements, const std::set<std::int32_t>& variables) {
    return std::any_of(statements.begin(), statements.end(), [&](const Statement& each) {
      return match(
          each.node,
          [&](const ir::Assign& node) { return variables.count(node.variable.index) != 0; },
          [&](const ir::For& node) { return changes_one_of(node.body, variables); },
          [&](const ir::While& node) { return changes_one_of(node.body, variables); },
          [&](const ir::If& node) {
            return changes_one_of(node.body, variables) ||
                   changes_one_of(node.otherwise, variables);
          },
          [](const auto&) { return false; });
    });
  }

  void while_loop(Body& statements) {
    expect("while");
    expect("(");
    ir::While loop;
    const TextPlace at = peek().at;
    loop.condition = as(expression(), CType::kBool, at);
    expect(")");
    block(loop.body);
    add(statements, std::move(loop));
  }

  void branch(Body& statements) {
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

  // The places were noted in the order in which statements begin.
  void place(const Body& statements) {
    for (const Statement& each : statements) {
      lifted_.statement_at[&each] = places_[placed_++];
      match(
          each.node, [&](const ir::For& node) { place(node.body); },
          [&](const ir::While& node) { place(node.body); },
          [&](const ir::If& node) {
            place(node.body);
            place(node.otherwise);
          },
          [](const auto&) {});
    }
  }

  const KernelEntry& entry_;
  std::vector<TextPlace> places_;
  std::size_t placed_ = 0;
};

}  // namespace

Result<Lifted> lift(const std::string& text, const KernelEntry& entry) {
  Result<std::vector<Token>> tokens = tokens_of(text, entry.file);
  if (!tokens) return tokens.error();
  return Lifter(std::move(*tokens), entry).run();
}

}  // namespace heddle::verify
