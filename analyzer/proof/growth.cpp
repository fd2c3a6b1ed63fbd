// SPDX-License-Identifier: Apache-2.0
// A class is proved with constants or not at all; the measured values only say which to try.
#include "analyzer/proof/growth.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analyzer/proof/claims.hpp"
#include "analyzer/proof/count_hints.hpp"
#include "analyzer/proof/measure_terms.hpp"
#include "patterns/ast_print.hpp"
#include "patterns/growth_class.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

// Searching for constants asks many questions, most of which are hopeless: each gets less.
constexpr std::uint64_t kResourceShare = 6;
constexpr double kLevel = 1.06;  // ratios that rise by less may be chance
// ... of a logarithm that grows in steps, or of a root beside a constant that is still felt. That
// of a class next to the true one rises by 10/8 or more in a thousand rows.
constexpr double kLevelOfSteps = 1.2;
constexpr std::int64_t kFarthestSample = 131'072;

// r = floor(i^(1/q)): r^q <= i < (r+1)^q
Term root_of(Query& query, const Term& i, int q) {
  if (q == 1) return i;
  const Term root = query.fresh("root", [i, q](const Model& model) -> std::vector<Integer> {
    const std::optional<Integer> x = model.value(i);
    const std::optional<std::int64_t> row = x ? x->to_int64() : std::nullopt;
    if (!row) return {};
    return {*row < 1 ? Integer(1) : growth_value({1, q, 0}, *row)};
  });
  Term below = root, above = root + 1;
  for (int factor = 1; factor < q; ++factor) {
    below = below * root;
    above = above * (root + 1);
  }
  query.rooted(root, q);
  query.assume(implies(i >= 1, conjunction({root >= 1, below <= i, i < above})),
               fmt::format("{} is the floor of a root of degree {}", root.name(), q));
  return root;
}

Term growth_term(Query& query, const Term& i, const GrowthClass& growth) {
  Term value(1);
  const auto multiply = [&](const Term& factor) {
    value = value.is_constant() ? factor : value * factor;
  };
  if (growth.power_numerator > 0) {
    const Term root = root_of(query, i, growth.power_denominator);
    for (int p = 0; p < growth.power_numerator; ++p) multiply(root);
  }
  const ExpressionPtr name = make_expression(Name{"i"});
  const ExpressionPtr log2 = make_expression(BuiltinCall{BuiltinFunction::kLog2, {name}});
  for (int p = 0; p < growth.log_power; ++p) multiply(query.encode_known(*log2, {{"i", i}}));
  return value;
}

// The largest value of the measure in row i.
std::optional<Integer> measured_at(const MeasuredRows& measured, MeasureKind measure,
                                   std::int64_t i) {
  if (measure != MeasureKind::kHops) {
    const Result<Integer> value = measured.value(measure, {Integer(i)});
    return value.ok() ? std::optional(value.value()) : std::nullopt;
  }
  Integer most = 0;
  for (std::int64_t j = 1; j < i; ++j) {
    const Result<Integer> value = measured.value(measure, {Integer(i), Integer(j)});
    if (!value.ok()) return std::nullopt;
    if (most < value.value()) most = value.value();
  }
  return most;
}

// The class's function without its floors, which would hide a slow trend.
double smooth_growth(const GrowthClass& growth, double i) {
  return std::pow(i, static_cast<double>(growth.power_numerator) / growth.power_denominator) *
         std::pow(std::log2(i + 1), growth.log_power);
}

// The rows that are measured, from `start` on, and a few for each power of two beyond them: a part
// of the measure that grows slowly is felt for long.
std::vector<std::pair<std::int64_t, Integer>> samples(const MeasuredRows& measured,
                                                      MeasureKind measure, std::int64_t start) {
  std::vector<std::pair<std::int64_t, Integer>> all;
  const std::int64_t last = measured.rows_for(measure);
  for (std::int64_t i = start; i <= last; ++i) {
    const std::optional<Integer> value = measured_at(measured, measure, i);
    if (!value) return {};
    all.emplace_back(i, *value);
  }
  for (std::int64_t base = last; measure == MeasureKind::kTime && 2 * base <= kFarthestSample;
       base *= 2) {
    for (const std::int64_t quarter : {1, 2, 3, 4}) {
      const std::int64_t i = base + quarter * base / 4;
      const std::optional<std::int64_t> value = measured.far_time(i);
      if (!value) return all;
      all.emplace_back(i, *value);
    }
  }
  return all;
}

