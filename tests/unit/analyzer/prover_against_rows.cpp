// SPDX-License-Identifier: Apache-2.0
// prover_against_rows ROUNDS SEED ROWS [forms]: random patterns with random claims. Every verdict
// and, with `forms`, every derived bound is compared with rows 1..ROWS counted one by one; hops,
// congestion and rank with smaller tables. Nothing proved may fail anywhere, nothing refuted may
// hold, and no failure may come before a counterexample that is called the smallest. Exits 1 at the
// first disagreement.
#include <chrono>
#include <cstdio>
#include <iostream>
#include <random>

#include "analyzer/congestion.hpp"
#include "analyzer/cost.hpp"
#include "analyzer/depth.hpp"
#include "analyzer/hops.hpp"
#include "analyzer/liveness.hpp"
#include "analyzer/prove.hpp"
#include "analyzer/rank.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/materialize.hpp"
#include "patterns/parser.hpp"

using namespace heddle;

namespace {

constexpr std::int64_t kPairs = 96;  // rows of the hop table
constexpr std::int64_t kCut = 12;    // cuts and copies that are solved

std::optional<Pattern> pattern_of(const std::string& body) {
  Diagnostics diagnostics;
  auto syntax = parse({"random", "pattern p {\n" + body + "}\n"}, diagnostics);
  if (diagnostics.has_errors() || syntax.size() != 1) return std::nullopt;
  return resolve(std::move(syntax[0]), {}, diagnostics);
}

class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}
  int number(int low, int high) {
    return low + static_cast<int>(engine_() % static_cast<unsigned>(high - low + 1));
  }
  std::string digits(int low, int high) { return std::to_string(number(low, high)); }
  std::string pick(const std::vector<std::string>& from) { return from[engine_() % from.size()]; }

  std::string functions() {
    return pick({"f(k) = k^2 + 1", "f(k) = 2^k", "f(k) = 3^k", "f(k) = k^3 + 1",
                 "f(k) = " + digits(1, 6) + " * k^2 + " + digits(0, 3) + " * k + 1",
                 "f(k) = " + digits(1, 5) + " * k + 1", "f(k) = 2^k + k",
                 "f(k) = floor(k * (k + 1) / 2) + 1",
                 "f(0) = 1\nf(k+1) = 2 * f(k) + " + digits(0, 3),
                 "f(0) = 1\nf(1) = 2\nf(k+2) = f(k+1) + f(k)",
                 "f(0) = 1\nf(1) = 2\nf(k+2) = 2 * f(k+1) + f(k)",
                 "f(0) = 1\nf(k+1) = f(k) + k + " + digits(1, 3)});
  }
  std::string set() {
    const std::string s = digits(1, 5), t = digits(4, 7), c = digits(1, 9);
    return pick({"window(" + digits(1, 9) + ")", "offsets(f)", "lattice(f)", "lattice(f)", "none",
                 "{ i - " + s + "*t : t >= 1, " + s + "*t < i }",
                 "{ i - " + s + "*t : t >= 1, " + t + "*t < i }",
                 "{ i - t^2 : t in 1.." + digits(1, 5) + ", t^2 < i }",
                 "{ " + s + "*t : t >= 1, " + s + "*t < i }", "{ i - " + c + " : " + c + " < i }",
                 "{ i - t : t >= 1, t < i, t mod " + digits(2, 4) + " = 1 }",
                 "{ max(1, i - " + t + ")..i - 1 }", "{ 1..min(" + s + ", i - 1) }"});
  }
  std::string claim() {
    const std::string right =
        pick({"sqrt(i) + " + digits(0, 8), "log2(i) + " + digits(0, 6),
              "min(i, " + digits(2, 9) + ") + " + digits(0, 3),
              "floor(i / " + digits(2, 6) + ") + " + digits(0, 12), digits(1, 24), "i",
              "sqrt(i) + log2(i) + " + digits(1, 6), "floor(sqrt(i) / 2)", "floor(log2(i) / 2)"});
    switch (number(0, 9)) {
      case 0:
        return "reaches(i, j)" + pick({"", " for i - j >= " + digits(1, 8)});
      case 1:
        return "hops(i, j) <= " + pick({"log2(i - j) + " + digits(0, 3), digits(2, 9),
                                        "floor((i - j) / " + digits(2, 5) + ") + " + digits(0, 4),
                                        "2 * log2(i - j) + " + digits(1, 3)});
      case 2:
        return pick({"congestion(n) <= " + digits(1, 6), "congestion(n) * cache(n) >= n",
                     "rank(m) <= " + digits(1, 9), "rank(m) >= min(m, " + digits(1, 5) + ")",
                     "rank(m) <= cache(m)", "congestion(n) <= log2(n) + " + digits(1, 2)});
      case 3:
        return pick({"depth(n) <= n - 1", "depth(n) <= floor(n / " + digits(2, 4) + ")",
                     "depth(n) = n - 1"});
      default:
        return pick({"time(i)", "cache(i)"}) + pick({" <= ", " >= ", " = "}) + right;
    }
  }

 private:
  std::mt19937 engine_;
};

