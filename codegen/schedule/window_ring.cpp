// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/window_ring.hpp"

#include <algorithm>
#include <string>

#include "codegen/schedule/row_lanes.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::VectorPlace;

namespace {

std::string of_vector(const char* function, const RowVectors& cut) {
  return function + ("<" + std::to_string(cut.vector) + ">");
}

}  // namespace

WindowRing::WindowRing(GradientFrame& frame, WindowUse use, MemoryId lambda, int lambda_bytes)
    : frame_(frame),
      builder_(frame.builder),
      use_(use),
      lambda_(lambda),
      lambda_bytes_(lambda_bytes),
      threads_(32 * window_warps(frame.spec, use)),
      size_(frame.spec.gather->chunk_tokens),
      room_(ring_rows(frame.spec)) {}

void WindowRing::declare() {
  const KernelSpec& spec = frame_.spec;
  const int type_bytes = static_cast<int>(size_of(spec.dtype));
  const auto rows = [&](MemoryId from, MemoryId staged, std::int64_t at, int bytes) {
    return Rows{from, staged, at, bytes, ring_stride(spec, bytes)};
  };
  if (frame_.softmax()) {
    keys_ = rows(columns() ? frame_.q : frame_.k, builder_.dynamic_array("staged", spec.dtype), 0,
                 type_bytes);
  }
  if (use_ != WindowUse::kWeights) {
    const int bytes = columns() ? lambda_bytes_ : type_bytes;
    if (!keys_) {
      const ElementType type = bytes == type_bytes ? spec.dtype : ElementType::kF32;
      values_ = rows(lambda_, builder_.dynamic_array("staged", type), 0, bytes);
    } else {
      const std::int64_t all = room_ * keys_->stride;
      const bool behind = bytes != type_bytes;  // reals behind narrower queries
      values_ =
          rows(lambda_,
               behind ? builder_.rest_of_dynamic_array("values", builder_.i64(all)) : keys_->staged,
               behind ? 0 : all, bytes);
    }
  }
  if (!has_statistics()) return;
  const auto numbers = [&](const char* name) {
    return builder_.array(name, Type::kF32, room_, true);
  };
  highest_of_ = numbers("highest_of");
  inverse_of_ = numbers("inverse_of");
  mean_of_ = numbers("mean_of");
}

bool WindowRing::few_lanes() const {
  const ElementType element = shared_type();
  return lanes_of_window(frame_.spec, element) <
         RowLanes::sharing_for(frame_.spec.head_dim, element);
}

ElementType WindowRing::shared_type() const {
  return (keys_ ? keys_ : values_)->element == 4 ? ElementType::kF32 : frame_.spec.dtype;
}

void WindowRing::take_values_of(const GradientSide& side) {
  if (values_ && !columns()) values_->from = side.value;
}

void WindowRing::clear() {
  for (const std::optional<Rows>* rows : {&keys_, &values_}) {
    if (!*rows) continue;
    const RowVectors cut = cut_of(**rows);
    each_vector(builder_, frame_.thread, threads_, builder_.i64(room_), cut, [&](Ex row, Ex d) {
      builder_.invoke(of_vector("clear_elements", cut),
                      {VectorPlace{(*rows)->staged, place_of(**rows, row, d), true}});
    });
  }
  if (!has_statistics()) return;
  builder_.loop("slot", frame_.thread, builder_.i64(room_), builder_.i64(threads_),
                LoopKind::kSerial, [&](Ex slot) {
                  for (const MemoryId numbers : {highest_of_, inverse_of_, mean_of_}) {
                    builder_.store(numbers, slot, builder_.f32(0));
                  }
                });
}

// ---- rows that come in --------------------------------------------------------------------------

void WindowRing::begin(Ex first, Ex count) {
  first_ = first;
  count_ = count;
  if (!ahead()) {
    reached_ = builder_.variable("reached", columns() ? first_ : first_ + count_);
    return;
  }
  found_ = builder_.variable("found", builder_.i64(-size_));
  place_ = builder_.variable("place", builder_.i64(0));
}

