// SPDX-License-Identifier: Apache-2.0
// Loads, stores and copies of a warp, and its registers.
#include <algorithm>

#include "codegen/timing/warp.hpp"

namespace heddle::timing {

using ir::Type;

namespace {

// As the kinds of warp.cpp.
constexpr std::int64_t kAddressKind = 200;
constexpr std::int64_t kNarrowKind = 201;

Cost widening(ElementType element) {
  switch (element) {
    case ElementType::kBF16:
      return kWidenBf16;
    case ElementType::kF16:
      return kWidenF16;
    case ElementType::kI32:
      return kWidenWhole;
    case ElementType::kF32:
      break;
  }
  return {0, 0};
}
ElementType element_of(const ir::Kernel& kernel, ir::MemoryId memory) {
  return match(
      memory, [&](ir::BufferId id) { return kernel[id].element; },
      [&](ir::ArrayId id) { return kernel[id].element.value_or(ElementType::kF32); },
      [&](ir::ViewId id) { return kernel[kernel[id].yes].element; });
}

}  // namespace

// Of a private array.
Number& Warp::own_element(std::int32_t array, std::int64_t index) {
  std::vector<Number>& elements = registers_[static_cast<std::size_t>(array)];
  if (index < 0 || index >= static_cast<std::int64_t>(elements.size())) {
    throw Unfit{"goes outside of " + kernel().arrays[static_cast<std::size_t>(array)].name};
  }
  return elements[static_cast<std::size_t>(index)];
}

bool Warp::is_private(ir::MemoryId memory) const {
  const auto* const array = std::get_if<ir::ArrayId>(&memory);
  return array != nullptr && !kernel()[*array].shared;
}

Memory& Warp::memory(ir::MemoryId id, std::size_t lane) {
  return match(
      id,
      [&](ir::BufferId buffer) -> Memory& {
        return block_.buffers[static_cast<std::size_t>(buffer.index)];
      },
      [&](ir::ArrayId array) -> Memory& {
        return block_.shared[static_cast<std::size_t>(array.index)];
      },
      [&](ir::ViewId view) -> Memory& {
        const bool yes = views_[static_cast<std::size_t>(view.index)].whole[lane] != 0;
        return memory(yes ? kernel()[view].yes : kernel()[view].no, lane);
      });
}

int Warp::number_of(ir::MemoryId id) const {
  return match(
      id, [&](ir::BufferId buffer) { return buffer.index; },
      [&](ir::ArrayId array) { return static_cast<int>(kernel().buffers.size()) + array.index; },
      [&](ir::ViewId view) { return number_of(kernel()[view].no); });
}

Request Warp::request(ir::MemoryId id, const Number& index, Mask mask) const {
  const bool shared_index = std::holds_alternative<ir::ArrayId>(id) &&
                            kernel()[std::get<ir::ArrayId>(id)].type == Type::kI64;
  const int bytes = shared_index ? 8 : static_cast<int>(size_of(element_of(kernel(), id)));
  Request result;
  result.lanes = mask;
  result.bytes = bytes * vector;
  each_lane(mask, [&](std::size_t lane) { result.at[lane] = index.whole[lane] * bytes; });
  return result;
}

Cycle Warp::address(ir::MemoryId id, const Number& index) {
  const bool shared = std::holds_alternative<ir::ArrayId>(id);
  Cycle ready = std::max(index.ready, guard);
  if (const auto* const view = std::get_if<ir::ViewId>(&id)) {
    ready = std::max(ready, views_[static_cast<std::size_t>(view->index)].ready);
  }
  if (index.name.constant()) return ready;
  Number scaled;
  name(scaled, {kAddressKind, number_of(id), index.name.base}, ready, shared ? kWhole : kWide);
  return std::max(ready, scaled.ready);
}

Number Warp::load_register(const ir::Load& node, const Number& index, Mask mask) {
  const std::int32_t array = std::get<ir::ArrayId>(node.memory).index;
  Number result;
  if (index.name.constant()) return own_element(array, index.whole[0]);
  // Not in registers then, but in memory of the thread's own.
  each_lane(mask, [&](std::size_t lane) {
    const Number& own = own_element(array, index.whole[lane]);
    result.real[lane] = own.real[lane];
    result.whole[lane] = own.whole[lane];
    result.ready = std::max(result.ready, own.ready);
  });
  result.ready = issue(std::max({result.ready, index.ready, guard}), {1, kFirstCache});
  result.name = {names_.fresh(), 0};
  return result;
}

Number Warp::load(ir::ValueId id, const ir::Load& node, Mask mask) {
  const bool as_is = std::exchange(moves_as_is_, false);
  const Number index = evaluate(node.index, mask, std::holds_alternative<ir::ArrayId>(node.memory));
  if (is_private(node.memory)) return load_register(node, index, mask);
  Number result;
  result.name = {names_.fresh(), 0};
  each_lane(mask, [&](std::size_t lane) {
    const Memory& from = memory(node.memory, lane);
    if (index.whole[lane] < 0 || index.whole[lane] >= from.length) {
      throw Unfit{"reads outside of " + from.name};
    }
    const auto at = static_cast<std::size_t>(index.whole[lane]);
    if (!from.real.empty()) result.real[lane] = from.real[at];
    if (!from.whole.empty()) result.whole[lane] = from.whole[at];
  });
  result.ready = vector_ready_;
  if (element == 0) {
    const Request asked = request(node.memory, index, mask);
    const bool shared = std::holds_alternative<ir::ArrayId>(node.memory);
    const int number = number_of(node.memory);
    const Cycle from =
        std::max(address(node.memory, index), stored_[static_cast<std::size_t>(number)]);
    const int passes = mask == 0 ? 1 : shared ? wavefronts(asked) : lines(asked);
    const int latency = mask == 0 ? 1
                        : shared  ? kShared + passes - 1
                                  : block_.caches.latency(number_, number, asked);
    block_.requests += passes;
    result.ready = vector_ready_ = issue(from, {1, latency});
  }
  if (as_is) return result;
  const Cost widen =
      widening(kernel()[id].type == Type::kI64 && std::holds_alternative<ir::ArrayId>(node.memory)
                   ? ElementType::kF32
                   : element_of(kernel(), node.memory));
  result.ready = issue(result.ready, widen);
  return result;
}

void Warp::store_register(ir::ArrayId array, const Number& index, const Number& value, Mask mask) {
  each_lane(mask, [&](std::size_t lane) {
    Number& own = own_element(array.index, index.whole[lane]);
    own.real[lane] = value.real[lane];
    own.whole[lane] = value.whole[lane];
  });
  if (index.name.constant()) {
    Number& own = own_element(array.index, index.whole[0]);
    own.name = value.name;
    own.ready = std::max(value.ready, guard);
    return;
  }
  const Cycle done = issue(std::max({value.ready, index.ready, guard}), {kStore, 1});
  for (Number& own : registers_[static_cast<std::size_t>(array.index)]) {
    own.name = {names_.fresh(), 0};
    own.ready = std::max(own.ready, done);
  }
}

// What goes straight from memory into shared memory.
void Warp::start_copy(const ir::Store& node, const ir::Load& from, Mask mask) {
  const Number to = evaluate(node.index, mask, true);
  const Number source = evaluate(from.index, mask);
  each_lane(mask, [&](std::size_t lane) {
    const Memory& buffer = memory(from.memory, lane);
    Memory& shared = memory(node.memory, lane);
    const std::int64_t read = source.whole[lane], written = to.whole[lane];
    if (read < 0 || read >= buffer.length || written < 0 || written >= shared.length) {
      throw Unfit{"copies outside of " + buffer.name + " or " + shared.name};
    }
    shared.real[static_cast<std::size_t>(written)] = buffer.real[static_cast<std::size_t>(read)];
  });
  if (element != 0) return;
  const Cycle ready = std::max(address(node.memory, to), address(from.memory, source));
  const Request asked = request(from.memory, source, mask);
  const int latency = mask == 0 ? 1 : block_.caches.latency(number_, number_of(from.memory), asked);
  open_batch_ = std::max(open_batch_, issue(ready, {1, latency}));
  if (mask != 0) block_.requests += lines(asked) + wavefronts(request(node.memory, to, mask));
}

void Warp::store(const ir::Store& node, Mask mask) {
  const auto* const moved = std::get_if<ir::Load>(&kernel()[node.value].node);
  if (moved != nullptr && block_.lifted.started.count(node.value.index) != 0) {
    return start_copy(node, *moved, mask);
  }
  const bool shared = std::holds_alternative<ir::ArrayId>(node.memory);
  const Number index = evaluate(node.index, mask, shared);
  moves_as_is_ = moved != nullptr && !is_private(moved->memory) && !is_private(node.memory) &&
                 element_of(kernel(), moved->memory) == element_of(kernel(), node.memory);
  const bool narrows = !moves_as_is_;
  Number value = evaluate(node.value, mask);
  if (is_private(node.memory)) {
    return store_register(std::get<ir::ArrayId>(node.memory), index, value, mask);
  }
  each_lane(mask, [&](std::size_t lane) {
    Memory& to = memory(node.memory, lane);
    if (index.whole[lane] < 0 || index.whole[lane] >= to.length) {
      throw Unfit{"writes outside of " + to.name};
    }
    const auto at = static_cast<std::size_t>(index.whole[lane]);
    if (!to.real.empty()) to.real[at] = value.real[lane];
    if (!to.whole.empty()) to.whole[at] = value.whole[lane];
  });
  if (narrows) narrow(value, element_of(kernel(), node.memory));
  if (element == 0) vector_at_ = index;
  vector_last_ = std::max(element == 0 ? 0 : vector_last_, value.ready);
  if (element + 1 < vector) return;
  const int number = number_of(node.memory);
  const Cycle ready = std::max(address(node.memory, vector_at_), vector_last_);
  const Cycle there = issue(ready, {kStore, 1});
  Cycle& last = stored_[static_cast<std::size_t>(number)];
  last = std::max(last, there);
  if (mask == 0) return;
  const Request asked = request(node.memory, vector_at_, mask);
  block_.requests += shared ? wavefronts(asked) : lines(asked);
  if (!shared) block_.caches.wrote(number, asked);
}

// Two neighbours of a vector take one instruction.
void Warp::narrow(Number& value, ElementType type) {
  if (type != ElementType::kBF16 && type != ElementType::kF16) return;
  if (vector > 1) {
    value.ready =
        element % 2 == 0 ? value.ready + kNarrowPair.latency : issue(value.ready, kNarrowPair);
    return;
  }
  name(value, {kNarrowKind, value.name.base, value.name.added, static_cast<std::int64_t>(type)},
       value.ready, type == ElementType::kBF16 ? kNarrowBf16 : kNarrowF16);
}

void Warp::close_batch() {
  batches_.push_back(std::exchange(open_batch_, 0));
  issue(0, {1, 1});
}

void Warp::await(std::size_t left) {
  clock.end_stretch();
  if (batches_.size() <= left) return;
  const auto end = batches_.end() - static_cast<std::ptrdiff_t>(left);
  clock.wait(*std::max_element(batches_.begin(), end));
  batches_.erase(batches_.begin(), end);
}

void Warp::set(ir::VariableId variable, Number value, Mask mask, bool predicated) {
  Number& to = variables_[static_cast<std::size_t>(variable.index)];
  each_lane(mask, [&](std::size_t lane) {
    to.whole[lane] = value.whole[lane];
    to.real[lane] = value.real[lane];
  });
  to.name = value.name;
  to.ready = predicated ? std::max({value.ready, guard, to.ready}) : value.ready;
}

void Warp::choose(ir::ViewId view, Mask mask) {
  Number& chosen = views_[static_cast<std::size_t>(view.index)];
  const Number truth = evaluate(kernel()[view].condition, mask);
  chosen = truth;
  chosen.ready = issue(truth.ready, kWide);
}

void Warp::declare(ir::ArrayId array) {
  std::vector<Number>& elements = registers_[static_cast<std::size_t>(array.index)];
  elements.assign(static_cast<std::size_t>(kernel()[array].length), Number{});
  for (Number& own : elements) own.name = {names_.fresh(), 0};
}

}  // namespace heddle::timing
