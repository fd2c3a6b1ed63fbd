// SPDX-License-Identifier: Apache-2.0
// The report as a document: well-formed whatever the strings, complete, self-contained, and with
// ratios and bars that agree with the timings.
#include "runtime/report/report.hpp"

#include "tests/catch.hpp"
#include "tests/golden.hpp"
#include "tests/xml_check.hpp"

namespace heddle {
namespace {

constexpr const char* kPicture =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 8 8\"><rect width=\"8\" "
    "height=\"8\" fill=\"#ffffff\"/></svg>\n";

bool has(const std::string& text, const std::string& what) {
  return text.find(what) != std::string::npos;
}

std::size_t occurrences(const std::string& text, const std::string& what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

ReportData sample() {
  ReportData data;
  data.pattern = "sqrt_cached";
  data.summary = "O(sqrt n) time and cache";
  data.source =
      "# A = comment\npattern sqrt_cached {\n  f(k) = k^2 + 1\n  A = diagonal\n"
      "  B = lattice(f)\n  claim time(i) <= sqrt(i) + 2\n}\n";
  data.source_sha256 = "0123abcd";
  data.claims = {
      {"time(i) <= sqrt(i) + 2", "proved", "all i", "counting", "", {}},
      {"hops(i, j) <= 4", "refuted", "", "search", "i = 52, j = 1: 5 hops", {}},
      {"hops(i, j) <= 9", "proved", "all i", "squares", "", {"Lagrange's four squares"}}};
  data.measures = {{"cache", "25", "at n = 1024"}};
  data.measure_table = {{{"n"}, {"time", Align::kRight}}, {{"16", "5"}, {"64", "8"}}};
  data.figures = {{kPicture, "A square."}};
  data.kernels = {{{"file"}, {"threads", Align::kRight}}, {{"decode.cu", "64"}}};
  data.verification_verdict = "verified";
  data.obligations = {{"index in bounds", "proved", "symbolic", ""}};
  data.counters = {{{"kernel"}, {"bytes", Align::kRight}}, {{"decode", "4,096"}}};
  data.timings = {{"prefill, n = 8192",
                   {{"heddle cpu", true, 0.5, 0.49, 0.52, 12.0, 57.25, 2e-7, ""},
                    {"eigen-sparse", false, 2.0, 1.9, 2.2, {}, {}, 1e-7, ""},
                    {"torch-sdpa", false, {}, 0, 0, {}, {}, {}, "torch is not installed"}}}};
  data.certificate = ReportCertificate{"sqrt_cached.json", "feed", "2 claims", "heddle audit x"};
  data.machine = {{"processor", "two cores"}};
  data.versions = {{"heddle", "0.1.0"}};
  data.notes.counters = "Exact counts, not times.";
  return data;
}

TEST_CASE("a report is one well-formed page that needs nothing else") {
  const std::string html = report_html(sample());
  CHECK(test::XmlCheck::problem_in(html) == "");
  for (const char* outside : {"<script", "<link", "<img", "src=", "href=", "url(", "@import"}) {
    CHECK_FALSE(has(html, outside));
  }
  for (const char* anchor : {"pattern", "claims", "measures", "pictures", "kernels", "verification",
                             "counters", "timings", "certificate", "machine"}) {
    CHECK(has(html, std::string("<section id=\"") + anchor + "\">"));
  }
  CHECK(has(html, kPicture));
  CHECK(has(html, "Exact counts, not times."));
  test::check_golden("draw/report.html", html);
}

TEST_CASE("the first lines count the verdicts") {
  const std::string html = report_html(sample());
  CHECK(has(html, "<span class=\"chip bad\">1 claim refuted</span>"));
  CHECK(has(html, "<span class=\"chip good\">2 claims proved</span>"));
  CHECK(has(html, "<span class=\"chip good\">kernels verified</span>"));
  CHECK_FALSE(has(html, "unknown"));
}

TEST_CASE("a verdict that is no success never looks like one") {
  ReportData data;
  data.pattern = "p";
  data.verification_verdict = "rejected";
  for (const char* verdict : {"unknown", "refuted", "timed out", "proven", ""}) {
    data.claims.push_back({"c", verdict, "", "", "", {}});
  }
  const std::string html = report_html(data);
  CHECK_FALSE(has(html, "class=\"badge good\""));
  CHECK_FALSE(has(html, "class=\"chip good\""));
  CHECK(has(html, "<span class=\"chip bad\">kernels rejected</span>"));
}

TEST_CASE("sections without data are left out, a note is enough to keep one") {
  ReportData data;
  data.pattern = "p";
  std::string html = report_html(data);
  CHECK(test::XmlCheck::problem_in(html) == "");
  CHECK_FALSE(has(html, "<section"));
  data.notes.timings = "skipped: no compiler";
  html = report_html(data);
  CHECK(occurrences(html, "<section") == 1);
  CHECK(has(html, "skipped: no compiler"));
}

TEST_CASE("no string of the user reaches the page as markup") {
  const std::string hostile = "</style></pre><script>alert(1)</script>&\"'\x01\xff#<!-- A";
  ReportData data = sample();
  data.pattern = data.summary = data.source = data.source_sha256 = hostile;
  data.claims = {{hostile, hostile, hostile, hostile, hostile, {hostile}}};
  data.measures = {{hostile, hostile, hostile}};
  data.measure_table = data.kernels = data.counters = {{{hostile}}, {{hostile}}};
  data.figures = {{kPicture, hostile}};
  data.verification_verdict = hostile;
  data.obligations = {{hostile, hostile, hostile, hostile}};
  data.failures = {{hostile, hostile, hostile}};
  data.timings = {{hostile, {{hostile, true, {}, 0, 0, {}, {}, {}, hostile}}}};
  data.certificate = ReportCertificate{hostile, hostile, hostile, hostile};
  data.machine = data.versions = {{hostile, hostile}};
  data.notes = {hostile, hostile, hostile, hostile, hostile, hostile, hostile};
  const std::string html = report_html(data);
  CHECK(test::XmlCheck::problem_in(html) == "");
  CHECK_FALSE(has(html, "<script"));
  CHECK(occurrences(html, "</style>") == 1);
}

TEST_CASE("ratios and bars follow from the medians") {
  const std::string html = report_html(sample());
  CHECK(has(html, "<td class=\"bar\"><span class=\"ours\" style=\"width:25.00%\">"));
  CHECK(has(html, "<td class=\"bar\"><span style=\"width:100.00%\">"));
  CHECK(has(html, ">4.00× slower<"));
  CHECK(has(html, ">57.2<"));  // half to even
  CHECK(has(html, ">2.0e-07<"));
  CHECK(has(html, "not timed: torch is not installed"));

  ReportData data = sample();
  data.timings[0].timings[1].median_ms = 0.25;
  CHECK(has(report_html(data), ">2.00× faster<"));
  data.timings[0].timings[0].median_ms.reset();  // ours failed its check: nothing to compare with
  const std::string without = report_html(data);
  CHECK_FALSE(has(without, "× faster"));
  CHECK_FALSE(has(without, "× slower"));
}

TEST_CASE("long lists of obligations fold away only what holds") {
  ReportData data;
  data.pattern = "p";
  for (int k = 0; k < 30; ++k) {
    data.obligations.push_back({"o" + std::to_string(k), k == 7 ? "unknown" : "proved", "m", ""});
  }
  const std::string html = report_html(data);
  const std::size_t fold = html.find("<details>");
  REQUIRE(fold != std::string::npos);
  CHECK(has(html, "29 obligations that hold"));
  CHECK(html.find(">o7<") < fold);
  CHECK(html.find(">o8<") > fold);
  CHECK(test::XmlCheck::problem_in(html) == "");
}

TEST_CASE("keywords of a pattern are set apart outside comments only") {
  const std::string html = report_html(sample());
  CHECK(has(html, "<span class=\"comment\"># A = comment</span>"));
  CHECK(has(html, "<b>pattern</b> sqrt_cached {"));
  CHECK(has(html, "<b>A</b> = <b>diagonal</b>"));
}

}  // namespace
}  // namespace heddle
