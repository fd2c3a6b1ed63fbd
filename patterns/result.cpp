// SPDX-License-Identifier: Apache-2.0
#include "patterns/result.hpp"

#include <cstdio>
#include <cstdlib>

namespace heddle {

void fail_assertion(const char* what, std::source_location where) {
  std::fprintf(stderr, "heddle: internal error: %s (%s:%u)\n", what, where.file_name(),
               static_cast<unsigned>(where.line()));
  std::_Exit(70);
}

}  // namespace heddle
