// SPDX-License-Identifier: Apache-2.0
// Where backward on cuda may be several launches in which rows gather.
#pragma once

#include "codegen/schedule/gradient_frame.hpp"

namespace heddle::schedule {

bool gathers(const KernelSpec& spec);

}  // namespace heddle::schedule
