// SPDX-License-Identifier: Apache-2.0
// Timings as bars: linear from zero, so that lengths compare as times do.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/report/parts.hpp"

namespace heddle::report {
namespace {

// Three significant digits, never in exponent form for everyday sizes.
std::string short_number(double value) {
  if (value == 0) return "0";
  const double size = std::fabs(value);
  if (size < 1e-4 || size >= 1e7) return fmt::format("{:.1e}", value);
  const int digits = std::clamp(2 - static_cast<int>(std::floor(std::log10(size))), 0, 6);
  return fmt::format("{:.{}f}", value, digits);
}

std::string optional_number(const std::optional<double>& value) {
  return value ? short_number(*value) : "";
}

const ReportTiming* reference_of(const ReportTimingGroup& group) {
  for (const ReportTiming& timing : group.timings) {
    if (timing.ours && timing.median_ms) return &timing;
  }
  return nullptr;
}

std::string ratio_text(const ReportTiming& timing, const ReportTiming* reference) {
  if (reference == nullptr || &timing == reference) return "";
  const double ratio = *timing.median_ms / *reference->median_ms;
  return ratio >= 1 ? short_number(ratio) + "× slower" : short_number(1 / ratio) + "× faster";
}

std::string row_of(const ReportTiming& timing, double longest, const ReportTiming* reference) {
  const std::string name =
      fmt::format("<td{}>{}</td>", timing.ours ? " class=\"strong\"" : "", escape_xml(timing.name));
  if (!timing.median_ms) {
    return fmt::format("<tr>{}<td class=\"muted\" colspan=\"7\">not timed: {}</td></tr>\n", name,
                       escape_xml(timing.problem));
  }
  const double share = longest > 0 ? 100 * *timing.median_ms / longest : 0;
  return fmt::format(
      "<tr>{}<td class=\"bar\"><span{} style=\"width:{:.2f}%\"></span></td>"
      "<td class=\"number\">{}</td><td class=\"number muted\">{}–{}</td>"
      "<td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td>"
      "<td class=\"number muted\">{}</td></tr>\n",
      name, timing.ours ? " class=\"ours\"" : "", share, short_number(*timing.median_ms),
      short_number(timing.p10_ms), short_number(timing.p90_ms), ratio_text(timing, reference),
      optional_number(timing.gb_per_s), optional_number(timing.gflop_per_s),
      optional_number(timing.max_rel_error));
}

}  // namespace

std::string timings(const std::vector<ReportTimingGroup>& groups) {
  std::string out;
  for (const ReportTimingGroup& group : groups) {
    double longest = 0;
    for (const ReportTiming& timing : group.timings) {
      longest = std::max(longest, timing.median_ms.value_or(0));
    }
    out += fmt::format(
        "<h3>{}</h3>\n<div class=\"scroll\"><table class=\"timings\">\n<thead><tr><th></th>"
        "<th></th><th class=\"number\">median ms</th><th class=\"number\">p10–p90</th>"
        "<th class=\"number\">against ours</th><th class=\"number\">GB/s</th>"
        "<th class=\"number\">GFLOP/s</th><th class=\"number\">rel. error</th></tr></thead>\n"
        "<tbody>\n",
        escape_xml(group.title));
    const ReportTiming* reference = reference_of(group);
    for (const ReportTiming& timing : group.timings) out += row_of(timing, longest, reference);
    out += "</tbody>\n</table></div>\n";
  }
  return out;
}

}  // namespace heddle::report
