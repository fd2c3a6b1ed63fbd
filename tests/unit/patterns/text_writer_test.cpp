// SPDX-License-Identifier: Apache-2.0
// Tables, widths and escapes.
#include "patterns/text_writer.hpp"

#include "tests/catch.hpp"

namespace heddle {
namespace {

TEST_CASE("tables align columns and end no line with blanks") {
  const TextTable table = {{{"name"}, {"n", Align::kRight}, {"note"}},
                           {{"log_cached", "16", "a"}, {"é", "1024", ""}, {"x"}}};
  CHECK(text_table(table) ==
        "name           n  note\n"
        "----------  ----  ----\n"
        "log_cached    16  a\n"
        "é           1024\n"
        "x\n");
  CHECK(text_table(table, {.indent = 2, .header = false}) ==
        "  log_cached    16  a\n"
        "  é           1024\n"
        "  x\n");
}

TEST_CASE("the last column keeps to the width of the line") {
  const TextTable table{{{"verdict"}, {"because"}},
                        {{"proved", "row size: a lattice row has at most so many positions"},
                         {"unknown", "no rule"}}};
  CHECK(text_table(table, {2, false, true, 44}) ==
        "  verdict  because\n"
        "  -------  ---------------------------------\n"
        "  proved   row size: a lattice row has at\n"
        "           most so many positions\n"
        "  unknown  no rule\n");
  // Too little room beside the others.
  CHECK(text_table(table, {2, false, true, 30}) ==
        "  verdict\n"
        "  -------\n"
        "  proved\n"
        "      row size: a lattice row\n"
        "      has at most so many\n"
        "      positions\n"
        "  unknown\n"
        "      no rule\n");
  // A word that is longer than the line stays whole, and wide enough lines change nothing.
  CHECK(text_table({{{""}}, {{"abcdef gh"}}}, {0, false, false, 4}) == "\n    abcdef\n    gh\n");
  CHECK(text_table(table, {2, false, true, 200}) == text_table(table, {2, false, true}));
}

TEST_CASE("colour adds escapes and changes no width") {
  const TextTable table = {{{"verdict"}, {"k", Align::kRight}},
                           {{TextCell("ok", Tone::kGood), "1"}}};
  const std::string coloured = text_table(table, {.colour = true});
  CHECK(coloured.find("\x1b[32mok\x1b[0m       1\n") != std::string::npos);
  std::string plain;
  for (std::size_t k = 0; k < coloured.size(); ++k) {
    if (coloured[k] == '\x1b') {
      k = coloured.find('m', k);
    } else {
      plain += coloured[k];
    }
  }
  CHECK(plain == text_table(table));
}

TEST_CASE("no cell can drive a terminal") {
  const TextTable table = {{{"a"}}, {{"x\x1b[2Jy\nz\x9b"}}};
  CHECK(text_table(table, {.header = false}) == "x?[2Jy?z?\n");
}

TEST_CASE("invalid UTF-8 and forbidden characters become U+FFFD in XML") {
  const std::string bad = "\xef\xbf\xbd";
  CHECK(escape_xml("a<b>&\"'") == "a&lt;b&gt;&amp;&quot;&#39;");
  CHECK(escape_xml("é√\U0001f600") == "é√\U0001f600");
  CHECK(escape_xml("\x80") == bad);
  CHECK(escape_xml("\xc0\xaf") == bad + bad);            // overlong
  CHECK(escape_xml("\xed\xa0\x80") == bad + bad + bad);  // surrogate
  CHECK(escape_xml("\xe2\x82") == bad + bad);            // truncated
  CHECK(escape_xml("\xf5\x80\x80\x80") == bad + bad + bad + bad);
  CHECK(escape_xml(std::string_view("\0\t\n", 3)) == bad + "\t\n");
  CHECK(escape_xml("\xef\xbf\xbf") == bad);
  CHECK(display_width("é√x\xff") == 4);
}

TEST_CASE("numbers are grouped in thousands") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(-123456) == "-123,456");
  CHECK(grouped(INT64_MIN) == "-9,223,372,036,854,775,808");
}

}  // namespace
}  // namespace heddle
