// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/window_ring.hpp"

#include <algorithm>
#include <string>

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::VectorPlace;

namespace {

constexpr int kThreads = 32 * kWindowWarps;

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
      size_(frame.spec.gather->chunk_tokens) {}

void WindowRing::declare() {
  const KernelSpec& spec = frame_.spec;
  const int type_bytes = static_cast<int>(size_of(spec.dtype));
  const std::int64_t all = std::int64_t{size_} * spec.head_dim;
  const bool values = use_ != WindowUse::kWeights;
  if (frame_.softmax()) {
    keys_ = Rows{columns() ? frame_.q : frame_.k, builder_.dynamic_array("staged", spec.dtype), 0,
                 type_bytes};
  }
  if (values) {
    const int bytes = columns() ? lambda_bytes_ : type_bytes;
    if (!keys_) {
      const ElementType type = bytes == type_bytes ? spec.dtype : ElementType::kF32;
      values_ = Rows{lambda_, builder_.dynamic_array("staged", type), 0, bytes};
    } else {
      const bool behind = bytes != type_bytes;  // reals behind narrower queries
      values_ =
          Rows{lambda_,
               behind ? builder_.rest_of_dynamic_array("values", builder_.i64(all)) : keys_->staged,
               behind ? 0 : all, bytes};
    }
  }
  if (!columns() || !frame_.softmax()) return;
  const auto numbers = [&](const char* name) {
    return builder_.array(name, Type::kF32, size_, true);
  };
  highest_of_ = numbers("highest_of");
  inverse_of_ = numbers("inverse_of");
  mean_of_ = numbers("mean_of");
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
    each_vector(builder_, frame_.thread, kThreads, builder_.i64(size_), cut, [&](Ex row, Ex d) {
      builder_.invoke(of_vector("clear_elements", cut),
                      {VectorPlace{(*rows)->staged, row * cut.width + (*rows)->at + d, true}});
    });
  }
  if (!columns() || !frame_.softmax()) return;
  builder_.loop("slot", frame_.thread, builder_.i64(size_), builder_.i64(kThreads),
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
  reached_ = builder_.variable("reached", columns() ? first_ : first_ + count_);
}

void WindowRing::bring(Ex distance) {
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
  if (columns() && frame_.softmax()) bring_statistics(from, count);
}

void WindowRing::start_rows(const Rows& rows, Ex from, Ex count) {
  const RowVectors cut = cut_of(rows);
  each_vector(builder_, frame_.thread, kThreads, count, cut, [&](Ex row, Ex d) {
    const Ex token = builder_.let("token", from + row);
    builder_.invoke(of_vector("start_copy", cut),
                    {VectorPlace{rows.staged, slot_at(rows, token, false) + d, true},
                     VectorPlace{rows.from, frame_.token_at(token) + d}});
  });
}

void WindowRing::bring_statistics(Ex from, Ex count) {
  builder_.loop("row", frame_.thread, count, builder_.i64(kThreads), LoopKind::kSerial,
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

// ---- rows that are there ------------------------------------------------------------------------

Ex WindowRing::slot_at(const Rows& rows, Ex token, bool anything) {
  const Ex there = anything ? builder_.call(Helper::kMaximum, {token, builder_.i64(0)}) : token;
  return there % size_ * frame_.spec.head_dim + rows.at;
}
Ex WindowRing::key_at(Ex token, bool anything) {
  return builder_.let("key_at", slot_at(*keys_, token, anything));
}
Ex WindowRing::value_at(Ex token, bool anything) {
  return builder_.let("value_at", slot_at(*values_, token, anything));
}

WindowRing::Reader WindowRing::reader(Ex token) {
  const Ex slot = builder_.let("slot", token % size_);
  return {{builder_.load(highest_of_, slot), builder_.load(inverse_of_, slot)},
          builder_.load(mean_of_, slot)};
}

}  // namespace heddle::schedule
