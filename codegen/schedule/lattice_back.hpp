// SPDX-License-Identifier: Apache-2.0
// Backward of softmax lattices on tensor cores: how the shared memory of its launches is laid out
// and whom they suit.
#pragma once

#include <cstdint>
#include <vector>

#include "codegen/schedule/attention_plan.hpp"
#include "codegen/schedule/gather_backward.hpp"

namespace heddle::schedule {

// Tokens of a block, several chunks one after the other: the terms are listed once for them.
constexpr int kLatticeBackTokens = 256;
constexpr int kLatticeBackWarps = kTensorChunk / 16;

// Of WindowUse::kWeights and kRows, in elements of the kernel's type, rows all alike: queries of a
// chunk and its keys, then those of rows besides, lambda, outputs and inputs; then two windows of
// listed positions, their keys and, of rows, their outputs.
struct LatticeBackLayout {
  LatticeBackLayout(const KernelSpec& spec, WindowUse use);

  static constexpr int kStages = 2;
  std::int64_t columns;  // of a window
  std::int64_t listed;   // columns that are listed at a time, whole windows
  std::int64_t stride;   // 16 n + 8, see tensor_prelude.cuh
  std::int64_t own;      // elements of one of a chunk's matrices
  std::int64_t matrices;
  std::int64_t windows_at, window;  // elements of one side of a window
  std::int64_t sides;               // of a window
  std::int64_t bytes;

  std::int64_t keys_at() const { return own; }
  std::int64_t lambdas_at() const { return 2 * own; }
  std::int64_t outputs_at() const { return 3 * own; }
  std::int64_t inputs_at() const { return 4 * own; }
  std::int64_t window_outputs_at() const { return windows_at + kStages * window; }
};

// Of lambda, in elements of the kernel's type, rows all alike: queries of a chunk, its keys, which
// lambda takes the place of, its outputs and its inputs; keys and outputs of a window of listed
// positions. Then, as reals in rows as far apart: what is due of the chunk's lambda and of its
// keys, and of the listed positions likewise.
struct LatticeLambdaLayout {
  explicit LatticeLambdaLayout(const KernelSpec& spec);

  std::int64_t columns;  // of a window, sixteen of a warp at most
  std::int64_t stride;
  std::int64_t own, window;  // elements of one of a chunk's matrices, of a window's
  std::int64_t bytes;

  std::int64_t keys_at() const { return own; }
  std::int64_t outputs_at() const { return 2 * own; }
  std::int64_t inputs_at() const { return 3 * own; }
  std::int64_t window_at() const { return 4 * own; }
  std::int64_t reals_at() const { return 4 * own + 2 * window; }
  // Among the reals, behind lambda.
  std::int64_t own_dk_at() const { return own; }
  std::int64_t window_sums_at() const { return 2 * own; }
};

// Of dynamic shared memory.
std::vector<SharedRows> lattice_lambda_rows(const KernelSpec& spec);
ir::Kernel tensor_lattice_lambda(const KernelSpec& spec);
std::vector<SharedRows> lattice_back_rows_of(const KernelSpec& spec, WindowUse use);
ir::Kernel tensor_lattice_rows(const KernelSpec& spec, WindowUse use);

// For launches of so many tokens. Fails where the pattern, the sizes or the type do not fit.
Result<TensorSplit> plan_lattice_back(KernelSpec spec, const Rows& rows, const TileLimits& limits);

}  // namespace heddle::schedule
