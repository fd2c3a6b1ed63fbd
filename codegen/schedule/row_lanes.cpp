// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/row_lanes.hpp"

#include <algorithm>
#include <vector>

namespace heddle::schedule {

using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;

namespace {

constexpr int kVectorBytes = 16;
constexpr int kSharing = 8;  // more of them exchange more often, fewer have more channels each

int vector_of(ElementType element) { return kVectorBytes / static_cast<int>(size_of(element)); }

}  // namespace

RowLanes::RowLanes(ir::Builder& builder, Ex lane, int dim, int sharing)
    : builder_(builder), lane_(lane), dim_(dim), sharing_(sharing) {}

RowLanes::RowLanes(ir::Builder& builder, Ex lane, int dim, int sharing, ElementType element)
    : builder_(builder), lane_(lane), dim_(dim), sharing_(sharing) {
  if (in_groups()) vector_ = vector_of(element);
}

RowLanes::Order RowLanes::order_for(int dim, ElementType element) {
  const int vector = vector_of(element);
  return dim % (kSharing * vector) == 0 ? Order{kSharing, vector} : Order{};
}

std::int64_t RowLanes::stride_apart(int dim, int lanes, std::size_t element) {
  constexpr std::int64_t kTurnOfBanks = 128;  // bytes
  const auto bytes = static_cast<std::int64_t>(element);
  const std::int64_t together = std::int64_t{lanes} * kVectorBytes;
  const bool apart = together < kTurnOfBanks && dim * bytes % kTurnOfBanks != together;
  return dim + (apart ? together / bytes : 0);
}

int RowLanes::owned() const { return (dim_ + stride() - 1) / stride() * vector_; }

MemoryId RowLanes::array(const std::string& name) const {
  return builder_.array(name, Type::kF32, owned());
}

// The runs of neighbouring channels of a lane: where they begin in a private array, and in a row.
void RowLanes::each_run(const std::function<void(int, Ex)>& body) const {
  for (int first = 0; first < owned(); first += vector_) {
    body(first, lane_ * vector_ + first / vector_ * stride());
  }
}

void RowLanes::each_channel(const std::function<void(Ex, Ex)>& body) const {
  if (in_groups()) {
    each_run([&](int first, Ex channel) {
      builder_.loop(
          "part", builder_.i64(0), builder_.i64(vector_), builder_.i64(1), LoopKind::kUnrolled,
          [&](Ex part) { body(builder_.let("d", channel + part), builder_.i64(first) + part); });
    });
    return;
  }
  builder_.loop("part", builder_.i64(0), builder_.i64(owned()), builder_.i64(1),
                LoopKind::kUnrolled, [&](Ex part) {
                  const Ex d = builder_.let("d", lane_ + part * sharing_);
                  if (dim_ % sharing_ == 0) return body(d, part);
                  builder_.when(d < dim_, [&] { body(d, part); });
                });
}

int RowLanes::partial_sums() const { return std::max(kSharing / sharing_, 1); }

void RowLanes::each_summand(const std::function<void(int, Ex)>& body) const {
  if (partial_sums() == 1) return each_channel([&](Ex, Ex index) { body(0, index); });
  for (int first = 0; first < owned(); first += vector_) {
    builder_.loop(
        "part", builder_.i64(0), builder_.i64(vector_), builder_.i64(1), LoopKind::kUnrolled,
        [&](Ex part) { body(first / vector_ % partial_sums(), builder_.i64(first) + part); });
  }
}

void RowLanes::each_value(const std::string& name, MemoryId memory, Ex at,
                          const std::function<void(Ex, Ex)>& body) const {
  if (!in_groups()) {
    return each_channel([&](Ex d, Ex index) { body(builder_.load(memory, at + d), index); });
  }
  const MemoryId values = array(name);
  load(values, memory, at);
  builder_.loop("part", builder_.i64(0), builder_.i64(owned()), builder_.i64(1),
                LoopKind::kUnrolled, [&](Ex part) { body(builder_.load(values, part), part); });
}

void RowLanes::load(MemoryId array, MemoryId memory, Ex at) const {
  if (!in_groups()) {
    return each_channel(
        [&](Ex d, Ex index) { builder_.store(array, index, builder_.load(memory, at + d)); });
  }
  each_run([&](int first, Ex channel) {
    builder_.load_vector(array, first, memory, at + channel, vector_);
  });
}

void RowLanes::start_copy(MemoryId to, Ex to_at, MemoryId from, Ex from_at) const {
  assert_that(in_groups(), "lanes of a group have whole vectors");
  each_run([&](int, Ex channel) {
    builder_.invoke(
        "start_copy<" + std::to_string(vector_) + ">",
        {ir::VectorPlace{to, to_at + channel, true}, ir::VectorPlace{from, from_at + channel}});
  });
}

void RowLanes::each_half(Ex at, const std::function<void(int, Ex)>& body) const {
  const int half = vector_ / 2;
  for (int first = 0; first < owned(); first += vector_) {
    body(first, at + lane_ * half + first / 2 / half * (stride() / 2));
  }
}

void RowLanes::load_halves(MemoryId array, MemoryId memory, Ex at, std::int64_t behind) const {
  const int half = vector_ / 2;
  each_half(at, [&](int first, Ex there) {
    builder_.load_vector(array, first, memory, there, half);
    builder_.load_vector(array, first + half, memory, there + behind, half);
  });
}

void RowLanes::store_halves(MemoryId memory, Ex at, MemoryId array, std::int64_t behind) const {
  const int half = vector_ / 2;
  each_half(at, [&](int first, Ex there) {
    builder_.store_vector(memory, there, array, first, half);
    builder_.store_vector(memory, there + behind, array, first + half, half);
  });
}

Ex RowLanes::turn_of(ir::Builder& builder, Ex lane) {
  constexpr int kVectorsOfBanks = 8, kHalves = 2;
  return builder.let("turned", lane / (kVectorsOfBanks / kHalves) % kHalves);
}

// A vector from place `from_at` on, its halves the other way round where lanes are turned.
void RowLanes::turn_halves(MemoryId to, int to_at, MemoryId from, int from_at, Ex turned) const {
  for (int part = 0; part < vector_; ++part) {
    const Ex same = builder_.load(from, builder_.i64(from_at + part));
    const Ex other = builder_.load(from, builder_.i64(from_at + (part + vector_ / 2) % vector_));
    builder_.store(to, builder_.i64(to_at + part),
                   builder_.select(equal(turned, builder_.i64(0)), same, other));
  }
}

void RowLanes::load_turned(MemoryId array, MemoryId memory, Ex at, Ex turned) const {
  const int half = vector_ / 2;
  each_run([&](int first, Ex channel) {
    const MemoryId read = builder_.array("read", Type::kF32, vector_);
    builder_.load_vector(read, 0, memory, at + channel + turned * half, half);
    builder_.load_vector(read, half, memory, at + channel + (builder_.i64(1) - turned) * half,
                         half);
    turn_halves(array, first, read, 0, turned);
  });
}

void RowLanes::store_turned(MemoryId memory, Ex at, MemoryId array, Ex turned) const {
  const int half = vector_ / 2;
  each_run([&](int first, Ex channel) {
    const MemoryId written = builder_.array("written", Type::kF32, vector_);
    turn_halves(written, 0, array, first, turned);
    builder_.store_vector(memory, at + channel + turned * half, written, 0, half);
    builder_.store_vector(memory, at + channel + (builder_.i64(1) - turned) * half, written, half,
                          half);
  });
}

void RowLanes::store(MemoryId memory, Ex at, MemoryId array) const {
  if (!in_groups()) {
    return each_channel(
        [&](Ex d, Ex index) { builder_.store(memory, at + d, builder_.load(array, index)); });
  }
  each_run([&](int first, Ex channel) {
    builder_.store_vector(memory, at + channel, array, first, vector_);
  });
}

Ex RowLanes::dot(MemoryId one, Ex one_at, MemoryId other, bool together) const {
  std::vector<ir::Var> products;
  for (int sum = 0; sum < partial_sums(); ++sum) {
    products.push_back(builder_.variable("product", builder_.f32(0)));
  }
  each_summand([&](int sum, Ex index) {
    const ir::Var& product = products[static_cast<std::size_t>(sum)];
    builder_.assign(product,
                    Ex(product) + builder_.load(one, one_at + index) * builder_.load(other, index));
  });
  Ex own = products[0];
  for (std::size_t sum = 1; sum < products.size(); ++sum) own = own + products[sum];
  return this->sum(own, together);
}

Ex RowLanes::sum(Ex value, bool together) const {
  return together ? builder_.reduce_together(ir::ReduceOperator::kSum, value, sharing_)
                  : builder_.reduce(ir::ReduceOperator::kSum, value, sharing_);
}

Ex RowLanes::from_first(Ex value) const {
  return in_groups() ? builder_.pick(value, builder_.i64(0), sharing_)
                     : builder_.reduce(ir::ReduceOperator::kSum, value);
}

}  // namespace heddle::schedule
