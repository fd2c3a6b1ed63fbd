# SPDX-License-Identifier: Apache-2.0
# find_package(heddle): the program as heddle::heddle, and heddle_add_kernels().
include(${CMAKE_CURRENT_LIST_DIR}/heddle-targets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/HeddleAddKernels.cmake)
