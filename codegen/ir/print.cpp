// SPDX-License-Identifier: Apache-2.0
#include "codegen/ir/print.hpp"

#include <algorithm>
#include <cstdio>

#include "patterns/result.hpp"

namespace heddle::ir {
namespace {

// How tightly C++ binds; brackets go where a weaker piece meets a stronger place.
enum Binding { kSelect, kOrLevel, kAndLevel, kEquality, kRelation, kSum, kProduct, kPrefix, kAtom };

struct Text {
  std::string text;
  int binding;
};

const char* spelling(Type type) {
  switch (type) {
    case Type::kBool:
      return "bool";
    case Type::kI64:
      return "Index";
    case Type::kF32:
      return "float";
  }
  unreachable("type");
}

const char* spelling(ElementType element) {
  switch (element) {
    case ElementType::kF32:
      return "float";
    case ElementType::kBF16:
      return "bf16";
    case ElementType::kI32:
      return "int";
    case ElementType::kF16:
      return "f16";
  }
  unreachable("an element type without a name");
}

const char* spelling(Helper helper, Type type, Target target) {
  switch (helper) {
    case Helper::kMinimum:
      return "minimum";
    case Helper::kMaximum:
      return type == Type::kF32 ? "fmaxf" : "maximum";
    case Helper::kAbsolute:
      return "absolute";
    case Helper::kFloorDivide:
      return "floor_div";
    case Helper::kCeilDivide:
      return "ceil_div";
    case Helper::kFloorModulo:
      return "floor_mod";
    case Helper::kPower:
      return "power";
    case Helper::kSquareRoot:
      return "integer_sqrt";
    case Helper::kLogarithm:
      return "integer_log2";
    case Helper::kPopcount:
      return "popcount";
    case Helper::kLowbit:
      return "lowbit";
    case Helper::kExponential:
      // Off by some 1e-7 of the largest weight, in five instructions instead of eight.
      return target == Target::kCuda ? "__expf" : "expf";
    case Helper::kRoundToBf16:
      return "rounded_to_bf16";
    case Helper::kRoundToF16:
      return "rounded_to_f16";
  }
  unreachable("helper");
}

struct OperatorText {
  const char* symbol;
  int binding;
};
OperatorText spelling(BinaryOperator op) {
  switch (op) {
    case BinaryOperator::kAdd:
      return {" + ", kSum};
    case BinaryOperator::kSubtract:
      return {" - ", kSum};
    case BinaryOperator::kMultiply:
      return {" * ", kProduct};
    case BinaryOperator::kDivide:
      return {" / ", kProduct};
    case BinaryOperator::kModulo:
      return {" % ", kProduct};
    case BinaryOperator::kLess:
      return {" < ", kRelation};
    case BinaryOperator::kLessEqual:
      return {" <= ", kRelation};
    case BinaryOperator::kGreater:
      return {" > ", kRelation};
    case BinaryOperator::kGreaterEqual:
      return {" >= ", kRelation};
    case BinaryOperator::kEqual:
      return {" == ", kEquality};
    case BinaryOperator::kNotEqual:
      return {" != ", kEquality};
    case BinaryOperator::kAnd:
      return {" && ", kAndLevel};
    case BinaryOperator::kOr:
      return {" || ", kOrLevel};
  }
  unreachable("binary operator");
}

std::string real_text(double value) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.9g", value);
  std::string text = buffer;
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + "f";
}

class Printer {
 public:
  explicit Printer(const Kernel& kernel) : kernel_(kernel) {}

  std::string signature() const {
    const bool cuda = kernel_.target == Target::kCuda;
    std::string text = "extern \"C\" ";
    if (cuda) {
      // Where the launch decides on shared memory one block may take all of a multiprocessor's:
      // there is no need to spare registers for another one, unless the schedule says so.
      const bool alone =
          kernel_.side_by_side > 1 || std::any_of(kernel_.arrays.begin(), kernel_.arrays.end(),
                                                  [](const Array& array) { return array.dynamic; });
      text += "__global__ void __launch_bounds__(" + std::to_string(kernel_.threads) +
              (alone ? ", " + std::to_string(kernel_.side_by_side) : "") + ")\n";
    }
    text += (cuda ? "" : "void ") + kernel_.symbol + "(";
    std::string separator = "\n    ";
    for (const Argument& argument : kernel_.arguments) {
      text += separator + argument_text(argument);
      separator = ",\n    ";
    }
    if (!cuda) text += separator + "std::int32_t first_block, std::int32_t last_block";
    return text + ")";
  }

