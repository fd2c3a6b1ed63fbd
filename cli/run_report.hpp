// SPDX-License-Identifier: Apache-2.0
// What `run` found, and how it becomes the report's plain data.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cli/analysis.hpp"
#include "cli/pictures.hpp"
#include "codegen/generate.hpp"
#include "runtime/bench/bench.hpp"
#include "runtime/report/report.hpp"
#include "runtime/verify/verify.hpp"

namespace heddle {

struct RunReport {
  const Pattern* pattern = nullptr;
  Analysis analysis;
  std::string certificate;
  std::string certificate_file;
  std::vector<Picture> pictures;
  std::vector<std::pair<std::string, Artifact>> artifacts;  // by target
  VerifyReport verification;
  std::vector<BenchRow> timings;
  std::string kernel_note;
  std::string timing_note;
};

ReportData report_of(const RunReport& run);

}  // namespace heddle
