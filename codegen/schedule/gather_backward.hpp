// SPDX-License-Identifier: Apache-2.0
// Where backward on cuda may be several launches in which rows gather.
#pragma once

#include "codegen/schedule/gradient_frame.hpp"

namespace heddle::schedule {

bool gathers(const KernelSpec& spec);

// One launch of it, where B is a lattice and A = {i}, with a block for each head: lambda, or the
// gradients of keys.
enum class NestedUse { kLambda, kKeys };
ir::Kernel nested_rows(const KernelSpec& spec, NestedUse use);

}  // namespace heddle::schedule
