// SPDX-License-Identifier: Apache-2.0
#include "runtime/verify/varlen.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace heddle {
namespace {

bool says_lengths(const std::string& name) {
  return name == "offsets" || name == "starts" || name == "longest" || name == "pages_a" ||
         name == "pages_b";
}
bool by_token(const Argument& argument) { return argument.shape.front() == "tokens"; }

// ---- pages ------------------------------------------------------------------------------------

constexpr std::int64_t kSparePages = 2;  // that belong to nobody

// "a" or "b" where the argument is kept in pages, else nothing.
std::string paged_side(const Argument& argument) {
  const std::string& first = argument.shape.front();
  return first.rfind("pool_", 0) == 0 ? first.substr(5) : "";
}

// Which page of the pool is which page of a sequence: the table of the launch.
std::vector<std::int64_t> page_table(const VarlenLayout& layout, const std::string& side,
                                     const Sizes& sizes) {
  const std::int64_t pool = side == "a" ? sizes.pool_a : sizes.pool_b;
  const std::int64_t table = side == "a" ? sizes.table_a : sizes.table_b;
  std::vector<std::int64_t> pages(static_cast<std::size_t>(pool));
  std::iota(pages.begin(), pages.end(), 0);
  RandomSource random(layout.pages_seed + (side == "a" ? 1 : 2));
  for (std::int64_t last = pool - 1; last > 0; --last) {
    std::swap(pages[static_cast<std::size_t>(last)],
              pages[static_cast<std::size_t>(random.below(last + 1))]);
  }
  pages.resize(static_cast<std::size_t>(sizes.batch * table));
  return pages;
}

// ---- both kinds of buffers --------------------------------------------------------------------

HostBuffer blank(const HostBuffer&, ElementType type, const std::vector<std::int64_t>& shape) {
  return HostBuffer(type, shape);
}
FieldBuffer blank(const FieldBuffer& like, ElementType, const std::vector<std::int64_t>& shape) {
  const auto count = static_cast<std::size_t>(
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()));
  FieldBuffer buffer;
  buffer.integers = like.integers;
  if (like.integers) {
    buffer.positions.assign(count, -1);
  } else {
    buffer.numbers.assign(count, kFieldPoison);
  }
  return buffer;
}

std::int64_t count_of(const HostBuffer& buffer) { return buffer.count(); }
std::int64_t count_of(const FieldBuffer& buffer) {
  return static_cast<std::int64_t>(buffer.count());
}

void copy(const HostBuffer& from, std::int64_t from_at, HostBuffer& to, std::int64_t to_at,
          std::int64_t count) {
  const auto size = static_cast<std::int64_t>(size_of(from.type()));
  std::copy_n(from.data() + from_at * size, count * size, to.data() + to_at * size);
}
void copy(const FieldBuffer& from, std::int64_t from_at, FieldBuffer& to, std::int64_t to_at,
          std::int64_t count) {
  if (from.integers) {
    std::copy_n(from.positions.begin() + from_at, count, to.positions.begin() + to_at);
  } else {
    std::copy_n(from.numbers.begin() + from_at, count, to.numbers.begin() + to_at);
  }
}

bool poisoned(const HostBuffer& buffer, std::int64_t at) { return buffer.poisoned(at); }
bool poisoned(const FieldBuffer& buffer, std::int64_t at) {
  return buffer.numbers[static_cast<std::size_t>(at)] == kFieldPoison;
}

HostBuffer integers(const HostBuffers&, const std::vector<std::int64_t>& values) {
  HostBuffer buffer(ElementType::kI32, {static_cast<std::int64_t>(values.size())});
  for (std::size_t e = 0; e < values.size(); ++e) {
    buffer.set(static_cast<std::int64_t>(e), static_cast<double>(values[e]));
  }
  return buffer;
}
FieldBuffer integers(const FieldBuffers&, const std::vector<std::int64_t>& values) {
  FieldBuffer buffer;
  buffer.integers = true;
  for (const std::int64_t value : values) {
    buffer.positions.push_back(static_cast<std::int32_t>(value));
  }
  return buffer;
}

std::vector<std::int64_t> extents_of(const Argument& argument, const Sizes& sizes) {
  std::vector<std::int64_t> shape;
  for (const std::string& extent : argument.shape) {
    const Result<std::int64_t> value = sizes.extent(extent);
    assert_that(value.ok(), "an extent that a sequence has been bound with");
    shape.push_back(*value);
  }
  return shape;
}

// body(the part's buffer, a row of it, its place in the joined one, elements of a row)
template <typename Buffers, typename Body>
void each_slot(const Argument& argument, const VarlenLayout& layout, const Sizes& sizes,
               std::vector<Buffers>& parts, Body&& body) {
  const std::string side = paged_side(argument);
  const std::vector<std::int64_t> extents = extents_of(argument, sizes);
  const std::int64_t rows = extents[1], row = extents[2] * extents[3];
  const std::int64_t slots = side == "a" ? sizes.slots_a : sizes.slots_b;
  const std::int64_t table = side == "a" ? sizes.table_a : sizes.table_b;
  const std::vector<std::int64_t> pages = page_table(layout, side, sizes);
  for (std::size_t b = 0; b < parts.size(); ++b) {
    for (std::int64_t slot = 0; slot < slots; ++slot) {
      const std::int64_t page =
          pages[static_cast<std::size_t>(static_cast<std::int64_t>(b) * table + slot / rows)];
      body(parts[b].at(argument.name), slot * row, (page * rows + slot % rows) * row, row);
    }
  }
}

