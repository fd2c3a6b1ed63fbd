// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/lattice_back.hpp"

#include <algorithm>

#include "codegen/schedule/lattice_plan.hpp"
#include "codegen/schedule/tensor_solve.hpp"

namespace heddle::schedule {
namespace {

std::int64_t element_of_lattice(const KernelSpec& spec) {
  return static_cast<std::int64_t>(size_of(spec.dtype));
}

// Few columns as in prefill; of more, as many as all warps have, or there is room for.
std::int64_t columns_of_lambda(const KernelSpec& spec) {
  const std::int64_t few = spec.tensor->columns;
  if (spec.head_dim > 64) return std::min<std::int64_t>(few, 32);
  return few < kTensorChunk ? few : 2 * kTensorChunk;
}

}  // namespace

LatticeBackLayout::LatticeBackLayout(const KernelSpec& spec, WindowUse use)
    : columns(spec.tensor->columns),
      listed(LatticeLayout(spec).listed),
      stride(spec.head_dim + 8),
      own(kTensorChunk * stride),
      matrices(use == WindowUse::kWeights ? 2 : 5),
      windows_at(matrices * own),
      window(columns * stride),
      sides(use == WindowUse::kWeights ? 1 : 2) {
  bytes = (windows_at + sides * kStages * window) * element_of_lattice(spec);
}

std::vector<SharedRows> lattice_back_rows_of(const KernelSpec& spec, WindowUse use) {
  const LatticeBackLayout layout(spec, use);
  const std::int64_t row = layout.stride * element_of_lattice(spec);
  const std::int64_t staged = LatticeBackLayout::kStages * layout.columns;
  return {{"key_rows", staged, staged, layout.sides * row},
          {"tile_rows", kTensorChunk, kTensorChunk, layout.matrices * row}};
}

LatticeLambdaLayout::LatticeLambdaLayout(const KernelSpec& spec)
    : columns(columns_of_lambda(spec)),
      stride(spec.head_dim + 8),
      own(kTensorChunk * stride),
      window(columns * stride) {
  bytes = reals_at() * element_of_lattice(spec) + 2 * (own + window) * 4;
}

std::vector<SharedRows> lattice_lambda_rows(const KernelSpec& spec) {
  const LatticeLambdaLayout layout(spec);
  const std::int64_t element = element_of_lattice(spec);
  return {{"key_rows", layout.columns, layout.columns, layout.stride * (2 * element + 2 * 4)},
          {"tile_rows", kTensorChunk, kTensorChunk, layout.stride * (4 * element + 2 * 4)}};
}

Result<TensorSplit> plan_lattice_back(KernelSpec spec, const Rows& rows, const TileLimits& limits) {
  if (spec.state_gradients) {
    return Error{"between states lattices go backwards without tensor cores"};
  }
  const Result<LatticePlan> forward = plan_lattice(spec, rows, limits);
  if (!forward) return forward.error();
  spec.tensor = forward->split;
  const std::int64_t most =
      std::max(LatticeBackLayout(spec, WindowUse::kRows).bytes,
               LatticeLambdaLayout(spec).bytes + TensorSolve::bytes_of(spec.head_dim));
  // Beside what is dynamic: terms, lists and what warps tell each other of rows.
  constexpr std::int64_t kBesides = 16 * 1024;
  if (most + kBesides > limits.shared_bytes) {
    return Error{"a chunk and two windows do not fit into a block"};
  }
  return forward->split;
}

}  // namespace heddle::schedule
