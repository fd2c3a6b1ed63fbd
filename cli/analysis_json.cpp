// SPDX-License-Identifier: Apache-2.0
#include "cli/analysis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "analyzer/rules/expressivity_laws.hpp"
#include "cli/claims.hpp"

namespace heddle {
namespace {

using Json = nlohmann::ordered_json;

Json class_json(const DerivedMeasure& measure) {
  return measure.upper ? Json(to_string(*measure.upper)) : Json(nullptr);
}

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

// For every value of the variable: the closed form where there is one, and bounds on both sides.
void add_forms(Json& json, const DerivedMeasure& measure) {
  json["closed_form"] = text_or_null(measure.closed_form);
  json["lower"] = text_or_null(measure.lower_form);
  json["upper"] = text_or_null(measure.upper_form);
}

// Where "lower" and "upper" mean something else already.
Json forms_json(const DerivedMeasure& measure) {
  Json json;
  add_forms(json, measure);
  return json;
}

constexpr const char* kNotAsked = "the prover was not asked";

void add_bounds(Json& json, const Analysis& analysis, const DerivedMeasure& measure) {
  json["class"] = class_json(measure);
  json["lower_class"] =
      measure.lower ? Json("Omega" + to_string(*measure.lower).substr(1)) : Json(nullptr);
  add_forms(json, measure);
  if (!measure.upper) {
    json["reason"] = analysis.proved ? "no rule bounds it for every i" : kNotAsked;
  }
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
  add_bounds(json, analysis, analysis.proofs.bounds.cache);
  return json;
}

// Lists longer than this are left out of the JSON, with the reason beside.
constexpr std::size_t kMostListed = 256;

void add_list(Json& json, const char* key, const std::vector<std::int64_t>& list) {
  if (list.size() <= kMostListed) {
    json[key] = list;
    return;
  }
  json[key] = nullptr;
  json[std::string(key) + "_reason"] =
      fmt::format("{} entries, more than the {} that are listed", list.size(), kMostListed);
}

Json semigroup_json(const Measures& m) {
  if (!m.semigroup) return nullptr;
  const DistanceSemigroup& sums = *m.semigroup;
  Json json;
  add_list(json, "generators", sums.generators);
  json["gcd"] = sums.gcd;
  json["frobenius"] = sums.largest_gap ? Json(*sums.largest_gap) : Json(nullptr);
  if (!sums.largest_gap) json["frobenius_reason"] = "every multiple of the gcd is a sum";
  json["scope"] = m.semigroup_for_every_n ? Json("every n") : Json(fmt::format("n = {}", m.n));
  return json;
}

Json sample_json(const HopSample& sample) {
  return {{"tokens", sample.tokens},
          {"confidence", sample.confidence},
          {"mean_half_width", sample.mean_half_width},
          {"unreachable_share", sample.unreachable_share},
          {"unreachable_half_width", sample.unreachable_half_width},
          {"share_beyond_max", sample.share_beyond_max}};
}

Json hops_json(const Measures& m) {
  if (!m.hops) {
    return {{"max", nullptr},
            {"mean", nullptr},
            {"unreachable_pairs", nullptr},
            {"witness", nullptr},
            {"reason", m.hops.error().message}};
  }
  const HopSummary& hops = *m.hops;
  Json json;
  const bool any = hops.reachable_pairs > 0;
  json["max"] = any ? Json(hops.max) : Json(nullptr);
  json["mean"] = any ? Json(hops.mean) : Json(nullptr);
  json["unreachable_pairs"] = hops.sample ? Json(nullptr) : Json(hops.unreachable_pairs);
  json["witness"] = hops.witness ? Json{hops.witness->first, hops.witness->second} : Json(nullptr);
  if (!any) json["reason"] = "no pair of tokens is connected";
  if (hops.sample) {
    if (any) json["reason"] = "the hops from a sample of tokens; the largest may be larger";
    json["sampled"] = sample_json(*hops.sample);
  }
  add_list(json, "path", hops.path);
  if (!hops.sample) add_list(json, "distribution", hops.distribution);
  json["semigroup"] = semigroup_json(m);
  return json;
}

Json congestion_json(const Pattern& pattern, const Analysis& analysis, Evidence evidence) {
  const Result<Congestion>& congestion = analysis.measures.congestion;
  Json json;
  if (congestion) {
    json = {{"n", congestion->copy},
            {"lower", congestion->lower},
            {"upper", congestion->upper},
            {"lower_rule", congestion->lower_rule}};
    if (evidence == Evidence::kShown) {
      json["weights"] = congestion->weights;
      json["paths"] = congestion->paths;
    }
  } else {
    json = {{"n", analysis.measures.copy},
            {"lower", nullptr},
            {"upper", nullptr},
            {"reason", congestion.error().message}};
  }
  const auto& cache = analysis.proofs.bounds.cache.upper;
  const auto law = cache ? congestion_law(pattern, *cache) : std::nullopt;
  json["lower_class"] = law ? Json(law->growth) : Json(nullptr);
  json["lower_class_rule"] =
      law ? law->rule : "the capacity law needs a class of cache and an A of own inputs only";
  return json;
}

// Cuts 1, 2, 4, .. and the last one before n.
Json rank_by_cut_json(const Measures& m) {
  if (!m.rank_by_cut) return nullptr;
  const std::vector<std::int64_t>& rank = *m.rank_by_cut;
  const auto most = std::max_element(rank.begin(), rank.end());
  Json json = {{"max", *most}, {"at", most - rank.begin()}, {"cuts", Json::array()}};
  for (std::int64_t cut = 1; cut < m.n; cut *= 2) {
    json["cuts"].push_back({cut, rank[static_cast<std::size_t>(cut)]});
  }
  return json;
}

Json vertex_json(const GraphVertex& vertex) {
  return {vertex.side == Side::kA ? "x" : "y", vertex.token};
}

Json vertices_json(const std::vector<GraphVertex>& vertices) {
  Json json = Json::array();
  for (const GraphVertex& vertex : vertices) json.push_back(vertex_json(vertex));
  return json;
}

void add_evidence(Json& json, const Result<RankEvidence>& evidence) {
  if (!evidence) {
    json["paths"] = json["minimum_cut"] = nullptr;
    json["evidence_reason"] = evidence.error().message;
    return;
  }
  json["paths"] = Json::array();
  for (const auto& path : evidence->paths) json["paths"].push_back(vertices_json(path));
  json["minimum_cut"] = vertices_json(evidence->minimum_cut);
}

Json rank_json(const Pattern& pattern, const Analysis& analysis, Evidence evidence) {
  const Measures& m = analysis.measures;
  Json json = {{"cut", nullptr}, {"value", nullptr}};
  if (m.rank) {
    json = {{"cut", m.rank->cut},
            {"value", m.rank->value},
            {"lower", m.rank->lower},
            {"upper", m.rank->upper}};
  } else {
    json["reason"] = m.rank.error().message;
  }
  const auto& cache = analysis.proofs.bounds.cache.upper;
  json["class"] = cache ? Json(rank_law(*cache).growth) : Json(nullptr);
  json["class_rule"] =
      cache ? rank_law(*cache).rule : "no class of cache is proved, which would bound rank";
  json["by_cut"] = rank_by_cut_json(m);
  if (!m.rank_by_cut) json["by_cut_reason"] = m.rank_by_cut.error().message;
  if (const auto state = state_size(pattern); state && m.rank) {
    json["state"] = *state;
    json["value_times_state"] = m.rank->value * *state;
  }
  if (evidence == Evidence::kShown) add_evidence(json, m.rank_evidence);
  return json;
}

Json paths_json(const PathCounts& paths) {
  const Integer& count = paths.to.back();
  return {{"from", paths.from},
          {"to", paths.last()},
          {"count", count.to_string()},
          {"bits", count.bit_length()}};
}

Json mixing_json(const Mixing& mixing) {
  Json json = {{"weights", "uniform over each row"}, {"n", mixing.n}};
  const bool any = mixing.held > 0;
  const auto age = [&](double share) {
    return any ? Json(mixing.age_at_share(share)) : Json(nullptr);
  };
  json["half_life"] = age(0.5);
  json["age_90"] = age(0.9);
  json["age_99"] = age(0.99);
  json["mean_age"] = any ? Json(mixing.mean_age) : Json(nullptr);
  if (!any) json["reason"] = "output n reads nothing";
  json["lost"] = mixing.lost;
  json["first_token"] = mixing.weight.back();
  json["profile"] = Json::array();
  for (std::int64_t t = 0; t < mixing.n; t = std::max<std::int64_t>(1, 2 * t)) {
    json["profile"].push_back({{"age", t},
                               {"weight", mixing.weight[static_cast<std::size_t>(t)]},
                               {"older", mixing.older_than(t)}});
  }
  return json;
}

}  // namespace

std::string analysis_json(const Pattern& pattern, const Analysis& analysis, Evidence evidence) {
  const Measures& m = analysis.measures;
  Json json = {{"pattern", pattern.name()}, {"n", m.n}, {"source_sha256", pattern.sha256()}};
  json["time"] = {{"at_n", m.time_at_n()}, {"max", m.time_max()}, {"total", m.time_total()}};
  add_bounds(json["time"], analysis, analysis.proofs.bounds.time);
  json["cache"] = cache_json(analysis);
  json["depth"] = {{"at_n", m.depth_at_n()}};
  json["depth_every_n"] = forms_json(analysis.proofs.bounds.depth);  // "depth" holds one number
  json["hops"] = hops_json(m);
  add_forms(json["hops"], analysis.proofs.bounds.hops);
  json["congestion"] = congestion_json(pattern, analysis, evidence);
  json["congestion"]["every_n"] = forms_json(analysis.proofs.bounds.congestion);
  json["rank"] = rank_json(pattern, analysis, evidence);
  json["rank"]["every_m"] = forms_json(analysis.proofs.bounds.rank);
  json["paths"] = paths_json(m.paths);
  json["mixing"] = mixing_json(m.mixing);
  if (!analysis.proved) {
    json["claims"] = nullptr;
    json["claims_reason"] = kNotAsked;
    return json.dump(2);
  }
  json["claims"] = Json::array();
  for (const ClaimVerdict& claim : analysis.proofs.claims) {
    json["claims"].push_back(Json::parse(claim_json(claim)));
  }
  return json.dump(2);
}

}  // namespace heddle