// body(the part's buffer, where it begins in the joined one)
template <typename Buffers, typename Body>
void each_part(const Argument& argument, const VarlenLayout& layout, std::int64_t token,
               std::vector<Buffers>& parts, Body&& body) {
  std::int64_t at = by_token(argument) ? layout.before * token : 0;
  for (Buffers& part : parts) {
    auto& buffer = part.at(argument.name);
    body(buffer, at);
    at += count_of(buffer);
  }
}

template <typename Buffers>
Buffers join_all(const KernelEntry& entry, const VarlenLayout& layout, const Sizes& sizes,
                 std::vector<Buffers> parts) {
  Buffers joined;
  for (const Argument& argument : entry.arguments) {
    if (argument.kind != ArgumentKind::kBuffer || says_lengths(argument.name)) continue;
    const auto like = parts.front().find(argument.name);
    if (like == parts.front().end()) continue;
    const std::vector<std::int64_t> shape = extents_of(argument, sizes);
    auto buffer = blank(like->second, argument.type, shape);
    const std::int64_t token =
        std::accumulate(shape.begin() + 1, shape.end(), std::int64_t{1}, std::multiplies<>());
    if (!paged_side(argument).empty()) {
      each_slot(argument, layout, sizes, parts,
                [&](const auto& part, std::int64_t from, std::int64_t to, std::int64_t row) {
                  copy(part, from, buffer, to, row);
                });
      joined.emplace(argument.name, std::move(buffer));
      continue;
    }
    each_part(argument, layout, token, parts, [&](const auto& part, std::int64_t at) {
      assert_that(at + count_of(part) <= count_of(buffer), "sequences fit what they are joined in");
      copy(part, 0, buffer, at, count_of(part));
    });
    joined.emplace(argument.name, std::move(buffer));
  }
  const auto takes = [&](const char* name) {
    return std::any_of(entry.arguments.begin(), entry.arguments.end(),
                       [&](const Argument& argument) { return argument.name == name; });
  };
  std::vector<std::int64_t> offsets = {layout.before};
  for (const std::int64_t count : layout.counts) offsets.push_back(offsets.back() + count);
  if (takes("offsets")) joined.emplace("offsets", integers(joined, offsets));
  for (const char* side : {"a", "b"}) {
    const std::string name = std::string("pages_") + side;
    if (takes(name.c_str())) {
      joined.emplace(name, integers(joined, page_table(layout, side, sizes)));
    }
  }
  if (takes("starts") && sizes.start > 0) joined.emplace("starts", integers(joined, layout.starts));
  return joined;
}

template <typename Buffers>
std::string split_all(const KernelEntry& entry, const VarlenLayout& layout, const Sizes& sizes,
                      const Buffers& joined, std::vector<Buffers>& parts) {
  std::string stray;
  for (const Argument& argument : entry.arguments) {
    const auto found = joined.find(argument.name);
    if (argument.kind != ArgumentKind::kBuffer || found == joined.end()) continue;
    if (says_lengths(argument.name)) continue;
    const std::int64_t tokens = layout.first_of(layout.counts.size()) + layout.behind;
    const std::int64_t all = count_of(found->second);
    if (!paged_side(argument).empty()) {
      std::vector<bool> own(static_cast<std::size_t>(all), false);
      each_slot(argument, layout, sizes, parts,
                [&](auto& part, std::int64_t to, std::int64_t from, std::int64_t row) {
                  copy(found->second, from, part, to, row);
                  std::fill_n(own.begin() + from, row, true);
                });
      for (std::int64_t e = 0; e < all; ++e) {
        if (own[static_cast<std::size_t>(e)] || poisoned(found->second, e) || !stray.empty()) {
          continue;
        }
        stray = fmt::format("{}[{}], which is in no sequence's page, is written", argument.name, e);
      }
      continue;
    }
    const std::int64_t token = by_token(argument) && tokens > 0 ? all / tokens : 0;
    each_part(argument, layout, token, parts, [&](auto& part, std::int64_t at) {
      copy(found->second, at, part, 0, count_of(part));
    });
    if (!by_token(argument) || argument.access == Access::kRead) continue;
    for (std::int64_t e = 0; e < all; ++e) {
      const bool own = e >= layout.before * token && e < all - layout.behind * token;
      if (own || poisoned(found->second, e) || !stray.empty()) continue;
      stray = fmt::format("{}[{}], which belongs to no sequence, is written", argument.name, e);
    }
  }
  return stray;
}

}  // namespace

// ---- layouts ----------------------------------------------------------------------------------

