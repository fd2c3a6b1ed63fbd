// SPDX-License-Identifier: Apache-2.0
// Sizes that a manifest asks of a launch.
#include <algorithm>

#include "codegen/manifest.hpp"

namespace heddle {

std::size_t size_of(ElementType type) {
  switch (type) {
    case ElementType::kF32:
    case ElementType::kI32:
      return 4;
    case ElementType::kBF16:
    case ElementType::kF16:
      return 2;
  }
  unreachable("an element type without a size");
}

Result<std::int64_t> CacheLayout::slots(std::int64_t tokens) const {
  if (tokens < 0) return Error{"a sequence cannot have a negative number of tokens"};
  if (retention == CacheRetention::kNone) return std::int64_t{0};
  if (retention == CacheRetention::kAll) return tokens;
  if (tokens > exact_to) {
    return Error{"cache sizes are known for sequences of up to " + std::to_string(exact_to) +
                 " tokens, not for " + std::to_string(tokens) +
                 "; generate with a larger maximum length"};
  }
  std::int64_t slots = 0;
  for (const auto& [from, needed] : steps) {
    if (from <= tokens) slots = needed;
  }
  return slots;
}

std::vector<const KernelEntry*> launches_of(const KernelEntry& kernel) {
  if (kernel.steps.empty()) return {&kernel};
  std::vector<const KernelEntry*> launches;
  for (const KernelEntry& step : kernel.steps) launches.push_back(&step);
  return launches;
}

std::int64_t live_states_of(std::int64_t slots, std::int64_t tokens) {
  return slots > 0 ? slots : tokens;
}

std::int64_t chunks_of(const KernelEntry& kernel, std::int64_t tokens) {
  if (kernel.chunk_tokens < 1) return 0;
  return std::max<std::int64_t>((tokens + kernel.chunk_tokens - 1) / kernel.chunk_tokens, 1);
}

const std::int64_t* SharedLaunch::find(std::string_view size) const {
  for (const auto& [name, count] : rows) {
    if (name == size) return &count;
  }
  return nullptr;
}

SharedLaunch shared_launch(const Manifest& manifest, const KernelEntry& kernel, std::int64_t tokens,
                           std::int64_t start) {
  SharedLaunch launch;
  for (const SharedRows& rows : kernel.shared_rows) {
    std::int64_t wanted = std::max(tokens, std::int64_t{1});
    if (!rows.slots.empty()) {
      const CacheLayout& layout = rows.slots == "slots_a" ? manifest.cache_a : manifest.cache_b;
      const Result<std::int64_t> slots = layout.slots(start + tokens);
      wanted = slots ? *slots : rows.most;  // too long for an exact number: what there is
    }
    const std::int64_t whole = (wanted + rows.multiple - 1) / rows.multiple * rows.multiple;
    launch.rows.emplace_back(rows.size, std::min(rows.most, whole));
    launch.bytes += launch.rows.back().second * rows.row_bytes;
  }
  return launch;
}

SharedLaunch least_shared_launch(const KernelEntry& kernel) {
  SharedLaunch launch;
  for (const SharedRows& rows : kernel.shared_rows) {
    launch.rows.emplace_back(rows.size, rows.slots.empty() ? rows.multiple : 0);
    launch.bytes += launch.rows.back().second * rows.row_bytes;
  }
  return launch;
}

}  // namespace heddle
