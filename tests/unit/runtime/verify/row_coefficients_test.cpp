// SPDX-License-Identifier: Apache-2.0
// Lanes that share a row of staged prefill ask for its given coefficients side by side and hand
// them on. What the generator writes is verified; a text in which an entry is weighed by another's
// coefficient, or one is asked for that the row does not have, is not.
#include "tests/unit/runtime/verify/staged_texts.hpp"

namespace heddle {
namespace {

using Kind = test::StagedKind;

// Rows of the longest have nine entries, more than lanes that share one.
const test::StagedTexts kTexts{300, {1, 2, 33, 63, 260}, 2'000'000, 32, WeightKind::kGiven};

}  // namespace

TEST_CASE("prefill whose lanes ask for coefficients side by side is verified") {
  kTexts.verify({Kind{"log_recurrence"}, Kind{"log_recurrence", ElementType::kBF16, 64},
                 Kind{"linear_recurrence", ElementType::kF16, 128}, Kind{"log_attention"},
                 Kind{"order_k_recurrence", ElementType::kF32, 96, "prefill", true},
                 Kind{"sqrt_cached", ElementType::kF32, 64},
                 Kind{"log_cached", ElementType::kBF16, 64},
                 Kind{"log_recurrence", ElementType::kF32, 64, "backward"}});
}

TEST_CASE("coefficients are asked for side by side where groups come together") {
  const auto text = [](const Kind& kind) { return kTexts.text_of(kind); };
  const std::string ahead = "group_read<8>(held, place)", once = "group_read<8>(mine";
  CHECK(text({"log_recurrence"}).find(ahead) != std::string::npos);
  CHECK(text({"log_attention"}).find(ahead) != std::string::npos);
  CHECK(text({"sqrt_cached"}).find(ahead) == std::string::npos);
  CHECK(text({"sqrt_cached"}).find(once) != std::string::npos);
  CHECK(text({"log_recurrence", ElementType::kF32, 40}).find("warp_sum(mine") != std::string::npos);
}

TEST_CASE("an entry that another's coefficient weighs is rejected") {
  kTexts.reject({"log_recurrence"},
                {{"place = entry_2 % 8", "place = (entry_2 + 1) % 8"},
                 {"place = entry_2 % 8", "place = entry_2 % 4"},
                 {"group_read<8>(held, place)", "group_read<8>(held, 7 - place)"},
                 {"group_read<8>(held, place)", "group_read<16>(held, place)"},
                 {"held = coming;", "held = 0.0f;"},
                 {"coef_at + lane_of_row", "coef_at + (7 - lane_of_row)"},
                 {"group_read<8>(mine", "group_read<4>(mine"},
                 {"lane_of_row == 0 ? coef_a", "lane_of_row == 1 ? coef_a"},
                 {"entries += 1", "entries += 0"},
                 {"entry_2 += 1", "entry_2 += 0"}},
                true);
  kTexts.reject({"sqrt_cached"},
                {{"coef_at_2 + entry_2", "coef_at_2", false, true},
                 {"lane_of_row == 0 ? coef_b", "lane == 0 ? coef_b", false, true}},
                true);
}

// Which rows of more entries than eight tell; those of the algebraic layer have fewer.
TEST_CASE("the next coefficients that are taken for those at hand are rejected") {
  kTexts.reject({"log_recurrence"},
                {{"group_read<8>(held, place)", "group_read<8>(coming, place)"},
                 {"entry_2 + 8 + lane_of_row", "entry_2 + lane_of_row"},
                 {"place == 0", "entry_2 == 0"}},
                false);
}

TEST_CASE("a coefficient that a row does not have is not asked for") {
  kTexts.reject({"log_recurrence"},
                {{"lane_of_row < count", "lane_of_row <= count"},
                 {"column < count", "column <= count"},
                 {"entries += 1", "entries += 2"},
                 {"while (f < i)", "while (f <= i)"}},
                false);
}

}  // namespace heddle