  std::string kernel_text() {
    for (const std::string& line : kernel_.summary)
      text_ += line.empty() ? "//\n" : "// " + line + "\n";
    text_ += signature() + " {\n";
    depth_ = 1;
    for (const Variable& variable : kernel_.variables) {
      if (variable.argument && !variable.unread && variable.type == Type::kI64) {
        line("const Index " + variable.name + " = " + variable.name + "_arg;");
      }
    }
    body(kernel_.body);
    return text_ + "}\n";
  }

 private:
  bool takes_turns(const std::string& name) const {
    return std::any_of(kernel_.buffers.begin(), kernel_.buffers.end(), [&](const Buffer& buffer) {
      return buffer.name == name && buffer.takes_turns;
    });
  }

  std::string argument_text(const Argument& argument) const {
    switch (argument.kind) {
      case ArgumentKind::kBuffer:
        return std::string(argument.access == Access::kRead ? "const " : "") +
               spelling(argument.type) + (takes_turns(argument.name) ? "* " : "* __restrict__ ") +
               argument.name;
      case ArgumentKind::kSize:
        return std::string(kernel_.target == Target::kCuda ? "int " : "std::int32_t ") +
               argument.name + "_arg";
      case ArgumentKind::kScalar:
        return "float " + argument.name;
    }
    unreachable("argument kind");
  }

  void line(const std::string& text) {
    text_ += std::string(static_cast<std::size_t>(2 * depth_), ' ') + text + "\n";
  }
  // Directives start at the margin of the code, like everything else.
  void body(const Body& statements) {
    for (const Statement& statement : statements) print(statement);
  }
  void block(const std::string& head, const Body& statements) {
    line(head + " {");
    ++depth_;
    body(statements);
    --depth_;
  }

  std::string name(MemoryId memory) const {
    return match(
        memory, [&](BufferId id) { return kernel_[id].name; },
        [&](ArrayId id) { return kernel_[id].name; }, [&](ViewId id) { return kernel_[id].name; });
  }
  // The half-width type that a memory of reals is stored as, if it is.
  const char* narrow(MemoryId memory) const {
    return is(memory, ElementType::kBF16)  ? "bf16"
           : is(memory, ElementType::kF16) ? "f16"
                                           : nullptr;
  }
  bool is(MemoryId memory, ElementType element) const {
    const auto holds = [&](BufferId id) { return kernel_[id].element == element; };
    return match(
        memory, holds, [&](ArrayId id) { return kernel_[id].element == element; },
        [&](ViewId id) { return holds(kernel_[id].yes); });
  }
  std::string address(MemoryId memory, ValueId index) const {
    const IntegerLiteral* literal = std::get_if<IntegerLiteral>(&kernel_[index].node);
    if (literal != nullptr && literal->value == 0) return name(memory);
    const Text offset = text(index);
    return name(memory) + " + " + (offset.binding >= kSum ? offset.text : "(" + offset.text + ")");
  }
  std::string in(ValueId id, int binding) const {
    const Text part = text(id);
    return part.binding >= binding ? part.text : "(" + part.text + ")";
  }
  std::string plain(ValueId id) const { return text(id).text; }

  Text binary(const Binary& node) const {
    const OperatorText op = spelling(node.op);
    // The tree is kept as it is, also where + would associate: ranges were proved for this order.
    const bool logical = node.op == BinaryOperator::kAnd || node.op == BinaryOperator::kOr;
    int right = logical ? op.binding : op.binding + 1;
    int left = op.binding;
    // && inside ||, and comparisons of comparisons, get brackets for the reader and for -Wall.
    if (node.op == BinaryOperator::kOr) left = right = kEquality;
    if (op.binding == kEquality || op.binding == kRelation) left = right = kSum;
    std::string left_text = in(node.left, left);
    if (node.op == BinaryOperator::kOr && is_binary(node.left, BinaryOperator::kOr)) {
      left_text = plain(node.left);
    }
    return {left_text + op.symbol + in(node.right, right), op.binding};
  }
  bool is_binary(ValueId id, BinaryOperator op) const {
    const Binary* node = std::get_if<Binary>(&kernel_[id].node);
    return node != nullptr && node->op == op;
  }

