# SPDX-License-Identifier: Apache-2.0
# heddle_add_kernels(TARGET
#   PATTERN file.heddle or a built-in name
#   [NAME pattern]          the pattern's name; default: PATTERN without folder and extension
#   [OPS prefill decode]    the default; backward besides
#   [HEAD_DIM 64] [DTYPE f32] [WEIGHTS softmax]
#   [NATIVE])               compile for this machine's processor
#
# Adds a static library TARGET with the verified CPU kernels of a pattern. It is generated at build
# time, again when the file changes, and a kernel that heddle rejects fails the build. Its header is
# <NAME.hpp>; the manifest lies beside it, in the target property HEDDLE_ARTIFACT_DIR.
function(heddle_add_kernels target)
  cmake_parse_arguments(ARG "NATIVE" "PATTERN;NAME;HEAD_DIM;DTYPE;WEIGHTS" "OPS" ${ARGN})
  if(NOT ARG_PATTERN)
    message(FATAL_ERROR "heddle_add_kernels(${target}): PATTERN is missing")
  endif()
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "heddle_add_kernels(${target}): unknown arguments ${ARG_UNPARSED_ARGUMENTS}")
  endif()
  set(depends heddle::heddle)
  set(pattern ${ARG_PATTERN})
  if(pattern MATCHES "\\.heddle$")
    get_filename_component(pattern ${pattern} ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR})
    list(APPEND depends ${pattern})
  endif()
  if(NOT ARG_NAME)
    get_filename_component(ARG_NAME ${pattern} NAME_WE)
  endif()
  if(NOT ARG_OPS)
    set(ARG_OPS prefill decode)
  endif()
  set(options)
  foreach(op IN LISTS ARG_OPS)
    list(APPEND options --op ${op})
  endforeach()
  if(ARG_HEAD_DIM)
    list(APPEND options --head-dim ${ARG_HEAD_DIM})
  endif()
  if(ARG_DTYPE)
    list(APPEND options --dtype ${ARG_DTYPE})
  endif()
  if(ARG_WEIGHTS)
    list(APPEND options --weights ${ARG_WEIGHTS})
  endif()
  if(pattern MATCHES "\\.heddle$")
    list(APPEND options -p ${ARG_NAME})
  endif()

  set(folder ${CMAKE_CURRENT_BINARY_DIR}/heddle/${target})
  set(sources)
  foreach(op IN LISTS ARG_OPS)
    list(APPEND sources ${folder}/${ARG_NAME}_${op}.cpp)
  endforeach()
  add_custom_command(
    OUTPUT ${sources} ${folder}/${ARG_NAME}.hpp ${folder}/cpu_prelude.hpp ${folder}/manifest.json
    COMMAND heddle::heddle generate ${pattern} --target cpu ${options} -o ${folder}
    DEPENDS ${depends}
    COMMENT "Generating and verifying kernels of ${ARG_NAME}"
    VERBATIM)
  add_library(${target} STATIC ${sources})
  target_include_directories(${target} PUBLIC ${folder})
  target_compile_features(${target} PUBLIC cxx_std_17)
  target_compile_options(${target} PRIVATE -O3)
  if(ARG_NATIVE)
    target_compile_options(${target} PRIVATE -march=native)
  endif()
  set_target_properties(${target} PROPERTIES
    POSITION_INDEPENDENT_CODE ON HEDDLE_ARTIFACT_DIR ${folder})
endfunction()
