// SPDX-License-Identifier: Apache-2.0
// kernel_entry.hpp as text, embedded when the library is built.
#pragma once

namespace heddle {

extern const char* const kernel_entry_text;

}  // namespace heddle
