// SPDX-License-Identifier: Apache-2.0
// The laws of the theory page that turn measures into arithmetic.
#include "analyzer/proof/measure_terms.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "analyzer/proof/descent.hpp"
#include "analyzer/proof/points.hpp"
#include "patterns/ast_print.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

constexpr const char* kLagrange = "Lagrange: every natural number is a sum of four squares";

// {value(k) : k >= 0} as a progression to compare with.
ExpressionPtr powers_of_two() {
  return make_expression(Arithmetic{ArithmeticOperator::kPower, make_expression(Literal{2}),
                                    make_expression(Name{"k"})});
}
ExpressionPtr squares_plus_one() {
  const ExpressionPtr k = make_expression(Name{"k"});
  return make_expression(Arithmetic{
      ArithmeticOperator::kAdd, make_expression(Arithmetic{ArithmeticOperator::kMultiply, k, k}),
      make_expression(Literal{1})});
}

const char* size_rule(const RowModel& model) {
  switch (model.kind) {
    case RowModel::Kind::kDistances:
      return model.points.beyond.empty()
                 ? "row size: distances below i"
                 : "row size: #{k : f(k) < i} is the c with f(c-1) < i <= f(c)";
    case RowModel::Kind::kPositions:
      return "row size: fixed positions up to i";
    case RowModel::Kind::kLattice:
      return "row size: a lattice row has at most #{k : f(k) < i}";
    case RowModel::Kind::kUnion:
      return "row size: a union has at most the sum";
    case RowModel::Kind::kIntersection:
      return "row size: an intersection is in both parts";
    case RowModel::Kind::kDifference:
      return "row size: a difference is in its left part";
    case RowModel::Kind::kOther:
      return "row size: a range, or at most every position";
  }
  unreachable("row model");
}

const char* live_rule(const RowModel& model) {
  switch (model.kind) {
    case RowModel::Kind::kDistances:
      return model.points.infinite() ? "live set: unbounded distances keep everything"
                                     : "live set: the last m positions, m the largest distance";
    case RowModel::Kind::kPositions:
      return "live set: fixed positions are read for ever";
    case RowModel::Kind::kLattice:
      return "live set: lattice rows are nested, live(i) = row(i+1)";
    case RowModel::Kind::kUnion:
      return "live set: of a union, the union";
    case RowModel::Kind::kIntersection:
      return "live set: of an intersection, within both";
    case RowModel::Kind::kDifference:
      return "live set: of a difference, within the left";
    case RowModel::Kind::kOther:
      return model.farthest ? "live set: rows within their last m + 1 positions keep at most m"
                            : "live set: at most every position";
  }
  unreachable("row model");
}

// The least point >= 1, if there is one: in the list, or else the first beyond it.
std::optional<std::int64_t> nearest(const Knowledge& knowledge, const Points& points) {
  for (const Interval& interval : points.start) {
    if (interval.high >= 1) return std::max<std::int64_t>(interval.low, 1);
  }
  if (points.all_beyond) return std::max<std::int64_t>(points.split + 1, 1);
  const Evaluator evaluator(*knowledge.pattern);
  std::optional<std::int64_t> least;
  for (const Progression& progression : points.beyond) {
    const Result<Integer> first =
        evaluator.evaluate(*progression.value, {{progression.variable, Integer(progression.low)}});
    const std::optional<std::int64_t> here = first.ok() ? first->to_int64() : std::nullopt;
    if (!here || *here < 1) return std::nullopt;  // then more may lie in between
    least = std::min(least.value_or(*here), *here);
  }
  return least;
}

// Bounds say the most where they are met, so models are looked for there.
Witness either(const Term& low, const Term& high) {
  return [=](const Model& model) -> std::vector<Integer> {
    const std::optional<Integer> least = model.value(low), most = model.value(high);
    if (!least || !most) return {};
    return *least == *most ? std::vector<Integer>{*least} : std::vector<Integer>{*least, *most};
  };
}

// 1, 2, ... up to `most`, of many the first and the last.
Witness up_to(const Term& most) {
  return [=](const Model& model) -> std::vector<Integer> {
    constexpr std::int64_t kListed = 12;
    const std::optional<Integer> last = model.value(most);
    if (!last) return {};
    std::vector<Integer> values;
    for (std::int64_t value = 1; value <= kListed && Integer(value) <= *last; ++value) {
      values.push_back(value);
    }
    if (Integer(kListed) < *last) values.push_back(*last);
    return values;
  };
}

