// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/lift.hpp"

#include "codegen/verify/lift_statement.hpp"

namespace heddle::verify {
namespace {

using ir::Body;
using ir::Statement;
using ir::Type;

class Lifter : public StatementReader {
 public:
  Lifter(std::vector<Token> tokens, const KernelEntry& entry)
      : StatementReader(std::move(tokens), entry) {}

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

  static std::optional<Prelude> included_by(const std::string& directive) {
    for (const Prelude each :
         {Prelude::kDevice, Prelude::kStaging, Prelude::kTensor, Prelude::kSoftmax}) {
      if (directive == std::string("#include \"") + file_of(each) + "\"") return each;
    }
    return std::nullopt;
  }

  void preamble() {
    bool included = false;
    bool opened = false;
    while (!failed() && !is("extern")) {
      const Token token = next();
      if (token.kind == TokenKind::kComment) continue;
      const std::optional<Prelude> prelude = included_by(token.text);
      if (token.kind == TokenKind::kDirective && !included && prelude) {
        included = true;
        lifted_.prelude = *prelude;
      } else if (token.text == "using" && !opened) {
        expect("namespace");
        expect("heddle");
        expect(";");
        opened = true;
      } else {
        return fail(token.at, "this does not belong before a kernel");
      }
    }
    if (!included) fail(peek().at, "no prelude is included");
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
    // How many blocks are to share a processor is a matter of registers.
    if (accept(",")) expect_integer();
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
             : argument.type == ElementType::kF16  ? "f16"
                                                   : "int");
      expect("*");
      const bool apart = is("__restrict__");
      if (apart || argument.access != heddle::Access::kRead) expect("__restrict__");
      expect(argument.name.c_str());
      kernel.buffers.push_back({argument.name, argument.type, argument.access, !apart});
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

  // The places were noted in the order in which statements begin.
  void place(const Body& statements) {
    for (const Statement& each : statements) {
      note_helper(each);
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

  void note_helper(const Statement& statement) {
    while (called_ < calls_.size() && calls_[called_].to <= placed_) ++called_;
    if (called_ == calls_.size() || placed_ < calls_[called_].from) return;
    lifted_.helper_of[&statement] = {calls_[called_].name, static_cast<int>(called_)};
  }

  std::size_t placed_ = 0, called_ = 0;
};

}  // namespace

const char* file_of(Prelude prelude) {
  switch (prelude) {
    case Prelude::kDevice:
      return "device_prelude.cuh";
    case Prelude::kStaging:
      return "staging_prelude.cuh";
    case Prelude::kTensor:
      return "tensor_prelude.cuh";
    case Prelude::kSoftmax:
      return "softmax_prelude.cuh";
  }
  unreachable("a prelude");
}

Result<Lifted> lift(const std::string& text, const KernelEntry& entry) {
  Result<std::vector<Token>> tokens = tokens_of(text, entry.file);
  if (!tokens) return tokens.error();
  return Lifter(std::move(*tokens), entry).run();
}

}  // namespace heddle::verify
