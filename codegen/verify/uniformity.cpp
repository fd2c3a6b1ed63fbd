// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/uniformity.hpp"

#include <algorithm>
#include <set>

namespace heddle::verify {
namespace {

Spread wider(Spread a, Spread b) { return std::max(a, b); }

// What the lanes of every aligned group of so many agree on.
Spread by_groups_of(std::int64_t lanes) {
  switch (lanes) {
    case 32:
      return Spread::kByWarp;
    case 16:
      return Spread::kBy16Lanes;
    case 8:
      return Spread::kBy8Lanes;
    case 4:
      return Spread::kBy4Lanes;
    case 2:
      return Spread::kBy2Lanes;
    default:
      return Spread::kByLane;
  }
}

}  // namespace

int lanes_that_agree(Spread spread) {
  for (const int lanes : {16, 8, 4, 2}) {
    if (spread == by_groups_of(lanes)) return lanes;
  }
  return spread <= Spread::kByWarp ? 32 : 1;
}

namespace {

class Analysis {
 public:
  explicit Analysis(const Lifted& lifted) : lifted_(lifted), kernel_(lifted.kernel) {
    result_.variables.assign(kernel_.variables.size(), Spread::kSame);
    views_.assign(kernel_.views.size(), Spread::kSame);
  }

  Uniformity run() {
    // An assignment under divergent control widens a variable, which may widen that control:
    // repeat until nothing widens. Each round widens one of finitely many things.
    do {
      widened_ = false;
      result_.divergences.clear();
      result_.barriers = result_.reductions = result_.groups = 0;
      visit(kernel_.body, Spread::kSame);
    } while (widened_);
    return std::move(result_);
  }

 private:
  void widen(Spread& known, Spread spread) {
    if (spread <= known) return;
    known = spread;
    widened_ = true;
  }

  Spread of(ir::MemoryId memory) const {
    return match(
        memory, [](ir::BufferId) { return Spread::kSame; },
        // A private array holds what its own thread computed.
        [&](ir::ArrayId id) { return kernel_[id].shared ? Spread::kSame : Spread::kByLane; },
        [&](ir::ViewId id) { return views_[static_cast<std::size_t>(id.index)]; });
  }

  Spread visit(ir::ValueId id, Spread control) {
    return match(
        kernel_[id].node,
        [&](const ir::Read& node) {
          return result_.variables[static_cast<std::size_t>(node.variable.index)];
        },
        [&](const ir::Where& node) {
          if (node.place == ir::Place::kBlock) return Spread::kSame;
          return node.place == ir::Place::kWarp ? Spread::kByWarp : Spread::kByLane;
        },
        [&](const ir::Unary& node) { return visit(node.operand, control); },
        [&](const ir::Binary& node) {
          const Spread left = visit(node.left, control);
          const bool skips =
              node.op == ir::BinaryOperator::kAnd || node.op == ir::BinaryOperator::kOr;
          const Spread right = visit(node.right, skips ? wider(control, left) : control);
          return std::min(wider(left, right), group_of(node));
        },
        [&](const ir::Select& node) {
          const Spread condition = visit(node.condition, control);
          const Spread inside = wider(control, condition);
          return wider(condition, wider(visit(node.yes, inside), visit(node.no, inside)));
        },
        [&](const ir::Load& node) { return wider(of(node.memory), visit(node.index, control)); },
        [&](const ir::Call& node) {
          Spread spread = Spread::kSame;
          for (const ir::ValueId argument : node.arguments) {
            spread = wider(spread, visit(argument, control));
          }
          return spread;
        },
        [&](const ir::Reduce& node) {
          ++(node.meeting() == 32 ? result_.reductions : result_.groups);
          const Spread group = by_groups_of(node.lanes);
          if (control > by_groups_of(node.meeting())) {
            diverges(lifted_.place(id), node.meeting() == 32
                                            ? "a warp reduction where lanes of a warp may diverge"
                                            : "a reduction where lanes of a group may diverge");
          }
          return std::min(visit(node.operand, control), group);
        },
        [&](const ir::Pick& node) {
          ++result_.groups;
          const Spread group = by_groups_of(node.lanes);
          if (control > group) {
            diverges(lifted_.place(id), "a lane is read where lanes of its group may diverge");
          }
          visit(node.operand, control);
          // Lanes of a group that read from one lane get the same.
          return wider(group, visit(node.from, control));
        },
        [](const auto&) { return Spread::kSame; });
  }
  // lane / 8, the number of a lane's group: what its lanes agree on.
  Spread group_of(const ir::Binary& node) const {
    const auto* by = std::get_if<ir::IntegerLiteral>(&kernel_[node.right].node);
    const bool divides =
        node.op == ir::BinaryOperator::kDivide && by != nullptr && is_lane(node.left);
    return divides && ir::is_group(by->value) ? by_groups_of(by->value) : Spread::kByLane;
  }
  bool is_lane(ir::ValueId id) const {
    const auto* read = std::get_if<ir::Read>(&kernel_[id].node);
    if (read != nullptr) return lanes_.count(read->variable.index) != 0;
    const auto* where = std::get_if<ir::Where>(&kernel_[id].node);
    return where != nullptr &&
           (where->place == ir::Place::kLane || where->place == ir::Place::kThread);
  }
  void diverges(TextPlace at, const char* sentence) {
    result_.divergences.push_back({at, sentence});
  }