// Points includes w, ..., 1: the number w of distances 1..w, or 0.
std::int64_t leading_window(const Points& points) {
  if (points.start.empty() || points.start.front().low > 1) return 0;
  return std::max<std::int64_t>(points.start.front().high, 0);
}

}  // namespace

void MeasureTerms::use(const ProvedModel& model) {
  obligations_.insert(obligations_.end(), model.obligations.begin(), model.obligations.end());
  lemmas_.insert(model.lemmas.begin(), model.lemmas.end());
}

void MeasureTerms::use_refinement(const RowModel& model, bool live) {
  for (const RowModel& part : model.parts) use_refinement(part, live);
  if (!refined()) return;
  if (is_union_of_ranges(model, live)) {
    rules_.insert("overlap: two ranges meet from the later start to the earlier end");
  }
  const auto add = [&](const auto& facts) {
    rules_.insert(facts.rules.begin(), facts.rules.end());
    obligations_.insert(obligations_.end(), facts.obligations.begin(), facts.obligations.end());
    lemmas_.insert(facts.lemmas.begin(), facts.lemmas.end());
  };
  if (model.kind == RowModel::Kind::kLattice) add(structure_.refined.lattices.at(model.function));
  if (model.points.beyond.size() > 1) {
    const Overlap& overlap = structure_.refined.overlaps.at(key_of(model.points.beyond));
    if (overlap.exact) add(overlap);
  }
}

Term MeasureTerms::time(Query& query, const Term& i) {
  Term total(0);
  for (const Side side : {Side::kA, Side::kB}) {
    const ProvedModel& proved = structure_.side(side);
    use(proved);
    if (!std::holds_alternative<EmptySet>(query.knowledge().pattern->set(side)->node)) {
      rules_.insert(size_rule(proved.model));
    }
    const SizeBounds size = row_size(query, proved.model, side, i, refinement());
    use_refinement(proved.model, false);
    if (size.exact) {
      total = total + size.low;
      continue;
    }
    exact_ = false;
    const Term between = query.fresh("size", either(size.low, size.high));
    query.assume(implies(i >= 1, conjunction({size.low <= between, between <= size.high})),
                 "a proved bound");
    total = total + between;
  }
  return total;
}

Term MeasureTerms::cache(Query& query, const Term& i) {
  Term total(0);
  for (const Side side : {Side::kA, Side::kB}) {
    const ProvedModel& proved = structure_.side(side);
    use(proved);
    if (!std::holds_alternative<EmptySet>(query.knowledge().pattern->set(side)->node)) {
      rules_.insert(live_rule(proved.model));
    }
    const SizeBounds size = live_size(query, proved.model, side, i, refinement());
    use_refinement(proved.model, true);
    if (size.exact) {
      total = total + size.low;
      continue;
    }
    exact_ = false;
    const Term between = query.fresh("live", either(size.low, size.high));
    query.assume(implies(i >= 1, conjunction({size.low <= between, between <= size.high})),
                 "a proved bound");
    total = total + between;
  }
  return total;
}

// progression.value = other as functions of the variable, from progression.low on
bool MeasureTerms::progression_is(const Progression& progression, const ExpressionPtr& other) {
  Query query(structure_.knowledge, structure_.knowledge.resource_limit);
  const Term k = query.variable(progression.variable);
  query.assume(k >= Term(progression.low), "range of the variable");
  const Term here = query.encode_known(*progression.value, {{progression.variable, k}});
  const Term there = query.encode_known(*other, {{"k", k}});
  const std::string name =
      fmt::format("same values: {} and {}", print(*progression.value), print(*other));
  const Attempt attempt = query.prove(name, name, equal(here, there));
  if (!attempt.proved()) return false;
  obligations_.push_back(attempt.obligation);
  lemmas_.insert(query.lemmas().begin(), query.lemmas().end());
  return true;
}

// Distances 2^k for every k, possibly among others. The values below the split are in the list.
bool MeasureTerms::reads_all_powers_of_two() {
  const RowModel& b = structure_.b.model;
  if (b.kind != RowModel::Kind::kDistances) return false;
  for (std::int64_t power = 1; power <= b.points.split; power *= 2) {
    if (!contains(b.points.start, power)) return false;
  }
  for (const Progression& progression : b.points.beyond) {
    if (progression.low < 0 || progression.low > 60) continue;
    const bool starts_next =
        progression.low == 0 || (std::int64_t{1} << (progression.low - 1)) <= b.points.split;
    if (starts_next && progression_is(progression, powers_of_two())) return true;
  }
  return false;
}

