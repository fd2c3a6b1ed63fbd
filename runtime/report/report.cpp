// SPDX-License-Identifier: Apache-2.0
// The order of the page: what was asked, what holds, what it costs, what was built, how fast it is,
// and how to check all of that again.
#include "runtime/report/report.hpp"

#include <fmt/format.h>

#include <map>

#include "runtime/report/parts.hpp"

namespace heddle {
namespace {

std::string counted(std::size_t count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string chip(std::string_view verdict, const std::string& text) {
  return fmt::format("<span class=\"chip {}\">{}</span>", report::class_of_verdict(verdict),
                     escape_xml(text));
}

// "5 claims proved", "1 claim refuted", ..., the kernels' verdict: the page in one line.
std::string verdict_line(const ReportData& data) {
  std::map<std::string, std::size_t> by_verdict;
  for (const ReportClaim& claim : data.claims) {
    ++by_verdict[claim.verdict.substr(0, claim.verdict.find(' '))];
  }
  std::string out;
  for (const std::string verdict : {"refuted", "unknown", "checked", "proved"}) {
    const auto found = by_verdict.find(verdict);
    if (found == by_verdict.end()) continue;
    out += chip(verdict, counted(found->second, "claim") + ' ' + verdict);
  }
  if (!data.verification_verdict.empty()) {
    out += chip(data.verification_verdict, "kernels " + data.verification_verdict);
  }
  return out.empty() ? "" : "<p class=\"chips\">" + out + "</p>\n";
}

std::string pattern_body(const ReportData& data) {
  if (data.source.empty()) return "";
  std::string out = "<pre class=\"source\">" + report::source_text(data.source) + "</pre>\n";
  if (!data.source_sha256.empty()) {
    out += fmt::format("<p class=\"small\">SHA-256 of the canonical text <code>{}</code></p>\n",
                       escape_xml(data.source_sha256));
  }
  return out;
}

std::string verification_body(const ReportData& data) {
  std::string out;
  if (!data.verification_verdict.empty()) {
    out += fmt::format("<p>{} {}</p>\n", report::badge(data.verification_verdict),
                       counted(data.obligations.size(), "obligation"));
  }
  return out + report::failures(data.failures) + report::obligations(data.obligations);
}

std::string machine_body(const ReportData& data) {
  const std::string machine = report::facts(data.machine);
  const std::string versions = report::facts(data.versions);
  if (machine.empty() && versions.empty()) return "";
  return "<div class=\"columns\">" + machine + versions + "</div>\n";
}

}  // namespace

std::string report_html(const ReportData& data) {
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<title>{} – heddle</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n"
      "<header>\n<p class=\"brand\">heddle report</p>\n<h1>{}</h1>\n",
      escape_xml(data.pattern), report::style_sheet(), escape_xml(data.pattern));
  if (!data.summary.empty()) {
    out += fmt::format("<p class=\"lead\">{}</p>\n", escape_xml(data.summary));
  }
  out += verdict_line(data) + "</header>\n";

  using report::section;
  out += section("pattern", "Pattern", "", pattern_body(data));
  out += section("claims", "Claims", data.notes.claims, report::claims(data.claims));
  out += section("measures", "Measures", data.notes.measures,
                 report::measures(data.measures) + report::table(data.measure_table));
  out += section("pictures", "Pictures", data.notes.figures, report::figures(data.figures));
  out += section("kernels", "Kernels", data.notes.kernels, report::table(data.kernels));
  out += section("verification", "Verification", data.notes.verification, verification_body(data));
  out += section("counters", "Counters", data.notes.counters, report::table(data.counters));
  out += section("timings", "Timings", data.notes.timings, report::timings(data.timings));
  if (data.certificate) {
    out += section("certificate", "Certificate", "", report::certificate(*data.certificate));
  }
  out += section("machine", "Machine and versions", "", machine_body(data));
  return out + "</main>\n</body>\n</html>\n";
}

}  // namespace heddle