void WindowRing::bring(Ex distance) {
  if (ahead()) return bring_next(distance);
  if (columns()) {
    const Ex from =
        builder_.let("from", builder_.call(Helper::kMaximum, {reached_, first_ + distance}));
    const Ex to = builder_.let(
        "to", builder_.call(Helper::kMinimum, {first_ + count_ + distance, frame_.tokens}));
    bring_rows(from, to);
    builder_.assign(reached_, to);
  } else {
    const Ex from =
        builder_.let("from", builder_.call(Helper::kMaximum, {first_ - distance, builder_.i64(0)}));
    bring_rows(from, builder_.call(Helper::kMinimum, {reached_, first_ + count_ - distance}));
    builder_.assign(reached_, from);
  }
}

// Rows from .. to - 1, where there are any.
void WindowRing::bring_rows(Ex from, Ex to) {
  // Of later rows there are never more than a chunk, which the static layer does not find alone.
  Ex coming = to - from;
  if (columns()) coming = builder_.call(Helper::kMinimum, {builder_.i64(size_), coming});
  const Ex count = builder_.let("coming", coming);
  for (const std::optional<Rows>* rows : {&keys_, &values_}) {
    if (*rows) start_rows(**rows, from, count);
  }
  if (has_statistics()) bring_statistics(from, count);
}

void WindowRing::start_rows(const Rows& rows, Ex from, Ex count) {
  const RowVectors cut = cut_of(rows);
  each_vector(builder_, frame_.thread, threads_, count, cut, [&](Ex row, Ex d) {
    const Ex token = builder_.let("token", from + row);
    builder_.invoke(of_vector("start_copy", cut),
                    {VectorPlace{rows.staged, place_of(rows, token % room_, d), true},
                     VectorPlace{rows.from, frame_.token_at(token) + d}});
  });
}

void WindowRing::bring_statistics(Ex from, Ex count) {
  builder_.loop("row", frame_.thread, count, builder_.i64(threads_), LoopKind::kSerial,
                [&](Ex row) {
                  const Ex at = builder_.let("statistic_at", frame_.row_at(from + row));
                  const Ex slot = builder_.let("slot", (from + row) % size_);
                  builder_.store(highest_of_, slot, builder_.load(frame_.highest, at));
                  builder_.store(inverse_of_, slot, builder_.load(frame_.inverse, at));
                  builder_.store(mean_of_, slot, builder_.load(frame_.mean, at));
                });
}

// Keys and values by as many threads: the static layer tells these apart by one cut.
RowVectors WindowRing::cut_of(const Rows& rows) const {
  const int dim = frame_.spec.head_dim;
  const auto of = [&](int element) {
    const int vector = vector_of_window(dim, element);
    return RowVectors{dim, vector, vector * element};
  };
  RowVectors cut = of(rows.element);
  if (keys_) cut.most_threads = std::max(of(keys_->element).threads_of_row(), 1);
  return cut;
}

// ---- while others are summed --------------------------------------------------------------------

// Of the run at this distance row r of the chunk finds row r. New are those at one end of it, at
// most a chunk of them, which lie behind the run at hand; each thread has its rows and its vectors.
void WindowRing::bring_next(Ex distance) {
  const auto least = [&](Ex a, Ex b) { return builder_.call(Helper::kMinimum, {a, b}); };
  const Ex size = builder_.i64(size_);
  Ex new_rows = least(distance - found_, size);
  // That distances ascend the static layer does not know of all walks.
  if (columns()) new_rows = builder_.call(Helper::kMaximum, {new_rows, builder_.i64(0)});
  const Ex fresh = builder_.let("fresh", new_rows);
  const Ex moved = columns() ? fresh : builder_.i64(room_) - fresh;
  const Ex begin = builder_.let("begin", columns() ? first_ + distance : first_ - distance);
  const Ex from = builder_.let(
      "from", columns() ? size - fresh
                        : builder_.call(Helper::kMaximum, {builder_.i64(0), distance - first_}));
  const Ex to =
      builder_.let("to", columns() ? least(size, frame_.tokens - begin) : least(fresh, count_));
  const Ex behind = builder_.let("behind", Ex(place_) + moved);
  const Ex begin_at = builder_.let("begin_at", frame_.token_at(begin));
  const int pieces = cut_of(*keys_).threads_of_row();
  const int turns = std::max(size_ * pieces / threads_, 1);
  builder_.loop("turn", builder_.i64(0), builder_.i64(turns), builder_.i64(1), LoopKind::kUnrolled,
                [&](Ex turn) {
                  const Ex r =
                      builder_.let("r", frame_.thread / pieces + turn * (threads_ / pieces));
                  builder_.when(both(r >= from, r < to), [&] {
                    const Ex at = builder_.let("at", begin_at + r * frame_.token_stride);
                    const Ex slot = builder_.let("slot", (behind + r) % room_);
                    for (const std::optional<Rows>* rows : {&keys_, &values_}) {
                      if (*rows) start_next(**rows, frame_.thread % pieces, at, slot);
                    }
                  });
                });
  if (has_statistics()) {
    builder_.when(both(frame_.thread >= from, frame_.thread < to), [&] {
      start_statistics(begin + frame_.thread,
                       builder_.let("slot", (behind + frame_.thread) % room_));
    });
  }
  next_place_ = builder_.let("next_place", behind % room_);
}

