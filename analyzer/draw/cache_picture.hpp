// SPDX-License-Identifier: Apache-2.0
// What has to be kept after each token: time against position, marked while the position is still
// read by a later row, and below it the number of kept positions with its maximum.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace heddle {

// Entry p - 1 of a span is the last row that reads position p, INT64_MAX for ever, 0 never; both
// have n entries. Position p is kept after tokens p .. last - 1.
struct CachePictureInput {
  std::string_view name;
  std::span<const std::int64_t> last_read_of_inputs;   // A
  std::span<const std::int64_t> last_read_of_outputs;  // B
  std::string_view note;  // e.g. up to which row reads were counted; may be empty
};
std::string cache_svg(const CachePictureInput& input);

}  // namespace heddle
