// SPDX-License-Identifier: Apache-2.0
// The cache layouts of a manifest against the rows, by counting.
#include <fmt/format.h>

#include <algorithm>

#include "runtime/verify/plan.hpp"

namespace heddle {
namespace {

// The first thing wrong with a layout, or nothing.
std::string complaint(const CacheLayout& layout, const RowTable& table, std::int64_t longest) {
  std::vector<std::int64_t> before;  // live after i - 1 tokens
  std::int64_t needed = 0;
  for (std::int64_t i = 1; i <= longest; ++i) {
    const std::vector<std::int64_t> live = live_positions(CacheRetention::kNextRow, table, i);
    if (layout.retention == CacheRetention::kNone) {
      if (!live.empty()) {
        return fmt::format("nothing is kept, but row {} reads position {}", i + 1, live.front());
      }
      continue;
    }
    if (layout.retention == CacheRetention::kAll) return "";
    // What row i + 1 reads was kept for row i, or is token i itself.
    for (const std::int64_t p : live) {
      if (p != i && !std::binary_search(before.begin(), before.end(), p)) {
        return fmt::format("row {} reads position {}, which is dropped before", i + 1, p);
      }
    }
    needed = std::max(needed, static_cast<std::int64_t>(live.size()));
    if (i > layout.exact_to) return "";
    const Result<std::int64_t> slots = layout.slots(i);
    if (!slots) return slots.error().message;
    if (*slots != needed) {
      return fmt::format("{} slots for {} tokens, where {} are needed", *slots, i, needed);
    }
    before = live;
  }
  return "";
}

}  // namespace

void check_caches(const VerifyContext& context, std::vector<VerifyObligation>& obligations,
                  std::vector<VerifyFailure>& failures) {
  if (context.weights == WeightMode::kLinear) return;
  const std::int64_t longest = context.rows.n() - 1;
  for (const auto& [layout, table, side] :
       {std::tuple(&context.manifest.cache_a, &context.rows.a, 'a'),
        std::tuple(&context.manifest.cache_b, &context.rows.b, 'b')}) {
    VerifyObligation obligation{fmt::format("cache {} keeps all that later rows read", side),
                                KernelVerdict::kVerified,
                                fmt::format("counted for every length up to {}", longest)};
    if (layout->retention == CacheRetention::kNextRow) {
      obligation.name += ", and one slot fewer could not";
    }
    const std::string wrong = complaint(*layout, *table, longest);
    if (!wrong.empty()) {
      obligation.verdict = KernelVerdict::kRejected;
      failures.push_back({"cache_layout", fmt::format("cache {}: {}", side, wrong), "manifest"});
    }
    obligations.push_back(std::move(obligation));
  }
}

}  // namespace heddle
