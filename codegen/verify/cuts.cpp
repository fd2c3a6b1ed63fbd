// SPDX-License-Identifier: Apache-2.0
#include "codegen/verify/cuts.hpp"

#include <algorithm>
#include <set>

namespace heddle::verify {
namespace {

class Cutter {
 public:
  Cutter(const Lifted& lifted, const Uniformity& uniformity)
      : lifted_(lifted), kernel_(lifted.kernel), uniformity_(uniformity) {}

  Cuts run() const {
    std::set<int> groups = groups_of_lanes();
    if (!groups.empty() && lifted_.prelude <= Prelude::kStaging) {
      // A part too many may have the stride of another one, and what both are is not told then.
      const std::set<int> powers = powers_divided_by(/*of_lanes=*/true);
      groups.insert(powers.begin(), powers.end());
      return {{groups.begin(), groups.end()}, {}, /*groups=*/true};
    }
    const std::set<int> powers = powers_divided_by(/*of_lanes=*/false);
    if (lifted_.prelude == Prelude::kDevice || powers.empty()) return {};
    Cuts cuts;
    const int warps = kernel_.threads / 32;
    const bool whole = (warps & (warps - 1)) == 0;
    for (const int power : powers) {
      cuts.lanes.push_back(power);
      const bool of_warps = whole && power < warps && lifted_.prelude != Prelude::kStaging;
      if (of_warps) cuts.warps.push_back(power);
    }
    return cuts;
  }

 private:
  // The powers of two that the kernel divides by: anything, or what threads may disagree on.
  std::set<int> powers_divided_by(bool of_lanes) const {
    std::set<int> powers;
    for (const ir::Value& value : kernel_.values) {
      const ir::Binary* node = std::get_if<ir::Binary>(&value.node);
      if (node == nullptr || node->op != ir::BinaryOperator::kDivide) continue;
      const auto* by = std::get_if<ir::IntegerLiteral>(&kernel_[node->right].node);
      if (by == nullptr || (of_lanes && agrees(node->left))) continue;
      for (const int power : {2, 4, 8, 16}) {
        if (by->value == power) powers.insert(power);
      }
    }
    return powers;
  }

  // Whether all threads of a block are seen to have the same.
  bool agrees(ir::ValueId id) const {
    const auto all = [&](const std::vector<ir::ValueId>& values) {
      return std::all_of(values.begin(), values.end(),
                         [&](ir::ValueId each) { return agrees(each); });
    };
    const ir::Value& value = kernel_[id];
    if (std::holds_alternative<ir::IntegerLiteral>(value.node)) return true;
    if (const auto* read = std::get_if<ir::Read>(&value.node)) {
      const auto variable = static_cast<std::size_t>(read->variable.index);
      return uniformity_.variables[variable] == Spread::kSame;
    }
    if (const auto* node = std::get_if<ir::Binary>(&value.node)) {
      return all({node->left, node->right});
    }
    const auto* call = std::get_if<ir::Call>(&value.node);
    return call != nullptr && all(call->arguments);
  }

  // How many lanes the groups have that meet, or that have rows of their own.
  std::set<int> groups_of_lanes() const {
    const std::set<std::int32_t> lanes = names_of_lanes();
    std::set<int> groups;
    for (const ir::Value& value : kernel_.values) {
      const auto* reduced = std::get_if<ir::Reduce>(&value.node);
      if (reduced != nullptr && reduced->lanes < 32) groups.insert(reduced->lanes);
      const auto* pick = std::get_if<ir::Pick>(&value.node);
      if (pick != nullptr) groups.insert(pick->lanes);
      const auto* divided = std::get_if<ir::Binary>(&value.node);
      if (divided == nullptr || divided->op != ir::BinaryOperator::kDivide) continue;
      const auto* lane = std::get_if<ir::Read>(&kernel_[divided->left].node);
      const auto* by = std::get_if<ir::IntegerLiteral>(&kernel_[divided->right].node);
      if (lane == nullptr || by == nullptr || lanes.count(lane->variable.index) == 0) continue;
      if (ir::is_group(by->value)) groups.insert(static_cast<int>(by->value));
    }
    return groups;
  }

  // What the kernel calls a lane's place in its warp.
  std::set<std::int32_t> names_of_lanes() const {
    std::set<std::int32_t> names;
    for (const ir::Statement& statement : kernel_.body) {
      const auto* define = std::get_if<ir::Define>(&statement.node);
      if (define == nullptr) continue;
      const auto* where = std::get_if<ir::Where>(&kernel_[define->value].node);
      if (where == nullptr || where->place != ir::Place::kLane) continue;
      names.insert(define->variable.index);
    }
    return names;
  }

  const Lifted& lifted_;
  const ir::Kernel& kernel_;
  const Uniformity& uniformity_;
};

}  // namespace

Cuts cuts_of(const Lifted& lifted, const Uniformity& uniformity) {
  return Cutter(lifted, uniformity).run();
}

}  // namespace heddle::verify
