// SPDX-License-Identifier: Apache-2.0
#include "analyzer/draw/palette.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace heddle::palette {
namespace {

constexpr std::array<std::array<double, 3>, 9> kNearToFar = {{{0xf1, 0xe5, 0x1d},
                                                              {0xad, 0xdc, 0x30},
                                                              {0x5e, 0xc9, 0x62},
                                                              {0x28, 0xae, 0x80},
                                                              {0x21, 0x91, 0x8c},
                                                              {0x2c, 0x72, 0x8e},
                                                              {0x3b, 0x52, 0x8b},
                                                              {0x47, 0x2d, 0x7b},
                                                              {0x3a, 0x01, 0x4a}}};

}  // namespace

std::string near_to_far(double share) {
  const double place = share * static_cast<double>(kNearToFar.size() - 1);
  const auto low = std::min(static_cast<std::size_t>(place), kNearToFar.size() - 2);
  const double rest = place - static_cast<double>(low);
  std::string colour = "#";
  for (std::size_t channel = 0; channel < 3; ++channel) {
    const double value =
        kNearToFar[low][channel] * (1 - rest) + kNearToFar[low + 1][channel] * rest;
    colour += fmt::format("{:02x}", static_cast<int>(value + 0.5));
  }
  return colour;
}

}  // namespace heddle::palette
