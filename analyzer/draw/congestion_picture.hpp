// SPDX-License-Identifier: Apache-2.0
// The copy task along the tokens: how many paths meet in each output, and the weights that show how
// few could not meet less.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace heddle {

// Both spans have one entry for each output y_1 .. y_2m.
struct CongestionPictureInput {
  std::string name;
  std::span<const std::int64_t> load;     // paths through it
  std::span<const std::int64_t> weights;  // of the lower bound; all zero where none is needed
  std::int64_t lower = 0;
  std::int64_t upper = 0;
};
std::string congestion_svg(const CongestionPictureInput& input);

}  // namespace heddle
