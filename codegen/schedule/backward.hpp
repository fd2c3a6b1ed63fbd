// SPDX-License-Identifier: Apache-2.0
// The backward schedules behind schedule::backward, one per target and kind of weights.
#pragma once

#include "codegen/schedule/gradient_frame.hpp"

namespace heddle::schedule {

ir::Kernel backward_cpu(const KernelSpec& spec);
// Of a frame that is by_windows(); part of backward_cpu.
void backward_windows(GradientFrame& frame);
// Of a frame that is by_short_rows(); part of backward_cpu.
void backward_short(GradientFrame& frame);
ir::Kernel backward_cuda(const KernelSpec& spec);
ir::Kernel backward_linear(const KernelSpec& spec);  // both targets
ir::Kernel matrix_rows_back(const KernelSpec& spec);  // likewise, where spec.matrix_rows()

}  // namespace heddle::schedule