  void visit(const ir::Body& body, Spread control) {
    for (const ir::Statement& statement : body) visit(statement, control);
  }
  Spread& of(ir::VariableId id) { return result_.variables[static_cast<std::size_t>(id.index)]; }

  void visit(const ir::Statement& statement, Spread control) {
    match(
        statement.node,
        [&](const ir::Define& node) {
          widen(of(node.variable), visit(node.value, control));
          const bool constant = !kernel_[node.variable].changes;
          if (constant && is_lane(node.value)) lanes_.insert(node.variable.index);
        },
        [&](const ir::Assign& node) {
          widen(of(node.variable), wider(control, visit(node.value, control)));
        },
        [&](const ir::Choose& node) {
          widen(views_[static_cast<std::size_t>(node.view.index)],
                visit(kernel_[node.view].condition, control));
        },
        [&](const ir::Store& node) {
          visit(node.index, control);
          visit(node.value, control);
        },
        [&](const ir::For& node) {
          const Spread range = wider(visit(node.begin, control),
                                     wider(visit(node.end, control), visit(node.step, control)));
          widen(of(node.variable), range);
          visit(node.body, wider(control, range));
        },
        [&](const ir::While& node) {
          const Spread condition = visit(node.condition, control);
          // The condition is computed again by those who are still in the loop.
          visit(node.condition, wider(control, condition));
          visit(node.body, wider(control, condition));
        },
        [&](const ir::If& node) {
          const Spread inside = wider(control, visit(node.condition, control));
          visit(node.body, inside);
          visit(node.otherwise, inside);
        },
        [&](const ir::Barrier&) {
          ++result_.barriers;
          if (control != Spread::kSame) {
            diverges(lifted_.place(statement), "a barrier where threads of a block may diverge");
          }
        },
        // Stretches of code that batches end are in one order for all threads.
        [&](const ir::Invoke&) {
          if (control != Spread::kSame) {
            diverges(lifted_.place(statement), "a batch where threads of a block may diverge");
          }
        },
        [](const auto&) {});
  }

  const Lifted& lifted_;
  const ir::Kernel& kernel_;
  Uniformity result_;
  std::vector<Spread> views_;
  std::set<std::int32_t> lanes_;  // constants that are the number of the lane or thread
  bool widened_ = false;
};

}  // namespace

Uniformity spread_of(const Lifted& lifted) { return Analysis(lifted).run(); }

}  // namespace heddle::verify
