// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/tensor_solve.hpp"

#include "codegen/schedule/attention_rows.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;
using ir::VectorPlace;

namespace {

constexpr int kTogether = 16;    // rows
constexpr int kNearStride = 20;  // between columns of weights: whole vectors, no bank twice
constexpr int kNear = kTogether * kNearStride;
constexpr int kWeights = 4;  // of a column, that come at once

int sum_stride(int head_dim) { return head_dim + 8; }

}  // namespace

TensorSolve::TensorSolve(ir::Builder& builder, const KernelSpec& spec, Ex thread, MemoryId staged,
                         std::int64_t stride, int first_thread)
    : builder_(builder),
      thread_(thread),
      staged_(staged),
      near_(builder_.array_of_vectors("near", kNear)),
      sums_(builder_.array_of_vectors("sums", kTogether * sum_stride(spec.head_dim))),
      stride_(stride),
      first_thread_(first_thread),
      dim_(spec.head_dim) {}

std::int64_t TensorSolve::bytes_of(int head_dim) {
  return (kNear + kTogether * sum_stride(head_dim)) * 4;
}

void TensorSolve::solve(const System& system, const std::function<Ex(Ex)>& adds,
                        const std::optional<Others>& others) {
  constexpr int kParts = kTensorChunk / kTogether;
  builder_.loop(
      "part", builder_.i64(0), builder_.i64(kParts), builder_.i64(1), LoopKind::kUnrolled,
      [&](Ex turn) {
        const Ex part = system.backwards ? builder_.i64(kParts - 1) - turn : turn;
        builder_.when(equal(system.diagonal, part * kTogether), [&] { leave(system, part); });
        builder_.barrier();
        const Ex values = builder_.let("values_at", system.values + part * (kTogether * stride_));
        const Ex substitutes = thread_ < first_thread_ + dim_;
        builder_.when(
            first_thread_ == 0 ? substitutes : both(thread_ >= first_thread_, substitutes),
            [&] { substitute(system, part, values); });
        if (others) others->meanwhile(turn);
        builder_.barrier();
        const Ex solved = part * kTogether;
        builder_.when(adds(system.backwards ? system.diagonal < solved : system.diagonal > solved),
                      [&] { add(system, part, values); });
        if (others) others->behind(turn);
      });
}

void TensorSolve::add(const System& system, Ex part, Ex values) {
  builder_.invoke(
      on_tiles("multiply_sums_by_columns", dim_ / 8),
      {VectorPlace{system.sums, builder_.i64(0), true}, VectorPlace{system.weights, part * 8},
       VectorPlace{staged_, values}, builder_.i64(stride_)});
}

// Weights column by column.
void TensorSolve::leave(const System& system, Ex part) {
  builder_.invoke(on_tiles("store_sums", dim_ / 8),
                  {VectorPlace{sums_, builder_.i64(0), true}, builder_.i64(sum_stride(dim_)),
                   VectorPlace{system.sums, builder_.i64(0)}});
  builder_.invoke(on_tiles("store_sums_across", 2),
                  {VectorPlace{near_, builder_.i64(0), true}, builder_.i64(kNearStride),
                   VectorPlace{system.weights, part * 8}});
}

// As soon as an output is there, all rows that come later have what it weighs for them. Loops are
// unrolled, so that registers hold sums. The next column's weights come in meanwhile.
void TensorSolve::substitute(const System& system, Ex part, Ex values) {
  const Ex d = builder_.let("d", thread_ - first_thread_);
  const MemoryId solved = builder_.array("solved", Type::kF32, kTogether);
  const MemoryId weighs = builder_.array("weighs", Type::kF32, 2 * kTogether);
  const auto each = [&](const char* name, Ex from, Ex end, const std::function<void(Ex)>& body) {
    builder_.loop(name, from, end, builder_.i64(1), LoopKind::kUnrolled, body);
  };
  const auto at = [&](Ex r) { return values + d + r * stride_; };
  const Ex zero = builder_.i64(0), all = builder_.i64(kTogether);
  const Ex blocks = builder_.i64(kTogether / kWeights);
  // Each place is filled before it is read; but that rests on which columns are even.
  each("e", zero, builder_.i64(2 * kTogether),
       [&](Ex e) { builder_.store(weighs, e, builder_.f32(0)); });
  each("r", zero, all, [&](Ex r) {
    Ex start = builder_.load(sums_, d + r * sum_stride(dim_));
    if (system.inputs) {
      start = start + builder_.load(near_, r * (kNearStride + 1)) * builder_.load(staged_, at(r));
    }
    builder_.store(solved, r, start);
  });
  const auto column_of = [&](Ex c) {
    return system.backwards ? builder_.i64(kTogether - 1) - c : c;
  };
  load_column(weighs, column_of(zero), zero, blocks, zero);
  each("c", zero, all, [&](Ex c) {
    const Ex column = column_of(c);
    const Ex next = builder_.let("next_column", c + 1);
    const Ex to = next % 2 * kTogether;
    if (system.backwards) {
      const Ex first_rows = builder_.let("rows_before", column_of(next) + (kWeights - 1));
      load_column(weighs, builder_.call(ir::Helper::kMaximum, {column_of(next), zero}), zero,
                  first_rows / kWeights, to);
    } else {
      load_column(weighs, next, (next + 1) / kWeights, blocks, to);
    }
    const Ex output = builder_.let("output", builder_.load(solved, column));
    builder_.store(staged_, at(column), output);
    if (system.keep) system.keep(part * kTogether + column, d, output);
    each("r", system.backwards ? zero : c + 1, system.backwards ? column : all, [&](Ex r) {
      const Ex weight = builder_.load(weighs, c % 2 * kTogether + r);
      builder_.store(solved, r, builder_.load(solved, r) + weight * output);
    });
  });
}

// What the rows in these blocks weigh row `column` with.
void TensorSolve::load_column(MemoryId weighs, Ex column, Ex from, Ex end, Ex to) {
  builder_.loop("block", from, end, builder_.i64(1), LoopKind::kUnrolled, [&](Ex block) {
    builder_.invoke(on_tiles("load_elements", kWeights),
                    {VectorPlace{weighs, to + block * kWeights, true},
                     VectorPlace{near_, column * kNearStride + block * kWeights}});
  });
}

}  // namespace heddle::schedule