bool WindowRing::in_halves(const Rows& rows) const {
  return has_halves() && rows.element > keys_->element;
}

// Where the vector lies that begins with channel d.
Ex WindowRing::place_of(const Rows& rows, Ex slot, Ex d) {
  const int vector = cut_of(rows).vector;
  if (!in_halves(rows)) return slot * rows.stride + rows.at + d;
  const Ex number = d / vector;
  return slot * rows.stride + (number % 2 * second_half() + number / 2 * vector);
}

void WindowRing::start_next(const Rows& rows, Ex piece, Ex at, Ex slot) {
  const RowVectors cut = cut_of(rows);
  const int pieces = cut_of(*keys_).threads_of_row();
  const int turns = cut.of_row() / pieces;
  const int step = pieces * cut.vector;
  const int apart = in_halves(rows) ? step / 2 : step;
  const Ex d = builder_.let("d", piece * cut.vector);
  const Ex there = builder_.let("there", place_of(rows, slot, d));
  const auto start = [&](Ex to_at, Ex from_at) {
    builder_.invoke(of_vector("start_copy", cut),
                    {VectorPlace{rows.staged, to_at, true}, VectorPlace{rows.from, from_at}});
  };
  if (turns == 1) return start(there, at + d);
  builder_.loop("part", builder_.i64(0), builder_.i64(turns), builder_.i64(1), LoopKind::kUnrolled,
                [&](Ex part) { start(there + part * apart, at + d + part * step); });
}

void WindowRing::start_statistics(Ex token, Ex slot) {
  const Ex at = builder_.let("statistic_at", frame_.row_at(token));
  const auto start = [&](MemoryId to, MemoryId from) {
    builder_.invoke("start_copy<1>", {VectorPlace{to, slot, true}, VectorPlace{from, at}});
  };
  start(highest_of_, frame_.highest);
  start(inverse_of_, frame_.inverse);
  start(mean_of_, frame_.mean);
}

void WindowRing::turn_to(Ex distance) {
  builder_.assign(place_, next_place_);
  builder_.assign(found_, distance);
}

// ---- rows that are there ------------------------------------------------------------------------

Ex WindowRing::slot_of(const Found& found) {
  if (ahead()) return (Ex(place_) + found.r) % room_;
  const Ex token = found.anything ? builder_.call(Helper::kMaximum, {found.token, builder_.i64(0)})
                                  : found.token;
  return token % room_;
}
Ex WindowRing::key_at(const Found& found) {
  return builder_.let("key_at", slot_of(found) * keys_->stride + keys_->at);
}
Ex WindowRing::value_at(const Found& found) {
  return builder_.let("value_at", slot_of(found) * values_->stride + values_->at);
}

WindowRing::Reader WindowRing::reader(const Found& found) {
  const Ex slot = builder_.let("slot", slot_of(found));
  return {{builder_.load(highest_of_, slot), builder_.load(inverse_of_, slot)},
          builder_.load(mean_of_, slot)};
}

}  // namespace heddle::schedule
