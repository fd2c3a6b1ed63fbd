# SPDX-License-Identifier: Apache-2.0
# cmake -DOUTPUT=... -DROOT=... -P EmbedPrelude.cmake: the preludes as string literals.
# Headers that are part of a prelude's text, without what only an editor needs of them: licence, guard and includes.
set(parts prelude/scalars.hpp cpu/cpu_narrow.hpp cpu/cpu_lattice.hpp cpu/cpu_matrix.hpp cpu/cpu_matrix_back.hpp cpu/cpu_key_gates.hpp cpu/cpu_key_gates_back.hpp cpu/cpu_short.hpp cpu/cpu_gated.hpp
    cpu/cpu_lanes.hpp cpu/cpu_rewind.hpp cpu/cpu_short_back.hpp)
foreach(part IN LISTS parts)
  file(READ ${ROOT}/codegen/${part} ${part})
  string(REGEX REPLACE "^// SPDX[^\n]*\n" "" ${part} "${${part}}")
  string(REGEX REPLACE "#pragma once\n\n(#include [^\n]*\n)+\n" "" ${part} "${${part}}")
endforeach()
set(text "#include \"codegen/prelude/prelude.hpp\"\nnamespace heddle {\n")
foreach(pair "device_prelude|cuda/device_prelude.cuh" "cpu_prelude|cpu/cpu_prelude.hpp"
             "cpu_gradients|cpu/cpu_gradients.hpp" "staging_prelude|cuda/staging_prelude.cuh"
             "tensor_prelude|cuda/tensor_prelude.cuh" "softmax_prelude|cuda/softmax_prelude.cuh")
  string(REPLACE "|" ";" pair "${pair}")
  list(GET pair 0 function)
  list(GET pair 1 file)
  file(READ ${ROOT}/codegen/${file} prelude)
  foreach(part IN LISTS parts)
    string(REPLACE "#include \"codegen/${part}\"\n" "${${part}}" prelude "${prelude}")
  endforeach()
  string(REPLACE "codegen/cpu/cpu_prelude.hpp" "cpu_prelude.hpp" prelude "${prelude}")
  string(REPLACE "codegen/cuda/device_prelude.cuh" "device_prelude.cuh" prelude "${prelude}")
  string(REPLACE "codegen/cuda/staging_prelude.cuh" "staging_prelude.cuh" prelude "${prelude}")
  string(REPLACE "codegen/cuda/tensor_prelude.cuh" "tensor_prelude.cuh" prelude "${prelude}")
  string(APPEND text "std::string_view ${function}() { return R\"__(${prelude})__\"; }\n")
endforeach()
string(APPEND text "}  // namespace heddle\n")
file(WRITE ${OUTPUT} "${text}")
