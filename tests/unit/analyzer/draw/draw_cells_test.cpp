// SPDX-License-Identifier: Apache-2.0
// Pictures made of cells hold exactly what the rows, last reads and hops say: the cells are read
// back out of the SVG and compared with the definitions.
#include <climits>

#include "analyzer/draw/block_picture.hpp"
#include "analyzer/draw/cache_picture.hpp"
#include "analyzer/draw/cells.hpp"
#include "analyzer/draw/hop_picture.hpp"
#include "analyzer/draw/matrix_picture.hpp"
#include "tests/catch.hpp"
#include "tests/golden.hpp"
#include "tests/unit/analyzer/draw_rows.hpp"
#include "tests/xml_check.hpp"

namespace heddle {
namespace {

using test::Cell;

std::set<Cell> entries_of(const RowTable& table) {
  std::set<Cell> entries;
  for (std::int64_t i = 1; i <= table.rows(); ++i) {
    for_each_position(table, i, [&](std::int64_t j) { entries.insert({i - 1, j - 1}); });
  }
  return entries;
}

std::vector<std::int64_t> last_rows(const RowTable& table) {
  std::vector<std::int64_t> last(static_cast<std::size_t>(table.rows()), 0);
  for (std::int64_t i = 1; i <= table.rows(); ++i) {
    for_each_position(table, i, [&](std::int64_t p) { last[static_cast<std::size_t>(p - 1)] = i; });
  }
  return last;
}

TEST_CASE("a matrix picture marks exactly the entries of A and B") {
  for (const std::int64_t n : {1, 2, 7, 16, 65, 168}) {
    const Rows rows = test::random_rows(n, 0.3, static_cast<unsigned>(n));
    const std::string svg = matrix_svg("random", rows);
    CHECK(test::painted_cells(svg, palette::kSideA) == entries_of(rows.a));
    CHECK(test::painted_cells(svg, palette::kSideB) == entries_of(rows.b));
    CHECK(test::XmlCheck::problem_in(svg) == "");
  }
}

TEST_CASE("cell counts of a grouped matrix agree with counting entry by entry") {
  const std::int64_t n = 103;
  const Rows rows = test::random_rows(n, 0.4, 5);
  const Grouping grouping = group_tokens(n, 16);
  REQUIRE(grouping.group == 8);
  REQUIRE(grouping.cells() == 13);
  CountGrid grid(grouping);
  for (std::int64_t i = 1; i <= n; ++i) {
    for (const Interval& interval : rows.a.row(i)) grid.mark(i, interval);
  }
  for (std::int64_t r = 0; r < grouping.cells(); ++r) {
    for (std::int64_t c = 0; c < grouping.cells(); ++c) {
      std::int64_t count = 0;
      std::int64_t causal = 0;
      std::int64_t strict = 0;
      for (std::int64_t i = grouping.first(r); i <= grouping.last(r); ++i) {
        for (std::int64_t j = grouping.first(c); j <= grouping.last(c); ++j) {
          count += rows.a.contains(i, j) ? 1 : 0;
          causal += j <= i ? 1 : 0;
          strict += j < i ? 1 : 0;
        }
      }
      REQUIRE(grid.count(r, c) == count);
      REQUIRE(causal_points(grouping, r, c, false) == causal);
      REQUIRE(causal_points(grouping, r, c, true) == strict);
    }
  }
}

TEST_CASE("share levels meet at the bounds that the legend names") {
  CHECK(share_level(0, 1000) == 0);
  CHECK(share_level(1, 1000) == 1);
  CHECK(share_level(10, 1000) == 1);
  CHECK(share_level(11, 1000) == 2);
  CHECK(share_level(50, 1000) == 2);
  CHECK(share_level(51, 1000) == 3);
  CHECK(share_level(200, 1000) == 3);
  CHECK(share_level(201, 1000) == 4);
  CHECK(share_level(999, 1000) == 4);
  CHECK(share_level(1000, 1000) == 5);
  CHECK(share_level(1, 1) == 5);
}

TEST_CASE("large matrices stay small files") {
  const std::string dense =
      matrix_svg("dense", test::rows_by(4096, test::all_inputs, test::all_outputs));
  CHECK(dense.size() < 20'000);
  const std::string noise = matrix_svg("noise", test::random_rows(4096, 0.02, 1));
  CHECK(noise.size() < 1'000'000);
  CHECK(test::XmlCheck::problem_in(noise) == "");
}

TEST_CASE("a cache picture marks a position while a later row reads it") {
  for (const std::int64_t n : {1, 2, 16, 64, 200}) {
    const Rows rows = n == 16 ? test::log_cached(n) : test::random_rows(n, 0.1, 3);
    const std::vector<std::int64_t> a = last_rows(rows.a);
    const std::vector<std::int64_t> b = last_rows(rows.b);
    const std::string svg = cache_svg({"random", a, b, ""});
    CHECK(test::XmlCheck::problem_in(svg) == "");
    std::int64_t most = 0;
    std::vector<std::set<Cell>> live(2);
    for (std::int64_t i = 1; i <= n; ++i) {
      std::int64_t count = 0;
      for (std::int64_t p = 1; p <= i; ++p) {
        for (std::size_t side = 0; side < 2; ++side) {
          const RowTable& table = side == 0 ? rows.a : rows.b;
          bool read_later = false;
          for (std::int64_t r = i + 1; r <= n; ++r) read_later |= table.contains(r, p);
          if (!read_later) continue;
          ++count;
          live[side].insert({n - p, i - 1});  // position 1 at the bottom
        }
      }
      most = std::max(most, count);
    }
    CHECK(test::painted_cells(svg, palette::kSideA) == live[0]);
    CHECK(test::painted_cells(svg, palette::kSideB) == live[1]);
    const std::string label = "most: " + std::to_string(most) + " at i = ";
    CHECK((svg.find(label) != std::string::npos) == (most > 0));
  }
}

TEST_CASE("what is read for ever stays to the right border") {
  const std::int64_t n = 20;
  const std::vector<std::int64_t> never(static_cast<std::size_t>(n), 0);
  const std::vector<std::int64_t> for_ever(static_cast<std::size_t>(n), INT64_MAX);
  const std::string svg = cache_svg({"attention", for_ever, never, ""});
  CHECK(test::painted_cells(svg, palette::kSideA).size() ==
        static_cast<std::size_t>(n * (n + 1) / 2));
  CHECK(svg.find("most: 20 at i = 20") != std::string::npos);
  CHECK(svg.find("outputs y kept") == std::string::npos);
  CHECK(cache_svg({"nothing", never, never, ""}).find("nothing is kept") != std::string::npos);
}

TEST_CASE("a hop map gives each count its own colour and sets unreachable pairs apart") {
  const std::int64_t n = 40;
  const auto hops = [](std::int64_t i, std::int64_t j) {
    const std::int64_t distance = i - j;
    return distance % 7 == 0 ? -1 : static_cast<int>(distance % 7);
  };
  const Result<std::string> svg = hops_svg("modular", n, hops);
  REQUIRE(svg.ok());
  CHECK(test::XmlCheck::problem_in(*svg) == "");
  std::vector<std::set<Cell>> expected(7);
  for (std::int64_t i = 2; i <= n; ++i) {
    for (std::int64_t j = 1; j < i; ++j) {
      expected[static_cast<std::size_t>((i - j) % 7)].insert({i - 1, j - 1});
    }
  }
  CHECK(test::painted_cells(*svg, palette::kUnreachable) == expected[0]);
  // The legend lists the colours from 1 to 6; each must paint the cells of its count.
  std::size_t at = svg->find("hops from j to i");
  for (std::size_t count = 1; count <= 6; ++count) {
    at = svg->find("fill=\"#", at) + 6;
    const std::string colour = svg->substr(at, 7);
    if (colour == palette::kMuted) {
      --count;  // the text of the entry before
      continue;
    }
    CHECK(test::painted_cells(*svg, colour) == expected[count]);
  }
}

TEST_CASE("hop maps of many tokens show the worst pair of each cell, up to a limit") {
  const auto far = [](std::int64_t i, std::int64_t j) { return static_cast<int>(i - j); };
  const Result<std::string> svg = hops_svg("chain", 1000, far);
  REQUIRE(svg.ok());
  CHECK(svg->find("each cell: the worst of 2 by 2 pairs") != std::string::npos);
  CHECK(svg->find(">513 to 999<") != std::string::npos);
  CHECK(svg->size() < 1'000'000);
  CHECK_FALSE(hops_svg("chain", kMostHopTokens + 1, far).ok());
  CHECK_FALSE(hops_svg("chain", 1, far).ok());
}

TEST_CASE("a block picture shows full, partial and blank cells") {
  const std::int64_t n = 45;
  const Rows rows = test::random_rows(n, 0.35, 9);
  const std::string text = block_picture("random", rows, {.most_cells = 12, .ascii = true});
  std::vector<std::string> lines;
  for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
    lines.push_back(text.substr(at, end - at));
  }
  REQUIRE(lines.size() == 12 + 2);
  for (std::int64_t r = 0; r < 12; ++r) {
    for (std::int64_t c = 0; c <= r; ++c) {
      std::int64_t causal = 0;
      std::int64_t read = 0;
      for (std::int64_t i = 4 * r + 1; i <= std::min(n, 4 * r + 4); ++i) {
        for (std::int64_t j = 4 * c + 1; j <= std::min(i, 4 * c + 4); ++j) {
          ++causal;
          read += rows.a.contains(i, j) || rows.b.contains(i, j) ? 1 : 0;
        }
      }
      const std::string& line = lines[static_cast<std::size_t>(r + 1)];
      const char expected = read == 0 ? '.' : read == causal ? '#' : ':';
      REQUIRE(line.at(static_cast<std::size_t>(2 * c)) == expected);
    }
  }
}

TEST_CASE("golden cell pictures") {
  const Rows rows = test::log_cached(8);
  test::check_golden("draw/matrix_log_cached_8.svg", matrix_svg("log_cached", rows));
  const Rows longer = test::log_cached(32);
  std::vector<std::int64_t> last = last_rows(longer.b);
  last.resize(8);
  const std::vector<std::int64_t> never(8, 0);
  test::check_golden("draw/cache_log_cached_8.svg", cache_svg({"log_cached", never, last, ""}));
  test::check_golden("draw/blocks_log_cached_256.txt",
                     block_picture("log_cached", test::log_cached(256)) +
                         block_picture("log_cached", test::log_cached(16), {.ascii = true}));
  const Result<std::string> hops =
      hops_svg("chain", 6, [](std::int64_t i, std::int64_t j) { return static_cast<int>(i - j); });
  REQUIRE(hops.ok());
  test::check_golden("draw/hops_chain_6.svg", *hops);
}

}  // namespace
}  // namespace heddle
