// SPDX-License-Identifier: Apache-2.0
// The pieces a report is put together from. Each gives well-formed markup, or nothing when there
// is nothing to show.
#pragma once

#include <string>
#include <string_view>

#include "runtime/report/report.hpp"

namespace heddle::report {

// good, info, bad, caution or plain, by the first word of a verdict.
std::string_view class_of_verdict(std::string_view verdict);
std::string badge(std::string_view verdict);
// A heading with an anchor, a note and a body; nothing when both note and body are empty.
std::string section(std::string_view anchor, std::string_view title, std::string_view note,
                    const std::string& body);

// Pattern text with comments and keywords set apart.
std::string source_text(std::string_view source);
std::string claims(const std::vector<ReportClaim>& claims);
std::string measures(const std::vector<ReportMeasure>& measures);
std::string table(const TextTable& table);
std::string figures(const std::vector<ReportFigure>& figures);
std::string obligations(const std::vector<ReportObligation>& obligations);
std::string failures(const std::vector<ReportFailure>& failures);
std::string timings(const std::vector<ReportTimingGroup>& groups);
std::string certificate(const ReportCertificate& certificate);
std::string facts(const std::vector<ReportFact>& facts);

std::string_view style_sheet();

}  // namespace heddle::report
