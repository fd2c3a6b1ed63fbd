# SPDX-License-Identifier: Apache-2.0
# cmake -DOUTPUT=... -DROOT=... -P EmbedPrelude.cmake: the preludes as string literals.
file(READ ${ROOT}/codegen/prelude/scalars.hpp scalars)
string(REGEX REPLACE "^// SPDX[^\n]*\n" "" scalars "${scalars}")
file(READ ${ROOT}/codegen/cpu/cpu_lattice.hpp lattice)
string(REGEX REPLACE "^// SPDX[^\n]*\n" "" lattice "${lattice}")
string(REPLACE "#pragma once\n\n#include \"codegen/cpu/cpu_prelude.hpp\"\n\n" "" lattice "${lattice}")
set(text "#include \"codegen/prelude/prelude.hpp\"\nnamespace heddle {\n")
foreach(pair "device_prelude|cuda/device_prelude.cuh" "cpu_prelude|cpu/cpu_prelude.hpp"
             "cpu_gradients|cpu/cpu_gradients.hpp" "staging_prelude|cuda/staging_prelude.cuh"
             "tensor_prelude|cuda/tensor_prelude.cuh")
  string(REPLACE "|" ";" pair "${pair}")
  list(GET pair 0 function)
  list(GET pair 1 file)
  file(READ ${ROOT}/codegen/${file} prelude)
  string(REPLACE "#include \"codegen/prelude/scalars.hpp\"\n" "${scalars}" prelude "${prelude}")
  string(REPLACE "#include \"codegen/cpu/cpu_lattice.hpp\"\n" "${lattice}" prelude "${prelude}")
  string(REPLACE "codegen/cpu/cpu_prelude.hpp" "cpu_prelude.hpp" prelude "${prelude}")
  string(REPLACE "codegen/cuda/device_prelude.cuh" "device_prelude.cuh" prelude "${prelude}")
  string(REPLACE "codegen/cuda/staging_prelude.cuh" "staging_prelude.cuh" prelude "${prelude}")
  string(APPEND text "std::string_view ${function}() { return R\"__(${prelude})__\"; }\n")
endforeach()
string(APPEND text "}  // namespace heddle\n")
file(WRITE ${OUTPUT} "${text}")