  Text text(ValueId id) const {
    const Value& value = kernel_[id];
    return match(
        value.node,
        [&](const IntegerLiteral& node) {
          if (value.type == Type::kBool) return Text{node.value != 0 ? "true" : "false", kAtom};
          const bool small = node.value >= INT32_MIN && node.value <= INT32_MAX;
          return Text{std::to_string(node.value) + (small ? "" : "LL"),
                      node.value < 0 ? kPrefix : kAtom};
        },
        [&](const RealLiteral& node) {
          return Text{real_text(node.value), node.value < 0 ? kPrefix : kAtom};
        },
        [&](const LowestScore&) {
          return Text{"kLowestScore", kAtom};
        },
        [&](const Read& node) {
          return Text{kernel_[node.variable].name, kAtom};
        },
        [&](const Where& node) {
          switch (node.place) {
            case Place::kBlock:
              return Text{"blockIdx.x", kAtom};
            case Place::kThread:
              return Text{"threadIdx.x", kAtom};
            case Place::kWarp:
              return Text{"threadIdx.x / 32", kProduct};
            case Place::kLane:
              return Text{"threadIdx.x % 32", kProduct};
            case Place::kFirstBlock:
              return Text{"first_block", kAtom};
            case Place::kLastBlock:
              return Text{"last_block", kAtom};
          }
          unreachable("place");
        },
        [&](const Unary& node) {
          const char* symbol = node.op == UnaryOperator::kNot ? "!" : "-";
          return Text{symbol + in(node.operand, kAtom), kPrefix};
        },
        [&](const Binary& node) { return binary(node); },
        [&](const Select& node) {
          return Text{in(node.condition, kOrLevel) + " ? " + in(node.yes, kOrLevel) + " : " +
                          in(node.no, kOrLevel),
                      kSelect};
        },
        [&](const Load& node) {
          const std::string element = name(node.memory) + "[" + plain(node.index) + "]";
          return Text{narrow(node.memory) != nullptr ? "to_float(" + element + ")" : element,
                      kAtom};
        },
        [&](const Call& node) {
          std::string text = spelling(node.helper, value.type, kernel_.target);
          const char* separator = "(";
          for (const ValueId argument : node.arguments) {
            text += separator + plain(argument);
            separator = ", ";
          }
          return Text{text + ")", kAtom};
        },
        [&](const Reduce& node) {
          const std::string name = node.op == ReduceOperator::kSum ? "_sum" : "_max";
          const std::string over = (node.meeting() == 32 ? "warp" : "group") + name +
                                   (node.lanes == 32 ? "" : "<" + std::to_string(node.lanes) + ">");
          return Text{over + "(" + plain(node.operand) + ")", kAtom};
        },
        [&](const Pick& node) {
          return Text{"group_read<" + std::to_string(node.lanes) + ">(" + plain(node.operand) +
                          ", " + plain(node.from) + ")",
                      kAtom};
        });
  }

  void print(const Statement& statement) {
    match(
        statement.node, [&](const Comment& node) { line("// " + node.text); },
        [&](const Define& node) {
          const Variable& variable = kernel_[node.variable];
          line(std::string(variable.changes ? "" : "const ") + spelling(variable.type) + " " +
               variable.name + " = " + plain(node.value) + ";");
        },
        [&](const Assign& node) { line(assignment(node)); },
        [&](const Declare& node) {
          const Array& array = kernel_[node.array];
          if (array.from) {
            return line("float* const " + array.name + " = reinterpret_cast<float*>(" + dynamic_ +
                        " + " + in(*array.from, kSum) + ");");
          }
          if (array.dynamic) {
            dynamic_ = array.name;
            // Vectors of sixteen bytes are copied into it.
            return line(std::string("extern __shared__ __align__(16) ") + spelling(*array.element) +
                        " " + array.name + "[];");
          }
          const char* const where = array.vectors  ? "__shared__ __align__(16) "
                                    : array.shared ? "__shared__ "
                                                   : "";
          line(where + std::string(spelling(array.type)) + " " + array.name + "[" +
               std::to_string(array.length) + "];");
        },
        [&](const Choose& node) {
          const View& view = kernel_[node.view];
          line(std::string("const ") + spelling(kernel_[view.yes].element) + "* const " +
               view.name + " = " + in(view.condition, kOrLevel) + " ? " + kernel_[view.yes].name +
               " : " + kernel_[view.no].name + ";");
        },
        [&](const Store& node) {
          const std::string place = name(node.memory) + "[" + plain(node.index) + "] = ";
          line(place + as_element(node.memory, node.value) + ";");
        },
        [&](const For& node) {
          if (node.kind == LoopKind::kLanes) line("#pragma GCC ivdep");
          if (node.kind == LoopKind::kUnrolled) line("#pragma unroll");
          if (node.kind == LoopKind::kRolled) line("#pragma unroll 1");
          const std::string& counter = kernel_[node.variable].name;
          const std::string step = plain(node.step);
          block("for (Index " + counter + " = " + plain(node.begin) + "; " + counter + " < " +
                    in(node.end, kSum) + "; " +
                    (step == "1" ? "++" + counter : counter + " += " + step) + ")",
                node.body);
          line("}");
        },
        [&](const While& node) {
          block("while (" + plain(node.condition) + ")", node.body);
          line("}");
        },
        [&](const If& node) {
          block("if (" + plain(node.condition) + ")", node.body);
          if (!node.otherwise.empty()) block("} else", node.otherwise);
          line("}");
        },
        [&](const Barrier&) { line("__syncthreads();"); },
        [&](const Reserve& node) {
          const Array& array = kernel_[node.array];
          const std::string type = spelling(array.type);
          line(type + "* const " + array.name + " = reserve<" + type + ">(" +
               std::to_string(node.number) + ", " + plain(node.count) + ");");
        },
        [&](const Invoke& node) {
          std::string text;
          if (node.result) {
            const Variable& variable = kernel_[*node.result];
            text = std::string("const ") + spelling(variable.type) + " " + variable.name + " = ";
          }
          text += node.callee;
          const char* separator = "(";
          for (const auto& argument : node.arguments) {
            text += separator;
            match(
                argument, [&](ValueId id) { text += plain(id); },
                [&](const VectorAt& vector) { text += address(vector.memory, vector.at); });
            separator = ", ";
          }
          line(text + (node.arguments.empty() ? "();" : ");"));
        },
        [&](const Perform& node) { perform(node); });
  }

