// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/gradient_plan.hpp"

#include <algorithm>

#include "codegen/schedule/key_plan.hpp"
#include "codegen/schedule/tensor_plan.hpp"

namespace heddle::schedule {

GradientLayout::GradientLayout(const KernelSpec& spec)
    : key_stride(spec.state_dim + 8),
      value_stride(spec.head_dim + 8),
      out_stride(std::max(spec.state_dim, spec.head_dim) + 8) {
  keys_at = kTensorChunk * key_stride;
  values_at = 2 * keys_at;
  changes_at = values_at + kTensorChunk * value_stride;
  state_at = changes_at + kTensorChunk * value_stride;
  slope_at = state_at + spec.state_dim * value_stride;
  out_at = slope_at + spec.state_dim * value_stride;
  reals_at = out_at + kTensorChunk * out_stride;
  bytes = reals_at * static_cast<std::int64_t>(size_of(spec.dtype)) + kReals * 4;
}

Result<TensorSplit> plan_gradients(const KernelSpec& spec, std::int64_t shared_bytes) {
  constexpr int kMost = 128;  // a thread keeps half as many sums
  const Result<TensorPlan> sums = plan_tensor(spec, 1, shared_bytes);
  if (!sums) return sums.error();
  const std::int64_t bytes =
      spec.key_gates ? KeyGradientLayout(spec).bytes : GradientLayout(spec).bytes;
  if (std::max(spec.head_dim, spec.state_dim) > kMost || bytes > shared_bytes) {
    return Error{"a chunk with its states does not fit"};
  }
  return sums->split;
}

}  // namespace heddle::schedule
