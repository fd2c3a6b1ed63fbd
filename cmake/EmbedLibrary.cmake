# SPDX-License-Identifier: Apache-2.0
# Writes OUTPUT: the files DIRECTORY/*.heddle as C++ string literals, sorted by name. The first
# comment line of a file is its summary.
file(GLOB files ${DIRECTORY}/*.heddle)
list(SORT files)
set(text "// Generated from the pattern library; do not edit.\n#include \"patterns/builtin_patterns.hpp\"\nnamespace heddle {\nextern const std::vector<BuiltinPattern> kEmbeddedLibrary;\nconst std::vector<BuiltinPattern> kEmbeddedLibrary = {\n")
foreach(file IN LISTS files)
  get_filename_component(name ${file} NAME_WE)
  file(READ ${file} content)
  string(REGEX MATCH "^# ([^\n]*)\n" ignored "${content}")
  if(NOT ignored)
    message(FATAL_ERROR "${file} must begin with a comment line")
  endif()
  string(APPEND text "    {\"${name}\", R\"heddle(${CMAKE_MATCH_1})heddle\", R\"heddle(${content})heddle\"},\n")
endforeach()
string(APPEND text "};\n}  // namespace heddle\n")
file(WRITE ${OUTPUT} "${text}")
