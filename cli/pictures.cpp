// SPDX-License-Identifier: Apache-2.0
#include "cli/pictures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analyzer/draw/cache_picture.hpp"
#include "analyzer/draw/congestion_picture.hpp"
#include "analyzer/draw/cut_picture.hpp"
#include "analyzer/draw/dependency_picture.hpp"
#include "analyzer/draw/growth_picture.hpp"
#include "analyzer/draw/hop_picture.hpp"
#include "analyzer/draw/matrix_picture.hpp"
#include "analyzer/measures/congestion.hpp"
#include "analyzer/measures/cost.hpp"
#include "analyzer/measures/cut_flow.hpp"
#include "analyzer/measures/hops.hpp"
#include "analyzer/rules/liveness.hpp"
#include "patterns/text_writer.hpp"

namespace heddle {
namespace {

constexpr std::int64_t kGraphTokens = 32;
constexpr std::int64_t kMapTokens = 128;
constexpr std::int64_t kCutTokens = 48;
constexpr std::int64_t kGrowthTokens = 4096;

Result<std::string> cache_picture(const Pattern& pattern, const Rows& rows) {
  const Result<LastReads> inputs = last_reads(pattern, rows, Side::kA);
  if (!inputs) return inputs.error();
  const Result<LastReads> outputs = last_reads(pattern, rows, Side::kB);
  if (!outputs) return outputs.error();
  std::string note;
  for (const auto& [side, reads] :
       {std::pair{Side::kA, &*inputs}, std::pair{Side::kB, &*outputs}}) {
    // Within the picture a rule for every i makes the live sets exact, however far readers lie.
    if (!reads->horizon || liveness(pattern, side).retention != Retention::kHorizon) continue;
    note = "readers counted up to row " + std::to_string(*reads->horizon);
  }
  return cache_svg({pattern.name(), inputs->row, outputs->row, note});
}

// A guide through the first point of a series, to read the growth against.
GrowthSeries guide(const std::string& name, const GrowthSeries& along, double (*growth)(double)) {
  GrowthSeries series{name, {}, true};
  if (along.points.empty()) return series;
  const auto& [first_n, first_value] = along.points.front();
  for (const auto& [n, value] : along.points) {
    series.points.emplace_back(n, first_value * growth(n) / growth(first_n));
  }
  return series;
}

GrowthPanel panel(const std::string& title, const std::vector<std::int64_t>& by_row) {
  GrowthSeries series{title.substr(0, title.find('(')), {}, false};
  std::int64_t most = 0;
  std::int64_t row = 0;
  // Powers of two and, at the end, all there is.
  const auto all = static_cast<std::int64_t>(by_row.size());
  for (std::int64_t n = 8; row < all; n = std::min(2 * n, all)) {
    for (; row < n; ++row) most = std::max(most, by_row[static_cast<std::size_t>(row)]);
    if (most > 0) series.points.emplace_back(static_cast<double>(n), static_cast<double>(most));
  }
  GrowthPanel result{title, {series}};
  if (series.points.size() > 1) {
    result.series.push_back(guide("n", series, [](double n) { return n; }));
    result.series.push_back(guide("sqrt n", series, [](double n) { return std::sqrt(n); }));
    result.series.push_back(guide("log n", series, [](double n) { return std::log2(n); }));
  }
  return result;
}

Result<std::string> growth_picture(const Pattern& pattern, const Rows& rows) {
  if (rows.n() < 16) return Error{"growth shows from 16 tokens on"};
  std::vector<GrowthPanel> panels = {panel("time(n)", time_by_row(rows))};
  const Result<CacheSizes> cache = cache_by_row(pattern, rows);
  if (cache) panels.push_back(panel("cache(n)", cache->size));
  std::erase_if(panels, [](const GrowthPanel& shown) { return shown.series[0].points.empty(); });
  return growth_svg(pattern.name(),
                    fmt::format("most over rows 1..n, n up to {}", grouped(rows.n())), panels);
}

Result<std::string> congestion_picture(const Pattern& pattern, const Rows& rows) {
  if (rows.n() < 2) return Error{"a copy task needs a token and its copy"};
  const Result<Congestion> congestion = copy_congestion(rows, rows.n() / 2);
  if (!congestion) return Error{"the congestion is " + congestion.error().message};
  const auto outputs = static_cast<std::size_t>(2 * congestion->copy);
  std::vector<std::int64_t> load(outputs, 0);
  for (const std::vector<std::int64_t>& path : congestion->paths) {
    for (const std::int64_t y : path) ++load[static_cast<std::size_t>(y - 1)];
  }
  std::vector<std::int64_t> weights = congestion->weights;
  weights.resize(outputs, 0);
  return congestion_svg({pattern.name(), load, weights, congestion->lower, congestion->upper});
}

}  // namespace

Result<std::string> picture_svg(const Pattern& pattern, const Rows& rows, const std::string& kind) {
  if (kind == "graph") return dependency_svg(pattern.name(), rows);
  if (kind == "matrix") return matrix_svg(pattern.name(), rows);
  if (kind == "cache") return cache_picture(pattern, rows);
  if (kind == "growth") return growth_picture(pattern, rows);
  if (kind == "congestion") return congestion_picture(pattern, rows);
  if (kind == "cut") return cut_picture(pattern, rows, rows.n() / 2);
  if (rows.n() > kMostHopTokens) {
    return Error{"a hop map shows at most " + std::to_string(kMostHopTokens) + " tokens"};
  }
  const HopTable hops = all_hops(rows);
  return hops_svg(pattern.name(), rows.n(),
                  [&](std::int64_t i, std::int64_t j) { return hops.at(i, j); });
}

Result<std::string> cut_picture(const Pattern& pattern, const Rows& rows, std::int64_t cut) {
  if (rows.n() > kMostCutTokens) {
    return Error{"a picture of a cut shows at most " + std::to_string(kMostCutTokens) + " tokens"};
  }
  auto flow = CutFlow::build(rows);
  if (!flow) return flow.error();
  while (flow->cut() < cut) flow->advance();
  return cut_svg(pattern.name(), rows, {flow->cut(), flow->paths(), flow->minimum_cut()});
}

std::vector<Picture> pictures_of(const Pattern& pattern) {
  std::vector<Picture> pictures;
  const auto add = [&](const std::string& kind, std::int64_t n, const std::string& caption) {
    const MaterializeResult rows = materialize(pattern, n);
    if (!std::holds_alternative<Rows>(rows)) return;
    Result<std::string> svg = picture_svg(pattern, std::get<Rows>(rows), kind);
    if (svg) pictures.push_back({kind, std::move(*svg), caption});
  };
  add("graph", kGraphTokens, "Which tokens each token reads.");
  add("matrix", kMapTokens, "The entries of A and B that may be non-zero.");
  add("cache", kMapTokens, "What decode has to keep, and for how long.");
  add("cut", kCutTokens, "What crosses from the first half of the tokens to the second.");
  add("hops", kMapTokens, "How many steps information takes from one token to another.");
  add("congestion", kMapTokens, "How crowded each token gets when all are copied at once.");
  add("growth", kGrowthTokens,
      "Time and cache as n grows, measured; the dashed guides start at the first point.");
  return pictures;
}

}  // namespace heddle
