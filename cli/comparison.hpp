// SPDX-License-Identifier: Apache-2.0
// Many patterns at many n: computed on all cores, kept in the user's cache by what decides them,
// and shown as table, CSV, JSON or picture.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "analyzer/measures/comparison.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {

struct LabelledPattern {
  std::string label;  // stands for the pattern in what is shown
  Pattern pattern;
};

struct ComparisonTask {
  std::vector<LabelledPattern> patterns;
  std::vector<std::int64_t> lengths;  // ascending
  MeasureOptions measures;
  bool use_cache = true;
  std::function<void(const std::string&)> progress;  // called by one thread at a time; may be empty
};

// Every pattern at every length, patterns in the order given, lengths ascending within each. Fails
// with the first pattern whose rows cannot be listed.
Result<std::vector<ComparedPattern>> compare(const ComparisonTask& task);

std::string comparison_json(const std::vector<ComparedPattern>& cells);
// RFC 4180, one line for each pattern and length; empty fields where nothing is known, "inf" where
// a measure is infinite.
std::string comparison_csv(const std::vector<ComparedPattern>& cells);
TextTable comparison_table(const std::vector<ComparedPattern>& cells);
// Time against cache at the largest length.
std::string comparison_svg(const std::vector<ComparedPattern>& cells);

}  // namespace heddle
