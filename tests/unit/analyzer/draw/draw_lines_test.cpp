// SPDX-License-Identifier: Apache-2.0
// The writer of SVG, axes, dependency graphs, growth curves and the programs that render.
#include <algorithm>
#include <cstdlib>

#include "analyzer/draw/axis.hpp"
#include "analyzer/draw/congestion_picture.hpp"
#include "analyzer/draw/dependency_picture.hpp"
#include "analyzer/draw/filter_program.hpp"
#include "analyzer/draw/growth_picture.hpp"
#include "analyzer/draw/raster.hpp"
#include "analyzer/draw/svg.hpp"
#include "analyzer/draw/trade_off_picture.hpp"
#include "tests/catch.hpp"
#include "tests/golden.hpp"
#include "tests/unit/analyzer/draw_rows.hpp"
#include "tests/xml_check.hpp"

namespace heddle {
namespace {

using namespace std::chrono_literals;

std::size_t occurrences(std::string_view text, std::string_view what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

bool installed(const std::string& program) {
  return std::system(("command -v " + program + " >/dev/null 2>&1").c_str()) == 0;
}

TEST_CASE("svg numbers are short and never negative zero") {
  CHECK(svg_number(0) == "0");
  CHECK(svg_number(-0.001) == "0");
  CHECK(svg_number(100) == "100");
  CHECK(svg_number(2.50) == "2.5");
  CHECK(svg_number(-1.257) == "-1.26");
}

TEST_CASE("names cannot break out of a picture") {
  const std::string hostile = "<script>&\"'\x01\xff";
  Svg svg(10, 10, hostile);
  svg.text(1, 1, hostile, {});
  const std::string text = std::move(svg).finish();
  CHECK(test::XmlCheck::problem_in(text) == "");
  CHECK(text.find("<script>") == std::string::npos);
  CHECK(text.find("&lt;script&gt;&amp;&quot;&#39;\xef\xbf\xbd\xef\xbf\xbd") != std::string::npos);
}

TEST_CASE("the check for well-formedness finds what it should") {
  CHECK(test::XmlCheck::problem_in("<a><b c=\"d\"/>x &amp; y</a>") == "");
  for (const char* broken : {"<a>", "<a></b>", "<a b=c/>", "<a>&nbsp;</a>", "<a/><a/>", "x",
                             "<a b=\"1\" b=\"2\"/>", "<a>1 < 2</a>", "<a><b></a></b>"}) {
    CHECK(test::XmlCheck::problem_in(broken) != "");
  }
}

TEST_CASE("token ticks hold 1 and n and keep apart") {
  for (std::int64_t n = 1; n <= 5000; ++n) {
    const std::vector<std::int64_t> ticks = token_ticks(n);
    REQUIRE(ticks.front() == 1);
    REQUIRE(ticks.back() == n);
    REQUIRE(ticks.size() <= 7);
    for (std::size_t k = 1; k < ticks.size(); ++k) {
      REQUIRE(ticks[k] > ticks[k - 1]);
      // A label such as "1024" needs about 30 of at least 300 pixels.
      if (n > 24) REQUIRE(10 * (ticks[k] - ticks[k - 1]) >= n - 9);
    }
  }
  CHECK(token_ticks(1024) == std::vector<std::int64_t>{1, 256, 512, 768, 1024});
}

TEST_CASE("value ticks start at 0 and reach the highest value") {
  for (int high = 1; high <= 3000; ++high) {
    const std::vector<double> ticks = value_ticks(high);
    REQUIRE(ticks.front() == 0);
    REQUIRE(ticks.back() >= high);
    REQUIRE(ticks[ticks.size() - 2] < high);
    REQUIRE(ticks.size() <= 7);
  }
}

TEST_CASE("percentages are never rounded to a false 0 or 100") {
  CHECK(percent(0) == "0 %");
  CHECK(percent(1) == "100 %");
  CHECK(percent(0.9999) == "> 99.9 %");
  CHECK(percent(0.0001) == "< 0.1 %");
  CHECK(percent(0.5) == "50 %");
  CHECK(percent(0.1234) == "12.3 %");
}

TEST_CASE("a dependency graph has one arc for each edge between tokens") {
  for (const std::int64_t n : {1, 2, 16, 64, 100}) {
    const Rows rows = test::random_rows(n, 0.2, static_cast<unsigned>(n));
    std::size_t edges = 0;
    std::size_t own = 0;
    for (std::int64_t i = 1; i <= n; ++i) {
      for_each_position(rows.a, i, [&](std::int64_t j) { ++(j < i ? edges : own); });
      for_each_position(rows.b, i, [&](std::int64_t) { ++edges; });
    }
    const std::string svg = dependency_svg("random", rows);
    CHECK(test::XmlCheck::problem_in(svg) == "");
    CHECK(occurrences(svg, "C") == edges);
    CHECK(occurrences(svg, "<circle") == static_cast<std::size_t>(n));
    const Result<std::string> dot = dependency_dot("random", rows);
    REQUIRE(dot.ok());
    CHECK(occurrences(*dot, " -> ") == edges);
    CHECK(occurrences(*dot, "0!\"") == static_cast<std::size_t>(n));
    CHECK(occurrences(*dot, "fillcolor=\"#fcd2ae\"") == own);
  }
}

TEST_CASE("large graphs show what the last row depends on") {
  const Rows sparse = test::log_cached(1024);
  const std::string two_levels = dependency_svg("sparse", sparse);
  std::size_t edges = static_cast<std::size_t>(sparse.b.size(1024));
  for_each_position(sparse.b, 1024,
                    [&](std::int64_t j) { edges += static_cast<std::size_t>(sparse.b.size(j)); });
  CHECK(occurrences(two_levels, "C") == edges);
  CHECK(two_levels.find("and of the rows it reads") != std::string::npos);
  CHECK(occurrences(two_levels, "<circle") == 1);

  const Rows dense = test::rows_by(3000, test::own_input, test::all_outputs);
  const std::string last_row = dependency_svg("dense", dense);
  CHECK(last_row.find("those of row 3000; one arc for several") != std::string::npos);
  CHECK(occurrences(last_row, "C") == 120);  // one for each place on the line
  CHECK(last_row.size() < 100'000);

  const Rows limit = test::rows_by(256, test::own_input, test::no_positions);
  CHECK(occurrences(dependency_svg("limit", limit), "<circle") == 256);
}

TEST_CASE("a graph too large for DOT is refused") {
  const Rows dense = test::rows_by(700, test::own_input, test::all_outputs);
  const Result<std::string> dot = dependency_dot("dense", dense);
  REQUIRE_FALSE(dot.ok());
  CHECK(dot.error().message.find("200,000 edges") != std::string::npos);
  CHECK_FALSE(
      dependency_dot("long", test::rows_by(4097, test::own_input, test::no_positions)).ok());
  CHECK(dependency_dot("long", test::log_cached(4096)).ok());
}

TEST_CASE("neato renders the DOT as it stands") {
  if (!installed("neato")) return;
  const Rows rows = test::log_cached(64);
  const Result<std::string> dot = dependency_dot("log \"cached\"", rows);
  REQUIRE(dot.ok());
  const Result<std::string> svg = render_dot(*dot, DotOutput::kSvg);
  REQUIRE(svg.ok());
  CHECK(occurrences(*svg, "class=\"edge\"") == static_cast<std::size_t>(rows.b.total()));
  CHECK(occurrences(*svg, "class=\"node\"") == 64);
}

TEST_CASE("rsvg-convert turns pictures into PNG") {
  if (!installed("rsvg-convert")) return;
  const Result<std::string> png = png_of_svg(dependency_svg("log_cached", test::log_cached(16)));
  REQUIRE(png.ok());
  CHECK(png->substr(1, 3) == "PNG");
  CHECK_FALSE(png_of_svg("<svg").ok());
}

TEST_CASE("programs run as filters under a time limit") {
  std::string large(3'000'000, 'x');
  for (std::size_t k = 0; k < large.size(); k += 997) large[k] = '\n';
  const Result<std::string> same = filter_through({"cat", {}, 20s, "coreutils"}, large);
  REQUIRE(same.ok());
  CHECK(*same == large);

  const auto before = std::chrono::steady_clock::now();
  const Result<std::string> late = filter_through({"sleep", {"30"}, 100ms, "coreutils"}, "");
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().message == "sleep did not finish within 100 ms");
  CHECK(std::chrono::steady_clock::now() - before < 10s);

  const Result<std::string> absent =
      filter_through({"no-such-program-here", {}, 1s, "nothing"}, "");
  REQUIRE_FALSE(absent.ok());
  CHECK(absent.error().message == "no-such-program-here is not installed; install nothing");

  const Result<std::string> failing =
      filter_through({"sh", {"-c", "echo reason >&2; exit 3"}, 20s, "dash"}, large);
  REQUIRE_FALSE(failing.ok());
  CHECK(failing.error().message == "sh failed: reason");

  // A child that closes its outputs and lives on is ended as well.
  const Result<std::string> lingering =
      filter_through({"sh", {"-c", "exec >&- 2>&-; sleep 30"}, 100ms, "dash"}, "");
  CHECK_FALSE(lingering.ok());
}

TEST_CASE("growth curves label every series inside the panel, and keep labels apart") {
  for (const bool rising : {true, false}) {  // the crowd ends at the top, or at the bottom
    GrowthPanel panel;
    panel.title = "time(n)";
    for (const double factor : {1.0, 1.01, 1.02, 1.03, 1.04}) {
      GrowthSeries series;
      series.name = "series " + svg_number(factor);
      for (double n = 16; n <= 4096; n *= 2) {
        series.points.emplace_back(n, rising ? factor * n : factor / n);
      }
      panel.series.push_back(series);
    }
    panel.series.push_back({"guide", {{16, 1}, {4096, 1}}, true});
    const std::string svg = growth_svg("growth", "log axes", {panel, panel});
    CHECK(test::XmlCheck::problem_in(svg) == "");
    CHECK(occurrences(svg, ">guide<") == 2);
    std::vector<double> heights;  // of the labels in the first panel
    for (const GrowthSeries& series : panel.series) {
      const std::size_t text = svg.rfind("<text", svg.find('>' + series.name + '<'));
      heights.push_back(std::strtod(svg.c_str() + svg.find(" y=\"", text) + 4, nullptr));
    }
    std::sort(heights.begin(), heights.end());
    for (std::size_t k = 1; k < heights.size(); ++k) CHECK(heights[k] - heights[k - 1] >= 14);
    const std::size_t frame = svg.find("<line");  // the first grid line spans the panel
    CHECK(heights.front() >= std::strtod(svg.c_str() + svg.find(" y1=\"", frame) + 5, nullptr));
    CHECK(heights.back() <= std::strtod(svg.c_str() + svg.find(" y2=\"", frame) + 5, nullptr));
  }
}

TEST_CASE("golden line pictures") {
  const Rows rows = test::log_cached(8);
  const Result<std::string> dot = dependency_dot("log_cached", rows);
  REQUIRE(dot.ok());
  test::check_golden("draw/graph_log_cached_8.svg", dependency_svg("log_cached", rows));
  test::check_golden("draw/graph_log_cached_8.dot", *dot);
  const std::vector<std::int64_t> load = {1, 2, 3, 3, 2, 1};
  const std::vector<std::int64_t> weights = {0, 0, 1, 2, 0, 0};
  test::check_golden("draw/congestion.svg", congestion_svg({"three tokens", load, weights, 2, 3}));
  test::check_golden("draw/trade_off.svg", trade_off_svg("trade-offs", "three alone, two together",
                                                         {{"cheap", 2, 0, 64.0, true},
                                                          {"twin", 2, 0, std::nullopt, false},
                                                          {"middle", 11, 12, 8.0, true},
                                                          {"dear", 1024, 1024, 1.0, false}}));
  test::check_golden("draw/growth.svg", growth_svg("growth", "log axes",
                                                   {{"time(n)",
                                                     {{"linear", {{1, 1}, {4, 4}, {16, 16}}},
                                                      {"sqrt n", {{1, 1}, {16, 4}}, true}}}}));
}

}  // namespace
}  // namespace heddle
