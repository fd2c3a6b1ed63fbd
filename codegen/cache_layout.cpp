// SPDX-License-Identifier: Apache-2.0
#include "codegen/cache_layout.hpp"

#include "analyzer/rules/liveness.hpp"

namespace heddle {

CacheRetention retention_of(const Pattern& pattern, Side side) {
  switch (liveness(pattern, side).retention) {
    case Retention::kNothing:
      return CacheRetention::kNone;
    case Retention::kNextRow:
      return CacheRetention::kNextRow;
    case Retention::kEverything:
    case Retention::kHorizon:  // no rule: keeping everything is always right
      return CacheRetention::kAll;
  }
  unreachable("retention");
}

CacheLayout layout_of(CacheRetention keep, const RowTable& table, std::int64_t exact_to) {
  CacheLayout layout;
  layout.retention = keep;
  if (keep != CacheRetention::kNextRow) return layout;
  layout.exact_to = exact_to;
  std::int64_t most = 0;
  for (std::int64_t n = 1; n <= exact_to; ++n) {
    const std::int64_t live = table.size(n + 1) - (table.contains(n + 1, n + 1) ? 1 : 0);
    // A nested row grows by one position at most, so every number of slots has its own step.
    assert_that(live <= most + 1, "a nested row grew by more than one position");
    if (live <= most) continue;
    most = live;
    layout.steps.emplace_back(n, most);
  }
  return layout;
}

RowWidth counted_width(const RowTable& table, std::int64_t exact_to) {
  RowWidth width;
  width.exact_to = exact_to;
  for (std::int64_t n = 1; n <= exact_to; ++n) {
    const bool wider = width.steps.empty() || table.size(n) > width.steps.back().second;
    if (wider && table.size(n) > 0) width.steps.emplace_back(n, table.size(n));
  }
  return width;
}

std::string slots_function(const std::string& pattern, const std::string& side,
                           const CacheLayout& layout) {
  const std::string limit = std::to_string(layout.exact_to);
  std::string text = "\n// Slots that the state of side " + side +
                     " needs for sequences of up to `tokens` tokens; -1 beyond " + limit + ".\n" +
                     "inline std::int32_t " + pattern + "_slots_" + side +
                     "(std::int32_t tokens) {\n  if (tokens > " + limit +
                     ") return -1;\n  static const std::int32_t first_token[] = {";
  std::string line;
  const auto flush = [&] {
    text += "\n      " + line;
    line.clear();
  };
  for (const auto& [n, slots] : layout.steps) {
    const std::string item = std::to_string(n) + ",";
    if (line.size() + item.size() > 90) flush();
    line += (line.empty() ? "" : " ") + item;
  }
  flush();
  return text +
         "};\n  std::int32_t slots = 0;\n  for (const std::int32_t first : first_token) {\n" +
         "    if (tokens >= first) slots += 1;\n  }\n  return slots;\n}\n";
}

}  // namespace heddle
