// SPDX-License-Identifier: Apache-2.0
// Tables, widths and escapes. UTF-8 is decoded in one place, strictly: overlong forms, surrogates
// and truncated sequences are invalid.
#include "patterns/text_writer.hpp"

#include <algorithm>

#include "patterns/result.hpp"

namespace heddle {
namespace {

struct CodePoint {
  char32_t value = 0;
  std::size_t bytes = 1;
  bool valid = false;
};

CodePoint decode_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[at + k]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) return {};
  char32_t value = lead & (0x7fU >> length);
  for (std::size_t k = 1; k < length; ++k) {
    if ((byte(k) & 0xc0U) != 0x80U) return {};
    value = value << 6 | (byte(k) & 0x3fU);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xd800 && value < 0xe000;
  if (overlong || surrogate || value > 0x10ffff) return {};
  return {value, length, true};
}

template <typename Visit>
void for_each_code_point(std::string_view text, Visit&& visit) {
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_at(text, at);
    visit(point, text.substr(at, point.bytes));
    at += point.bytes;
  }
}

bool is_control(char32_t value) { return value < 0x20 || (value >= 0x7f && value < 0xa0); }

bool allowed_in_xml(char32_t value) {
  const bool blank = value == '\t' || value == '\n' || value == '\r';
  return blank || (!is_control(value) && value != 0xfffe && value != 0xffff);
}

const char* escape_of(Tone tone) {
  switch (tone) {
    case Tone::kPlain:
      return "";
    case Tone::kStrong:
      return "\x1b[1m";
    case Tone::kMuted:
      return "\x1b[2m";
    case Tone::kGood:
      return "\x1b[32m";
    case Tone::kBad:
      return "\x1b[31m";
    case Tone::kCaution:
      return "\x1b[33m";
  }
  unreachable("Tone");
}

void append_padded(std::string& line, const TextCell& cell, Align align, std::size_t width,
                   bool colour) {
  const std::string text = printable(cell.text);
  const std::size_t used = display_width(text);
  const std::string padding(width > used ? width - used : 0, ' ');
  if (align == Align::kRight) line += padding;
  line += toned(text, cell.tone, colour);
  if (align == Align::kLeft) line += padding;
}

void append_line(std::string& out, std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  out += line;
  out += '\n';
}

// Pieces of at most `room` columns where words allow.
std::vector<std::string> broken_at_blanks(const std::string& text, std::size_t room) {
  std::vector<std::string> pieces;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (!pieces.empty() && display_width(pieces.back()) + 1 + display_width(word) <= room) {
      pieces.back() += ' ' + word;
    } else if (!word.empty()) {
      pieces.push_back(word);
    }
    at = end + 1;
  }
  return pieces;
}

// How the last column of a table keeps to the width of a line.
struct LastColumn {
  bool broken = false;
  bool below = false;     // on lines of its own
  std::size_t start = 0;  // blanks before it
  std::size_t room = 0;
};

LastColumn place_last_column(const std::vector<std::size_t>& width, std::size_t margin,
                             std::size_t line) {
  constexpr std::size_t kFewest = 28;  // columns, beside the others
  constexpr std::size_t kIndent = 4;
  LastColumn last;
  if (line == 0 || width.empty()) return last;
  last.start = margin;
  for (std::size_t c = 0; c + 1 < width.size(); ++c) last.start += width[c] + 2;
  last.broken = last.start + width.back() > line;
  if (!last.broken) return last;
  last.below = last.start + std::min(kFewest, width.back()) > line;
  if (last.below) last.start = margin + kIndent;
  last.room = line > last.start ? line - last.start : 1;
  return last;
}

}  // namespace

std::string toned(std::string_view text, Tone tone, bool colour) {
  if (!colour || tone == Tone::kPlain || text.empty()) return std::string(text);
  return escape_of(tone) + std::string(text) + "\x1b[0m";
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for_each_code_point(text, [&](const CodePoint&, std::string_view) { ++width; });
  return width;
}

std::string printable(std::string_view text) {
  std::string out;
  for_each_code_point(text, [&](const CodePoint& point, std::string_view bytes) {
    if (point.valid && !is_control(point.value)) {
      out += bytes;
    } else {
      out += '?';
    }
  });
  return out;
}

std::string escape_xml(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for_each_code_point(text, [&](const CodePoint& point, std::string_view bytes) {
    if (!point.valid || !allowed_in_xml(point.value)) {
      out += "\xef\xbf\xbd";
    } else if (bytes == "&") {
      out += "&amp;";
    } else if (bytes == "<") {
      out += "&lt;";
    } else if (bytes == ">") {
      out += "&gt;";
    } else if (bytes == "\"") {
      out += "&quot;";
    } else if (bytes == "'") {
      out += "&#39;";
    } else {
      out += bytes;
    }
  });
  return out;
}

std::string grouped(std::int64_t value) {
  std::string digits = std::to_string(value);
  const std::size_t first = value < 0 ? 1 : 0;
  for (std::size_t at = digits.size(); at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string text_table(const TextTable& table, const TextTableOptions& options) {
  const std::size_t count = table.columns.size();
  std::vector<std::size_t> width(count, 0);
  for (std::size_t c = 0; c < count; ++c) {
    if (options.header) width[c] = display_width(printable(table.columns[c].title));
    for (const auto& row : table.rows) {
      assert_that(row.size() <= count, "a table row has no more cells than there are columns");
      if (c < row.size()) width[c] = std::max(width[c], display_width(printable(row[c].text)));
    }
  }
  const std::string margin(static_cast<std::size_t>(options.indent), ' ');
  const LastColumn last = place_last_column(width, margin.size(), options.width);
  if (last.broken) width.back() = last.below ? 0 : std::min(width.back(), last.room);
  std::string out;
  const auto write = [&](const auto& cell_of) {
    std::vector<std::string> pieces;
    if (last.broken) pieces = broken_at_blanks(printable(cell_of(count - 1).text), last.room);
    std::string line = margin;
    for (std::size_t c = 0; c < count; ++c) {
      TextCell cell = cell_of(c);
      if (last.broken && c + 1 == count) {
        if (last.below) break;
        cell.text = pieces.empty() ? "" : pieces.front();
      }
      if (c > 0) line += "  ";
      append_padded(line, cell, table.columns[c].align, width[c], options.colour);
    }
    append_line(out, std::move(line));
    for (std::size_t piece = last.below ? 0 : 1; piece < pieces.size(); ++piece) {
      append_line(out, std::string(last.start, ' ') +
                           toned(pieces[piece], cell_of(count - 1).tone, options.colour));
    }
  };
  if (options.header) {
    write([&](std::size_t c) {
      return TextCell(last.below && c + 1 == count ? "" : table.columns[c].title, Tone::kStrong);
    });
    write([&](std::size_t c) { return TextCell(std::string(width[c], '-'), Tone::kMuted); });
  }
  for (const auto& row : table.rows) {
    write([&](std::size_t c) { return c < row.size() ? row[c] : TextCell(""); });
  }
  return out;
}

}  // namespace heddle