// No distance but powers of two; after reads_all_powers_of_two().
bool MeasureTerms::reads_only_powers_of_two() const {
  const Points& points = structure_.b.model.points;
  if (points.beyond.size() != 1 || points.all_beyond) return false;
  for (const Interval& interval : points.start) {
    for (std::int64_t d = interval.low; d <= interval.high; ++d) {
      if (d < 1 || (d & (d - 1)) != 0) return false;
    }
  }
  return true;
}

bool MeasureTerms::reads_all_squares_plus_one() {
  const RowModel& b = structure_.b.model;
  if (b.kind != RowModel::Kind::kDistances) return false;
  for (std::int64_t k = 0; k * k + 1 <= b.points.split; ++k) {
    if (!contains(b.points.start, k * k + 1)) return false;
  }
  for (const Progression& progression : b.points.beyond) {
    if (progression.low < 0) continue;
    const std::int64_t last = progression.low - 1;
    const bool starts_next = progression.low == 0 || last * last + 1 <= b.points.split;
    if (starts_next && progression_is(progression, squares_plus_one())) return true;
  }
  return false;
}

// h = hops(i, j) for 1 <= j < i.
std::optional<Term> MeasureTerms::hops(Query& query, const Term& i, const Term& j) {
  if (!structure_.reaches_all()) return std::nullopt;
  use(structure_.a);
  use(structure_.b);
  const Term distance = i - j;
  if (structure_.a_reads_all || (structure_.a_reads_self && structure_.b_reads_all)) {
    rules_.insert("hops: every row reads every position, so one edge is enough");
    return Term(1);
  }
  const Term hops = query.fresh("hops", up_to(distance));
  // Without the guard, a pair outside 1 <= j < i would make the hypotheses inconsistent.
  const auto know = [&](const Term& fact, const char* why) {
    query.assume(implies(conjunction({j >= 1, j < i}), fact), why);
  };
  know(hops >= 1, "j < i");
  know(hops <= distance, "one step at a time");
  rules_.insert("hops: row i reads i - 1, so i - j steps are enough");
  const RowModel& b = structure_.b.model;
  const bool only_output_steps = structure_.a_only_self && b.kind == RowModel::Kind::kDistances;
  exact_ = false;
  const auto know_hop_bounds = [&]() {
    for (const HopBound& bound : structure_.hop_bounds) {
      know(hops <= hop_bound_term(query, bound, distance), "a bound by descent");
      rules_.insert(bound.rules.begin(), bound.rules.end());
      obligations_.insert(obligations_.end(), bound.obligations.begin(), bound.obligations.end());
      lemmas_.insert(bound.lemmas.begin(), bound.lemmas.end());
    }
  };
  if (b.kind != RowModel::Kind::kDistances) {
    if (refined()) know_hop_bounds();
    return hops;
  }
  if (const std::int64_t w = leading_window(b.points); w > 1) {
    // ceil(d / w) steps of at most w
    rules_.insert("hops: a window of w is crossed in ceil((i - j) / w) steps");
    know(Term(w) * (hops - 1) < distance, "no more steps of w than needed");
  }
  if (only_output_steps && !b.points.infinite() && !b.points.start.empty()) {
    const std::int64_t farthest = b.points.start.back().high;
    rules_.insert("hops: h steps of at most m cross at most h m");
    know(distance <= Term(farthest) * hops, "the longest step");
    exact_ = leading_window(b.points) == farthest;
  }
  if (refined()) know_hop_bounds();
  if (b.points.beyond.empty()) return hops;
  if (reads_all_powers_of_two()) {
    rules_.insert("hops: i - j is a sum of popcount(i - j) powers of two");
    know(hops <= query.popcount_of(distance), "one step per one bit");
    if (refined() && only_output_steps && reads_only_powers_of_two()) {
      rules_.insert("hops: a sum of h powers of two has at most h one bits");
      know(query.popcount_of(distance) <= hops, "one bit per step at most");
    }
  }
  if (reads_all_squares_plus_one()) {
    assumes_.insert(kLagrange);
    rules_.insert("hops: i - j - 4 is a sum of four squares when i - j >= 4");
    know(hops <= 4, "1, 2 and 3 are 1, 2 and 1 + 2");
  }
  return hops;
}

