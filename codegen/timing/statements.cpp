// SPDX-License-Identifier: Apache-2.0
#include "codegen/timing/statements.hpp"

#include <algorithm>

#include "codegen/timing/machine.hpp"

namespace heddle::timing {
namespace {

// More than any limit here.
constexpr int kMany = 1000;

bool in_registers(const ir::Kernel& kernel, ir::MemoryId memory) {
  const auto* const array = std::get_if<ir::ArrayId>(&memory);
  return array != nullptr && !kernel[*array].shared;
}

int instructions(const ir::Kernel& kernel, ir::ValueId id) {
  const auto of = [&](ir::ValueId part) { return instructions(kernel, part); };
  const bool wide = kernel[id].type == ir::Type::kI64;
  return match(
      kernel[id].node, [&](const ir::Unary& node) { return 1 + of(node.operand); },
      [&](const ir::Binary& node) { return (wide ? 2 : 1) + of(node.left) + of(node.right); },
      [&](const ir::Select& node) { return 1 + of(node.condition) + of(node.yes) + of(node.no); },
      [&](const ir::Load& node) {
        return in_registers(kernel, node.memory) ? 0 : 1 + of(node.index);
      },
      [&](const ir::Call& node) {
        int sum = node.helper == ir::Helper::kExponential ? kExponential.slots : 3;
        for (const ir::ValueId argument : node.arguments) sum += of(argument);
        return sum;
      },
      [](const ir::Reduce&) { return kMany; }, [](const ir::Pick&) { return 1; },
      [](const auto&) { return 0; });
}

int instructions(const ir::Kernel& kernel, const ir::Body& body);

// Of an unrolled loop with a known number of iterations, or many.
int instructions(const ir::Kernel& kernel, const ir::For& node) {
  const auto* const begin = std::get_if<ir::IntegerLiteral>(&kernel[node.begin].node);
  const auto* const end = std::get_if<ir::IntegerLiteral>(&kernel[node.end].node);
  const auto* const step = std::get_if<ir::IntegerLiteral>(&kernel[node.step].node);
  const int inside = instructions(kernel, node.body);
  if (node.kind == ir::LoopKind::kLanes) return inside;
  if (node.kind != ir::LoopKind::kUnrolled || !begin || !end || !step) return kMany;
  const std::int64_t count = (end->value - begin->value + step->value - 1) / step->value;
  return count * inside < kMany ? static_cast<int>(count) * inside : kMany;
}

int instructions(const ir::Kernel& kernel, const ir::Body& body) {
  int sum = 0;
  for (const ir::Statement& statement : body) {
    sum += match(
        statement.node, [](const ir::Comment&) { return 0; }, [](const ir::Declare&) { return 0; },
        [&](const ir::Define& node) { return instructions(kernel, node.value); },
        [&](const ir::Assign& node) { return 1 + instructions(kernel, node.value); },
        [&](const ir::Store& node) {
          const bool moves = !in_registers(kernel, node.memory);
          return 1 + (moves ? instructions(kernel, node.index) : 0) +
                 instructions(kernel, node.value);
        },
        [](const ir::Choose&) { return 2; },
        [&](const ir::For& node) { return instructions(kernel, node); },
        [&](const ir::If& node) {
          return 1 + instructions(kernel, node.condition) + instructions(kernel, node.body) +
                 instructions(kernel, node.otherwise);
        },
        [](const auto&) { return kMany; });
  }
  return sum;
}

void collect(const ir::Body& body, Changed& changed) {
  for (const ir::Statement& statement : body) {
    match(
        statement.node,
        [&](const ir::Assign& node) { changed.variables.insert(node.variable.index); },
        [&](const ir::Store& node) {
          if (const auto* const array = std::get_if<ir::ArrayId>(&node.memory)) {
            changed.arrays.insert(array->index);
          }
        },
        [&](const ir::For& node) { collect(node.body, changed); },
        [&](const ir::While& node) { collect(node.body, changed); },
        [&](const ir::If& node) {
          collect(node.body, changed);
          collect(node.otherwise, changed);
        },
        [](const auto&) {});
  }
}

}  // namespace

Changed changed_by(const ir::Body& body) {
  Changed changed;
  collect(body, changed);
  return changed;
}

bool holds_barrier(const ir::Statement& statement) {
  const auto within = [](const ir::Body& body) {
    return std::any_of(body.begin(), body.end(), holds_barrier);
  };
  return match(
      statement.node, [](const ir::Barrier&) { return true; },
      [&](const ir::For& node) { return within(node.body); },
      [&](const ir::While& node) { return within(node.body); },
      [&](const ir::If& node) { return within(node.body) || within(node.otherwise); },
      [](const auto&) { return false; });
}

bool is_predicated(const ir::Kernel& kernel, const ir::If& node) {
  return instructions(kernel, node.body) + instructions(kernel, node.otherwise) <= kPredicated;
}

bool is_straight(const ir::Kernel& kernel, const ir::Body& body) {
  return std::all_of(body.begin(), body.end(), [&](const ir::Statement& statement) {
    return match(
        statement.node,
        [&](const ir::For& node) {
          const bool goes_on =
              node.kind == ir::LoopKind::kSerial || node.kind == ir::LoopKind::kRolled;
          return !goes_on && is_straight(kernel, node.body);
        },
        [](const ir::While&) { return false; }, [](const ir::Barrier&) { return false; },
        [&](const ir::If& node) { return is_predicated(kernel, node); },
        [](const auto&) { return true; });
  });
}

bool is_small_body(const ir::Kernel& kernel, const ir::Body& body) {
  return instructions(kernel, body) <= kSmallBody;
}

int iterations_of_a_stretch(std::int64_t left, bool is_small) {
  if (left % kUnrolled != 0) return 1;
  for (const int many : {4 * kUnrolled, 2 * kUnrolled}) {
    if (is_small && left >= many) return many;
  }
  return kUnrolled;
}

}  // namespace heddle::timing