// The least c that fits all samples from `start` on. Nothing if none does, or if the ratio
// still rises at the far end (a true class has it level or falling), so that no proof can succeed.
std::optional<Integer> suggested_constant(const MeasuredRows& measured, MeasureKind measure,
                                          const GrowthClass& growth, Direction direction,
                                          std::int64_t start, double level) {
  const std::vector<std::pair<std::int64_t, Integer>> all = samples(measured, measure, start);
  if (all.empty()) return std::nullopt;
  const std::int64_t last = all.back().first;
  Integer c = 1;
  double early = 0, late = 0;  // largest ratio over (last/8, last/4] and over (last/2, last]
  for (const auto& [i, value] : all) {
    const Integer g = growth_value(growth, i);
    const Integer& large = direction == Direction::kAtMost ? value : g;
    const Integer& small = direction == Direction::kAtMost ? g : value;
    if (large.sign() <= 0) continue;
    if (small.sign() <= 0) return std::nullopt;
    if (c * small < large) c = ceil_div(large, small);
    const double measure_here = static_cast<double>(value.to_int64().value_or(INT64_MAX));
    const double smooth = smooth_growth(growth, static_cast<double>(i));
    const double ratio =
        direction == Direction::kAtMost ? measure_here / smooth : smooth / measure_here;
    if (i > last / 8 && i <= last / 4) early = std::max(early, ratio);
    if (i > last / 2) late = std::max(late, ratio);
  }
  if (late > level * early) return std::nullopt;
  return c;
}

std::optional<Proved> prove_with(const Structure& structure, MeasureKind measure,
                                 const GrowthClass& growth, Direction direction, const Integer& c,
                                 std::int64_t start, Detail detail, bool hinted) {
  Query query(structure.knowledge, structure.knowledge.resource_limit / kResourceShare);
  MeasureTerms terms(structure, detail);
  if (detail == Detail::kRefined) query.refine();
  const Term i = query.variable("i");
  query.assume(i >= Term(start), "from i0 on");
  std::vector<Term> arguments{i};
  if (measure == MeasureKind::kHops) {
    const Term j = query.variable("j");
    query.assume(conjunction({j >= 1, j < i}), "j < i");
    arguments.push_back(j);
  }
  const std::optional<Term> value = terms.term(query, measure, arguments);
  if (!value) return std::nullopt;
  if (!terms.exact() && direction == Direction::kAtLeast && growth != GrowthClass{} &&
      detail == Detail::kPlain) {
    return std::nullopt;  // the plain rules bound such sizes from above only
  }
  const Term g = growth_term(query, i, growth);
  if (hinted && !hint_at_counts(query, growth, g, c, direction)) return std::nullopt;
  const std::string name = heddle::name_of(measure);
  const std::string statement =
      direction == Direction::kAtMost
          ? fmt::format("{} <= {} g(i) for i >= {}, in {}", name, c.to_string(), start,
                        heddle::to_string(growth))
          : fmt::format("g(i) <= {} {} for i >= {}, g of {}", c.to_string(), name, start,
                        heddle::to_string(growth));
  const Term goal = direction == Direction::kAtMost ? *value <= Term(c) * g : g <= Term(c) * *value;
  Attempt attempt = prove_steadily(query, "growth: " + statement, statement, goal);
  if (!attempt.proved()) return std::nullopt;
  std::set<std::string> lemmas = query.lemmas();
  lemmas.insert(terms.lemmas().begin(), terms.lemmas().end());
  Proved proved;
  proved.rule = terms.rules().empty() ? "arithmetic" : joined(terms.rules());
  proved.parameters = {{"c", c.to_string()}, {"i0", std::to_string(start)}};
  proved.assumes.assign(terms.assumes().begin(), terms.assumes().end());
  proved.obligations = terms.obligations();
  proved.obligations.push_back(std::move(attempt.obligation));
  for (Obligation& obligation : structure.knowledge.obligations_of(lemmas)) {
    proved.obligations.push_back(std::move(obligation));
  }
  proved.obligations = distinct(std::move(proved.obligations));
  return proved;
}

