// SPDX-License-Identifier: Apache-2.0
#include "analyzer/measures/comparison.hpp"

#include <algorithm>

namespace heddle {

ComparedPattern compared(const Pattern& pattern, const Measures& measures) {
  ComparedPattern result;
  result.pattern = pattern.name();
  result.sha256 = pattern.sha256();
  result.n = measures.n;
  result.time = measures.time_max();
  result.depth = measures.depth_at_n();
  const auto missing = [&](const char* measure, const Error& error) {
    result.reasons.push_back(std::string(measure) + ": " + error.message);
  };
  if (measures.cache) {
    result.cache = max_of(*measures.cache);
  } else {
    missing("cache", measures.cache.error());
  }
  if (measures.hops && measures.hops->sample) {
    missing("hops", Error{"only a sample of tokens was searched"});
  } else if (measures.hops) {
    const HopSummary& hops = *measures.hops;
    result.hops = hops.unreachable_pairs > 0 ? ComparedPattern::kInfinite : hops.max;
    if (hops.reachable_pairs > 0) result.mean_hops = hops.mean;
  } else {
    missing("hops", measures.hops.error());
  }
  if (measures.congestion) {
    result.copy = measures.congestion->copy;
    result.congestion_lower = measures.congestion->lower;
    result.congestion_upper = measures.congestion->upper;
  } else {
    if (measures.congestion.error().message.starts_with(kInfiniteCongestion)) {
      result.congestion_lower = result.congestion_upper = ComparedPattern::kInfinite;
    }
    missing("congestion", measures.congestion.error());
  }
  if (measures.rank) {
    result.cut = measures.rank->cut;
    result.rank = measures.rank->value;
  } else {
    missing("rank", measures.rank.error());
  }
  return result;
}

bool dominates(const ComparedPattern& a, const ComparedPattern& b) {
  if (!a.cache || !b.cache || !a.congestion_upper || !b.congestion_lower) return false;
  if (a.time > b.time || *a.cache > *b.cache || *a.congestion_upper > *b.congestion_lower) {
    return false;
  }
  return a.time < b.time || *a.cache < *b.cache || *a.congestion_upper < *b.congestion_lower;
}

std::vector<bool> pareto_front(const std::vector<ComparedPattern>& patterns) {
  std::vector<bool> front;
  for (const ComparedPattern& candidate : patterns) {
    front.push_back(
        std::none_of(patterns.begin(), patterns.end(), [&](const ComparedPattern& other) {
          return other.n == candidate.n && dominates(other, candidate);
        }));
  }
  return front;
}

}  // namespace heddle
