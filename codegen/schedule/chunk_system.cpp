// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/chunk_system.hpp"

#include "codegen/rows/emit_row.hpp"
#include "codegen/schedule/coefficients.hpp"
#include "codegen/schedule/states_plan.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Type;
using ir::Var;

namespace {

// Places in counts_.
constexpr int kFresh = 0;
constexpr int kNext = 1;
constexpr int kCounts = 2;

constexpr int kListThread = 0;
constexpr int kFollowThread = kTensorChunk;

}  // namespace

ChunkSystem::ChunkSystem(Frame& frame, ir::MemoryId reals)
    : frame_(frame), builder_(frame.builder), side_(frame.b), reals_(reals) {
  held_ = builder_.array("held", Type::kI64, kLiveWindow, true);
  moved_ = builder_.array("moved", Type::kI64, kLiveWindow, true);
  fresh_rows_ = builder_.array("fresh_rows", Type::kI64, kTensorChunk, true);
  nearest_ = builder_.array("nearest", Type::kI64, kTensorChunk, true);
  counts_ = builder_.array("counts", Type::kI64, kCounts, true);
}

// body(position, rank) of what the row behind the chunk reads, as far as there is scratch for it.
Var ChunkSystem::walk_behind(const Chunk& chunk, const std::function<void(Ex, Ex)>& body) {
  const Var rank = builder_.variable("rank", builder_.i64(0));
  rows::emit_walk(builder_, frame_.spec.pattern, *side_.plan, chunk.last + 1, [&](Ex p) {
    builder_.when(both(p <= chunk.last, rank < frame_.live_states), [&] {
      body(p, rank);
      builder_.assign(rank, Ex(rank) + 1);
    });
  });
  return rank;
}

void ChunkSystem::look_ahead(const Chunk& chunk) {
  builder_.when(equal(frame_.thread, builder_.i64(kListThread)), [&] {
    const Var fresh = builder_.variable("fresh", builder_.i64(0));
    const Var next = walk_behind(chunk, [&](Ex p, Ex rank) {
      builder_.when(both(p > chunk.before, rank < kTensorChunk), [&] {
        builder_.store(fresh_rows_, rank, p - chunk.before - 1);
        builder_.assign(fresh, rank + 1);
      });
    });
    builder_.store(counts_, builder_.i64(kFresh), fresh);
    builder_.store(counts_, builder_.i64(kNext), next);
  });
}

Ex ChunkSystem::fresh() const { return builder_.load(counts_, builder_.i64(kFresh)); }
Ex ChunkSystem::next() const { return builder_.load(counts_, builder_.i64(kNext)); }
Ex ChunkSystem::fresh_row(Ex rank) const { return builder_.load(fresh_rows_, rank); }
Ex ChunkSystem::moved_to(Ex state) const { return builder_.load(moved_, state); }
Ex ChunkSystem::weight(Ex state, Ex row) const {
  return builder_.load(reals_, state * StatesLayout::kLiveStride + row + StatesLayout::kLiveAt);
}
Ex ChunkSystem::inner(Ex row, Ex column) const {
  return row * StatesLayout::kNearStride + column + StatesLayout::kNearAt;
}

void ChunkSystem::solve(const Chunk& chunk, Ex window, Ex count) {
  builder_.comment("positions of live states, what rows weigh of them, and the chunk's system");
  list(chunk, window, count);
  builder_.barrier();
  builder_.when(frame_.thread < kTensorChunk, [&] { spread_row(chunk, count); });
  builder_.when(equal(frame_.thread, builder_.i64(kFollowThread)), [&] { follow(chunk, count); });
  builder_.barrier();
  substitute(count);
  builder_.barrier();
}

void ChunkSystem::list(const Chunk& chunk, Ex window, Ex count) {
  builder_.when(equal(frame_.thread, builder_.i64(kListThread)), [&] {
    const Var place = builder_.variable("place", builder_.i64(0) - window);
    rows::emit_walk(builder_, frame_.spec.pattern, *side_.plan, chunk.before + 1, [&](Ex p) {
      builder_.when(both(Ex(place) >= 0, Ex(place) < count),
                    [&] { builder_.store(held_, place, p); });
      builder_.assign(place, Ex(place) + 1);
    });
  });
}

