# SPDX-License-Identifier: Apache-2.0
# The one place for warnings and sanitizers, and the two ways heddle makes a target.
add_library(heddle_options INTERFACE)
target_compile_options(heddle_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wcast-qual -Wno-missing-field-initializers
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)  # g++ 12 reports string concatenation, GCC bug 105651
if(HEDDLE_SANITIZE)
  target_compile_options(heddle_options INTERFACE -fsanitize=${HEDDLE_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(heddle_options INTERFACE -fsanitize=${HEDDLE_SANITIZE})
endif()

# A program that links the libraries of this folder takes a third of the time with gold.
include(CheckLinkerFlag)
check_linker_flag(CXX -fuse-ld=gold HEDDLE_HAS_GOLD)
if(HEDDLE_HAS_GOLD AND NOT HEDDLE_SANITIZE)
  target_link_options(heddle_options INTERFACE -fuse-ld=gold)
endif()

# The headers that most files include, compiled once: a third of a build would go into reading them.
# The debug and sanitizer presets do without, so that every file still includes what it uses.
# Once for each level of optimisation, which a precompiled header must share with what includes it.
foreach(headers IN ITEMS heddle_common_headers heddle_quick_headers)
  add_library(${headers} OBJECT ${CMAKE_CURRENT_LIST_DIR}/common_headers.cpp)
  set_target_properties(${headers} PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_link_libraries(${headers} PRIVATE heddle_options fmt::fmt)
  target_precompile_headers(${headers} PRIVATE
    <algorithm> <cstdint> <functional> <map> <memory> <optional> <set> <string> <string_view> <utility> <vector>
    <fmt/format.h>)
endforeach()

# For code that only calls what takes time: most of a full build is such code, and -O3 gains it nothing.
function(heddle_compile_quickly name)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
endfunction()
heddle_compile_quickly(heddle_quick_headers)

# For tests, most of which spend their time in what they test.
function(heddle_compile_unoptimized name)
  target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O0>)
endfunction()

# From a precompiled header g++ 12 also shows its false alarms about std::string.
function(heddle_hush_precompiled name)
  target_compile_options(${name} PRIVATE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow;-Wno-stringop-overread;-Wno-array-bounds>)
endfunction()

# heddle_library(NAME [QUICK] SOURCES a.cpp ... PUBLIC libs... PRIVATE libs...): every library may use fmt.
# QUICK: compiled quickly.
function(heddle_library name)
  cmake_parse_arguments(ARG "QUICK" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/heddle>)
  target_link_libraries(${name} PUBLIC ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE} fmt::fmt $<BUILD_INTERFACE:heddle_options>)
  if(ARG_QUICK)
    heddle_compile_quickly(${name})
    target_precompile_headers(${name} REUSE_FROM heddle_quick_headers)
  else()
    target_precompile_headers(${name} REUSE_FROM heddle_common_headers)
  endif()
  heddle_hush_precompiled(${name})
endfunction()

# heddle_test(NAME [QUICK] SOURCES a.cpp ... LIBRARIES libs...): one Catch2 program, one CTest entry.
# QUICK: compiled quickly instead of not optimised at all, for a test that computes much itself.
function(heddle_test name)
  cmake_parse_arguments(ARG "QUICK" "" "SOURCES;LIBRARIES" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE ${ARG_LIBRARIES} heddle_test_main heddle_options)
  set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  if(ARG_QUICK)
    heddle_compile_quickly(${name})
    target_precompile_headers(${name} REUSE_FROM heddle_quick_catch_header)
  else()
    heddle_compile_unoptimized(${name})
    target_precompile_headers(${name} REUSE_FROM heddle_catch_header)
  endif()
  heddle_hush_precompiled(${name})
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()
