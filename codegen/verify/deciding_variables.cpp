// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/deciding_variables.hpp"

#include <vector>

#include "patterns/result.hpp"

namespace heddle::verify {
namespace {

class Search {
 public:
  explicit Search(const ir::Kernel& kernel) : kernel_(kernel) {}

  std::optional<std::set<std::int32_t>> run(const ir::While& loop) {
    read(loop.condition);
    while (grown_ && !outside_) {
      grown_ = false;
      visit(loop.body);
    }
    if (outside_) return std::nullopt;
    return deciding_;
  }

 private:
  void add(ir::VariableId id) { grown_ = deciding_.insert(id.index).second || grown_; }
  bool decides(ir::VariableId id) const { return deciding_.count(id.index) != 0; }

  void read(ir::ValueId id) {
    match(
        kernel_[id].node, [&](const ir::Read& node) { add(node.variable); },
        [&](const ir::Unary& node) { read(node.operand); },
        [&](const ir::Binary& node) {
          read(node.left);
          read(node.right);
        },
        [&](const ir::Select& node) {
          read(node.condition);
          read(node.yes);
          read(node.no);
        },
        [&](const ir::Load&) { outside_ = true; }, [&](const ir::Reduce&) { outside_ = true; },
        [&](const ir::Pick&) { outside_ = true; },
        [&](const ir::Call& node) {
          for (const ir::ValueId argument : node.arguments) read(argument);
        },
        [](const auto&) {});
  }
  // An assignment that decides: by its value, and by whether it is come to.
  void assigned(ir::VariableId id, ir::ValueId value) {
    if (!decides(id)) return;
    read(value);
    for (const ir::ValueId condition : around_) read(condition);
  }
  void visit(const ir::Body& statements) {
    for (const ir::Statement& statement : statements) {
      match(
          statement.node, [&](const ir::Define& node) { assigned(node.variable, node.value); },
          [&](const ir::Assign& node) { assigned(node.variable, node.value); },
          [&](const ir::For& node) {
            if (decides(node.variable)) {
              for (const ir::ValueId part : {node.begin, node.end, node.step}) read(part);
            }
            const std::size_t depth = around_.size();
            for (const ir::ValueId part : {node.begin, node.end, node.step}) {
              around_.push_back(part);
            }
            visit(node.body);
            around_.resize(depth);
          },
          [&](const ir::While& node) { inside(node.condition, {&node.body}); },
          [&](const ir::If& node) {
            inside(node.condition, {&node.body, &node.otherwise});
          },
          [](const auto&) {});
    }
  }
  void inside(ir::ValueId condition, const std::vector<const ir::Body*>& bodies) {
    around_.push_back(condition);
    for (const ir::Body* body : bodies) visit(*body);
    around_.pop_back();
  }

  const ir::Kernel& kernel_;
  std::set<std::int32_t> deciding_;
  std::vector<ir::ValueId> around_;
  bool grown_ = true;
  bool outside_ = false;
};

}  // namespace

std::optional<std::set<std::int32_t>> deciding_variables(const ir::Kernel& kernel,
                                                         const ir::While& loop) {
  return Search(kernel).run(loop);
}

}  // namespace heddle::verify
