// SPDX-License-Identifier: Apache-2.0
#include "codegen/passes/drop_unused_values.hpp"

#include <algorithm>
#include <set>
#include <string>

#include "patterns/result.hpp"

namespace heddle::passes {
namespace {

using namespace ir;

// Variables and views read by the statements of a kernel, and buffers that they touch.
class Reads {
 public:
  explicit Reads(const Kernel& kernel) : Reads(kernel, kernel.body) {}
  bool has(VariableId id) const { return read_.count(id.index) != 0; }
  bool has(ViewId id) const { return looked_through_.count(id.index) != 0; }
  bool has(BufferId id) const { return touched_.count(id.index) != 0; }

 private:
  template <typename Part>
  Reads(const Kernel& kernel, const Part& part) : kernel_(kernel) {
    visit(part);
  }
  void visit(const Body& body) {
    for (const Statement& statement : body) visit(statement);
  }
  void visit(const MemoryId& memory) {
    if (const ViewId* view = std::get_if<ViewId>(&memory)) looked_through_.insert(view->index);
    if (const BufferId* buffer = std::get_if<BufferId>(&memory)) touched_.insert(buffer->index);
  }
  void visit(const Statement& statement) {
    match(
        statement.node, [](const Comment&) {},
        [&](const Declare& node) {
          if (const auto from = kernel_[node.array].from) visit(*from);
        },
        [](const Barrier&) {}, [&](const Define& node) { visit(node.value); },
        [&](const Assign& node) {
          // What only makes its own next value is not read. Where lanes meet it stays, read or not.
          Reads value(kernel_, node.value);
          if (value.lanes_meet_) {
            value.read_.insert(node.variable.index);
          } else {
            value.read_.erase(node.variable.index);
          }
          read_.merge(value.read_);
          looked_through_.merge(value.looked_through_);
          touched_.merge(value.touched_);
        },
        [&](const Choose& node) {
          visit(kernel_[node.view].condition);
          touched_.insert(kernel_[node.view].yes.index);
          touched_.insert(kernel_[node.view].no.index);
        },
        [&](const Store& node) {
          visit(node.memory);
          visit(node.index);
          visit(node.value);
        },
        [&](const For& node) {
          for (const ValueId id : {node.begin, node.end, node.step}) visit(id);
          visit(node.body);
        },
        [&](const While& node) {
          visit(node.condition);
          visit(node.body);
        },
        [&](const If& node) {
          visit(node.condition);
          visit(node.body);
          visit(node.otherwise);
        },
        [&](const Reserve& node) { visit(node.count); },
        [&](const Invoke& node) {
          for (const auto& argument : node.arguments) {
            match(
                argument, [&](ValueId id) { visit(id); },
                [&](const VectorAt& vector) {
                  visit(vector.memory);
                  visit(vector.at);
                });
          }
        },
        [&](const Perform& node) {
          for (const Operand& operand : node.operands) {
            match(
                operand,
                [&](const Address& place) {
                  visit(place.memory);
                  visit(place.index);
                },
                [&](ValueId id) { visit(id); });
          }
        });
  }
  void visit(ValueId id) {
    match(
        kernel_[id].node, [](const IntegerLiteral&) {}, [](const RealLiteral&) {},
        [](const LowestScore&) {}, [](const Where&) {},
        [&](const Read& node) { read_.insert(node.variable.index); },
        [&](const Unary& node) { visit(node.operand); },
        [&](const Binary& node) {
          visit(node.left);
          visit(node.right);
        },
        [&](const Select& node) {
          for (const ValueId part : {node.condition, node.yes, node.no}) visit(part);
        },
        [&](const Load& node) {
          visit(node.memory);
          visit(node.index);
        },
        [&](const Call& node) {
          for (const ValueId part : node.arguments) visit(part);
        },
        [&](const Reduce& node) {
          lanes_meet_ = true;
          visit(node.operand);
        },
        [&](const Pick& node) {
          lanes_meet_ = true;
          visit(node.operand);
          visit(node.from);
        });
  }

  const Kernel& kernel_;
  std::set<std::int32_t> read_, looked_through_, touched_;
  bool lanes_meet_ = false;
};

// A warp reduction is a meeting of lanes and stays even if its result is not wanted.
bool is_reduction(const Kernel& kernel, ValueId id) {
  return std::holds_alternative<Reduce>(kernel[id].node) ||
         std::holds_alternative<Pick>(kernel[id].node);
}

bool drop(const Kernel& kernel, const Reads& reads, Body& body) {
  const auto unused = [&](const Statement& statement) {
    const Choose* view = std::get_if<Choose>(&statement.node);
    if (view != nullptr) return !reads.has(view->view);
    const Assign* change = std::get_if<Assign>(&statement.node);
    if (change != nullptr) return !reads.has(change->variable);
    const Define* node = std::get_if<Define>(&statement.node);
    return node != nullptr && !reads.has(node->variable) && !is_reduction(kernel, node->value);
  };
  const auto first = std::remove_if(body.begin(), body.end(), unused);
  bool dropped = first != body.end();
  body.erase(first, body.end());
  for (Statement& statement : body) {
    if (For* loop = std::get_if<For>(&statement.node)) {
      dropped = drop(kernel, reads, loop->body) || dropped;
    } else if (While* repeat = std::get_if<While>(&statement.node)) {
      dropped = drop(kernel, reads, repeat->body) || dropped;
    } else if (If* branch = std::get_if<If>(&statement.node)) {
      dropped = drop(kernel, reads, branch->body) || dropped;
      dropped = drop(kernel, reads, branch->otherwise) || dropped;
    }
  }
  return dropped;
}

}  // namespace

void drop_unused_values(Kernel& kernel) {
  // What a dropped constant read may be unused now.
  while (drop(kernel, Reads(kernel), kernel.body)) {
  }
  const Reads reads(kernel);
  for (std::size_t i = 0; i < kernel.variables.size(); ++i) {
    Variable& variable = kernel.variables[i];
    variable.unread = variable.argument && !reads.has(VariableId{static_cast<std::int32_t>(i)});
  }
}

void drop_unused_arguments(Kernel& kernel) {
  const Reads reads(kernel);
  std::set<std::string> used;
  for (std::size_t i = 0; i < kernel.variables.size(); ++i) {
    if (reads.has(VariableId{static_cast<std::int32_t>(i)})) used.insert(kernel.variables[i].name);
  }
  for (std::size_t i = 0; i < kernel.buffers.size(); ++i) {
    if (reads.has(BufferId{static_cast<std::int32_t>(i)})) used.insert(kernel.buffers[i].name);
  }
  std::erase_if(kernel.arguments,
                [&](const Argument& argument) { return used.count(argument.name) == 0; });
}

}  // namespace heddle::passes
