// SPDX-License-Identifier: Apache-2.0
// Helpers on products of matrices: the loads and stores that they stand for, with what they compute
// in between. Sums of products are pseudo-random.
#include <algorithm>

#include "codegen/timing/warp.hpp"

namespace heddle::timing {

void Warp::enter(const verify::HelperOf& helper) {
  if (helper.call == call_) return;
  const HelperCost* const cost = cost_of(helper.name);
  if (cost == nullptr) throw Unfit{"calls " + helper.name};
  helper_ = *cost;
  call_ = helper.call;
  looked_at_ = 0;
  multiplied_ = false;
}

// Two exchanges and what is made of them, among the four lanes of a row.
Cycle Warp::agree_in_row(Cycle ready) {
  block_.requests += 2;
  return issue(ready, {2 * (kShuffle.slots + kReal.slots), 2 * (kShuffle.latency + kReal.latency)});
}

Cycle Warp::product(Cycle ready) {
  const Cycle there = issue(std::max(ready, next_product_), kProduct);
  next_product_ = there - kProduct.latency + kProductTurn;
  ++products_;
  return there;
}

// Matrices go to tensor cores as they lie in memory, sums after two neighbours have been narrowed.
void Warp::look_at(ir::ValueId id, Mask mask) {
  const auto* const exchanged = std::get_if<ir::Reduce>(&kernel()[id].node);
  const ir::ValueId loaded = exchanged != nullptr ? exchanged->operand : id;
  const auto* const load = std::get_if<ir::Load>(&kernel()[loaded].node);
  const bool own = load != nullptr && is_private(load->memory);
  const bool by_warp = block_.lifted.by_warp.count(loaded.index) != 0;
  if (multiplied_) looked_at_ = 0;
  multiplied_ = false;
  moves_as_is_ = by_warp || (helper_.products == 1 && load != nullptr && !own);
  Number number = evaluate(loaded, mask);
  if (exchanged != nullptr && !by_warp) {
    number.ready = issue(agree_in_row(number.ready), helper_.when_exchanged);
  }
  if (own && helper_.products > 0) {
    const bool first = evaluate(load->index, mask).whole[0] % 2 == 0;
    number.ready = first ? issue(number.ready, kNarrowPair) : number.ready + kNarrowPair.latency;
  }
  if (element == 0 && !by_warp) number.ready = issue(number.ready, helper_.looked_at);
  looked_at_ = std::max(looked_at_, number.ready);
}

void Warp::change(const ir::Store& node, Mask mask) {
  if (!is_private(node.memory)) return store(node, mask);
  const Number index = evaluate(node.index, mask, true);
  const auto* const exchanged = std::get_if<ir::Reduce>(&kernel()[node.value].node);
  Number value = evaluate(exchanged != nullptr ? exchanged->operand : node.value, mask);
  if (exchanged != nullptr && helper_.products > 0) {
    constexpr std::int64_t kOfTile = 4;
    if (index.whole[0] % kOfTile == 0) {
      product_ready_ = std::max(value.ready, looked_at_);
      for (int turn = 0; turn < helper_.products; ++turn) product_ready_ = product(product_ready_);
    }
    each_lane(mask, [&](std::size_t lane) { value.real[lane] = block_.random(); });
    value.ready = product_ready_;
    multiplied_ = true;
  } else if (exchanged != nullptr) {
    value.ready = agree_in_row(std::max(value.ready, looked_at_));
    looked_at_ = issue(value.ready, helper_.when_exchanged);
  } else {
    value.ready = issue(std::max(value.ready, looked_at_), helper_.changed);
  }
  value.name = fresh_name();
  store_register(std::get<ir::ArrayId>(node.memory), index, value, mask);
}

}  // namespace heddle::timing
