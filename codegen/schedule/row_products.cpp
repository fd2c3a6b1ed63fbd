// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/row_products.hpp"

#include <algorithm>

namespace heddle::schedule {

using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;

namespace {

constexpr int kAsked = 4;  // neighbouring channels

}  // namespace

MemoryId RowProducts::of(Ex query, Ex key) {
  int exchanges = 0;
  while (1 << exchanges < order_.lanes) ++exchanges;
  const Ex query_at = query * stride_, key_at = key * stride_;
  if (order_.vector == 1) return exchanged(query_at, key_at, 0, exchanges);
  // Lanes of odd numbers are as far behind those of even ones: what comes last are two parts.
  const MemoryId both = zeros();
  builder_.loop("odd", builder_.i64(0), builder_.i64(2), builder_.i64(1), LoopKind::kSerial,
                [&](Ex odd) {
                  const Ex behind = odd * order_.vector;
                  add(both, exchanged(query_at + behind, key_at + behind, 0, exchanges - 1));
                });
  return both;
}

// What a lane has when it has exchanged sums with others so many times; the query's and the first
// key's channels from these places on.
MemoryId RowProducts::exchanged(Ex query_at, Ex key_at, int lane, int exchanges) {
  if (exchanges == 0) return of_lane(query_at, key_at, lane);
  const MemoryId mine = exchanged(query_at, key_at, lane, exchanges - 1);
  const int other = lane + (order_.lanes >> exchanges);
  if (other * order_.vector < dim_) add(mine, exchanged(query_at, key_at, other, exchanges - 1));
  return mine;
}

// Of a lane's own channels.
MemoryId RowProducts::of_lane(Ex query_at, Ex key_at, int lane) {
  const MemoryId products = zeros();
  const int piece = std::min(order_.vector, kAsked);
  for (int run = lane * order_.vector; run < dim_; run += order_.lanes * order_.vector) {
    for (int d = run; d < run + order_.vector; d += piece) {
      const int begin = d / kAsked * kAsked;  // of the vector that has it
      const MemoryId query = builder_.array("query", Type::kF32, kAsked);
      builder_.load_vector(query, 0, memory_, query_at + begin, kAsked);
      each_key([&](Ex part) {
        const MemoryId keys = builder_.array("key", Type::kF32, kAsked);
        builder_.load_vector(keys, 0, memory_, key_at + part * stride_ + begin, kAsked);
        Ex sum = builder_.load(products, part);
        for (int channel = d - begin; channel < d - begin + piece; ++channel) {
          const Ex at = builder_.i64(channel);
          sum = sum + builder_.load(query, at) * builder_.load(keys, at);
        }
        builder_.store(products, part, sum);
      });
    }
  }
  return products;
}

MemoryId RowProducts::zeros() {
  const MemoryId made = builder_.array("products", Type::kF32, kKeys);
  each_key([&](Ex part) { builder_.store(made, part, builder_.f32(0)); });
  return made;
}

void RowProducts::add(MemoryId to, MemoryId more) {
  each_key([&](Ex part) {
    builder_.store(to, part, builder_.load(to, part) + builder_.load(more, part));
  });
}

void RowProducts::each_key(const std::function<void(Ex)>& body) {
  builder_.loop("part", builder_.i64(0), builder_.i64(kKeys), builder_.i64(1), LoopKind::kUnrolled,
                body);
}

}  // namespace heddle::schedule