std::int64_t VarlenLayout::first_of(std::size_t sequence) const {
  return std::accumulate(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(sequence),
                         before);
}
std::int64_t VarlenLayout::most_before() const {
  return *std::max_element(starts.begin(), starts.end());
}
std::int64_t VarlenLayout::longest() const {
  std::int64_t most = 0;
  for (std::size_t b = 0; b < counts.size(); ++b) most = std::max(most, starts[b] + counts[b]);
  return most;
}

VarlenLayout VarlenLayout::draw(std::int64_t count, const std::vector<std::int64_t>& starts,
                                bool decode, RandomSource& random, std::int64_t room) {
  VarlenLayout layout;
  layout.starts = starts;
  layout.pages_seed = static_cast<std::uint64_t>(random.below(1 << 20));
  const std::int64_t end = starts.front() + count;
  for (std::size_t b = 0; b < starts.size(); ++b) {
    const std::int64_t most = std::max<std::int64_t>(end - starts[b], 0);
    const std::int64_t drawn = random.below(5) == 0 ? 0 : random.below(most + 1);
    layout.counts.push_back(decode || b == 0 ? count : drawn);
  }
  if (decode) {
    if (random.below(2) == 0) layout.bound = room;
    return layout;
  }
  layout.before = random.below(3);
  layout.behind = random.below(4);
  return layout;
}

VarlenLayout VarlenLayout::draw_backward(std::int64_t sequences, std::int64_t start,
                                         std::int64_t end, RandomSource& random) {
  std::vector<std::int64_t> starts(static_cast<std::size_t>(sequences), 0);
  if (start == 0) return draw(end, starts, false, random);
  starts[0] = start;
  for (std::size_t b = 2; b < starts.size(); ++b) starts[b] = random.below(start + 1);
  VarlenLayout layout = draw(end - start, starts, false, random);
  if (sequences > 1) layout.counts[1] = end;
  return layout;
}

VarlenLayout VarlenLayout::at_borders(std::int64_t chunk) {
  VarlenLayout layout;
  layout.counts = {2 * chunk + 1, 0, 1, chunk - 1, chunk, chunk + 1, 0, 2};
  layout.starts.assign(layout.counts.size(), 0);
  layout.before = layout.behind = 1;
  return layout;
}

std::string VarlenLayout::describe() const {
  return fmt::format("{} tokens after {}", fmt::join(counts, "+"), fmt::join(starts, ", "));
}

Sizes launch_sizes(const VarlenLayout& layout, const KernelEntry& entry, const Sizes& one) {
  Sizes sizes = one;
  sizes.batch = static_cast<std::int64_t>(layout.counts.size());
  sizes.tokens = layout.first_of(layout.counts.size()) + layout.behind;
  sizes.start = layout.most_before() + layout.bound;
  sizes.longest = layout.longest();
  for (const Argument& argument : entry.arguments) {
    if (argument.name == "new_tokens") sizes.tokens = layout.counts.front();
    if (argument.kind != ArgumentKind::kBuffer || paged_side(argument).empty()) continue;
    const bool a = paged_side(argument) == "a";
    const Result<std::int64_t> rows = one.extent(argument.shape[1]);
    assert_that(rows.ok() && *rows > 0, "slots of a page");
    const std::int64_t table = ((a ? one.slots_a : one.slots_b) + *rows - 1) / *rows;
    (a ? sizes.table_a : sizes.table_b) = table;
    (a ? sizes.pool_a : sizes.pool_b) = sizes.batch * table + kSparePages;
  }
  return sizes.in_chunks(entry);
}

KernelEntry of_one_sequence(const KernelEntry& entry) {
  KernelEntry one = entry;
  std::erase_if(one.arguments,
                [](const Argument& argument) { return says_lengths(argument.name); });
  for (Argument& argument : one.arguments) {
    if (argument.kind != ArgumentKind::kBuffer) continue;
    if (by_token(argument)) argument.shape.insert(argument.shape.begin(), "batch");
    if (const std::string side = paged_side(argument); !side.empty()) {
      argument.shape[0] = "batch";
      argument.shape[1] = "slots_" + side;
    }
  }
  return one;
}

HostBuffers join(const KernelEntry& entry, const VarlenLayout& layout, const Sizes& sizes,
                 const std::vector<HostBuffers>& parts) {
  return join_all(entry, layout, sizes, parts);
}
FieldBuffers join(const KernelEntry& entry, const VarlenLayout& layout, const Sizes& sizes,
                  const std::vector<FieldBuffers>& parts) {
  return join_all(entry, layout, sizes, parts);
}
std::string split(const KernelEntry& entry, const VarlenLayout& layout, const Sizes& sizes,
                  const HostBuffers& joined, std::vector<HostBuffers>& parts) {
  return split_all(entry, layout, sizes, joined, parts);
}
std::string split(const KernelEntry& entry, const VarlenLayout& layout, const Sizes& sizes,
                  const FieldBuffers& joined, std::vector<FieldBuffers>& parts) {
  return split_all(entry, layout, sizes, joined, parts);
}

}  // namespace heddle