// The lower one's constants are then called "d" and "j0".
Proved both_sides(Proved upper, Proved lower) {
  std::set<std::string> rules = parts_of(upper.rule);
  for (const std::string& rule : parts_of(lower.rule)) rules.insert(rule);
  if (rules.size() > 1) rules.erase("arithmetic");
  upper.rule = joined(rules);
  for (const auto& [key, value] : lower.parameters) {
    upper.parameters.emplace_back(key == "c" ? "d" : "j0", value);
  }
  std::set<std::string> assumed(upper.assumes.begin(), upper.assumes.end());
  assumed.insert(lower.assumes.begin(), lower.assumes.end());
  upper.assumes.assign(assumed.begin(), assumed.end());
  for (Obligation& obligation : lower.obligations) {
    upper.obligations.push_back(std::move(obligation));
  }
  upper.obligations = distinct(std::move(upper.obligations));
  return upper;
}

}  // namespace

std::optional<Proved> prove_both(const Structure& structure, const MeasuredRows& measured,
                                 MeasureKind measure, const GrowthClass& growth) {
  for (const Detail detail : {Detail::kPlain, Detail::kRefined}) {
    auto upper = prove_growth(structure, measured, measure, growth, Direction::kAtMost, detail);
    if (!upper) continue;
    auto lower = prove_growth(structure, measured, measure, growth, Direction::kAtLeast, detail);
    if (lower) return both_sides(*std::move(upper), *std::move(lower));
  }
  return std::nullopt;
}

std::string scope_of(const Proved& proved, const std::vector<std::string>& names) {
  Integer start = 1;
  bool never = false;
  for (const auto& [key, value] : proved.parameters) {
    if (key == "i0" || key == "j0") start = std::max(start, *Integer::parse(value));
    if (key == "applies") never = true;
  }
  std::string text;
  for (const std::string& name : names) {
    text += (!text.empty() ? ", " : never ? "no " : "all ") + name;
  }
  if (start == Integer(1)) return text;
  return text + (names.size() > 1 ? " with i" : "") + " >= " + start.to_string();
}

const std::vector<GrowthClass>& growth_ladder() {
  static const std::vector<GrowthClass> kLadder = {{0, 1, 0}, {0, 1, 1}, {1, 3, 0}, {1, 2, 0},
                                                   {2, 3, 0}, {1, 1, 0}, {1, 1, 1}, {2, 1, 0}};
  return kLadder;
}

std::optional<Proved> prove_growth(const Structure& structure, const MeasuredRows& measured,
                                   MeasureKind measure, const GrowthClass& growth,
                                   Direction direction, std::optional<Detail> detail) {
  const bool needs_two = growth.log_power > 0 || measure == MeasureKind::kHops;
  // From the first rows on, with the constant that fits; further out, with one to spare. Refined
  // lower bounds count some positions out of several, so they need a larger constant. Hints come
  // last, as products make scripts long.
  struct Trial {
    std::int64_t start;
    int spare, times;
    Detail detail;
    bool hinted;
  };
  const std::int64_t first = needs_two ? 2 : 1;
  std::vector<Trial> trials;
  for (const auto& [start, spare] : {std::pair{first, 0}, std::pair{std::int64_t{16}, 1}}) {
    trials.push_back({start, spare, 1, Detail::kPlain, false});
    trials.push_back({start, spare, 1, Detail::kRefined, false});
    if (direction == Direction::kAtLeast) {
      trials.push_back({start, spare, 4, Detail::kRefined, false});
    }
  }
  for (const int times : {1, 4}) trials.push_back({first, 0, times, Detail::kRefined, true});
  const bool steps = growth.power_numerator == 0 && growth.log_power > 0;
  for (const Trial& trial : trials) {
    if (detail && trial.detail != *detail) continue;
    const double level = steps || trial.hinted ? kLevelOfSteps : kLevel;
    const std::optional<Integer> c =
        suggested_constant(measured, measure, growth, direction, trial.start, level);
    if (!c) continue;
    const Integer constant = Integer(trial.times) * (*c + Integer(trial.spare));
    std::optional<Proved> proved = prove_with(structure, measure, growth, direction, constant,
                                              trial.start, trial.detail, trial.hinted);
    if (proved) return proved;
  }
  return std::nullopt;
}

}  // namespace heddle::proof
