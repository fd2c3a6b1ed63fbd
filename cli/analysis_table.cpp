// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "analyzer/rules/expressivity_laws.hpp"
#include "cli/analysis.hpp"

namespace heddle {
namespace {

std::string hop_remark(const HopSummary& hops) {
  std::string text = hops.reachable_pairs > 0 ? fmt::format("mean {:.2f}", hops.mean)
                                              : "no pair of tokens is connected";
  if (hops.witness) {
    text += fmt::format(", most from {} to {}", hops.witness->second, hops.witness->first);
  }
  if (hops.sample) {
    text += fmt::format(
        "; a sample of {} tokens: mean within {:.2g} at 95%, at most {:.2g} of pairs "
        "from tokens with longer ways",
        grouped(hops.sample->tokens), hops.sample->mean_half_width, hops.sample->share_beyond_max);
    return text;
  }
  if (hops.reachable_pairs > 0 && hops.unreachable_pairs > 0) {
    text += fmt::format(", {} pairs unreachable", grouped(hops.unreachable_pairs));
  }
  return text;
}

// What the distances that a row bridges add up to, where that is not all.
std::string semigroup_remark(const Measures& m) {
  if (!m.semigroup) return "";
  const DistanceSemigroup& sums = *m.semigroup;
  if (sums.gcd > 1) {
    return fmt::format(", outputs reach multiples of {} only", grouped(sums.gcd));
  }
  if (!sums.largest_gap) return "";
  return fmt::format(", outputs bridge no distance {}", grouped(*sums.largest_gap)) +
         (m.semigroup_for_every_n ? " but all larger ones" : "");
}

std::string rank_remark(const Pattern& pattern, const Measures& m) {
  std::string text = fmt::format("across the cut after {}", grouped(m.rank->cut));
  if (m.rank_by_cut) {
    const auto most = std::max_element(m.rank_by_cut->begin(), m.rank_by_cut->end());
    text += fmt::format(", most after {}", grouped(most - m.rank_by_cut->begin()));
  }
  if (const auto state = state_size(pattern)) {
    text += fmt::format("; states of {} rows multiply it to up to {}", grouped(*state),
                        grouped(m.rank->value * *state));
  }
  return text;
}

std::string mixing_remark(const Mixing& mixing) {
  if (mixing.held == 0) return "output n reads nothing";
  return fmt::format("tokens hold half of the last output's weight, {} hold 90% (uniform weights)",
                     grouped(mixing.age_at_share(0.9) + 1));
}

std::string number(std::int64_t value) { return grouped(value); }

}  // namespace

Analysis analyze(const Pattern& pattern, const Rows& rows, const MeasureOptions& options,
                 Proofs proofs) {
  Analysis analysis;
  analysis.measures = measure(pattern, rows, options);
  analysis.proved = proofs == Proofs::kMade;
  if (!analysis.proved) return analysis;
  analysis.proofs = prove_and_derive(pattern);
  return analysis;
}

std::string class_text(const DerivedMeasure& measure) {
  if (!measure.upper) return "-";
  const std::string upper = to_string(*measure.upper);
  // Matching bounds: the class is sharp.
  if (measure.lower && *measure.lower == *measure.upper) return "Theta" + upper.substr(1);
  return upper;
}

TextTable measures_table(const Pattern& pattern, const Analysis& analysis) {
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
  add("time", number(m.time_at_n()), number(m.time_max()), class_text(analysis.proofs.bounds.time),
      fmt::format("{} reads in all", grouped(m.time_total())));
  if (m.cache) {
    add("cache", number(m.cache->size.back()), number(max_of(*m.cache)),
        class_text(analysis.proofs.bounds.cache),
        m.cache->horizon ? fmt::format("readers counted up to row {}", grouped(*m.cache->horizon))
                         : "");
  } else {
    add("cache", "-", "-", class_text(analysis.proofs.bounds.cache), m.cache.error().message);
  }
  add("depth", number(m.depth_at_n()), "", "", "");
  add("hops", "", m.hops && m.hops->reachable_pairs > 0 ? number(m.hops->max) : "-", "",
      m.hops ? hop_remark(*m.hops) + semigroup_remark(m) : m.hops.error().message);
  const auto& cache = analysis.proofs.bounds.cache.upper;
  const auto law = cache ? congestion_law(pattern, *cache) : std::nullopt;
  const std::string congestion_growth = law ? law->growth : "";
  const std::string rank_growth = cache ? rank_law(*cache).growth : "";
  if (m.congestion) {
    const Congestion& c = *m.congestion;
    add("congestion", "", c.exact() ? number(c.lower) : fmt::format("{}..{}", c.lower, c.upper),
        congestion_growth,
        fmt::format("copying {} {}", grouped(c.copy), c.copy == 1 ? "token" : "tokens"));
  } else {
    add("congestion", "", "-", congestion_growth, m.congestion.error().message);
  }
  if (m.rank) {
    add("rank", number(m.rank->value),
        m.rank_by_cut ? number(*std::max_element(m.rank_by_cut->begin(), m.rank_by_cut->end()))
                      : "",
        rank_growth, rank_remark(pattern, m));
  } else {
    add("rank", "-", "", rank_growth, m.rank.error().message);
  }
  const std::size_t bits = m.paths.to.back().bit_length();
  add("paths",
      bits <= 63 ? number(m.paths.to.back().to_int64().value_or(0))
                 : fmt::format("~2^{}", bits - 1),
      "", "", fmt::format("from token 1 to {}", grouped(m.paths.last())));
  add("memory", m.mixing.held > 0 ? number(m.mixing.half_life() + 1) : "-", "", "",
      mixing_remark(m.mixing));
  return table;
}

}  // namespace heddle
