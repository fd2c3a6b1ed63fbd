// SPDX-License-Identifier: Apache-2.0
// The colours of every picture. The two sides are the orange and blue of Okabe and Ito, which
// remain apart in all common forms of colour blindness; ordered quantities use ramps whose
// lightness is monotone, so that they survive grey printing.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "patterns/pattern.hpp"

namespace heddle::palette {

inline constexpr std::string_view kPaper = "#ffffff";
inline constexpr std::string_view kInk = "#1f2933";
inline constexpr std::string_view kMuted = "#5b6673";
inline constexpr std::string_view kRule = "#9aa5b1";
inline constexpr std::string_view kGrid = "#e8ebef";
inline constexpr std::string_view kVoid = "#f6f7f9";  // above the diagonal
inline constexpr std::string_view kUnreachable = "#cfd5dc";
inline constexpr std::string_view kSideA = "#d55e00";
inline constexpr std::string_view kSideB = "#0072b2";

// For series that stand side by side.
inline constexpr std::array<std::string_view, 7> kSeries = {
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#1f2933"};

// Few to all, five steps; all is the side's own colour, as for single entries.
inline constexpr std::array<std::string_view, 5> kRampA = {"#f9cfa9", "#f4b583", "#ec9a57",
                                                           "#e27c2b", kSideA};
inline constexpr std::array<std::string_view, 5> kRampB = {"#bcdcf0", "#92c4e4", "#63aad6",
                                                           "#338ec4", kSideB};

// Viridis from near (light) at 0 to far (dark) at 1: lightness alone orders it.
std::string near_to_far(double share);

inline constexpr std::string_view colour_of(Side side) {
  return side == Side::kA ? kSideA : kSideB;
}
inline constexpr const std::array<std::string_view, 5>& ramp_of(Side side) {
  return side == Side::kA ? kRampA : kRampB;
}

}  // namespace heddle::palette