// Edges of the longest chain among tokens 1..n.
std::optional<Term> MeasureTerms::depth(Query& query, const Term& n) {
  if (structure_.b_reads_previous) {
    use(structure_.b);
    rules_.insert("depth: row i reads row i - 1, so the chain 1, ..., n is the longest");
    return n - 1;
  }
  if (!refined()) return std::nullopt;
  if (const std::optional<Term> exact = depth_of_distances(query, n)) return exact;
  exact_ = false;
  const RowModel& b = structure_.b.model;
  if (b.kind == RowModel::Kind::kDistances && !b.points.infinite() && b.points.start.empty()) {
    use(structure_.a);
    use(structure_.b);
    const Term edges = query.fresh("depth", either(Term(0), Term(1)));
    rules_.insert("depth: without output edges a chain is one input edge");
    query.assume(implies(n >= 1, conjunction({edges >= 0, edges <= 1, edges <= n - 1})),
                 "at most one edge, and none to the first token");
    return edges;
  }
  const Term longest = query.fresh("depth", either(Term(0), n - 1));
  rules_.insert("depth: each edge leads to a later token, so a chain has at most n - 1");
  query.assume(implies(n >= 1, conjunction({longest >= 0, longest <= n - 1})), "a chain ascends");
  return longest;
}

std::optional<Term> MeasureTerms::depth_of_distances(Query& query, const Term& n) {
  const RowModel& a = structure_.a.model;
  const RowModel& b = structure_.b.model;
  if (a.kind != RowModel::Kind::kDistances || b.kind != RowModel::Kind::kDistances) {
    return std::nullopt;
  }
  use(structure_.a);
  use(structure_.b);
  const std::optional<std::int64_t> input = nearest(structure_.knowledge, a.points),
                                    output = nearest(structure_.knowledge, b.points);
  if ((!output && b.points.infinite()) || (!input && a.points.infinite())) return std::nullopt;
  if (!output) {
    rules_.insert("depth: without output edges a chain is one input edge");
    if (!input) return Term(0);
    return if_then_else(n > Term(*input), 1, 0);
  }
  if (input || a.points.start.empty()) return std::nullopt;
  rules_.insert("depth: a chain of edges of at least m has at most (n - 1) / m of them");
  const Scope scope{{"n", n}};
  const ExpressionPtr chain = make_expression(Arithmetic{
      ArithmeticOperator::kFloorDivide,
      make_expression(Arithmetic{ArithmeticOperator::kSubtract, make_expression(Name{"n"}),
                                 make_expression(Literal{1})}),
      make_expression(Literal{*output})});
  return query.encode_known(*chain, scope);
}

Term MeasureTerms::live(Query& query, const Term& n) {
  const std::string key = "cache " + n.text();
  if (known_.count(key) == 0) known_.emplace(key, cache(query, n));
  return known_.at(key);
}

// The best load of paths j -> j + n for j = 1..n.
std::optional<Term> MeasureTerms::congestion(Query& query, const Term& n) {
  if (!structure_.reaches_all()) {
    const RowModel& a = structure_.a.model;
    const std::int64_t w = a.kind == RowModel::Kind::kDistances ? leading_window(a.points) : 0;
    if (!refined() || w == 0) return std::nullopt;
    use(structure_.a);
    rules_.insert(
        "congestion: row i reads x_{i - n} for each n of a window, so each path is one edge");
    query.need(n <= Term(w));
    return Term(1);
  }
  if (refined() &&
      (structure_.a_reads_all || (structure_.a_reads_self && structure_.b_reads_all))) {
    use(structure_.a);
    use(structure_.b);
    rules_.insert("congestion: every token reads every earlier one, so each path is one edge");
    return Term(1);
  }
  if (!structure_.a_only_self) return std::nullopt;
  const Term cached = live(query, n);
  exact_ = false;
  const Term load = query.fresh("congestion", up_to(n));
  rules_.insert("capacity law: congestion(n) * cache(n) >= n when A is diagonal");
  query.factored(load, cached);
  query.assume(implies(n >= 1, conjunction({load >= 1, load <= n, load * cached >= n})),
               "capacity law");
  if (refined() && structure_.b.model.kind == RowModel::Kind::kDistances) {
    rules_.insert("translation law: congestion(n) <= hops over distance n");
    if (const std::optional<Term> over = hops(query, n + 1, Term(1))) {
      query.assume(implies(n >= 1, load <= *over), "translation law");
    }
  }
  return load;
}

