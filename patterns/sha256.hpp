// SPDX-License-Identifier: Apache-2.0
// SHA-256 of bytes as 64 lower-case hexadecimal digits.
#pragma once

#include <string>
#include <string_view>

namespace heddle {

std::string sha256_hex(std::string_view bytes);

}  // namespace heddle
