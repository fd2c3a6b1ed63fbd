// SPDX-License-Identifier: Apache-2.0
#include "runtime/load/launch_check.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace heddle {
namespace {

constexpr std::int64_t kLargestSize = std::numeric_limits<std::int32_t>::max();

bool is_decimal(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool takes(const KernelEntry& entry, const std::string& name) {
  return std::any_of(entry.arguments.begin(), entry.arguments.end(),
                     [&](const Argument& argument) { return argument.name == name; });
}

class Sizes {
 public:
  Sizes(const Manifest& manifest, const KernelEntry& entry, const LaunchValues& values)
      : values_(values.sizes) {
    own_["head_dim"] = manifest.head_dim;
    own_["state_dim"] = manifest.state_dim;
    const auto tokens = of("tokens");
    const auto slots = of("slots_b");
    if (takes(entry, "live_states") && tokens && slots) {
      own_["live_states"] = live_states_of(*slots, *tokens);
    }
    if (entry.chunk_tokens < 1 || !tokens) return;
    // Of each sequence, where they have lengths of their own.
    const auto longest = takes(entry, "longest") ? of("longest") : tokens;
    if (longest) own_["chunks"] = chunks_of(entry, std::min(*tokens, *longest));
  }

  Result<std::int64_t> of(const std::string& name) const {
    if (is_decimal(name)) return bounded(name, name.size() > 9 ? -1 : std::stoll(name));
    if (name == kBoundsExtent) {
      const auto batch = of("batch");
      return batch ? bounded(name, *batch + 1) : batch;
    }
    const auto own = own_.find(name);
    const auto given = values_.find(name);
    if (own != own_.end()) {
      if (given != values_.end() && given->second != own->second) {
        const bool made = name == "chunks" || name == "live_states";
        const char* const why = made ? "the launch makes" : "the kernel was made for";
        return Error{fmt::format("{} {} = {}, not {}", why, name, own->second, given->second)};
      }
      return own->second;
    }
    if (given == values_.end()) return Error{fmt::format("the size \"{}\" is not given", name)};
    return bounded(name, given->second);
  }

  // The product of extents; far below overflow, since it must be addressable.
  Result<std::int64_t> product(const std::vector<std::string>& extents) const {
    std::int64_t total = 1;
    for (const std::string& extent : extents) {
      const auto size = of(extent);
      if (!size) return size.error();
      if (*size != 0 && total > (std::int64_t{1} << 48) / *size) {
        return Error{"the sizes describe more memory than can be addressed"};
      }
      total *= *size;
    }
    return total;
  }

 private:
  static Result<std::int64_t> bounded(const std::string& name, std::int64_t value) {
    if (value < 0 || value > kLargestSize) {
      return Error{fmt::format("the size \"{}\" must lie between 0 and {}", name, kLargestSize)};
    }
    return value;
  }
  const std::map<std::string, std::int64_t>& values_;
  std::map<std::string, std::int64_t> own_;
};

bool starts_with(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

Result<void*> check_buffer(const Argument& argument, const KernelEntry& entry, const Sizes& sizes,
                           const LaunchValues& values) {
  const auto given = values.buffers.find(argument.name);
  const BufferView view = given != values.buffers.end() ? given->second : BufferView{};
  const auto count = sizes.product(argument.shape);
  if (!count) return count.error();
  if (view.data == nullptr) {
    // What may be missing: something without elements, and a state before the first token.
    if (*count == 0) return static_cast<void*>(nullptr);
    if (starts_with(argument.name, "initial_") || starts_with(argument.name, "dinitial_") ||
        argument.name == "starts") {
      const auto start = sizes.of("start");
      if (start && *start == 0) return static_cast<void*>(nullptr);
    }
    return Error{fmt::format("the buffer \"{}\" is not given", argument.name)};
  }
  if (view.type != argument.type) {
    return Error{fmt::format("the buffer \"{}\" holds {}, the kernel takes {}", argument.name,
                             name_of(view.type), name_of(argument.type))};
  }
  const std::size_t element = size_of(argument.type);
  const std::size_t needed = static_cast<std::size_t>(*count) * element;
  if (view.bytes < needed) {
    return Error{fmt::format("the buffer \"{}\" has {} bytes, the sizes ask for {}", argument.name,
                             view.bytes, needed)};
  }
  if (reinterpret_cast<std::uintptr_t>(view.data) % element != 0) {
    return Error{fmt::format("the buffer \"{}\" is not aligned to its {} bytes an element",
                             argument.name, element)};
  }
  if (entry.alignment > 0 && argument.type != ElementType::kI32 &&
      reinterpret_cast<std::uintptr_t>(view.data) % static_cast<unsigned>(entry.alignment) != 0) {
    return Error{
        fmt::format("the buffer \"{}\" is not aligned to the {} bytes that the kernel moves"
                    " at once",
                    argument.name, entry.alignment)};
  }
  return view.data;
}

// The tokens of a sequence after the launch, those before included: the most, where sequences have
// lengths of their own.
Result<std::int64_t> final_length(const KernelEntry& entry, const Sizes& sizes) {
  if (takes(entry, "longest")) return sizes.of("longest");
  const auto start = takes(entry, "start") ? sizes.of("start") : Result<std::int64_t>(0);
  const auto tokens = takes(entry, "new_tokens") ? sizes.of("new_tokens")
                      : entry.op == "decode"     ? Result<std::int64_t>(1)
                                                 : sizes.of("tokens");
  if (!start) return start;
  if (!tokens) return tokens;
  return *start + *tokens;
}

// Too few slots would make a kernel overwrite what a later row reads.
std::optional<Error> check_slots(const CacheLayout& layout, const std::string& name,
                                 const KernelEntry& entry, const Sizes& sizes) {
  if (layout.retention == CacheRetention::kNone || !takes(entry, name)) return std::nullopt;
  const auto start = sizes.of("start");
  const auto length = final_length(entry, sizes);
  const auto slots = sizes.of(name);
  if (!slots) return slots.error();
  if (!start || !length) return std::nullopt;  // the kernel takes none: nothing to add up
  // A prefill from the first token on without slots: its caller wants no state, and has no gradient
  // of it.
  if (entry.op != "decode" && *start == 0 && *slots == 0) return std::nullopt;
  const auto needed = layout.retention == CacheRetention::kAll ? length : layout.slots(*length);
  if (!needed) return needed.error();
  if (*slots < *needed) {
    return Error{fmt::format("a sequence of {} tokens needs {} = {}, and {} is given", *length,
                             name, *needed, *slots)};
  }
  return std::nullopt;
}

// A row of coefficients has a column for each of its entries.
std::optional<Error> check_width(const RowWidth& width, const std::string& name,
                                 const KernelEntry& entry, const Sizes& sizes) {
  if (!takes(entry, name)) return std::nullopt;
  if (!width.stated()) return Error{"the manifest does not say what \"" + name + "\" must be"};
  const auto length = final_length(entry, sizes);
  const auto columns = sizes.of(name);
  for (const Result<std::int64_t>* size : {&length, &columns}) {
    if (!*size) return size->error();
  }
  const auto needed = width.columns(*length);
  if (!needed) return needed.error();
  if (*columns < *needed) {
    return Error{
        fmt::format("coefficients of a sequence of {} tokens need {} >= {}, and {} is "
                    "given",
                    *length, name, *needed, *columns)};
  }
  return std::nullopt;
}

// Rows are numbered in 31 bits, and kernels place tokens by their distance from `start`: all of the
// sequence side by side has to be addressable, whatever the buffers hold.
std::optional<Error> check_length(const KernelEntry& entry, const Sizes& sizes) {
  const auto length = final_length(entry, sizes);
  if (!takes(entry, "start") || !length) return std::nullopt;
  if (*length > kLargestSize) {
    return Error{fmt::format("a sequence has at most {} tokens", kLargestSize)};
  }
  const auto row = sizes.product({"heads", "head_dim"});
  if (row && *row > (std::int64_t{1} << 48) / std::max<std::int64_t>(*length, 1)) {
    return Error{"the sizes describe more memory than can be addressed"};
  }
  return std::nullopt;
}

// Lengths and starts. Arrays can be looked at where they are in the memory of the host; elsewhere a
// kernel takes what does not fit for what does.
std::optional<Error> check_sequences(const Manifest& manifest, const KernelEntry& entry,
                                     const Sizes& sizes, const LaunchValues& values) {
  if (!manifest.varlen) return std::nullopt;
  const auto start = takes(entry, "start") ? sizes.of("start") : Result<std::int64_t>(0);
  const auto length = final_length(entry, sizes);
  const auto batch = sizes.of("batch");
  for (const Result<std::int64_t>* size : {&start, &length, &batch}) {
    if (!*size) return size->error();
  }
  if (*length < *start) {
    return Error{fmt::format("no sequence has more than longest = {} tokens, and start = {}",
                             *length, *start)};
  }
  if (manifest.target != "cpu") return std::nullopt;
  const auto array = [&](const char* name) -> const std::int32_t* {
    const auto given = values.buffers.find(name);
    if (!takes(entry, name) || given == values.buffers.end()) return nullptr;
    return static_cast<const std::int32_t*>(given->second.data);
  };
  const std::int32_t* const offsets = array("offsets");
  const std::int32_t* const starts = array("starts");
  const auto tokens = sizes.of("tokens");
  for (std::int64_t b = 0; b < *batch; ++b) {
    const std::int64_t before = starts == nullptr ? 0 : starts[b];
    if (before < 0 || before > *start) {
      return Error{fmt::format("sequence {} starts behind {} tokens, where start says at most {}",
                               b, before, *start)};
    }
    if (offsets == nullptr) continue;
    const std::int64_t first = offsets[b], behind = offsets[b + 1];
    if (first < 0 || behind < first || behind > *tokens) {
      return Error{
          fmt::format("sequence {} has the tokens from {} to {}: offsets must ascend from "
                      "0 to tokens = {}",
                      b, first, behind, *tokens)};
    }
    if (before + behind - first > *length) {
      return Error{fmt::format("sequence {} has {} tokens, where longest says at most {}", b,
                               before + behind - first, *length)};
    }
  }
  return std::nullopt;
}

// The pages of one side's cache: as many as the slots of each sequence take, all of them in the
// pool, and what the launch stores to in nobody else's hands.
std::optional<Error> check_pages(const Manifest& manifest, const KernelEntry& entry,
                                 const std::string& side, const Sizes& sizes,
                                 const LaunchValues& values) {
  if (!takes(entry, "pages_" + side)) return std::nullopt;
  const auto cache = std::find_if(
      entry.arguments.begin(), entry.arguments.end(),
      [&](const Argument& argument) { return argument.name == "cache_" + side + "_val"; });
  if (cache == entry.arguments.end() || cache->shape.size() != 4) {
    return Error{fmt::format("the manifest has pages_{} and no cache in pages", side)};
  }
  const auto rows = sizes.of(cache->shape[1]);
  const auto slots = sizes.of("slots_" + side), table = sizes.of("table_" + side);
  const auto pool = sizes.of("pool_" + side), batch = sizes.of("batch");
  const auto added = takes(entry, "new_tokens") ? sizes.of("new_tokens") : Result<std::int64_t>(1);
  for (const Result<std::int64_t>* size : {&rows, &slots, &table, &pool, &batch, &added}) {
    if (!*size) return size->error();
  }
  if (*rows < 1) return Error{"a page without slots"};
  const std::int64_t used = (*slots + *rows - 1) / *rows;
  if (*table < used || (used > 0 && *pool < 1)) {
    return Error{
        fmt::format("slots_{} = {} take {} pages a sequence, and table_{} = {}, pool_{} = "
                    "{}",
                    side, *slots, used, side, *table, side, *pool)};
  }
  const auto given = values.buffers.find("pages_" + side);
  if (manifest.target != "cpu" || given == values.buffers.end()) return std::nullopt;
  const auto* const pages = static_cast<const std::int32_t*>(given->second.data);
  const auto starts = values.buffers.find("starts");
  const bool nothing_yet = starts == values.buffers.end() || starts->second.data == nullptr;
  const bool keeps_all =
      (side == "a" ? manifest.cache_a : manifest.cache_b).retention == CacheRetention::kAll;
  std::map<std::int32_t, std::int64_t> owners;
  std::vector<std::int32_t> written;
  for (std::int64_t b = 0; b < *batch; ++b) {
    std::int64_t first = 0, last = used - 1;
    if (keeps_all) {  // slots from `start` on are new, and the only ones that are stored to
      const std::int64_t before =
          nothing_yet ? 0 : static_cast<const std::int32_t*>(starts->second.data)[b];
      first = before / *rows;
      last = std::min((before + *added - 1) / *rows, used - 1);
    }
    for (std::int64_t j = 0; j <= last; ++j) {
      const std::int32_t page = pages[b * *table + j];
      if (page < 0 || page >= *pool) {
        return Error{
            fmt::format("page {} of sequence {} is {}, and pool_{} = {}", j, b, page, side, *pool)};
      }
      ++owners[page];
      if (j >= first) written.push_back(page);
    }
  }
  for (const std::int32_t page : written) {
    if (owners.at(page) > 1) {
      return Error{
          fmt::format("page {} of side {} is stored to and stands in the table twice", page, side)};
    }
  }
  return std::nullopt;
}

}  // namespace

Result<CheckedLaunch> check_launch(const Manifest& manifest, const KernelEntry& entry,
                                   const LaunchValues& values) {
  // Without a state between launches there is nothing for a gradient to arrive through.
  const auto start = values.sizes.find("start");
  if (entry.op == "backward" && !takes(entry, "start") && start != values.sizes.end() &&
      start->second != 0) {
    return Error{"a backward kernel takes the whole sequence at once: start must be 0"};
  }
  const Sizes sizes(manifest, entry, values);
  CheckedLaunch launch;
  SharedLaunch shared;
  if (!entry.shared_rows.empty()) {
    const auto tokens = sizes.of("tokens");
    const auto before = takes(entry, "start") ? sizes.of("start") : Result<std::int64_t>(0);
    if (!tokens) return tokens.error();
    if (!before) return before.error();
    // A ring has room for the longest sequence, or for as much of it as fits.
    const auto length = manifest.varlen ? final_length(entry, sizes) : tokens;
    if (!length) return length.error();
    shared = shared_launch(manifest, entry, *length, manifest.varlen ? 0 : *before);
    launch.shared_bytes = shared.bytes;
  }
  for (const Argument& argument : entry.arguments) {
    if (const std::int64_t* const rows = shared.find(argument.name)) {
      launch.arguments.emplace_back(static_cast<std::int32_t>(*rows));
    } else if (argument.kind == ArgumentKind::kBuffer) {
      const auto data = check_buffer(argument, entry, sizes, values);
      if (!data) return data.error();
      launch.arguments.emplace_back(*data);
    } else if (argument.kind == ArgumentKind::kSize) {
      const auto size = sizes.of(argument.name);
      if (!size) return size.error();
      launch.arguments.emplace_back(static_cast<std::int32_t>(*size));
    } else {
      const auto scalar = values.scalars.find(argument.name);
      if (scalar == values.scalars.end()) {
        return Error{fmt::format("the scalar \"{}\" is not given", argument.name)};
      }
      launch.arguments.emplace_back(scalar->second);
    }
  }
  if (auto error = check_length(entry, sizes)) return *error;
  if (auto error = check_sequences(manifest, entry, sizes, values)) return *error;
  for (const char* side : {"a", "b"}) {
    if (auto error = check_pages(manifest, entry, side, sizes, values)) return *error;
  }
  if (auto error = check_slots(manifest.cache_a, "slots_a", entry, sizes)) return *error;
  if (auto error = check_slots(manifest.cache_b, "slots_b", entry, sizes)) return *error;
  if (auto error = check_width(manifest.width_a, "width_a", entry, sizes)) return *error;
  if (auto error = check_width(manifest.width_b, "width_b", entry, sizes)) return *error;
  const auto blocks = sizes.product(entry.grid);
  if (!blocks) return blocks.error();
  if (*blocks > kLargestSize) return Error{"the launch has more blocks than a grid may have"};
  launch.blocks = *blocks;
  return launch;
}

Result<std::vector<CheckedLaunch>> check_launches(const Manifest& manifest,
                                                  const KernelEntry& entry,
                                                  const LaunchValues& values) {
  // Of all steps before any: what the last one would be refused for is told at once.
  std::vector<CheckedLaunch> launches;
  for (const KernelEntry* const each : launches_of(entry)) {
    auto launch = check_launch(manifest, *each, values);
    if (!launch) return launch.error();
    launches.push_back(*std::move(launch));
  }
  return launches;
}

}  // namespace heddle
