// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/backward.hpp"

namespace heddle::schedule {

ir::Kernel backward(const KernelSpec& spec) {
  if (spec.matrix_rows()) return matrix_rows_back(spec);
  if (spec.weights == WeightKind::kLinear) return backward_linear(spec);
  return spec.target == ir::Target::kCuda ? backward_cuda(spec) : backward_cpu(spec);
}

}  // namespace heddle::schedule
