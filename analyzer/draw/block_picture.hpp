// SPDX-License-Identifier: Apache-2.0
// A pattern for the terminal: a coarse grid whose cells are full, partly or not at all read by A
// or B, in the manner of FlexAttention's block masks, with the exact sparsity.
#pragma once

#include <string>
#include <string_view>

#include "patterns/materialize.hpp"

namespace heddle {

struct BlockPictureOptions {
  int most_cells = 20;  // a side
  bool ascii = false;   // '#', ':' and '.' instead of block characters
};
std::string block_picture(std::string_view name, const Rows& rows,
                          const BlockPictureOptions& options = {});

}  // namespace heddle