// The measures, counted; an entry that is missing is not compared.
struct Counted {
  std::vector<std::int64_t> time, depth;
  std::optional<std::vector<std::int64_t>> cache;
  std::optional<HopTable> hops;
  std::vector<std::int64_t> rank;                                 // lower bounds
  std::vector<std::pair<std::int64_t, std::int64_t>> congestion;  // lower, upper; 0, 0 unknown

  static std::optional<Counted> of(const Pattern& pattern, std::int64_t n) {
    const MaterializeResult found = materialize(pattern, n);
    const auto* rows = std::get_if<Rows>(&found);
    if (rows == nullptr) return std::nullopt;
    Counted counted;
    counted.time = time_by_row(*rows);
    counted.depth = depth_by_row(*rows);
    // Live sets by looking at every reader up to 4n, only where that is known to be enough.
    const Result<CacheSizes> cache = cache_by_row(pattern, *rows);
    if (cache.ok() && !cache->horizon) counted.cache = cache->size;
    const MaterializeResult few = materialize(pattern, std::min(n, kPairs));
    const Rows& small = std::get<Rows>(few);
    counted.hops = all_hops(small);
    for (std::int64_t m = 1; m <= kCut && 4 * m <= small.n(); ++m) {
      const Result<RankResult> rank = rank_across(small, m);
      counted.rank.push_back(rank.ok() ? rank->value : 0);
      const Result<Congestion> load = copy_congestion(small, m, {400'000});
      counted.congestion.emplace_back(load.ok() ? load->lower : 0, load.ok() ? load->upper : 0);
    }
    return counted;
  }

  // Lower end and upper end of the value; nothing when it is not known.
  std::optional<std::pair<std::int64_t, std::int64_t>> value(
      MeasureKind kind, const std::vector<Integer>& arguments) const {
    const auto i = arguments.at(0).to_int64();
    if (!i || *i < 1) return std::nullopt;
    const auto at = static_cast<std::size_t>(*i - 1);
    const auto single = [](std::int64_t value) { return std::pair(value, value); };
    switch (kind) {
      case MeasureKind::kTime:
        if (at < time.size()) return single(time[at]);
        return std::nullopt;
      case MeasureKind::kDepth:
        if (at < depth.size()) return single(depth[at]);
        return std::nullopt;
      case MeasureKind::kCache:
        if (cache && at < cache->size()) return single((*cache)[at]);
        return std::nullopt;
      case MeasureKind::kHops: {
        const auto j = arguments.at(1).to_int64();
        if (!j || *j < 1 || *j > *i || *i > hops->n()) return std::nullopt;
        const int count = hops->at(*i, *j);
        if (count == kUnreachable) return std::nullopt;
        return single(count);
      }
      case MeasureKind::kRank:
        if (at < rank.size()) return std::pair(rank[at], *i);
        return std::nullopt;
      case MeasureKind::kCongestion:
        if (at < congestion.size() && congestion[at].first > 0) return congestion[at];
        return std::nullopt;
    }
    return std::nullopt;
  }
};

// Does the claim hold there? Nothing where a measure is not known well enough to say.
std::optional<bool> holds(const Evaluator& evaluator, const Counted& counted, const Claim& claim,
                          const Bindings& bindings) {
  std::optional<bool> verdict;
  for (const bool low : {true, false}) {
    const MeasureOracle oracle = [&](MeasureKind kind, const std::vector<Integer>& arguments) {
      const auto value = counted.value(kind, arguments);
      if (!value) return Result<Integer>(Error{"not known"});
      return Result<Integer>(Integer(low ? value->first : value->second));
    };
    if (claim.where) {
      const auto applies = evaluator.holds(*claim.where, bindings, oracle);
      if (!applies.ok()) return std::nullopt;
      if (!*applies) return true;
    }
    bool here = false;
    if (const auto* reach = std::get_if<ReachClaim>(&claim.node)) {
      const auto later = evaluator.evaluate(*reach->from_row, bindings, oracle);
      const auto earlier = evaluator.evaluate(*reach->to_row, bindings, oracle);
      if (!later.ok() || !earlier.ok()) return std::nullopt;
      const auto i = later->to_int64(), j = earlier->to_int64();
      if (!i || !j || *j < 1 || *i > counted.hops->n()) return std::nullopt;
      here = *i >= *j && counted.hops->at(*i, *j) != kUnreachable;
    } else {
      const auto& bound = std::get<BoundClaim>(claim.node);
      const auto left = evaluator.evaluate(*bound.left, bindings, oracle);
      const auto right = evaluator.evaluate(*bound.right, bindings, oracle);
      if (!left.ok() || !right.ok()) return std::nullopt;
      here = bound.op == ComparisonOperator::kLessEqual      ? *left <= *right
             : bound.op == ComparisonOperator::kGreaterEqual ? *left >= *right
                                                             : *left == *right;
    }
    if (verdict && *verdict != here) return std::nullopt;
    verdict = here;
  }
  return verdict;
}

// The first values, in the order of their maximum, at which the claim is known to fail.
std::optional<Bindings> first_failure(const Pattern& pattern, const Counted& counted,
                                      const Claim& claim, std::int64_t n) {
  const Evaluator evaluator(pattern);
  const std::string text = print(claim);
  const bool pairs = text.find('j') != std::string::npos;
  const char* name = text.find("(n)") != std::string::npos   ? "n"
                     : text.find("(m)") != std::string::npos ? "m"
                                                             : "i";
  const bool few =
      text.find("rank") != std::string::npos || text.find("congestion") != std::string::npos;
  const std::int64_t last = pairs ? std::min(n, kPairs) : few ? kCut : n;
  for (std::int64_t i = 1; i <= last; ++i) {
    for (std::int64_t j = 1; j <= (pairs ? i - 1 : 1); ++j) {
      Bindings bindings{{name, Integer(i)}};
      if (pairs) bindings.emplace_back("j", Integer(j));
      const std::optional<bool> here = holds(evaluator, counted, claim, bindings);
      if (here && !*here) return bindings;
    }
  }
  return std::nullopt;
}

struct Tally {
  int patterns = 0, proved = 0, checked = 0, refuted = 0, unknown = 0, forms = 0;
};

bool complain(const Pattern& pattern, const std::string& what) {
  std::cout << "DISAGREEMENT: " << what << "\n" << pattern.canonical_text() << std::endl;
  return false;
}

bool check_claim(const Pattern& pattern, const Counted& counted, const Claim& claim,
                 const ClaimVerdict& judged, std::int64_t n, Tally& tally) {
  const std::optional<Bindings> failure = first_failure(pattern, counted, claim, n);
  const auto where = [&]() {
    std::string text;
    for (const auto& [name, value] : *failure) text += " " + name + " = " + value.to_string();
    return text;
  };
  const std::string text =
      judged.text + " is " + name_of(judged.verdict) + " (" + judged.scope + ")";
  if (std::holds_alternative<Proved>(judged.verdict)) {
    ++tally.proved;
    if (failure) return complain(pattern, text + " but fails at" + where());
  } else if (const auto* checked = std::get_if<Checked>(&judged.verdict)) {
    ++tally.checked;
    if (failure && *failure->front().second.to_int64() <= checked->n) {
      return complain(pattern, text + " but fails at" + where());
    }
  } else if (const auto* refuted = std::get_if<Refuted>(&judged.verdict)) {
    ++tally.refuted;
    Bindings bindings;
    for (const auto& each : refuted->counterexample.variables) bindings.push_back(each);
    const std::optional<bool> here = holds(Evaluator(pattern), counted, claim, bindings);
    if (here && *here) return complain(pattern, text + " but holds there");
    if (failure && refuted->smallest) {
      Integer most = 0;
      for (const auto& [name, value] : bindings) most = std::max(most, value);
      if (failure->front().second < most) {
        return complain(pattern, text + " but fails earlier, at" + where());
      }
    }
  } else {
    ++tally.unknown;
  }
  return true;
}

bool check_form(const Pattern& pattern, const Counted& counted, const std::string& measure,
                const char* relation, const std::string& form, std::int64_t n, Tally& tally) {
  if (form.empty() || form.find('#') != std::string::npos) return true;
  ++tally.forms;
  const std::string& whole = pattern.canonical_text();
  const std::string text = measure + relation + form;
  Diagnostics diagnostics;
  const auto parsed = parse(
      {"form", whole.substr(0, whole.rfind('}')) + "\n  claim " + text + "\n}\n"}, diagnostics);
  if (diagnostics.has_errors()) return complain(pattern, text + " cannot be read");
  if (const auto failure = first_failure(pattern, counted, parsed.at(0).claims.back(), n)) {
    return complain(pattern, text + " fails at " + failure->front().second.to_string());
  }
  return true;
}

bool check_forms(const Pattern& pattern, const Counted& counted, std::int64_t n, Tally& tally) {
  const DerivedBounds bounds = derive(pattern);
  const std::pair<std::string, const DerivedMeasure*> measures[] = {
      {"time(i)", &bounds.time},   {"cache(i)", &bounds.cache},
      {"depth(n)", &bounds.depth}, {"hops(i, j)", &bounds.hops},
      {"rank(m)", &bounds.rank},   {"congestion(n)", &bounds.congestion}};
  for (const auto& [measure, derived] : measures) {
    if (!check_form(pattern, counted, measure, " = ", derived->closed_form, n, tally) ||
        !check_form(pattern, counted, measure, " <= ", derived->upper_form, n, tally) ||
        !check_form(pattern, counted, measure, " >= ", derived->lower_form, n, tally)) {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 50;
  const auto seed = static_cast<std::uint32_t>(argc > 2 ? std::atoi(argv[2]) : 1);
  const std::int64_t n = argc > 3 ? std::atoi(argv[3]) : 4096;
  const bool forms = argc > 4 && std::string(argv[4]) == "forms";
  const auto begin = std::chrono::steady_clock::now();
  Tally tally;
  for (int round = 0; round < rounds; ++round) {
    Random random(seed * 1'000'003U + static_cast<std::uint32_t>(round));
    std::string body =
        random.functions() + "\nA = " +
        random.pick({"diagonal", "diagonal", "window(3)", "dense", "diagonal | offsets(f)"}) +
        "\nB = " + random.set() + random.pick({" | ", " | ", " & ", " - "}) + random.set() + "\n";
    for (int claims = random.number(2, 4); claims > 0; --claims) {
      body += "claim " + random.claim() + "\n";
    }
    const std::optional<Pattern> pattern = pattern_of(body);
    if (!pattern) continue;
    ProveOptions quick;
    quick.check_up_to = 96;
    quick.check_pairs_up_to = 24;
    quick.farthest_search = 4096;
    quick.resource_limit = 150'000;
    const ProofReport report = prove(*pattern, quick);
    if (report.causality.status != CausalityVerdict::Status::kProved) continue;
    const std::optional<Counted> counted = Counted::of(*pattern, n);
    if (!counted) {
      complain(*pattern, "proved causal but a row reads outside its range");
      return 1;
    }
    ++tally.patterns;
    for (std::size_t at = 0; at < report.claims.size(); ++at) {
      if (!check_claim(*pattern, *counted, pattern->claims()[at], report.claims[at], n, tally)) {
        return 1;
      }
    }
    if (forms && !check_forms(*pattern, *counted, n, tally)) return 1;
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::printf(
      "%d patterns, rows 1..%lld: %d proved, %d checked, %d refuted, %d unknown, %d derived "
      "forms; no disagreement; %.0f s\n",
      tally.patterns, static_cast<long long>(n), tally.proved, tally.checked, tally.refuted,
      tally.unknown, tally.forms, seconds);
  return tally.proved > 0 && tally.refuted > 0 ? 0 : 1;
}
