// SPDX-License-Identifier: Apache-2.0
// Lattices with gated weights out of shared memory: prefill is verified; a text that keeps another
// entry's gates for the chunk's system, takes another column or asks for gates out of turn is not.
#include "tests/unit/runtime/verify/staged_texts.hpp"

namespace heddle {
namespace {

using Kind = test::StagedKind;

const test::StagedTexts kTexts{200, {1, 2, 33, 100}, 2'000'000, 64, WeightKind::kGated};

TEST_CASE("prefill of lattices with gated weights is verified") {
  const std::vector<Kind> kinds = {{"log_cached", ElementType::kBF16},
                                   {"sqrt_cached", ElementType::kF32, 32},
                                   {"fibonacci_cached", ElementType::kF16, 24},
                                   {"sqrt_cached", ElementType::kBF16, 64, "prefill", true}};
  for (const Kind& kind : kinds) {
    CHECK(kTexts.text_of(kind).find("near_columns") != std::string::npos);
  }
  kTexts.verify(kinds);
}

TEST_CASE("gates of a lattice's entries that are mistaken for others are rejected") {
  kTexts.reject({"log_cached", ElementType::kBF16},
                {{"number_3 % 4", "number_3 % 2"},
                 {"asked % 4 * 64", "(asked + 1) % 4 * 64"},
                 {"coef_b + coef_at_2 + 64", "coef_b + coef_at_2"},
                 {"waiting_2 = waiting_3", "waiting_2 = next"},
                 {"from = p - before_chunk - 1", "from = p - before_chunk"},
                 {"number_3 < 6", "number_3 < 3"},
                 {"lane_of_row + part * 8 == number_3", "lane_of_row + part * 8 == number_3 + 1"},
                 {"place % 32 / 4 * 8", "place % 32 / 4 * 4"}},
                true);
}

}  // namespace
}  // namespace heddle
