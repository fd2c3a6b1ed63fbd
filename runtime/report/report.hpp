// SPDX-License-Identifier: Apache-2.0
// One run of heddle on one pattern as a single HTML page: no network, no scripts, inline pictures,
// readable on screen and on paper. Takes plain data; every string is escaped except the pictures,
// which are our own SVG. Sections without data and without a note are left out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "patterns/text_writer.hpp"

namespace heddle {

// Verdicts are the words of the command line: proved, checked, refuted, verified, rejected,
// unknown; "checked up to 4096" and the like keep the colour of their first word.
struct ReportClaim {
  std::string text;
  std::string verdict;
  std::string scope;                 // "all i", "i <= 4096"
  std::string rule;                  // how it was decided
  std::string explanation;           // the counterexample, or why it is unknown
  std::vector<std::string> assumes;  // theorems taken on trust
};

// A large number with its name, and a line of small print.
struct ReportMeasure {
  std::string name;
  std::string value;
  std::string detail;
};

struct ReportFigure {
  std::string svg;  // as written by analyzer/draw
  std::string caption;
};

struct ReportObligation {
  std::string name;
  std::string verdict;
  std::string method;
  std::string detail;
};

struct ReportFailure {
  std::string kind;
  std::string message;
  std::string where;
};

struct ReportTiming {
  std::string name;
  bool ours = false;
  // Nothing when the result failed its check: then `problem` says why and there is no timing.
  std::optional<double> median_ms;
  double p10_ms = 0;
  double p90_ms = 0;
  std::optional<double> gb_per_s;
  std::optional<double> gflop_per_s;
  std::optional<double> max_rel_error;
  std::string problem;
};

// Timings of one operation at one size; ratios are taken to the first timing that is ours.
struct ReportTimingGroup {
  std::string title;  // "prefill, n = 8192, 1 x 8 heads, d = 64, f32"
  std::vector<ReportTiming> timings;
};

struct ReportCertificate {
  std::string file;
  std::string sha256;
  std::string summary;       // what it holds
  std::string how_to_check;  // a command line
};

struct ReportFact {
  std::string name;
  std::string value;
};

struct ReportData {
  std::string pattern;
  std::string summary;  // one sentence
  std::string source;
  std::string source_sha256;
  std::vector<ReportClaim> claims;
  std::vector<ReportMeasure> measures;
  TextTable measure_table;
  std::vector<ReportFigure> figures;
  TextTable kernels;
  std::string verification_verdict;
  std::vector<ReportObligation> obligations;
  std::vector<ReportFailure> failures;
  TextTable counters;
  std::vector<ReportTimingGroup> timings;
  std::optional<ReportCertificate> certificate;
  std::vector<ReportFact> machine;
  std::vector<ReportFact> versions;

  // Shown under the section's heading: what was skipped and why, what a number means.
  struct Notes {
    std::string claims, measures, figures, kernels, verification, counters, timings;
  } notes;
};

std::string report_html(const ReportData& data);

}  // namespace heddle