// Vertex-disjoint paths from tokens up to m to later ones.
std::optional<Term> MeasureTerms::rank(Query& query, const Term& m) {
  if (!refined() && (!structure_.a_only_self || !structure_.reaches_all())) return std::nullopt;
  const Term cached = live(query, m);
  exact_ = false;
  const Term value = query.fresh("rank", [m, cached](const Model& model) -> std::vector<Integer> {
    const std::optional<Integer> most = model.value(m), live = model.value(cached);
    if (!most || !live) return {};
    return {0, std::min(*most, *live)};
  });
  rules_.insert(structure_.a_only_self
                    ? "capacity law: rank(m) <= cache(m) when A is diagonal"
                    : "capacity law: rank(m) <= cache(m), as every path passes a live x or y");
  query.assume(implies(m >= 1, conjunction({value >= 0, value <= m, value <= cached})),
               "capacity law");
  if (!refined()) return value;
  // One read of the same distance c >= 1 for each of the last min(c, m) tokens: disjoint edges.
  for (const Side side : {Side::kA, Side::kB}) {
    const ProvedModel& proved = structure_.side(side);
    if (proved.model.kind != RowModel::Kind::kDistances) continue;
    if (side == Side::kB && !structure_.a_reads_self) continue;
    const Points& points = proved.model.points;
    if (points.infinite()) {
      rules_.insert("rank: one distance of at least m carries every token up to m across the cut");
      query.assume(implies(m >= 1, value >= m), "one long distance");
    } else if (!points.start.empty() && points.start.back().high >= 1) {
      const Term longest(points.start.back().high);
      rules_.insert(
          "rank: the longest distance c carries the last min(c, m) tokens across the cut");
      query.assume(implies(m >= 1, value >= if_then_else(longest <= m, longest, m)),
                   "the longest distance");
    }
  }
  return value;
}

std::optional<Term> MeasureTerms::term(Query& query, MeasureKind measure,
                                       const std::vector<Term>& arguments) {
  std::string key = heddle::name_of(measure);
  for (const Term& argument : arguments) key += " " + argument.text();
  const bool in_no_step = measure == MeasureKind::kHops && may_be_itself(arguments);
  if (measure == MeasureKind::kHops) {
    const Term &later = arguments[0], &earlier = arguments[1];
    query.need(conjunction({earlier >= 1, in_no_step ? earlier <= later : earlier < later}));
  } else {
    query.need(arguments[0] >= 1);
  }
  if (const auto known = known_.find(key); known != known_.end()) return known->second;
  const Term& n = arguments[0];
  std::optional<Term> value;
  switch (measure) {
    case MeasureKind::kTime:
      value = time(query, n);
      break;
    case MeasureKind::kCache:
      value = cache(query, n);
      break;
    case MeasureKind::kHops:
      value = hops(query, n, arguments[1]);
      break;
    case MeasureKind::kDepth:
      value = depth(query, n);
      break;
    case MeasureKind::kCongestion:
      value = congestion(query, n);
      break;
    case MeasureKind::kRank:
      value = rank(query, n);
      break;
  }
  if (!value) return std::nullopt;
  if (in_no_step) {
    rules_.insert("hops: row i reads x_i, so a token reaches itself in no step");
    query.assume(implies(conjunction({arguments[1] >= 1, equal(arguments[0], arguments[1])}),
                         equal(*value, Term(0))),
                 "a token and itself");
  }
  known_.emplace(key, *value);
  return value;
}

// Claims about i and j are of j < i; others may come to a token and itself, which are no step apart
// where a row reads its own input.
bool MeasureTerms::may_be_itself(const std::vector<Term>& arguments) const {
  const bool one_edge =
      structure_.a_reads_all || (structure_.a_reads_self && structure_.b_reads_all);
  return structure_.reaches_all() && structure_.a_reads_self && !one_edge &&
         (arguments[0].text() != "i" || arguments[1].text() != "j");
}

}  // namespace heddle::proof