  void perform(const Perform& node) {
    const ProcedureFacts facts = facts_of(node.procedure);
    std::string text;
    if (node.result.index >= 0) {
      const Variable& variable = kernel_[node.result];
      text = std::string("const ") + spelling(variable.type) + " " + variable.name + " = ";
    }
    text += facts.name;
    if (facts.channels) {
      const int channels = facts.padded ? padded_channels(node.channels) : node.channels;
      text += "<" + std::to_string(channels) + ">";
    }
    text += "(";
    const char* separator = "";
    for (const Operand& operand : node.operands) {
      text += separator;
      separator = ", ";
      text += match(
          operand, [&](const Address& place) { return address(place.memory, place.index); },
          [&](ValueId id) { return plain(id); });
    }
    line(text + ");");
  }

  // The value as it is stored: narrowed where the memory is narrower than the register.
  std::string as_element(MemoryId memory, ValueId id) const {
    const Value& value = kernel_[id];
    if (const char* const type = narrow(memory)) {
      // Widening and rounding again gives the same bits: copy them.
      const Load* load = std::get_if<Load>(&value.node);
      if (load != nullptr && narrow(load->memory) == type) {
        return name(load->memory) + "[" + plain(load->index) + "]";
      }
      return "to_" + std::string(type) + "(" + plain(id) + ")";
    }
    const bool narrows =
        is(memory, ElementType::kI32) && !std::holds_alternative<IntegerLiteral>(value.node);
    return narrows ? "static_cast<int>(" + plain(id) + ")" : plain(id);
  }

  // x = x + 1 reads better as x += 1.
  std::string assignment(const Assign& node) const {
    const std::string& target = kernel_[node.variable].name;
    if (const Binary* sum = std::get_if<Binary>(&kernel_[node.value].node)) {
      const Read* left = std::get_if<Read>(&kernel_[sum->left].node);
      if (left != nullptr && left->variable.index == node.variable.index) {
        if (sum->op == BinaryOperator::kAdd) return target + " += " + plain(sum->right) + ";";
        if (sum->op == BinaryOperator::kMultiply) return target + " *= " + plain(sum->right) + ";";
        if (sum->op == BinaryOperator::kSubtract) return target + " -= " + plain(sum->right) + ";";
      }
    }
    return target + " = " + plain(node.value) + ";";
  }

  const Kernel& kernel_;
  std::string dynamic_;  // the name of the dynamic array
  std::string text_;
  int depth_ = 0;
};

}  // namespace

std::string print(const Kernel& kernel) { return Printer(kernel).kernel_text(); }
std::string print_declaration(const Kernel& kernel) { return Printer(kernel).signature() + ";\n"; }

}  // namespace heddle::ir
