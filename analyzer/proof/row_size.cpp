// SPDX-License-Identifier: Apache-2.0
// Sizes of rows and of live sets by the shape of the set. The laws behind the live sets:
//   distances D, infinite: for p <= i some d in D exceeds i - p, and row p + d reads p: 1..i
//   distances D, finite with largest m: row p + m is the last that reads p: the last m positions
//   positions within the last m + 1: no row after p + m reads p, so within the last m
//   fixed positions P: every later row reads all of them: P up to i
//   lattice: row(i+1) is within row(i) and {i}, so a position once skipped is never read again
#include "analyzer/proof/row_size.hpp"

#include <algorithm>

#include "patterns/expression.hpp"

namespace heddle::proof {

using namespace smt;  // NOLINT: terms and their operators

namespace {

constexpr std::int64_t kMostCounted = 1 << 20;

SizeBounds exactly(const Term& size) { return {size, size, true}; }

Term smaller(const Term& a, const Term& b) { return if_then_else(a <= b, a, b); }
Term larger(const Term& a, const Term& b) { return if_then_else(b <= a, a, b); }

// #{k >= low : value(k) <= limit} of a strictly increasing value.
std::optional<std::int64_t> counted(const Evaluator& evaluator, const Progression& progression,
                                    const Integer& limit) {
  const auto counts = [&](std::int64_t c) -> std::optional<bool> {  // are there more than c?
    const Result<Integer> value = evaluator.evaluate(
        *progression.value, {{progression.variable, Integer(progression.low) + Integer(c)}});
    return value.ok() ? std::optional(*value <= limit) : std::nullopt;
  };
  std::int64_t low = 0, high = 1;  // at least `low`, at most `high`
  for (;; low = high, high *= 2) {
    const std::optional<bool> more = high > kMostCounted ? std::nullopt : counts(high - 1);
    if (!more) return std::nullopt;
    if (!*more) break;
  }
  while (low + 1 < high) {
    const std::int64_t middle = low + (high - low) / 2;
    const std::optional<bool> more = counts(middle - 1);
    if (!more) return std::nullopt;
    (*more ? low : high) = middle;
  }
  return low;
}

Term count_progression(Query& query, const Progression& progression, const Term& limit) {
  const Term count =
      query.fresh("count", [progression, limit](const Model& model) -> std::vector<Integer> {
        const std::optional<Integer> most = model.value(limit);
        const auto found = most ? counted(model.evaluator(), progression, *most) : std::nullopt;
        if (!found) return {};
        return {*found};
      });
  const Term end = count + Term(progression.low);
  const auto value = [&](const Term& k) {
    return query.encode_known(*progression.value, {{progression.variable, k}});
  };
  query.counted(count, progression);
  query.assume(count >= 0, "a count");
  query.assume(implies(count >= 1, value(end - 1) <= limit), "the last value that counts");
  query.assume(limit < value(end), "the first value that does not");
  return count;
}

Progression values_of(const std::string& function) {
  const ExpressionPtr k = make_expression(Name{"k"});
  return {"k", make_expression(Apply{function, k}), 0};
}

// ceil((count - from) / spread): the positions p_from, p_(from + spread), ... are distinct.
Term spread_out(Query& query, const Term& count, const LatticeFacts& facts) {
  const Term spread(facts.spread), rest = count - Term(facts.from);
  const Term distinct =
      query.fresh("distinct", quotient_witness(rest + Term(facts.spread - 1), spread));
  query.assume(conjunction({rest <= spread * distinct, spread * distinct < rest + spread}),
               "positions that cannot fall together");
  return distinct;
}

SizeBounds sum_of(const SizeBounds& a, const SizeBounds& b) {
  return {a.low + b.low, a.high + b.high, a.exact && b.exact};
}

SizeBounds combined(RowModel::Kind kind, const SizeBounds& a, const SizeBounds& b) {
  switch (kind) {
    case RowModel::Kind::kUnion:
      return {larger(a.low, b.low), a.high + b.high};
    case RowModel::Kind::kIntersection:
      return {Term(0), smaller(a.high, b.high)};
    case RowModel::Kind::kDifference:
      return {larger(Term(0), a.low - b.high), a.high};
    default:
      unreachable("an operation on sets");
  }
}

// Are rows, or live sets, all positions between two ends?
bool is_range(const RowModel& model, bool live) {
  const bool one = !model.points.infinite() && model.points.start.size() == 1;
  switch (model.kind) {
    case RowModel::Kind::kDistances:
      return live ? !model.points.infinite() && !model.points.start.empty() : one;
    case RowModel::Kind::kPositions:
      return one;
    case RowModel::Kind::kOther:
      return !live && std::holds_alternative<RangeSet>(model.set->node);
    default:
      return false;
  }
}

// None where high < low.
struct Range {
  Term low, high;
};

Range range_of(Query& query, const RowModel& model, bool live, const Term& i) {
  if (model.kind == RowModel::Kind::kOther) {
    const auto& range = std::get<RangeSet>(model.set->node);
    const Scope scope{{"i", i}};
    const Term low = query.encode_known(*range.low, scope);
    return {low, query.encode_known(*range.high, scope)};
  }
  const IntervalList& start = model.points.start;
  const Term first(start.front().low), last(start.back().high);
  if (model.kind == RowModel::Kind::kPositions) {
    return {first, smaller(last, !live && model.before_row ? i - 1 : i)};
  }
  return live ? Range{larger(Term(1), i - last + 1), i}
              : Range{larger(Term(1), i - last), i - first};
}

// |S u T| where both are ranges: {l..h} and {m..k} meet in {max(l, m)..min(h, k)}.
SizeBounds union_of_ranges(Query& query, const RowModel& model, bool live, const Term& i) {
  const Range a = range_of(query, model.parts[0], live, i);
  const Range b = range_of(query, model.parts[1], live, i);
  const auto size = [](const Term& low, const Term& high) {
    return larger(Term(0), high - low + 1);
  };
  return exactly(size(a.low, a.high) + size(b.low, b.high) -
                 size(larger(a.low, b.low), smaller(a.high, b.high)));
}

// Leaves that only the syntax describes; `capacity` is the number of positions there are.
SizeBounds other_size(Query& query, const SetExpression& set, const Term& i, const Term& capacity) {
  const Scope scope{{"i", i}};
  if (const auto* range = std::get_if<RangeSet>(&set.node)) {
    const Term low = query.encode_known(*range->low, scope);
    const Term high = query.encode_known(*range->high, scope);
    return exactly(larger(Term(0), high - low + 1));
  }
  return {Term(0), capacity};
}

}  // namespace

SizeBounds count_up_to(Query& query, const Points& points, const Term& limit,
                       const Refined* refined) {
  SizeBounds size = exactly(Term(0));
  for (const Interval& interval : points.start) {
    const Term low(interval.low), high(interval.high);
    size = sum_of(size, exactly(if_then_else(high <= limit, Term(high) - low + 1,
                                             larger(Term(0), limit - low + 1))));
  }
  if (points.all_beyond) {
    size = sum_of(size, exactly(larger(Term(0), limit - Term(points.split))));
  }
  if (points.beyond.empty()) return size;
  if (const Overlap* overlap = refined && points.beyond.size() > 1
                                   ? &refined->overlaps.at(key_of(points.beyond))
                                   : nullptr;
      overlap != nullptr && overlap->exact) {
    for (const std::size_t at : overlap->kept) {
      size = sum_of(size, exactly(count_progression(query, points.beyond[at], limit)));
    }
    for (const Progression& common : overlap->common) {
      const Term twice = size.low - count_progression(query, common, limit);
      size = {twice, twice, size.exact};
    }
    return size;
  }
  SizeBounds beyond = exactly(count_progression(query, points.beyond[0], limit));
  for (std::size_t at = 1; at < points.beyond.size(); ++at) {
    const SizeBounds next = exactly(count_progression(query, points.beyond[at], limit));
    beyond = combined(RowModel::Kind::kUnion, beyond, next);
  }
  return sum_of(size, beyond);
}

bool is_union_of_ranges(const RowModel& model, bool live) {
  return model.kind == RowModel::Kind::kUnion && is_range(model.parts[0], live) &&
         is_range(model.parts[1], live);
}

SizeBounds row_size(Query& query, const RowModel& model, Side side, const Term& i,
                    const Refined* refined) {
  const Term capacity = side == Side::kA ? i : i - 1;
  switch (model.kind) {
    case RowModel::Kind::kDistances:
      return count_up_to(query, model.points, i - 1, refined);
    case RowModel::Kind::kPositions:
      return count_up_to(query, model.points, model.before_row ? i - 1 : i, refined);
    case RowModel::Kind::kLattice: {
      const Term count = count_progression(query, values_of(model.function), i - 1);
      const Term one = smaller(Term(1), count);
      if (refined == nullptr) return {one, count};
      const LatticeFacts& facts = refined->lattices.at(model.function);
      if (facts.distinct) return exactly(count);
      if (facts.spread == 0) return {one, count};
      return {larger(one, spread_out(query, count, facts)), count};
    }
    case RowModel::Kind::kUnion:
      if (refined != nullptr && is_union_of_ranges(model, false)) {
        return union_of_ranges(query, model, false, i);
      }
      [[fallthrough]];
    case RowModel::Kind::kIntersection:
    case RowModel::Kind::kDifference: {
      const SizeBounds left = row_size(query, model.parts[0], side, i, refined);
      SizeBounds size =
          combined(model.kind, left, row_size(query, model.parts[1], side, i, refined));
      size.high = smaller(size.high, capacity);
      return size;
    }
    case RowModel::Kind::kOther:
      return other_size(query, *model.set, i, capacity);
  }
  unreachable("row model");
}

SizeBounds live_size(Query& query, const RowModel& model, Side side, const Term& i,
                     const Refined* refined) {
  switch (model.kind) {
    case RowModel::Kind::kDistances: {
      if (model.points.infinite()) return exactly(i);
      const IntervalList& start = model.points.start;
      const std::int64_t farthest = start.empty() ? 0 : start.back().high;
      return exactly(smaller(Term(farthest), i));
    }
    case RowModel::Kind::kPositions:
      return count_up_to(query, model.points, i, refined);
    case RowModel::Kind::kLattice:
      return row_size(query, model, side, i + 1, refined);
    case RowModel::Kind::kUnion:
      if (refined != nullptr && is_union_of_ranges(model, true)) {
        return union_of_ranges(query, model, true, i);
      }
      [[fallthrough]];
    case RowModel::Kind::kIntersection:
    case RowModel::Kind::kDifference: {
      const SizeBounds left = live_size(query, model.parts[0], side, i, refined);
      SizeBounds size =
          combined(model.kind, left, live_size(query, model.parts[1], side, i, refined));
      // What the left part reads late may be what the right part takes away late.
      if (model.kind == RowModel::Kind::kDifference) size.low = Term(0);
      size.high = smaller(size.high, i);
      return size;
    }
    case RowModel::Kind::kOther:
      return {Term(0), model.farthest ? smaller(Term(*model.farthest), i) : i};
  }
  unreachable("row model");
}

}  // namespace heddle::proof
