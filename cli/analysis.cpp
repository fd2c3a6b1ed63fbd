// SPDX-License-Identifier: Apache-2.0
#include "cli/analysis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/claims.hpp"

namespace heddle {
namespace {

using Json = nlohmann::ordered_json;

Json class_json(const DerivedMeasure& measure) {
  return measure.upper ? Json(to_string(*measure.upper)) : Json(nullptr);
}

void add_bounds(Json& json, const DerivedMeasure& measure) {
  json["class"] = class_json(measure);
  json["lower_class"] =
      measure.lower ? Json("Omega" + to_string(*measure.lower).substr(1)) : Json(nullptr);
  if (!measure.closed_form.empty()) json["closed_form"] = measure.closed_form;
  if (!measure.upper) json["reason"] = "no rule bounds it for every i";
}

Json cache_json(const Analysis& analysis) {
  const Result<CacheSizes>& cache = analysis.measures.cache;
  Json json;
  if (cache) {
    json = {{"at_n", cache->size.back()}, {"max", max_of(*cache)}};
    if (cache->horizon) json["horizon"] = *cache->horizon;
  } else {
    json = {{"at_n", nullptr}, {"max", nullptr}, {"reason", cache.error().message}};
  }
  add_bounds(json, analysis.bounds.cache);
  return json;
}

Json hops_json(const Result<HopSummary>& result) {
  if (!result) {
    return {{"max", nullptr},
            {"mean", nullptr},
            {"unreachable_pairs", nullptr},
            {"witness", nullptr},
            {"reason", result.error().message}};
  }
  const HopSummary& hops = *result;
  Json json;
  const bool any = hops.reachable_pairs > 0;
  json["max"] = any ? Json(hops.max) : Json(nullptr);
  json["mean"] = any ? Json(hops.mean) : Json(nullptr);
  json["unreachable_pairs"] = hops.unreachable_pairs;
  json["witness"] = hops.witness ? Json{hops.witness->first, hops.witness->second} : Json(nullptr);
  if (!any) json["reason"] = "no pair of tokens is connected";
  return json;
}

Json congestion_json(const Result<Congestion>& congestion, std::int64_t copy) {
  if (!congestion) {
    return {{"n", copy},
            {"lower", nullptr},
            {"upper", nullptr},
            {"reason", congestion.error().message}};
  }
  return {{"n", congestion->copy},
          {"lower", congestion->lower},
          {"upper", congestion->upper},
          {"lower_rule", congestion->lower_rule}};
}

Json rank_json(const Result<RankResult>& rank) {
  if (!rank) return {{"cut", nullptr}, {"value", nullptr}, {"reason", rank.error().message}};
  return {
      {"cut", rank->cut}, {"value", rank->value}, {"lower", rank->lower}, {"upper", rank->upper}};
}

std::string hop_remark(const HopSummary& hops) {
  std::string text = hops.reachable_pairs > 0 ? fmt::format("mean {:.2f}", hops.mean)
                                              : "no pair of tokens is connected";
  if (hops.witness) {
    text += fmt::format(", most from {} to {}", hops.witness->second, hops.witness->first);
  }
  if (hops.reachable_pairs > 0 && hops.unreachable_pairs > 0) {
    text += fmt::format(", {} pairs unreachable", grouped(hops.unreachable_pairs));
  }
  return text;
}

std::string number(std::int64_t value) { return grouped(value); }

}  // namespace

Analysis analyze(const Pattern& pattern, const Rows& rows, const MeasureOptions& options) {
  return {measure(pattern, rows, options), derive(pattern), prove(pattern)};
}

std::string analysis_json(const Pattern& pattern, const Analysis& analysis) {
  const Measures& m = analysis.measures;
  Json json = {{"pattern", pattern.name()}, {"n", m.n}, {"source_sha256", pattern.sha256()}};
  json["time"] = {{"at_n", m.time_at_n()}, {"max", m.time_max()}, {"total", m.time_total()}};
  add_bounds(json["time"], analysis.bounds.time);
  json["cache"] = cache_json(analysis);
  json["depth"] = {{"at_n", m.depth_at_n()}};
  json["hops"] = hops_json(m.hops);
  json["congestion"] = congestion_json(m.congestion, std::min<std::int64_t>(m.n / 2, 64));
  json["rank"] = rank_json(m.rank);
  json["claims"] = Json::array();
  for (const ClaimVerdict& claim : analysis.proofs.claims) {
    json["claims"].push_back(Json::parse(claim_json(claim)));
  }
  return json.dump(2);
}

std::string class_text(const DerivedMeasure& measure) {
  if (!measure.upper) return "-";
  const std::string upper = to_string(*measure.upper);
  // Matching bounds: the class is sharp.
  if (measure.lower && *measure.lower == *measure.upper) return "Theta" + upper.substr(1);
  return upper;
}

TextTable measures_table(const Analysis& analysis) {
  const Measures& m = analysis.measures;
  TextTable table{{{"measure"},
                   {fmt::format("n = {}", grouped(m.n)), Align::kRight},
                   {"most", Align::kRight},
                   {"every n"},
                   {""}},
                  {}};
  const auto add = [&](const char* name, std::string at_n, std::string most, std::string growth,
                       std::string remark) {
    table.rows.push_back({name, std::move(at_n), std::move(most), std::move(growth),
                          TextCell(std::move(remark), Tone::kMuted)});
  };
  add("time", number(m.time_at_n()), number(m.time_max()), class_text(analysis.bounds.time),
      fmt::format("{} reads in all", grouped(m.time_total())));
  if (m.cache) {
    add("cache", number(m.cache->size.back()), number(max_of(*m.cache)),
        class_text(analysis.bounds.cache),
        m.cache->horizon ? fmt::format("readers counted up to row {}", grouped(*m.cache->horizon))
                         : "");
  } else {
    add("cache", "-", "-", class_text(analysis.bounds.cache), m.cache.error().message);
  }
  add("depth", number(m.depth_at_n()), "", "", "");
  add("hops", "", m.hops && m.hops->reachable_pairs > 0 ? number(m.hops->max) : "-", "",
      m.hops ? hop_remark(*m.hops) : m.hops.error().message);
  if (m.congestion) {
    const Congestion& c = *m.congestion;
    add("congestion", "", c.exact() ? number(c.lower) : fmt::format("{}..{}", c.lower, c.upper), "",
        fmt::format("copying {} tokens", grouped(c.copy)));
  } else {
    add("congestion", "", "-", "", m.congestion.error().message);
  }
  if (m.rank) {
    add("rank", "", number(m.rank->value), "",
        fmt::format("across the cut after {}", grouped(m.rank->cut)));
  } else {
    add("rank", "", "-", "", m.rank.error().message);
  }
  return table;
}

}  // namespace heddle
