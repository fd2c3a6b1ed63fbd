// SPDX-License-Identifier: Apache-2.0
// Gated weights out of shared memory: prefill, whose gates are asked for ahead of their entries,
// and backward as a gather. What the generator writes is verified; a text that takes another
// entry's gates, another channel's, or waits for fewer copies than it needs is not.
#include "tests/unit/runtime/verify/staged_texts.hpp"

namespace heddle {
namespace {

using Kind = test::StagedKind;

const test::StagedTexts kTexts{160, {1, 2, 33, 63, 100}, 2'000'000, 32, WeightKind::kGated};

}  // namespace

TEST_CASE("prefill of gated weights out of shared memory is verified") {
  kTexts.verify({Kind{"log_recurrence"}, Kind{"sqrt_recurrence", ElementType::kF16, 64},
                 Kind{"order_k_recurrence", ElementType::kBF16, 24},
                 Kind{"local_attention", ElementType::kF32, 32},
                 Kind{"linear_recurrence", ElementType::kBF16, 64},
                 Kind{"log_recurrence", ElementType::kBF16, 64, "prefill", true}});
}

TEST_CASE("gradients of gated weights are gathered") {
  const std::vector<Kind> kinds = {{"log_recurrence", ElementType::kF32, 32, "backward"},
                                   {"fibonacci_recurrence", ElementType::kBF16, 64, "backward"},
                                   {"local_attention", ElementType::kF16, 24, "backward"},
                                   {"order_k_recurrence", ElementType::kF32, 32, "backward", true}};
  for (const Kind& kind : kinds) {
    CHECK(kTexts.generated(kind).manifest.kernels[0].schedule == "gather");
  }
  kTexts.verify(kinds);
}

TEST_CASE("gates of another entry, row or channel are rejected") {
  kTexts.reject({"log_recurrence"},
                {{"number_2 % 4", "number_2 % 2"},
                 {"asked < count", "asked <= count"},
                 {"await_batches<3>", "await_batches<4>"},
                 {"asked % 4", "(asked + 1) % 4"},
                 {"place * 64 + r", "place * 64 + (63 - r)"},
                 {"i - p_2 < 2 ? 0 : 1", "i - p_2 < 2 ? 1 : 0"},
                 {"solved[r - 4]", "solved[r - 3]"},
                 {"solved[r - 1]", "solved[r - 2]"}},
                true);
}

TEST_CASE("gated rows and columns of a gather that mistake their place are rejected") {
  kTexts.reject({"order_k_recurrence", ElementType::kF32, 32, "backward"},
                {{"lambda[part] * value[part]", "lambda[part] * lambda[part]"},
                 {"entry += 1", "entry += 2"},
                 {"chunk * 32", "chunk * 64"}},
                true);
}

}  // namespace heddle
