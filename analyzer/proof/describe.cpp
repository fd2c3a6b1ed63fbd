// SPDX-License-Identifier: Apache-2.0
// Sizes of rows and live sets in words, where they are exact.
#include "analyzer/proof/describe.hpp"

#include <fmt/format.h>

#include "patterns/ast_print.hpp"

namespace heddle::proof {
namespace {

// The number of points up to a limit, e.g. "#{k >= 0 : k^2 + 1 < i}".
std::vector<std::string> counts(const Points& points, const std::string& limit) {
  std::vector<std::string> parts;
  for (const Interval& interval : points.start) {
    const std::int64_t size = interval.high - interval.low + 1;
    if (interval.low == 0 && interval.high == 0) {
      parts.push_back("1");
    } else if (interval.low <= 1) {
      const std::string all = interval.low == 0 ? limit + " + 1" : limit;
      parts.push_back(fmt::format("min({}, {})", all == "i - 1 + 1" ? "i" : all, size));
    } else {
      parts.push_back(fmt::format("min(max({} - {}, 0), {})", limit, interval.low - 1, size));
    }
  }
  if (points.all_beyond) {
    parts.push_back(points.split == 0    ? limit
                    : points.split == -1 ? (limit == "i - 1" ? "i" : limit + " + 1")
                                         : fmt::format("max({} - {}, 0)", limit, points.split));
  }
  for (const Progression& progression : points.beyond) {
    parts.push_back(fmt::format("#{{{} >= {} : {} <= {}}}", progression.variable, progression.low,
                                print(*progression.value), limit));
  }
  return parts;
}

std::optional<std::string> sum(std::vector<std::string> parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : " + ") + part;
  return text.empty() ? "0" : text;
}

}  // namespace

std::optional<std::string> describe_row_size(const RowModel& model) {
  if (model.points.beyond.size() > 1) return std::nullopt;
  if (model.kind == RowModel::Kind::kDistances) return sum(counts(model.points, "i - 1"));
  if (model.kind == RowModel::Kind::kPositions) {
    return sum(counts(model.points, model.before_row ? "i - 1" : "i"));
  }
  return std::nullopt;
}

std::optional<std::string> describe_live_size(const RowModel& model) {
  if (model.points.beyond.size() > 1) return std::nullopt;
  if (model.kind == RowModel::Kind::kPositions) return sum(counts(model.points, "i"));
  if (model.kind != RowModel::Kind::kDistances) return std::nullopt;
  if (model.points.infinite()) return "i";
  const IntervalList& start = model.points.start;
  if (start.empty() || start.back().high == 0) return "0";
  return fmt::format("min(i, {})", start.back().high);
}

}  // namespace heddle::proof
