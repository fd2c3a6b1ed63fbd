// SPDX-License-Identifier: Apache-2.0
#include "codegen/schedule/near_gates.hpp"

#include <algorithm>
#include <iterator>
#include <set>

#include "codegen/rows/row_shape.hpp"
#include "patterns/expression.hpp"

namespace heddle::schedule {

using ir::Ex;
using ir::Helper;
using ir::LoopKind;
using ir::MemoryId;
using ir::Type;

namespace {

constexpr std::int64_t kLastRow = std::int64_t{1} << 31;  // rows lie below
constexpr int kMostTerms = 1 << 17;
constexpr int kMostNearGates = 16;
constexpr std::int64_t kMostPeriod = std::int64_t{1} << 16;

struct NearTerm {
  std::int64_t f, a;
};

// Those that lead some row to less than `rows` before it: term k leads row i to i - d for one d of
// f - a + 1 .. f. None where there are too many terms to go through.
std::optional<std::vector<NearTerm>> near_terms(const KernelSpec& spec, int rows) {
  const auto& lattice = std::get<rows::LatticeLeaf>(spec.b.leaves.front());
  const Evaluator evaluator(spec.pattern);
  std::vector<NearTerm> near;
  std::int64_t a = 1;
  std::optional<std::int64_t> before;
  for (int k = 0; k < kMostTerms; ++k) {
    const Result<Integer> next = evaluator.call(lattice.function, k);
    if (!next) return std::nullopt;
    if (*next >= Integer(kLastRow)) return near;
    const auto f = *next->to_int64();
    if (before) a *= (f - *before + a - 1) / a;
    before = f;
    if (f - a + 1 < rows) near.push_back({f, a});
  }
  return std::nullopt;
}

}  // namespace

// Each a divides the next one, so that rows far from the first ones repeat by the largest; earlier
// rows read no more.
std::optional<NearGates::Entries> NearGates::entries_of(const KernelSpec& spec, int rows) {
  if (rows::shape_of(spec.b) != rows::RowShape::kLattice) return std::nullopt;
  const std::optional<std::vector<NearTerm>> terms = near_terms(spec, rows);
  if (!terms) return std::nullopt;
  Entries entries;
  std::int64_t period = 1, farthest = 0;
  for (const NearTerm& term : *terms) {
    if (term.a == 1 && term.f < rows) entries.always.push_back(term.f);
    period = std::max(period, term.a);
    farthest = std::max(farthest, term.f);
  }
  if (period > kMostPeriod) return std::nullopt;
  const std::int64_t start = (farthest / period + 1) * period;
  for (std::int64_t i = start; i < start + period; ++i) {
    int count = 0;
    std::int64_t above = i;
    for (const NearTerm& term : *terms) {
      const std::int64_t p = (i - term.f + term.a - 1) / term.a * term.a;
      if (p >= above || p <= i - rows) continue;
      above = p;
      ++count;
    }
    entries.most = std::max(entries.most, count);
  }
  if (entries.most == 0 || entries.most > kMostNearGates) return std::nullopt;
  return entries;
}

std::int64_t NearGates::bytes_of(const Entries& entries, int rows, int sharing) {
  return std::int64_t{rows} * ((entries.most + sharing - 1) / sharing * sharing) * 8;
}

std::int64_t NearGates::steps_of(const Entries& entries, int rows) {
  const auto always = static_cast<std::int64_t>(entries.always.size());
  std::int64_t steps = std::max<std::int64_t>(rows - always - 1, 0) * (entries.most - always);
  for (const std::int64_t distance : entries.always) steps += rows - distance;
  return steps;
}

NearGates::NearGates(Frame& frame, int rows, const RowGroups& groups, MemoryId gates, Ex at)
    : frame_(frame),
      builder_(frame.builder),
      groups_(groups),
      rows_(rows),
      entries_(*entries_of(frame.spec, rows)),
      places_(static_cast<int>(bytes_of(entries_, rows, groups.sharing()) / (8 * rows))),
      gates_(gates),
      from_(at),
      columns_(builder_.array("near_columns", Type::kI64, rows * places_, true)) {}

Ex NearGates::gates_at(Ex r, Ex number) const {
  return from_ + (number * rows_ + r) * frame_.spec.head_dim;
}

void NearGates::each_part(const std::function<void(Ex, Ex)>& body) {
  builder_.loop("part", builder_.i64(0), builder_.i64(places_ / groups_.sharing()), builder_.i64(1),
                LoopKind::kUnrolled,
                [&](Ex part) { body(groups_.lane() + part * groups_.sharing(), part); });
}

void NearGates::open_row(const RowLanes& lanes, Ex r) {
  own_ = builder_.array("own_columns", Type::kI64, places_ / groups_.sharing());
  each_part([&](Ex, Ex part) { builder_.store(own_, part, builder_.i64(0)); });
  const MemoryId nothing = lanes.array("no_gates");
  lanes.each_channel([&](Ex, Ex index) { builder_.store(nothing, index, builder_.f32(0)); });
  builder_.loop("number", builder_.i64(0), builder_.i64(entries_.most), builder_.i64(1),
                LoopKind::kUnrolled,
                [&](Ex number) { lanes.store(gates_, gates_at(r, number), nothing); });
}

void NearGates::leave(const RowLanes& lanes, Ex r, Ex number, Ex c, MemoryId gates) {
  builder_.when(number < builder_.i64(entries_.most), [&] {
    lanes.store(gates_, gates_at(r, number), gates);
    each_part([&](Ex own, Ex part) {
      builder_.when(equal(own, number), [&] { builder_.store(own_, part, c); });
    });
  });
}

void NearGates::close_row(Ex r) {
  each_part([&](Ex own, Ex part) {
    builder_.store(columns_, r * places_ + own, builder_.load(own_, part));
  });
}

void NearGates::close(Ex size, const std::function<void(Ex)>& clear) {
  builder_.loop(
      "r", size + frame_.warp, builder_.i64(rows_), builder_.i64(frame_.warps), LoopKind::kSerial,
      [&](Ex r) {
        builder_.when(frame_.lane < places_, [&] {
          builder_.store(columns_, r * places_ + frame_.lane, builder_.i64(0));
        });
        builder_.loop("number", builder_.i64(0), builder_.i64(entries_.most), [&](Ex number) {
          const Ex at = builder_.let("at", gates_at(r, number));
          frame_.each_channel([&](Ex d, Ex) { builder_.store(gates_, at + d, builder_.f32(0)); });
        });
        clear(r);
      });
}

// The entries of row r beyond the first ones. Where it has none, nothing of some row.
void NearGates::take_any(const Place& place, MemoryId solved, Ex r, Ex d) {
  const auto always = static_cast<std::int64_t>(entries_.always.size());
  builder_.loop(
      "number", builder_.i64(always), builder_.i64(entries_.most), builder_.i64(1),
      LoopKind::kUnrolled, [&](Ex number) {
        const Ex listed = builder_.load(columns_, r * places_ + number);
        const Ex c = builder_.let(
            "c",
            builder_.call(Helper::kMaximum,
                          {builder_.i64(0),
                           builder_.call(Helper::kMinimum, {builder_.i64(rows_ - 1), listed})}));
        builder_.store(solved, r,
                       builder_.load(solved, r) + builder_.load(gates_, gates_at(r, number) + d) *
                                                      builder_.load(place.memory, place.at(c)));
      });
}

// They lie behind the first ones: a row takes what they read as many rows ahead as these are, and
// need not wait for the rows in between. Rows are gone through in runs of which all have the same
// to do, so that no step asks.
void NearGates::solve(const Place& place, Ex d, const std::function<void(Ex, Ex)>& keep) {
  const auto always = static_cast<int>(entries_.always.size());
  const MemoryId solved = builder_.array("solved", Type::kF32, rows_);
  const auto each_row = [&](int first, int end, const std::function<void(Ex)>& body) {
    builder_.loop("r", builder_.i64(first), builder_.i64(end), builder_.i64(1), LoopKind::kUnrolled,
                  body);
  };
  each_row(0, rows_,
           [&](Ex r) { builder_.store(solved, r, builder_.load(place.memory, place.at(r))); });
  std::set<int> starts = {0, 1, rows_ - always, rows_};
  for (const std::int64_t distance : entries_.always) starts.insert(static_cast<int>(distance));
  for (auto start = starts.begin(); *start < rows_; ++start) {
    const int first = *start;
    each_row(first, *std::next(start), [&](Ex r) {
      if (entries_.most > always && first >= 1 && first < rows_ - always) {
        take_any(place, solved, builder_.let("ahead", r + always), d);
      }
      for (std::size_t number = entries_.always.size(); number-- > 0;) {
        const std::int64_t distance = entries_.always[number];
        if (first < distance) continue;
        const Ex at = gates_at(r, builder_.i64(static_cast<std::int64_t>(number))) + d;
        builder_.store(solved, r,
                       builder_.load(solved, r) +
                           builder_.load(gates_, at) * builder_.load(solved, r - distance));
      }
      const Ex output = builder_.let("output", builder_.load(solved, r));
      builder_.store(place.memory, place.at(r), output);
      keep(r, output);
    });
  }
}

}  // namespace heddle::schedule