// The place of a position in the window, -1 where it is not there. Positions come descending.
Var ChunkSystem::find(Var cursor, Ex count, Ex p) {
  builder_.repeat_while(both(Ex(cursor) < count, builder_.load(held_, cursor) > p),
                        [&] { builder_.assign(cursor, Ex(cursor) + 1); });
  const Var place = builder_.variable("place", builder_.i64(-1));
  builder_.when(Ex(cursor) < count, [&] {
    builder_.when(equal(builder_.load(held_, cursor), p), [&] { builder_.assign(place, cursor); });
  });
  return place;
}

// A thread a row: its coefficients to where they belong, beside zeros.
void ChunkSystem::spread_row(const Chunk& chunk, Ex count) {
  const Ex r = frame_.thread;
  builder_.loop("c", builder_.i64(0), builder_.i64(kTensorChunk),
                [&](Ex c) { builder_.store(reals_, inner(r, c), builder_.f32(0)); });
  const auto at = [&](Ex state) {
    return state * StatesLayout::kLiveStride + r + StatesLayout::kLiveAt;
  };
  builder_.loop("c", builder_.i64(0), count,
                [&](Ex c) { builder_.store(reals_, at(c), builder_.f32(0)); });
  const Var nearest = builder_.variable("near", r);
  builder_.when(r < chunk.size, [&] {
    const Ex coefficients = builder_.let(
        "coef_at", coefficient_row(frame_.spec, frame_.row_at(chunk.first + r), side_.width));
    const Var entry = builder_.variable("entry", builder_.i64(0));
    const Var cursor = builder_.variable("cursor", builder_.i64(0));
    const Ex row = builder_.let("i", chunk.before + r + 1);
    rows::emit_walk(builder_, frame_.spec.pattern, *side_.plan, row, [&](Ex p) {
      const Ex weight =
          builder_.let("weight", builder_.load(side_.coefficients, coefficients + entry));
      builder_.assign(entry, Ex(entry) + 1);
      builder_.when(
          p > chunk.before,
          [&] {
            builder_.assign(nearest, p - chunk.before - 1);
            builder_.store(reals_, inner(r, nearest), weight);
          },
          [&] {
            const Var place = find(cursor, count, p);
            builder_.when(Ex(place) >= 0, [&] { builder_.store(reals_, at(place), weight); });
          });
    });
  });
  builder_.store(nearest_, r, nearest);
}

// By one thread: where live states of the window have their place behind the chunk.
void ChunkSystem::follow(const Chunk& chunk, Ex count) {
  builder_.loop("state", builder_.i64(0), count,
                [&](Ex state) { builder_.store(moved_, state, builder_.i64(-1)); });
  const Var cursor = builder_.variable("cursor", builder_.i64(0));
  walk_behind(chunk, [&](Ex p, Ex rank) {
    builder_.when(p <= chunk.before, [&] {
      const Var place = find(cursor, count, p);
      builder_.when(Ex(place) >= 0, [&] { builder_.store(moved_, place, rank); });
    });
  });
}

// A thread a column of M or of W.
void ChunkSystem::substitute(Ex count) {
  const auto column = [&](const std::function<Ex(Ex)>& at, const std::function<Ex(Ex)>& begin) {
    builder_.loop("i", builder_.i64(0), builder_.i64(kTensorChunk), [&](Ex i) {
      const Var sum = builder_.variable("sum", begin(i));
      builder_.loop("c", builder_.load(nearest_, i), i, [&](Ex c) {
        builder_.assign(
            sum, Ex(sum) + builder_.load(reals_, inner(i, c)) * builder_.load(reals_, at(c)));
      });
      builder_.store(reals_, at(i), sum);
    });
  };
  const Ex j = frame_.thread;
  builder_.when(j < kTensorChunk, [&] {
    column([&](Ex i) { return i * StatesLayout::kMixStride + j; },
           [&](Ex i) { return builder_.select(equal(i, j), builder_.f32(1), builder_.f32(0)); });
  });
  builder_.when(both(j >= kTensorChunk, j < count + kTensorChunk), [&] {
    const auto at = [&](Ex i) {
      return (j - kTensorChunk) * StatesLayout::kLiveStride + i + StatesLayout::kLiveAt;
    };
    column(at, [&](Ex i) { return builder_.load(reals_, at(i)); });
  });
}

}  // namespace heddle::schedule
