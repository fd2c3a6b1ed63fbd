// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/loop_text.hpp"

#include <algorithm>
#include <string>

namespace heddle::verify {

using ir::Type;

void collect(const ir::Kernel& kernel, ir::ValueId id, Reads& reads) {
  const auto into = [&](ir::ValueId part) { collect(kernel, part, reads); };
  match(
      kernel[id].node, [&](const ir::Read& node) { reads.variables.insert(node.variable.index); },
      [&](const ir::Unary& node) { into(node.operand); },
      [&](const ir::Binary& node) {
        into(node.left);
        into(node.right);
        const auto* literal = std::get_if<ir::IntegerLiteral>(&kernel[node.right].node);
        if (node.op == ir::BinaryOperator::kModulo && literal != nullptr) {
          reads.moduli.insert(literal->value);
        }
        if (node.op == ir::BinaryOperator::kEqual && literal != nullptr) {
          reads.ends.insert(literal->value);
        }
      },
      [&](const ir::Select& node) {
        into(node.condition);
        into(node.yes);
        into(node.no);
      },
      [&](const ir::Load& node) {
        reads.memory = true;
        into(node.index);
      },
      [&](const ir::Call& node) {
        for (const ir::ValueId argument : node.arguments) into(argument);
      },
      [&](const ir::Reduce& node) {
        reads.memory = true;
        into(node.operand);
      },
      [&](const ir::Pick& node) {
        reads.memory = true;
        into(node.operand);
        into(node.from);
      },
      [](const auto&) {});
}

void collect(const ir::Kernel& kernel, const ir::Body& statements, LoopReads& text) {
  const auto whole = [&](ir::VariableId id) { return kernel[id].type == Type::kI64; };
  for (const ir::Statement& statement : statements) {
    match(
        statement.node,
        [&](const ir::Define& node) {
          if (!whole(node.variable)) return;
          collect(kernel, node.value, text.reads);
          if (!kernel[node.variable].changes) text.constants[node.variable.index] = node.value;
        },
        [&](const ir::Assign& node) {
          if (!whole(node.variable)) return;
          collect(kernel, node.value, text.reads);
          text.assigned.emplace_back(node.variable, node.value);
        },
        [&](const ir::For& node) {
          collect(kernel, node.end, text.reads);
          collect(kernel, node.body, text);
        },
        [&](const ir::While& node) {
          collect(kernel, node.condition, text.reads);
          collect(kernel, node.body, text);
        },
        [&](const ir::If& node) {
          collect(kernel, node.condition, text.reads);
          collect(kernel, node.body, text);
          collect(kernel, node.otherwise, text);
        },
        [](const auto&) {});
  }
}

namespace {

bool steps_by(const LoopReads& text, const ir::Kernel& kernel, ir::VariableId id,
              ir::BinaryOperator op) {
  bool assigned = false;
  for (const auto& [variable, value] : text.assigned) {
    if (variable.index != id.index) continue;
    assigned = true;
    const auto* step = std::get_if<ir::Binary>(&kernel[value].node);
    if (step == nullptr || step->op != op) return false;
    const auto* before = std::get_if<ir::Read>(&kernel[step->left].node);
    const auto* literal = std::get_if<ir::IntegerLiteral>(&kernel[step->right].node);
    if (before == nullptr || before->variable.index != id.index || literal == nullptr ||
        literal->value < 1) {
      return false;
    }
  }
  return assigned;
}

}  // namespace

bool LoopReads::counts_up(const ir::Kernel& kernel, ir::VariableId id) const {
  return steps_by(*this, kernel, id, ir::BinaryOperator::kAdd);
}
bool LoopReads::counts_down(const ir::Kernel& kernel, ir::VariableId id) const {
  return steps_by(*this, kernel, id, ir::BinaryOperator::kSubtract);
}

std::optional<std::int64_t> LoopReads::flips(const ir::Kernel& kernel, ir::VariableId id) const {
  for (const auto& [variable, value] : assigned) {
    const auto* flip = std::get_if<ir::Binary>(&kernel[value].node);
    if (variable.index != id.index || flip == nullptr) continue;
    const auto* literal = std::get_if<ir::IntegerLiteral>(&kernel[flip->left].node);
    const auto* before = std::get_if<ir::Read>(&kernel[flip->right].node);
    if (flip->op == ir::BinaryOperator::kSubtract && literal != nullptr && before != nullptr &&
        before->variable.index == id.index) {
      return literal->value;
    }
  }
  return std::nullopt;
}

namespace {

bool holds_coefficients(const ir::Kernel& kernel, ir::MemoryId memory) {
  const ir::BufferId* buffer = std::get_if<ir::BufferId>(&memory);
  if (buffer == nullptr) return false;
  const std::string& name = kernel[*buffer].name;
  return name == "coef_a" || name == "coef_b" || name == "dcoef_a" || name == "dcoef_b";
}

void collect_stores(const ir::Kernel& kernel, const ir::Body& statements, bool lists,
                    Reads& reads) {
  for (const ir::Statement& statement : statements) {
    match(
        statement.node,
        [&](const ir::Store& node) {
          const ir::ArrayId* array = std::get_if<ir::ArrayId>(&node.memory);
          const bool list = array != nullptr && kernel[*array].type == ir::Type::kI64;
          if ((list && lists) || holds_coefficients(kernel, node.memory)) {
            collect(kernel, node.index, reads);
          }
        },
        [&](const ir::For& node) { collect_stores(kernel, node.body, lists, reads); },
        [&](const ir::While& node) { collect_stores(kernel, node.body, lists, reads); },
        [&](const ir::If& node) {
          collect_stores(kernel, node.body, lists, reads);
          collect_stores(kernel, node.otherwise, lists, reads);
        },
        [](const auto&) {});
  }
}

}  // namespace

std::set<std::int32_t> entry_counters(const ir::Kernel& kernel, bool lists) {
  Reads reads;
  for (const ir::Value& value : kernel.values) {
    const ir::Load* load = std::get_if<ir::Load>(&value.node);
    if (load != nullptr && holds_coefficients(kernel, load->memory)) {
      collect(kernel, load->index, reads);
    }
  }
  collect_stores(kernel, kernel.body, lists, reads);
  std::erase_if(reads.variables, [&](std::int32_t index) {
    return !kernel.variables[static_cast<std::size_t>(index)].changes;
  });
  return reads.variables;
}

Squares squares(const ir::Kernel& kernel) {
  Squares result;
  for (const ir::Value& value : kernel.values) {
    const auto* binary = std::get_if<ir::Binary>(&value.node);
    if (binary == nullptr) continue;
    const auto* literal = std::get_if<ir::IntegerLiteral>(&kernel[binary->right].node);
    if (binary->op == ir::BinaryOperator::kGreaterEqual && literal != nullptr &&
        literal->value > 1) {
      result.least.insert(literal->value);
    }
    if (binary->op != ir::BinaryOperator::kMultiply) continue;
    const auto* left = std::get_if<ir::Read>(&kernel[binary->left].node);
    const auto* right = std::get_if<ir::Read>(&kernel[binary->right].node);
    if (left != nullptr && right != nullptr && left->variable.index == right->variable.index) {
      result.variables.insert(left->variable.index);
    }
  }
  return result;
}

namespace {

void collect_ends(const ir::Kernel& kernel, const ir::Body& statements,
                  std::set<std::int32_t>& ends) {
  for (const ir::Statement& statement : statements) {
    match(
        statement.node,
        [&](const ir::For& node) {
          const auto* end = std::get_if<ir::Read>(&kernel[node.end].node);
          if (end != nullptr) ends.insert(end->variable.index);
          collect_ends(kernel, node.body, ends);
        },
        [&](const ir::While& node) { collect_ends(kernel, node.body, ends); },
        [&](const ir::If& node) {
          collect_ends(kernel, node.body, ends);
          collect_ends(kernel, node.otherwise, ends);
        },
        [](const auto&) {});
  }
}

}  // namespace

std::vector<ir::VariableId> numbers_run_up_to(const ir::Kernel& kernel) {
  std::set<std::int32_t> ends;
  collect_ends(kernel, kernel.body, ends);
  std::vector<ir::VariableId> result;
  for (const ir::Statement& statement : kernel.body) {
    const auto* constant = std::get_if<ir::Define>(&statement.node);
    if (constant == nullptr || ends.count(constant->variable.index) == 0) continue;
    const ir::Variable& variable = kernel[constant->variable];
    if (!variable.changes && variable.type == ir::Type::kI64) result.push_back(constant->variable);
  }
  return result;
}

}  // namespace heddle::verify
