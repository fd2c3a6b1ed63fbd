// SPDX-License-Identifier: Apache-2.0
// Plain text for people: aligned tables, grouped numbers, and text made safe to place in XML or on
// a terminal. Widths count code points, not bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace heddle {

enum class Align { kLeft, kRight };
enum class Tone { kPlain, kStrong, kMuted, kGood, kBad, kCaution };

struct TextCell {
  TextCell(std::string cell_text, Tone cell_tone = Tone::kPlain)
      : text(std::move(cell_text)), tone(cell_tone) {}
  TextCell(const char* cell_text, Tone cell_tone = Tone::kPlain)
      : text(cell_text), tone(cell_tone) {}
  std::string text;
  Tone tone;  // shown only with colour
};

struct TextColumn {
  std::string title;
  Align align = Align::kLeft;
};

// Rows may be shorter than `columns`; missing cells are empty.
struct TextTable {
  std::vector<TextColumn> columns;
  std::vector<std::vector<TextCell>> rows;
};

struct TextTableOptions {
  int indent = 0;
  bool colour = false;  // ANSI escapes for tones and the header
  bool header = true;   // titles and a rule below them
  // Lines of at most so many columns, if the table allows: the last column is broken at blanks, and
  // goes below the others where little room is left beside them. 0: as long as need be.
  std::size_t width = 0;
};

// Lines without trailing blanks; two blanks between columns.
std::string text_table(const TextTable& table, const TextTableOptions& options = {});

// `text` with ANSI escapes for the tone, or unchanged without colour.
std::string toned(std::string_view text, Tone tone, bool colour);

// Number of code points; an invalid byte counts as one.
std::size_t display_width(std::string_view text);
// Control bytes as '?', so that no text can drive a terminal.
std::string printable(std::string_view text);
// For XML and HTML text and attributes: markup escaped, invalid UTF-8 and characters that XML does
// not allow replaced by U+FFFD.
std::string escape_xml(std::string_view text);
// 1234567 as "1,234,567".
std::string grouped(std::int64_t value);

}  // namespace heddle
