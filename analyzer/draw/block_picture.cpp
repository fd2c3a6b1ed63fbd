// SPDX-License-Identifier: Apache-2.0
// Entry (i, j) counts once whether A, B or both hold it; only j <= i counts, so a full cell on the
// diagonal is one whose causal half is read completely.
#include "analyzer/draw/block_picture.hpp"

#include <fmt/format.h>

#include "analyzer/draw/cells.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {
namespace {

struct Glyphs {
  std::string_view full;
  std::string_view partial;
  std::string_view blank;
};
constexpr Glyphs kBlocks = {"██", "░░", "  "};
constexpr Glyphs kAscii = {"##", "::", ". "};

// Any number of cells a side, unlike group_tokens: characters need no aligned powers of two.
Grouping coarse_grouping(std::int64_t n, std::int64_t most_cells) {
  return {n, std::max<std::int64_t>(1, (n + most_cells - 1) / most_cells)};
}

}  // namespace

std::string block_picture(std::string_view name, const Rows& rows,
                          const BlockPictureOptions& options) {
  assert_that(rows.n() >= 1 && options.most_cells >= 1, "there is something to draw");
  const Glyphs& glyphs = options.ascii ? kAscii : kBlocks;
  const Grouping grouping = coarse_grouping(rows.n(), options.most_cells);
  CountGrid grid(grouping);
  std::int64_t read = 0;
  for (std::int64_t i = 1; i <= rows.n(); ++i) {
    const auto a = rows.a.row(i);
    const auto b = rows.b.row(i);
    for (const Interval& interval : union_of({a.begin(), a.end()}, {b.begin(), b.end()})) {
      grid.mark(i, interval);
      read += interval.high - interval.low + 1;
    }
  }
  const std::int64_t causal = rows.n() * (rows.n() + 1) / 2;
  std::string out =
      fmt::format("{}  n = {}  A or B reads {} of {} causal entries, {} sparse\n", name, rows.n(),
                  grouped(read), grouped(causal),
                  percent(1 - static_cast<double>(read) / static_cast<double>(causal)));
  for (std::int64_t row = 0; row < grouping.cells(); ++row) {
    std::string line;
    for (std::int64_t column = 0; column <= row; ++column) {
      const std::int64_t count = grid.count(row, column);
      const std::int64_t points = causal_points(grouping, row, column, false);
      line += count == 0 ? glyphs.blank : count == points ? glyphs.full : glyphs.partial;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  out += fmt::format("{} full  {} partly", glyphs.full, glyphs.partial);
  if (options.ascii) out += fmt::format("  {} not read", kAscii.blank.substr(0, 1));
  if (grouping.group > 1) out += fmt::format("; a cell is {0} by {0} entries", grouping.group);
  return out + '\n';
}

}  // namespace heddle
