// SPDX-License-Identifier: Apache-2.0
// The preludes as they are written beside generated kernels: the header files of codegen/cuda and
// codegen/cpu with codegen/prelude/scalars.hpp put in place.
#pragma once

#include <string_view>

namespace heddle {

std::string_view device_prelude();   // device_prelude.cuh
std::string_view staging_prelude();  // staging_prelude.cuh, which includes device_prelude.cuh
std::string_view tensor_prelude();   // tensor_prelude.cuh, which includes staging_prelude.cuh
std::string_view softmax_prelude();  // softmax_prelude.cuh, which includes tensor_prelude.cuh
std::string_view cpu_prelude();      // cpu_prelude.hpp
std::string_view cpu_gradients();    // cpu_gradients.hpp, which includes cpu_prelude.hpp

}  // namespace heddle
